//! No engine to talk to: nobody there, somebody else there, or no permission. Exit code 3, and what to do.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;

#[test]
fn a_socket_where_nobody_listens_any_more() {
    let pitstop = Pitstop::without_engine();
    let socket = pitstop.home().join("dead.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let host = format!("unix://{}", socket.display());
    let out = pitstop.run(&["ps", "--host", &host]).expect_code(3);
    assert!(out.stderr.contains("dead.sock") && out.stderr.contains("hint: "), "{}", out.stderr);
    assert!(out.stdout.is_empty());
}

#[test]
fn what_answers_but_is_no_engine_is_told_so() {
    let page = "<html>It works!</html>";
    let html = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    let answers = ["220 mail.example ESMTP\r\n", &html, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ""];
    for answer in answers {
        let pitstop = Pitstop::without_engine();
        let socket = pitstop.home().join("other.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let reply = answer.to_owned();
        // Ends with the test's process: it waits for clients that no longer come.
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.read(&mut [0; 4096]);
                let _ = client.write_all(reply.as_bytes());
            }
        });
        let host = format!("unix://{}", socket.display());
        for verb in [&["ps"][..], &["restart", "web"], &["deploy", "web", "--image", "x", "--json"]] {
            let out = pitstop.run(&[verb, &["--host", &host]].concat()).expect_code(3);
            assert!(out.stderr.contains("other.sock"), "{answer:?}: {}", out.stderr);
            assert!(answer.is_empty() || out.stderr.contains("no Docker Engine"), "{answer:?}: {}", out.stderr);
            assert!(out.stdout.is_empty(), "{}", out.stdout);
        }
    }
}

#[test]
fn without_permission_the_way_in_is_named() {
    let home = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let program = home.path().join("pitstop");
    std::fs::copy(env!("CARGO_BIN_EXE_pitstop"), &program).unwrap();
    for verb in [&["ps"][..], &["restart", "web"]] {
        let out = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&program)
            .args(verb)
            .env_clear()
            .env("HOME", home.path())
            .env("DOCKER_HOST", Engine::machine().host())
            .output()
            .expect("setpriv (util-linux)");
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{said}");
        assert!(said.contains("permission denied") && said.contains("docker.sock"), "{said}");
        assert!(said.contains("hint: ") && (said.contains("group") || said.contains("sudo")), "{said}");
        assert!(out.stdout.is_empty());
    }
}
