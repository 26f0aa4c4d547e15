//! nginx (open source) by a file that its configuration includes.
//!
//! It has no interface at run time, so a server is taken out by the word `down` behind it (`ngx_http_upstream_module`,
//! `server … down`), a test of the configuration, and a reload; old workers finish what they have begun. It counts no
//! sessions, so whoever waits gives them a time. The file is replaced as a whole and at once; all but that word stays as it is,
//! and what does not pass the test is put back. Whoever changes it holds a lock on its directory.

mod file;
mod text;

use super::BalancerError;
use super::program;
use crate::domain::balancer::{self, Admin, Server};
use crate::domain::clean::Clean;
use crate::domain::ids::ServerName;
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use text::{edit, lines};

/// For a test, and for a reload: `nginx -t` opens every file and resolves every name of the configuration.
const DEADLINE: Duration = Duration::from_secs(20);
/// For somebody else to be done with the file: a test and a reload of theirs.
const LOCK: Duration = Duration::from_secs(45);
/// Between two tries for the lock.
const AGAIN: Duration = Duration::from_millis(20);

/// One file of one nginx.
#[derive(Clone, Debug)]
pub struct Nginx {
    spec: balancer::Nginx,
    shown: String,
}

impl Nginx {
    pub(super) fn new(spec: &balancer::Nginx, shown: String) -> Self {
        Self { spec: spec.clone(), shown }
    }

    /// The servers in the file.
    pub(super) async fn servers(&self) -> Result<Vec<Server>, BalancerError> {
        let text = self.read(&self.path().await?).await?;
        let mut servers: Vec<Server> = Vec::new();
        for line in lines(&text, self.spec.upstream.as_ref()) {
            let Ok(name) = ServerName::new(line.address) else { continue };
            match servers.iter_mut().find(|server| server.name == name) {
                // The same one in several blocks is out when it is out in all of them.
                Some(server) if line.down.is_none() => server.admin = Some(Admin::Ready),
                Some(_) => {}
                None => servers.push(server(name, line.down.is_some())),
            }
        }
        Ok(servers)
    }

    /// Writes the server's line, has it tested and read. Also where the line says so already: nginx may not have read it.
    pub(super) async fn set(&self, name: &ServerName, admin: Admin) -> Result<(), BalancerError> {
        let path = self.path().await?;
        let _lock = self.lock(&path).await?;
        let before = self.read(&path).await?;
        let after = edit(&before, self.spec.upstream.as_ref(), name, admin != Admin::Ready)
            .ok_or_else(|| BalancerError::gone(&format!("{name} of {}", self.shown)))?;
        self.write(&path, &before, &after).await?;
        let told = match self.run(self.spec.test.as_deref(), &["nginx", "-t"]).await {
            Ok(()) => self.run(self.spec.reload.as_deref(), &["nginx", "-s", "reload"]).await,
            refused => refused,
        };
        let Err(mut error) = told else { return Ok(()) };
        let back = self.write(&path, &after, &before).await;
        let state = match back {
            Ok(()) => format!("{}; {} is as it was", error.message, self.spec.file),
            Err(back) => format!("{}; and {} can't be put back: {}", error.message, self.spec.file, back.message),
        };
        error.message = Clean::new(&state);
        Err(error)
    }

    async fn run(&self, given: Option<&[String]>, usual: &[&str]) -> Result<(), BalancerError> {
        let usual: Vec<String> = usual.iter().map(|word| (*word).to_owned()).collect();
        program::run(&self.shown, given.unwrap_or(&usual), &[], DEADLINE).await.map(drop)
    }

    fn failed(&self, error: &io::Error, what: &str) -> BalancerError {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => Some("nginx's `include` and this file have to be the same one, on this machine"),
            io::ErrorKind::PermissionDenied => {
                Some("pitstop replaces the file, so it must be able to write its directory")
            }
            _ => None,
        };
        BalancerError::here(&self.shown, &format!("{} {what}: {error}", self.spec.file), hint)
    }

    async fn path(&self) -> Result<PathBuf, BalancerError> {
        file::find(&self.spec.file).await.map_err(|error| self.failed(&error, "can't be found"))
    }

    async fn read(&self, path: &Path) -> Result<String, BalancerError> {
        file::read(path).await.map_err(|error| self.failed(&error, "can't be read"))
    }

    async fn write(&self, path: &Path, before: &str, after: &str) -> Result<(), BalancerError> {
        if before == after {
            return Ok(());
        }
        file::replace(path, after.to_owned()).await.map_err(|error| self.failed(&error, "can't be replaced"))
    }

    /// One at a time: another pitstop, or another instance of this operation.
    async fn lock(&self, path: &Path) -> Result<File, BalancerError> {
        let folder = path.parent().unwrap_or(path);
        let folder = file::open_folder(folder).await;
        let folder = folder.map_err(|error| self.failed(&error, "has a directory that can't be opened"))?;
        let got = tokio::time::timeout(LOCK, async {
            loop {
                match rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                    Err(error) if error == rustix::io::Errno::WOULDBLOCK || error == rustix::io::Errno::INTR => {}
                    other => return other.map_err(io::Error::from),
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
        match got.await {
            Ok(Ok(())) => Ok(folder),
            Ok(Err(error)) => Err(self.failed(&error, "can't be locked")),
            Err(_) => Err(BalancerError::late(&self.shown, LOCK)),
        }
    }
}

fn server(name: ServerName, down: bool) -> Server {
    let text = name.as_str();
    // Without a port it is 80 (`ngx_http_upstream_module`, `server`).
    let address = text.parse::<SocketAddr>().ok().or_else(|| {
        let ip = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(ip, 80))
    });
    let admin = Some(if down { Admin::Maint } else { Admin::Ready });
    let words = Clean::new(if down { "down" } else { "in its file" });
    Server { name, address, admin, up: !down, traffic: None, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_server_is_follows_from_its_line() {
        let at = |text: &str| server(ServerName::new(text).unwrap(), false).address.map(|address| address.to_string());
        assert_eq!(at("172.30.0.2:8080").as_deref(), Some("172.30.0.2:8080"));
        assert_eq!(at("172.30.0.2").as_deref(), Some("172.30.0.2:80"));
        assert_eq!(at("[fd00::3]:90").as_deref(), Some("[fd00::3]:90"));
        assert_eq!(at("web.example:80"), None);
    }
}
