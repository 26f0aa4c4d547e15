//! An HAProxy of one's own (Debian's `haproxy`) on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::ports::free_ports;
use super::wait::wait_for;

/// A running HAProxy; ended on `Drop`.
pub struct Haproxy {
    /// Where it takes requests, `127.0.0.1:PORT`.
    pub address: String,
    config: PathBuf,
    child: Child,
    folder: TempDir,
}

impl Haproxy {
    /// Starts one with a backend `web` of these servers (`name address options…`), as the design asks for it.
    #[track_caller]
    pub fn start(servers: &[String]) -> Self {
        for _ in 0..5 {
            let folder = tempfile::Builder::new().tempdir_in("/tmp").expect("a folder");
            // One that the kernel gives to nobody while it is down: whoever connects there might meet himself.
            let address = format!("127.0.0.1:{}", free_ports(1));
            let config = folder.path().join("haproxy.cfg");
            std::fs::write(&config, text(folder.path(), &address, servers)).expect("haproxy.cfg");
            let child = launch(&config);
            let mut haproxy = Self { address, config, child, folder };
            if haproxy.is_up() {
                return haproxy;
            }
        }
        panic!("haproxy does not start on any port");
    }

    /// The socket of level `admin`.
    pub fn socket(&self) -> String {
        self.folder.path().join("admin.sock").display().to_string()
    }

    /// The socket of level `operator`.
    pub fn operator_socket(&self) -> String {
        self.folder.path().join("operator.sock").display().to_string()
    }

    /// Sends a command to the admin socket and gives the answer.
    #[track_caller]
    pub fn tell(&self, command: &str) -> String {
        use std::io::{Read as _, Write as _};
        let mut socket = std::os::unix::net::UnixStream::connect(self.socket()).expect("the admin socket");
        writeln!(socket, "{command}").expect("a command");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// `NAME BITS` of each server: 0 serves, 1 is in maintenance, 8 is drained (`srv_admin_state`).
    #[track_caller]
    pub fn states(&self) -> Vec<String> {
        let table = self.tell("show servers state web");
        let rows = table.lines().skip(2).filter(|line| !line.is_empty());
        rows.map(|row| row.split(' ').collect::<Vec<_>>()).map(|row| format!("{} {}", row[3], row[6])).collect()
    }

    /// The sessions at each server now.
    #[track_caller]
    pub fn sessions(&self) -> Vec<u64> {
        let table = self.tell("show stat web 4 -1");
        let rows = table.lines().skip(1).filter(|line| !line.is_empty());
        rows.filter_map(|row| row.split(',').nth(4)?.parse().ok()).collect()
    }

    /// Ends it at once and starts it anew: what it was told at run time is forgotten.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.child = launch(&self.config);
        assert!(self.is_up(), "haproxy does not come back");
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn is_up(&mut self) -> bool {
        wait_for("haproxy", Duration::from_secs(30), || {
            let ended = self.child.try_wait().expect("our child").is_some();
            let answers = std::net::TcpStream::connect(&self.address).is_ok()
                && std::os::unix::net::UnixStream::connect(self.socket()).is_ok();
            (ended || answers).then_some(!ended)
        })
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        self.stop();
    }
}

fn launch(config: &Path) -> Child {
    Command::new("haproxy")
        .args(["-db", "-f"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("haproxy is needed: run scripts/setup")
}

fn text(folder: &Path, address: &str, servers: &[String]) -> String {
    use std::fmt::Write as _;
    let folder = folder.display();
    let mut text = format!(
        "global\n  stats socket {folder}/admin.sock mode 600 level admin\n  stats socket {folder}/operator.sock mode 600 level operator\n\
         defaults\n  mode http\n  timeout connect 2s\n  timeout client 2m\n  timeout server 2m\n  retries 3\n  option redispatch 1\n\
         frontend in\n  bind {address}\n  default_backend web\n\
         backend web\n  balance roundrobin\n"
    );
    for server in servers {
        let _ = writeln!(text, "  server {server}");
    }
    text
}
