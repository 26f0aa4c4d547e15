//! A registry of one's own (Debian's `docker-registry`) on loopback, which engines use without TLS.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::PrivateDockerd;
use super::docker::Engine;
use super::http;
use super::wait::wait_for;

/// Whom a closed registry lets in.
pub const LOGIN: &str = "ana:s3cret";
/// The same, as bcrypt: `htpasswd -Bbn ana s3cret`.
const HTPASSWD: &str = "ana:$2y$05$h2aBT0Ez2ZeGFwhijKnQI.HVtYoLNBfpQCsUE.BvYfYPnAejesbEC\n";

/// A `config.json` as `docker login` writes it.
pub fn config_with(registry: &str, login: &str) -> String {
    serde_json::json!({"auths": {registry: {"auth": base64(login)}}}).to_string()
}

fn base64(text: &str) -> String {
    let digits: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().enumerate().fold(0_u32, |bits, (n, byte)| bits | u32::from(*byte) << (16 - 8 * n));
        for n in 0..4 {
            out.push(if n <= three.len() { digits[(bits >> (18 - 6 * n) & 63) as usize] } else { '=' });
        }
    }
    out
}

/// A running registry; ended and removed with its images on `Drop`.
pub struct Registry {
    /// `127.0.0.1:PORT`, the first part of its images' references.
    pub address: String,
    /// Who is let in, as `NAME:PASSWORD`; everybody where there is none.
    login: Option<&'static str>,
    child: Child,
    _storage: TempDir,
}

impl Registry {
    /// Starts an empty registry for the machine's engine.
    #[track_caller]
    pub fn start() -> Self {
        Self::launch(None)
    }

    /// As [`Registry::start_in`], where only [`LOGIN`] is let in.
    #[track_caller]
    pub fn start_closed_in(daemon: &PrivateDockerd) -> Self {
        daemon.inside(|| Self::launch(Some(LOGIN)))
    }

    /// Starts an empty registry that `daemon` reaches, in its network namespace.
    #[track_caller]
    pub fn start_in(daemon: &PrivateDockerd) -> Self {
        daemon.inside(|| Self::launch(None))
    }

    #[track_caller]
    fn launch(login: Option<&'static str>) -> Self {
        // Between choosing the port and listening on it somebody else may take it: then choose again.
        for _ in 0..5 {
            if let Some(registry) = Self::try_launch(login) {
                return registry;
            }
        }
        panic!("docker-registry does not start on any port");
    }

    fn try_launch(login: Option<&'static str>) -> Option<Self> {
        let storage = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target/tmp");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").to_string();
        let config: PathBuf = storage.path().join("config.yml");
        let root = storage.path().join("images");
        let users = storage.path().join("htpasswd");
        std::fs::write(&users, HTPASSWD).expect("htpasswd");
        let auth = login.map(|_| format!("auth: {{htpasswd: {{realm: pits, path: '{}'}}}}\n", users.display()));
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\n\
             storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '{address}'}}\n{}",
            root.display(),
            auth.unwrap_or_default()
        );
        std::fs::write(&config, text).expect("config.yml");
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is needed: run scripts/setup");
        let ready = wait_for("the registry", Duration::from_secs(30), || {
            let ended = child.try_wait().expect("our child").is_some();
            (ended || http::get(&address, "/v2/").is_ok_and(|answer| matches!(answer.status, 200 | 401)))
                .then_some(!ended)
        });
        ready.then_some(Self { address, login, child, _storage: storage })
    }

    /// Pushes the engine's `image` as `name` (e.g. `app:1`) and returns the reference to pull.
    ///
    /// The new tag is taken off the engine again; its layers stay as long as `image` does, so a test that wants bytes to
    /// travel removes `image` too.
    #[track_caller]
    pub fn push(&self, engine: &Engine, image: &str, name: &str) -> String {
        let reference = format!("{}/{name}", self.address);
        engine.docker(&["tag", image, &reference]);
        let config = tempfile::tempdir().expect("a temporary directory");
        let auths = self.login.map_or_else(String::new, |login| config_with(&self.address, login));
        std::fs::write(config.path().join("config.json"), if auths.is_empty() { "{}" } else { &auths })
            .expect("config.json");
        engine.docker(&["--config", &config.path().display().to_string(), "push", "-q", &reference]);
        engine.docker(&["rmi", &reference]);
        reference
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_pushed_can_be_pulled_and_what_is_not_cannot() {
    let daemon = PrivateDockerd::start(&super::daemon::Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_in(&daemon);
    let image = super::images::app(&engine, "v1");
    let pushed = registry.push(&engine, &image, "app:1");
    let id = engine.inspect(&image)["Id"].clone();
    engine.docker(&["rmi", &image]);
    assert_eq!(engine.docker(&["images", "-q"]), "", "nothing is left to pull from");

    let said = engine.docker(&["pull", &pushed]);
    assert!(said.contains("Downloaded newer image"), "{said}");
    assert_eq!(engine.inspect(&pushed)["Id"], id);
    let said = engine.try_docker(&["pull", &format!("{}/app:2", registry.address)]).unwrap_err();
    assert!(said.contains("not found") || said.contains("unknown"), "{said}");

    let gone = format!("{}/app:1", registry.address);
    drop(registry);
    let said = engine.try_docker(&["pull", &gone]).unwrap_err();
    assert!(said.contains("refused"), "{said}");
}
