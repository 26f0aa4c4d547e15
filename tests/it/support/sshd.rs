//! An ssh server of one's own (OpenSSH's `sshd`) on loopback, and a client that knows it and nobody else.
//!
//! Nobody's own ssh configuration is read or written: the client is a wrapper, first in the `PATH` of whoever uses it.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::pitstop::Pitstop;
use super::ports::free_ports;
use super::wait::wait_until;

/// A running server that lets one key of its own in, as the user of the tests. Ended on `Drop`.
pub struct Sshd {
    pub port: u16,
    home: TempDir,
    child: Child,
}

impl Sshd {
    /// Starts one; `more`: further lines of its configuration.
    #[track_caller]
    pub fn start(more: &str) -> Self {
        let home = tempfile::Builder::new().prefix("pitstop-ssh").tempdir().expect("a temporary directory");
        let at = |name: &str| home.path().join(name).display().to_string();
        for name in ["host", "key", "stranger"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(name)]).status();
            assert!(made.is_ok_and(|made| made.success()), "ssh-keygen is needed: run scripts/setup");
        }
        std::fs::copy(at("key.pub"), at("authorized_keys")).expect("authorized_keys");
        if rustix::process::geteuid().is_root() {
            // Where sshd locks up what it does not trust; a package's start script makes it.
            std::fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let port = free_ports(1);
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{more}\n",
            at("host"),
            at("authorized_keys"),
        );
        std::fs::write(at("sshd_config"), config).expect("sshd_config");
        let log = std::fs::File::create(at("log")).expect("the log");
        let program = ["/usr/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let child = Command::new(program.expect("sshd is needed: run scripts/setup"))
            .args(["-D", "-e", "-f", &at("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd");
        wait_until("sshd", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).is_ok());

        let host = std::fs::read_to_string(at("host.pub")).expect("host.pub");
        std::fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host}")).expect("known_hosts");
        let config = format!(
            "Host *\nIdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\n\
             GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n",
            at("key"),
            at("known_hosts")
        );
        std::fs::write(at("ssh_config"), config).expect("ssh_config");
        std::fs::create_dir(at("bin")).expect("bin");
        let wrapper =
            format!("#!/bin/sh\necho \"$$\" >>{}\nexec /usr/bin/ssh -F {} \"$@\"\n", at("pids"), at("ssh_config"));
        std::fs::write(at("bin/ssh"), wrapper).expect("the wrapper");
        std::fs::set_permissions(at("bin/ssh"), std::fs::Permissions::from_mode(0o755)).expect("the wrapper");
        Self { port, home, child }
    }

    /// Its address for `socket` on this machine.
    pub fn url(&self, socket: &str) -> String {
        format!("ssh://127.0.0.1:{}{socket}", self.port)
    }

    /// `pitstop` with the client that knows this server.
    pub fn pitstop(&self, socket: &str) -> Pitstop {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.home.path().join("bin").display());
        Pitstop::without_engine().env("PATH", path).env("DOCKER_HOST", self.url(socket))
    }

    /// The clients that were started so far, by process id.
    pub fn clients(&self) -> Vec<u32> {
        let pids = std::fs::read_to_string(self.home.path().join("pids")).unwrap_or_default();
        pids.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// From now on the client brings a key that the server does not know, or does not know the server.
    pub fn forget(&self, what: &str) {
        match what {
            "key" => std::fs::rename(self.file("stranger"), self.file("key")).expect("the key"),
            _ => std::fs::write(self.file(what), "").expect("a file"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sshd's log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
