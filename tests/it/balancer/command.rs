//! The driver of commands: real programs, hostile names, and ends by a deadline.

use std::path::Path;
use std::time::{Duration, Instant};

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{Admin, BalancerSpec, Hooks, Member};
use pitstop::domain::ids::ServerName;

use super::{member, runtime, server};
use crate::support::wait::wait_until;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn balancer(drain: &[&str], attach: &[&str], status: Option<&[&str]>, timeout_ms: u64) -> Balancer {
    let status = status.map(words);
    let hooks = Hooks { drain: words(drain), attach: words(attach), status, timeout_ms, settle_ms: 0 };
    Balancer::of(&BalancerSpec::Command(hooks))
}

/// Writes what it is told into `told`, one argument a line.
fn scribe(folder: &Path) -> String {
    let path = folder.join("scribe");
    let script =
        "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$PITSTOP_INSTANCE\" \"$PITSTOP_ADDRESS\" >> \"$(dirname \"$0\")/told\"\n";
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_command_is_told_whom_it_is_about_and_no_shell_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let scribe = scribe(folder.path());
    let driver = balancer(
        &[&scribe, "out", "{instance}:$(touch /tmp/x)", "a b; {address}"],
        &[&scribe, "in", "{instance}"],
        None,
        30_000,
    );
    let web = Member { name: ServerName::new("web-1").unwrap(), address: Some("172.30.0.2".parse().unwrap()) };
    runtime().block_on(driver.set(&web, Admin::Drain)).unwrap();
    runtime().block_on(driver.set(&member("web-2"), Admin::Ready)).unwrap();
    let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(told, "out\nweb-1:$(touch /tmp/x)\na b; 172.30.0.2\nweb-1\n172.30.0.2\nin\nweb-2\nweb-2\n\n");
    let seen = server(&driver, "web-1");
    assert_eq!((seen.admin, seen.sessions()), (None, None), "without a status nobody tells");
}

#[test]
fn names_that_could_be_more_than_a_name_are_none() {
    for name in
        ["web-1; rm -rf /", "$(id)", "`id`", "web 1", "web\n1", "a/b", "{address}", "-rf /", "a\0b", "\u{202e}x"]
    {
        assert!(ServerName::new(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_status_is_read_and_nonsense_is_told() {
    let status = |line: &str| balancer(&["true"], &["true"], Some(&["printf", line]), 30_000);
    let draining = server(&status("draining 3\n"), "web-1");
    assert_eq!((draining.admin, draining.sessions()), (Some(Admin::Drain), Some(3)));
    let error = runtime().block_on(status("all is well").servers(&[member("web-1")])).unwrap_err().to_string();
    assert!(error.contains("said \"all is well\"") && error.contains("serving, draining, drained or down"), "{error}");
    assert!(runtime().block_on(status("x").servers(&[])).unwrap().is_empty());
}

#[test]
fn a_failure_is_told_with_its_code_and_its_words() {
    let failing = balancer(&["sh", "-c", "echo working; echo 'no such pool' >&2; exit 3"], &["true"], None, 30_000);
    let error = runtime().block_on(failing.set(&member("web-1"), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("no such pool"), "{error}");
    let missing = balancer(&["/nowhere/drain"], &["true"], None, 30_000);
    let error = runtime().block_on(missing.set(&member("web-1"), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("can't be started") && error.contains("No such file"), "{error}");
}

#[test]
fn one_that_does_not_end_is_killed_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    let hanging = balancer(&["sh", "-c", &script], &["true"], None, 2_000);
    let began = Instant::now();
    let error = runtime().block_on(hanging.set(&member("web-1"), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("did not end within 2 s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
    let pid = std::fs::read_to_string(pid).unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    wait_until("what it started to be gone", Duration::from_secs(30), gone);
}

#[test]
fn any_amount_of_output_is_read() {
    let loud = balancer(&["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 1"], &["true"], None, 60_000);
    let error = runtime().block_on(loud.set(&member("web-1"), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("exit status: 1") && error.len() < 20_000, "{}", error.len());
}
