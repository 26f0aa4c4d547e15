//! Certificates made by `openssl`: an authority, and what it signs for an engine at 127.0.0.1 and its clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority of its own, gone with its keys on `Drop`.
pub struct Authority {
    home: TempDir,
}

impl Authority {
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let authority = Self { home: tempfile::tempdir().expect("a temporary directory") };
        std::fs::write(authority.path("config"), "[req]\ndistinguished_name = dn\n[dn]\n").expect("openssl's config");
        let more = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"];
        authority.make(&authority.path(""), ("ca-key.pem", "ca.pem"), name, &more);
        authority
    }

    /// `ca.pem` and others.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A directory with `ca.pem`, and `cert.pem` and `key.pem` for an engine at 127.0.0.1.
    pub fn engine(&self) -> PathBuf {
        self.sign("engine", &["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth"])
    }

    /// A directory with `ca.pem`, and `cert.pem` and `key.pem` for a client.
    pub fn client(&self) -> PathBuf {
        self.sign("client", &["-addext", "extendedKeyUsage=clientAuth"])
    }

    #[track_caller]
    fn sign(&self, name: &str, more: &[&str]) -> PathBuf {
        let dir = self.path(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::copy(self.path("ca.pem"), dir.join("ca.pem")).expect("ca.pem");
        let (ca, key) = (self.path("ca.pem"), self.path("ca-key.pem"));
        let by = ["-CA", ca.to_str().expect("UTF-8"), "-CAkey", key.to_str().expect("UTF-8")];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        self.make(&dir, ("key.pem", "cert.pem"), name, &[&by[..], &leaf, more].concat());
        dir
    }

    #[track_caller]
    fn make(&self, dir: &Path, (key, cert): (&str, &str), name: &str, more: &[&str]) {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={name}"), "-config"])
            .arg(self.path("config"))
            .arg("-keyout")
            .arg(dir.join(key))
            .arg("-out")
            .arg(dir.join(cert))
            .args(more)
            .output()
            .expect("openssl is needed: run scripts/setup");
        assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    }
}
