//! Which engine is meant, found as the docker CLI finds it: flags, environment, Docker contexts, the usual socket.
//!
//! Reads the environment and Docker's configuration; opens no connection.

use super::error::{DockerError, Failure};
use crate::files;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the engine listens when nobody says otherwise.
pub const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// Where an engine is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `unix:///path`, `tcp://host:port`, `ssh://user@host`.
    pub host: String,
    /// The Docker context it came from, if any but `default`.
    pub context: Option<String>,
    /// Directory with `ca.pem`, `cert.pem` and `key.pem`: speak TLS.
    pub tls: Option<PathBuf>,
    /// Speak exactly this version (`DOCKER_API_VERSION`).
    pub api_version: Option<String>,
}

/// What Docker's `config.json` says that matters here.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

/// A context's `meta.json`.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

impl Location {
    /// The engine at `host` (as `DOCKER_HOST` is written), without a look at the environment.
    pub fn at(host: impl Into<String>) -> Self {
        Self { host: host.into(), context: None, tls: None, api_version: None }
    }

    /// Whether it is reached over a network, which may be slow.
    pub fn is_far(&self) -> bool {
        !self.host.starts_with("unix://")
    }

    /// The engine meant by the flags `--host` and `--context`, the environment and `~/.docker/config.json`.
    ///
    /// `--context`, `--host`, `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext`, the usual socket: the first that is
    /// given counts, as the docker CLI does it (28.2; its manual has the two variables the other way round). Both
    /// flags together, an unknown context and an unreadable configuration are errors ([`Failure::Invalid`]).
    pub fn resolve(host: Option<&str>, context: Option<&str>) -> Result<Self, DockerError> {
        let env = |name: &str| std::env::var(name).ok();
        Surroundings { env: &env }.resolve(host, context)
    }

    /// The names of Docker contexts here, `default` first.
    pub fn contexts() -> Vec<String> {
        let env = |name: &str| std::env::var(name).ok();
        let found = Surroundings { env: &env }.contexts();
        let mut names: Vec<String> = found.into_iter().map(|(meta, _)| meta.name).collect();
        names.sort();
        std::iter::once("default".to_owned()).chain(names).collect()
    }
}

