//! The login for a registry, from Docker's own configuration.
//!
//! Looks where `docker login` puts it: `credHelpers`, `credsStore`, `auths`. Finding none is no error: the registry says
//! so if it wants one. Must not log or keep what it finds.

use bollard::auth::DockerCredentials;
use serde::Deserialize;
use std::collections::HashMap;
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

/// The login for the registry that `image` comes from.
pub(super) async fn find(image: &str) -> Option<DockerCredentials> {
    let dir = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = dir.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".docker")))?;
    let text = super::file::read(&dir.join("config.json")).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    let registry = registry(image);
    let helper = config.helpers.get(registry).map_or(config.store.as_str(), String::as_str);
    if !helper.is_empty() {
        return ask(helper, registry).await;
    }
    let wanted = host(registry);
    let auth = config.auths.into_iter().find(|(name, _)| host(name) == wanted)?.1;
    let (username, password) = auth.login()?;
    Some(DockerCredentials {
        username: Some(username),
        password: Some(password).filter(|_| auth.identitytoken.is_empty()),
        identitytoken: Some(auth.identitytoken).filter(|token| !token.is_empty()),
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    })
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
async fn ask(helper: &str, registry: &str) -> Option<DockerCredentials> {
    if !helper.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return None;
    }
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let answer = async {
        stdin.write_all(registry.as_bytes()).await.ok()?;
        drop(stdin);
        child.wait_with_output().await.ok()
    };
    let output = tokio::time::timeout(HELPER, answer).await.ok()??;
    let Secret { username, secret } = serde_json::from_slice(&output.stdout).ok()?;
    let (token, password) = if username == "<token>" { (Some(secret), None) } else { (None, Some(secret)) };
    Some(DockerCredentials {
        username: Some(username),
        password,
        identitytoken: token,
        serveraddress: Some(registry.to_owned()),
        ..DockerCredentials::default()
    })
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
