//! `ssh://`: one connection that carries everything, and what is said when it does not come about.

use std::path::Path;
use std::time::Duration;

use super::a_day;
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::sshd::Sshd;
use crate::support::wait::wait_until;

const MACHINE: &str = "/var/run/docker.sock";

#[test]
fn an_app_is_deployed_through_one_ssh_connection_each() {
    let engine = Engine::machine();
    let sshd = Sshd::start("");
    a_day(&sshd.pitstop(""), &engine, &engine.project());
    // create, deploy, restart, rm: a client each, and none is left.
    assert_eq!(sshd.clients().len(), 4);
    wait_until("the end of all clients", Duration::from_secs(10), || {
        sshd.clients().iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

#[test]
fn ssh_that_is_killed_in_the_middle_is_started_again() {
    let engine = Engine::machine();
    let sshd = Sshd::start("");
    let (project, pitstop) = (engine.project(), sshd.pitstop(MACHINE));
    let (one, two) = (images::app(&engine, "v1"), images::slow_boot(&engine, "v2", 2000));
    pitstop.file("compose.yaml", &super::compose(&one));
    pitstop.run(&["create", "-p", &project.name]).expect_code(0);
    let running = pitstop.start(&["deploy", &format!("{}/web", project.name), "--image", &two, "--json"]);
    wait_until("the wait for readiness", Duration::from_secs(60), || {
        running.stdout().lines().any(|line| line.contains("\"step_started\"") && line.contains("\"ready\""))
    });
    let pid = sshd.clients().pop().unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    running.wait().expect_code(0);
    assert!(sshd.clients().len() >= 3, "create, deploy, and again");
    let running = engine.docker(&["ps", "--filter", &format!("ancestor={two}"), "--format", "{{.Names}}"]);
    assert_eq!(running.lines().filter(|name| name.starts_with(&*project.name)).count(), 2, "{running}");
}

#[test]
fn what_is_missing_on_the_way_is_named() {
    let sshd = Sshd::start("");
    let said = |host: &str| {
        let out = sshd.pitstop("").run(&["-H", host, "ps"]).expect_code(3);
        assert!(out.stderr.contains(host), "{}", out.stderr);
        out.stderr
    };
    let words = said(&sshd.url("/run/no-such.sock"));
    assert!(words.contains("ssh works, but there is no socket /run/no-such.sock"), "{words}");
    let words = said("ssh://127.0.0.1:1");
    assert!(words.contains("Connection refused"), "{words}");
    sshd.forget("key");
    let words = said(&sshd.url(""));
    assert!(words.contains("Permission denied") && words.contains("ssh-add"), "{words}");
    sshd.forget("known_hosts");
    let words = said(&sshd.url(""));
    assert!(words.contains("Host key verification failed") && words.contains("run `ssh"), "{words}");
    let out = sshd.pitstop("").env("PATH", "/nowhere").run(&["ps"]).expect_code(3);
    assert!(out.stderr.contains("can't run ssh") && out.stderr.contains("OpenSSH"), "{}", out.stderr);
}

#[test]
fn where_no_sockets_are_forwarded_the_docker_command_there_is_the_way() {
    let engine = Engine::machine();
    let sshd = Sshd::start("AllowStreamLocalForwarding no");
    a_day(&sshd.pitstop(""), &engine, &engine.project());
    assert!(sshd.clients().len() > 4, "an ssh for each connection");
    wait_until("the end of all clients", Duration::from_secs(10), || {
        sshd.clients().iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
    let bin = tempfile::tempdir().unwrap();
    for program in ["sh", "cat"] {
        std::os::unix::fs::symlink(format!("/bin/{program}"), bin.path().join(program)).unwrap();
    }
    let without = Sshd::start(&format!("AllowStreamLocalForwarding no\nSetEnv PATH={}", bin.path().display()));
    let out = without.pitstop("").run(&["ps"]).expect_code(3);
    assert!(out.stderr.contains("no docker command") && out.stderr.contains("AllowStreamLocal"), "{}", out.stderr);
}
