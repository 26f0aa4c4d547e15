//! The login for a registry, from Docker's own configuration.
//!
//! Looks where `docker login` puts it: `credHelpers`, `credsStore`, `auths`. Finding none is no error: the registry says
//! so if it wants one, and then what was looked at is told. Must not log or tell what it finds.

use crate::domain::clean::clean;
use crate::files;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How `docker login` names Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// A helper that asks a person something is not waited for.
const HELPER: Duration = Duration::from_secs(10);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: HashMap<String, Auth>,
    #[serde(rename = "credsStore")]
    store: String,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    identitytoken: String,
}

/// A credential helper's answer.
#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// What Docker's configuration has for a registry.
pub(super) struct Login {
    /// As `docker login` is told.
    registry: String,
    /// Where was looked.
    file: PathBuf,
    /// `Err`: there should be one, and a sentence why there is none.
    found: Result<Option<DockerCredentials>, String>,
}

impl Login {
    /// The login for the registry that `image` comes from.
    pub(super) async fn find(image: &str) -> Self {
        let registry = registry(image);
        let dir = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".docker");
        let file = dir.unwrap_or_else(home).join("config.json");
        let found = look(&file, registry).await;
        Self { registry: registry.to_owned(), file, found }
    }

    /// What the engine is to show the registry.
    pub(super) fn credentials(&self) -> Option<DockerCredentials> {
        self.found.as_ref().ok().cloned().flatten()
    }

    /// What to do when the registry does not let it in.
    pub(super) fn advice(&self) -> String {
        let file = self.file.display();
        let (name, command) = match self.registry.as_str() {
            HUB => ("Docker Hub", "docker login".to_owned()),
            registry => (registry, format!("docker login {registry}")),
        };
        match &self.found {
            Err(why) => format!("{why}; `{command}` makes a login anew"),
            Ok(None) => format!("there is no login for {name} in {file}: `{command}`"),
            Ok(Some(_)) => format!(
                "{name} was shown the login of {file}: it is not accepted, or may not pull this; `{command}` makes it anew"
            ),
        }
    }
}

async fn look(file: &Path, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let text = match files::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{} can't be read: {error}", file.display())),
    };
    let config: Config = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is no valid Docker configuration: {error}", file.display()))?;
    let helper = config.helpers.get(registry).map_or(config.store.as_str(), String::as_str);
    if !helper.is_empty() {
        return ask(helper, registry).await;
    }
    let wanted = host(registry);
    let Some((_, auth)) = config.auths.into_iter().find(|(name, _)| host(name) == wanted) else { return Ok(None) };
    let token = Some(auth.identitytoken.clone()).filter(|token| !token.is_empty());
    let (username, password) = match auth.login() {
        Some((username, password)) => (Some(username), Some(password).filter(|_| token.is_none())),
        None if token.is_some() => (None, None),
        None if auth.auth.is_empty() => return Ok(None),
        None => return Err(format!("the login for {registry} in {} can't be read", file.display())),
    };
    Ok(Some(DockerCredentials {
        username,
        password,
        identitytoken: token,
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    }))
}

impl Auth {
    fn login(&self) -> Option<(String, String)> {
        let text = String::from_utf8(base64(&self.auth)?).ok()?;
        let (name, password) = text.split_once(':')?;
        Some((name.to_owned(), password.trim_end_matches('\0').to_owned()))
    }
}

/// `registry.example:5000` of `registry.example:5000/shop/web:v2`; Docker Hub where none is named.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => match first {
            "docker.io" | "index.docker.io" => HUB,
            first => first,
        },
        _ => HUB,
    }
}

/// Old configurations write registries as URLs.
fn host(registry: &str) -> &str {
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://");
    bare.split('/').next().unwrap_or(bare)
}

