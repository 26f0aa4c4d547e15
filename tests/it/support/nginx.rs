//! An nginx of one's own (Debian's `nginx`) on loopback, its upstream in a file of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::ports::free_ports;
use super::wait::{try_wait_for, wait_for};

/// A running nginx; ended on `Drop`.
pub struct Nginx {
    /// Where it takes requests, `127.0.0.1:PORT`.
    pub address: String,
    child: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts one with an upstream `web` of these `server` lines (`127.0.0.1:80 weight=2`).
    #[track_caller]
    pub fn start(servers: &[String]) -> Self {
        for _ in 0..5 {
            let folder = tempfile::Builder::new().tempdir_in("/tmp").expect("a folder");
            let address = format!("127.0.0.1:{}", free_ports(1));
            let lines: Vec<String> = servers.iter().map(|server| format!("server {server};")).collect();
            let lines = lines.join("\n");
            std::fs::create_dir(folder.path().join("upstreams")).expect("a folder");
            std::fs::write(file(folder.path()), format!("# servers of web\n{lines}\nkeepalive 16;\n")).expect("a file");
            std::fs::write(folder.path().join("nginx.conf"), text(folder.path(), &address)).expect("nginx.conf");
            let child = launch(folder.path());
            let mut nginx = Self { address, child, folder };
            if nginx.is_up() {
                return nginx;
            }
        }
        panic!("nginx does not start on any port");
    }

    /// The file with its servers.
    pub fn file(&self) -> PathBuf {
        file(self.folder.path())
    }

    /// Its argument vector with more words.
    pub fn argv(&self, more: &[&str]) -> Vec<String> {
        argv(self.folder.path(), more)
    }

    /// The file's text.
    #[track_caller]
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.file()).expect("its file")
    }

    /// What it wrote into its log of errors.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn is_up(&mut self) -> bool {
        wait_for("nginx", Duration::from_secs(30), || {
            let ended = self.child.try_wait().expect("our child").is_some();
            let answers = std::net::TcpStream::connect(&self.address).is_ok();
            (ended || answers).then_some(!ended)
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers end with it only when it is asked to end.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = try_wait_for(Duration::from_secs(10), || self.child.try_wait().ok().flatten());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("upstreams/web.conf")
}

fn argv(folder: &Path, more: &[&str]) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let own = ["nginx".to_owned(), "-e".to_owned(), path("error.log"), "-c".to_owned(), path("nginx.conf")];
    own.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn launch(folder: &Path) -> Child {
    let argv = argv(folder, &[]);
    Command::new(&argv[0])
        .args(&argv[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx is needed: run scripts/setup")
}

fn text(folder: &Path, address: &str) -> String {
    let at = folder.display();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("  {what}_temp_path {at}/{what};\n"));
    let temporary = temporary.concat();
    format!(
        "{user}daemon off;\nworker_processes 2;\npid {at}/nginx.pid;\nevents {{ worker_connections 512; }}\nhttp {{\n  access_log off;\n{temporary}\
           upstream web {{ include {at}/upstreams/*.conf; }}\n\
           server {{\n    listen {address};\n    keepalive_requests 1000000;\n\
             location / {{ proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; }}\n  }}\n}}\n"
    )
}
