//! A Caddy of one's own (Debian's `caddy`) on loopback, its admin API on a Unix socket.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ports::free_ports;
use super::wait::wait_for;

/// A running Caddy; ended on `Drop`.
pub struct Caddy {
    /// Where it takes requests, `127.0.0.1:PORT`.
    pub address: String,
    child: Child,
    folder: TempDir,
}

impl Caddy {
    /// Starts one that sends requests to these addresses in turn.
    #[track_caller]
    pub fn start(servers: &[String]) -> Self {
        for _ in 0..5 {
            let folder = tempfile::Builder::new().tempdir_in("/tmp").expect("a folder");
            let address = format!("127.0.0.1:{}", free_ports(1));
            let socket = folder.path().join("admin.sock").display().to_string();
            let config = config(&socket, &address, servers);
            std::fs::write(folder.path().join("caddy.json"), config.to_string()).expect("caddy.json");
            let child = launch(&folder);
            let mut caddy = Self { address, child, folder };
            if caddy.is_up() {
                return caddy;
            }
        }
        panic!("caddy does not start on any port");
    }

    /// The socket of its admin API.
    pub fn socket(&self) -> String {
        self.folder.path().join("admin.sock").display().to_string()
    }

    /// Ends it at once and starts it anew: what it was told at run time is forgotten.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.child = launch(&self.folder);
        assert!(self.is_up(), "caddy does not come back");
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn is_up(&mut self) -> bool {
        wait_for("caddy", Duration::from_secs(30), || {
            let ended = self.child.try_wait().expect("our child").is_some();
            let answers = std::net::TcpStream::connect(&self.address).is_ok()
                && std::os::unix::net::UnixStream::connect(self.socket()).is_ok();
            (ended || answers).then_some(!ended)
        })
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(folder: &TempDir) -> Child {
    Command::new("caddy")
        .args(["run", "--config"])
        .arg(folder.path().join("caddy.json"))
        .env("HOME", folder.path())
        .env("XDG_DATA_HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("caddy is needed: run scripts/setup")
}

fn config(socket: &str, address: &str, servers: &[String]) -> Value {
    let upstreams: Vec<Value> = servers.iter().map(|server| json!({"dial": server})).collect();
    let proxy = json!({
        "handler": "reverse_proxy",
        "load_balancing": {"selection_policy": {"policy": "round_robin"}, "try_duration": "2s"},
        "upstreams": upstreams,
    });
    json!({
        "admin": {"listen": format!("unix/{socket}"), "config": {"persist": false}},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": {"web": {
            "listen": [address],
            "automatic_https": {"disable": true},
            "routes": [{"handle": [{"handler": "subroute", "routes": [{"handle": [proxy]}]}], "terminal": true}],
        }}}},
    })
}