/// Runs `docker-credential-HELPER get`.
async fn ask(helper: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    if !helper.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err(format!("`{helper}` is no name of a credential helper"));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |what: &str| format!("{program}, which has the logins, {what}");
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&format!("can't be run: {error}")))?;
    let stdin = child.stdin.take();
    let answer = async {
        if let Some(mut stdin) = stdin {
            // One that asks for nothing closes it early.
            let _ = stdin.write_all(registry.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(HELPER, answer).await {
        Err(_) => return Err(failed(&format!("did not answer within {} s", HELPER.as_secs()))),
        Ok(Err(error)) => return Err(failed(&format!("failed: {error}"))),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        // A helper says on its standard output what is wrong. Not to have a login is none of it.
        let said = clean(String::from_utf8_lossy(&output.stdout).trim());
        return if said.contains("credentials not found") {
            Ok(None)
        } else {
            Err(failed(&format!("said \"{said}\"")))
        };
    }
    let Secret { username, secret } =
        serde_json::from_slice(&output.stdout).map_err(|_| failed("gave an answer that can't be read"))?;
    let (token, password) = if username == "<token>" { (Some(secret), None) } else { (None, Some(secret)) };
    Ok(Some(DockerCredentials {
        username: Some(username),
        password,
        identitytoken: token,
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    }))
}

/// RFC 4648, standard alphabet, padding optional.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits).to_le_bytes()[0]);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_from_repositories() {
        for (image, want) in [
            ("web:v2", HUB),
            ("shop/web", HUB),
            ("docker.io/shop/web", HUB),
            ("localhost/web", "localhost"),
            ("127.0.0.1:5000/web", "127.0.0.1:5000"),
            ("ghcr.io/shop/web@sha256:00", "ghcr.io"),
        ] {
            assert_eq!(registry(image), want);
        }
        assert_eq!(host(HUB), "index.docker.io");
    }

    #[tokio::test]
    async fn what_was_found_where_is_told_and_never_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let login = |found| Login { registry: "r:5000".to_owned(), file: file.clone(), found };
        let mut told = Vec::new();
        for (text, what) in [
            (None, "there is no login for r:5000"),
            (Some("{}"), "there is no login for r:5000"),
            (Some("{"), "is no valid Docker configuration"),
            (Some(r#"{"auths": {"r:5000": {"auth": "YW5hOnMzY3JldA=="}}}"#), "was shown the login of"),
            (Some(r#"{"auths": {"https://r:5000/v2/": {"identitytoken": "s3cret"}}}"#), "was shown the login of"),
            (Some(r#"{"auths": {"r:5000": {"auth": "%%%s3cret"}}}"#), "can't be read"),
            (Some(r#"{"auths": {"r:5000": {}}}"#), "there is no login for r:5000"),
            (
                Some(r#"{"credsStore": "no-such-helper"}"#),
                "docker-credential-no-such-helper, which has the logins, can't be run",
            ),
            (Some(r#"{"credHelpers": {"r:5000": "../x"}}"#), "is no name of a credential helper"),
        ] {
            let _ = std::fs::remove_file(&file);
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            let advice = login(look(&file, "r:5000").await).advice();
            assert!(advice.contains(what) && advice.contains("`docker login r:5000`"), "{text:?}: {advice}");
            told.push(advice);
        }
        assert!(!told.concat().contains("s3cret"), "{told:?}");
    }

    #[test]
    fn a_stored_login_is_decoded() {
        assert_eq!(base64("YW5hOnMzY3JldA==").unwrap(), b"ana:s3cret");
        assert_eq!(base64("YW5h").unwrap(), b"ana");
        assert_eq!(base64("//79").unwrap(), [255, 254, 253]);
        assert_eq!(base64("a b"), None);
        let config: Config =
            serde_json::from_str(r#"{"auths": {"127.0.0.1:5000": {"auth": "YW5hOmE6Yg=="}}, "other": 1}"#).unwrap();
        let login = config.auths["127.0.0.1:5000"].login().unwrap();
        assert_eq!(login, ("ana".to_owned(), "a:b".to_owned()));
    }
}