/// The environment, as a value so that tests bring their own.
struct Surroundings<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    fn var(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    fn config_dir(&self) -> Option<PathBuf> {
        let home = || self.var("HOME").map(|home| Path::new(&home).join(".docker"));
        self.var("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
    }

    fn resolve(&self, host: Option<&str>, context: Option<&str>) -> Result<Location, DockerError> {
        let mut location = match (host, context) {
            (Some(_), Some(context)) => {
                return Err(invalid(context, "--host and --context contradict each other: give one of them"));
            }
            (Some(host), None) => self.plain(host)?,
            (None, Some(context)) => self.context(context)?,
            (None, None) => self.unasked()?,
        };
        location.api_version = self.var("DOCKER_API_VERSION");
        Ok(location)
    }

    fn unasked(&self) -> Result<Location, DockerError> {
        if self.var("DOCKER_HOST").is_some() {
            return self.default();
        }
        match self.var("DOCKER_CONTEXT") {
            Some(context) => self.context(&context),
            None => self.context(&self.current_context()?),
        }
    }

    /// The context called `default`: `DOCKER_HOST`, else the usual socket.
    fn default(&self) -> Result<Location, DockerError> {
        self.plain(&self.var("DOCKER_HOST").unwrap_or_else(|| DEFAULT_HOST.to_owned()))
    }

    fn current_context(&self) -> Result<String, DockerError> {
        let Some(path) = self.config_dir().map(|dir| dir.join("config.json")) else { return Ok(String::new()) };
        let shown = path.display().to_string();
        match files::read(&path) {
            Ok(text) => serde_json::from_slice::<Config>(&text)
                .map(|config| config.current_context)
                .map_err(|error| invalid(&shown, format!("is no valid Docker configuration: {error}"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            // As the docker CLI: a configuration that can't be read is passed over.
            Err(_) => Ok(String::new()),
        }
    }

    fn contexts_dir(&self) -> PathBuf {
        self.config_dir().unwrap_or_default().join("contexts")
    }

    /// Those that can be read, each with the name of its directory.
    fn contexts(&self) -> Vec<(Meta, OsString)> {
        let entries = std::fs::read_dir(self.contexts_dir().join("meta")).into_iter().flatten().flatten();
        let read = |entry: std::fs::DirEntry| {
            let text = files::read(&entry.path().join("meta.json")).ok()?;
            Some((serde_json::from_slice::<Meta>(&text).ok()?, entry.file_name()))
        };
        entries.filter_map(read).collect()
    }

    fn context(&self, name: &str) -> Result<Location, DockerError> {
        if name.is_empty() || name == "default" {
            return self.default();
        }
        let root = self.contexts_dir();
        let mut known = Vec::new();
        for (meta, directory) in self.contexts() {
            if meta.name != name {
                known.push(meta.name);
                continue;
            }
            let Some(endpoint) = meta.endpoints.docker else {
                return Err(invalid(name, "this Docker context has no Docker endpoint"));
            };
            if endpoint.skip_tls_verify {
                return Err(invalid(
                    name,
                    "this Docker context skips the check of certificates, which pitstop does not",
                ));
            }
            let tls = root.join("tls").join(directory).join("docker");
            return Ok(Location {
                host: with_port(&endpoint.host, tls.is_dir())?,
                context: Some(name.to_owned()),
                tls: tls.is_dir().then_some(tls),
                api_version: None,
            });
        }
        known.sort();
        let known = if known.is_empty() { "there are none but default".to_owned() } else { known.join(", ") };
        Err(invalid(name, format!("there is no such Docker context in {} (known: {known})", root.display())))
    }

    /// A host from a flag or variable, where `DOCKER_TLS_VERIFY` counts.
    fn plain(&self, host: &str) -> Result<Location, DockerError> {
        let secure = self.var("DOCKER_TLS_VERIFY").is_some();
        let host = with_port(host, secure)?;
        if !secure && host.starts_with("tcp://") && self.var("DOCKER_TLS").is_some() {
            let words = "DOCKER_TLS asks for TLS without a check of who answers, which pitstop does not do";
            return Err(invalid(&host, words).advise("set DOCKER_TLS_VERIFY=1 instead, and DOCKER_CERT_PATH"));
        }
        let certificates = || self.var("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| self.config_dir());
        let tls = if secure && host.starts_with("tcp://") { certificates() } else { None };
        Ok(Location { tls, ..Location::at(host) })
    }
}

/// The host with its scheme and port made explicit, as the docker CLI reads it.
fn with_port(host: &str, secure: bool) -> Result<String, DockerError> {
    let host = host.trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" if rest.is_empty() => Ok(DEFAULT_HOST.to_owned()),
        "unix" if !rest.starts_with('/') => Err(invalid(host, "a unix socket needs an absolute path: unix:///…")),
        "unix" | "ssh" if !rest.is_empty() => Ok(host.to_owned()),
        "tcp" | "http" | "https" if rest.starts_with('/') || rest.is_empty() => {
            Err(invalid(host, "is no address of an engine; write unix:///path, tcp://host:port or ssh://user@host"))
        }
        "tcp" | "http" | "https" => {
            let rest = rest.trim_end_matches('/');
            let bare = rest.rsplit(']').next().unwrap_or(rest);
            let port = if bare.contains(':') {
                ""
            } else if secure || scheme == "https" {
                ":2376"
            } else {
                ":2375"
            };
            Ok(format!("tcp://{rest}{port}"))
        }
        _ => Err(invalid(host, format!("`{scheme}` is no way to an engine that pitstop knows; use unix, tcp or ssh"))),
    }
}

fn invalid(subject: &str, message: impl AsRef<str>) -> DockerError {
    DockerError::new("find the engine", subject, Failure::Invalid, message.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A home with the contexts `far` (tcp, TLS), `ssh` and `loose`, and `currentContext` as given.
    fn home(current: Option<&str>) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let docker = home.path().join(".docker");
        for (dir, name, host, skip) in [
            ("aa", "far", "tcp://far:2376", false),
            ("bb", "ssh", "ssh://ana@far", false),
            ("cc", "loose", "tcp://x:1", true),
        ] {
            let meta = docker.join("contexts/meta").join(dir);
            std::fs::create_dir_all(&meta).unwrap();
            let endpoint = serde_json::json!({"Host": host, "SkipTLSVerify": skip});
            let text = serde_json::json!({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}});
            std::fs::write(meta.join("meta.json"), text.to_string()).unwrap();
        }
        std::fs::create_dir_all(docker.join("contexts/tls/aa/docker")).unwrap();
        if let Some(current) = current {
            std::fs::write(docker.join("config.json"), format!(r#"{{"currentContext": "{current}"}}"#)).unwrap();
        }
        home
    }

    fn resolve(
        home: &Path,
        vars: &[(&str, &str)],
        host: Option<&str>,
        context: Option<&str>,
    ) -> Result<Location, DockerError> {
        let mut vars: BTreeMap<String, String> = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        vars.insert("HOME".into(), home.display().to_string());
        Surroundings { env: &|name| vars.get(name).cloned() }.resolve(host, context)
    }

    #[test]
    fn the_first_that_is_given_counts() {
        let home = home(Some("far"));
        let (host, context) = (Some("unix:///flag.sock"), Some("ssh"));
        let vars = [("DOCKER_HOST", "tcp://var"), ("DOCKER_CONTEXT", "ssh")];
        for (vars, host, context, want) in [
            (&vars[..], None, context, "ssh://ana@far"),
            (&vars[..], host, None, "unix:///flag.sock"),
            (&vars[..], None, None, "tcp://var:2375"),
            (&vars[..], None, Some("default"), "tcp://var:2375"),
            (&vars[1..], None, None, "ssh://ana@far"),
            (&[("DOCKER_HOST", "")][..], None, None, "tcp://far:2376"),
            (&[("DOCKER_CONTEXT", "default")][..], None, None, DEFAULT_HOST),
            (&[][..], None, None, "tcp://far:2376"),
        ] {
            assert_eq!(resolve(home.path(), vars, host, context).unwrap().host, want, "{vars:?} {host:?} {context:?}");
        }
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(resolve(nowhere.path(), &[], None, None).unwrap(), Location::at(DEFAULT_HOST));
    }

    #[test]
    fn what_can_not_be_meant_is_an_error_and_never_another_engine() {
        let home = home(Some("gone"));
        let error = resolve(home.path(), &[], None, None).unwrap_err();
        assert_eq!(error.failure, Failure::Invalid);
        assert!(error.to_string().contains("gone") && error.to_string().contains("far, loose, ssh"), "{error}");
        assert!(resolve(home.path(), &[], Some("unix:///a"), Some("far")).is_err());
        assert!(resolve(home.path(), &[], None, Some("loose")).is_err());
        for host in ["/var/run/docker.sock", "unix://relative", "npipe:////./pipe/x", "tcp://", "ssh://"] {
            assert!(resolve(home.path(), &[], Some(host), None).is_err(), "{host}");
        }
        std::fs::write(home.path().join(".docker/config.json"), "{").unwrap();
        assert!(resolve(home.path(), &[], None, None).is_err());
    }

    #[test]
    fn ports_and_certificates_are_found() {
        let home = home(None);
        let far = resolve(home.path(), &[], None, Some("far")).unwrap();
        assert_eq!(far.context.as_deref(), Some("far"));
        assert!(far.tls.unwrap().ends_with("contexts/tls/aa/docker"));
        let vars = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs"), ("DOCKER_API_VERSION", "1.41")];
        let secure = resolve(home.path(), &vars, Some("tcp://[::1]"), None).unwrap();
        assert_eq!((secure.host.as_str(), secure.tls), ("tcp://[::1]:2376", Some("/certs".into())));
        assert_eq!(secure.api_version.as_deref(), Some("1.41"));
        assert_eq!(resolve(home.path(), &vars, Some("unix:///a"), None).unwrap().tls, None);
        let unchecked = [("DOCKER_TLS", "1")];
        let error = resolve(home.path(), &unchecked, Some("tcp://far"), None).unwrap_err();
        assert!(error.to_string().contains("without a check"), "{error}");
        assert!(resolve(home.path(), &unchecked, None, None).is_ok());
        assert_eq!(resolve(home.path(), &[], Some("far:99"), None).unwrap().host, "tcp://far:99");
        assert_eq!(resolve(home.path(), &[], Some("unix://"), None).unwrap().host, DEFAULT_HOST);
    }
}
