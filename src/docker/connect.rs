//! From a location to a checked connection.
//!
//! Looks at the socket itself, because the client library calls a directory that may not be entered "socket not
//! found"; then agrees on an API version and reads who answers.

use super::client::{ApiVersion, Docker, LIST, READ, late, raw, versioned, within};
use super::error::{CONNECT, DockerError, Failure, was_cut};
use super::location::Location;
use super::ssh::Tunnel;
use super::{list, remote, ssh, tls};
use crate::domain::clean::clean;
use crate::domain::fleet::{EngineInfo, Fleet};
use bollard::API_DEFAULT_VERSION;
use bollard::models::{SystemInfo, SystemVersion};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// The oldest API spoken: Engine 20.10.
const OLDEST: ApiVersion = (1, 41);

/// The client library's own timeout, in seconds: ours are shorter or on purpose longer, so it never counts.
pub(super) const NEVER: u64 = 7 * 24 * 3600;

/// Until the first answer, with all that ssh and TLS have to say to each other before it.
const FIRST: Duration = Duration::from_secs(25);

/// A way to an engine of which nothing is known yet.
pub struct Opened {
    client: bollard::Docker,
    /// The way there, where that is ssh.
    tunnel: Option<Tunnel>,
    location: Location,
}

impl Docker {
    /// Connects, agrees on an API version and reads who answers. Each way this fails has its own [`Failure`] and hint.
    pub async fn connect(location: &Location) -> Result<Self, DockerError> {
        Self::open(location).await?.enter().await
    }

    /// Looks at where the engine is said to listen, and says nothing to it.
    pub async fn open(location: &Location) -> Result<Opened, DockerError> {
        let (client, tunnel) = open(location).await?;
        Ok(Opened { client, tunnel, location: location.clone() })
    }
}

impl Opened {
    /// What the engine's list alone shows, before it has said who it is: that takes it ten times as long. In its own newest
    /// version, for none is agreed on.
    pub async fn glance(&self) -> Result<Fleet, DockerError> {
        let Location { host, context, .. } = &self.location;
        let (body, mut listed) = (raw(&self.client, list::path(&HashMap::new())), Vec::new());
        within(CONNECT, host, LIST, list::read(body, |container| listed.push(container))).await?;
        let context = context.as_deref().map(clean);
        let engine = EngineInfo { host: clean(host), context, ..EngineInfo::default() };
        Ok(Fleet::assemble(engine, listed))
    }

    /// Agrees on an API version and reads who answers.
    pub async fn enter(&self) -> Result<Docker, DockerError> {
        let Self { client, location, tunnel } = self;
        let host = location.host.as_str();
        let mut answer = tokio::time::timeout(FIRST, client.version()).await;
        if let (Ok(Err(error)), Some(tunnel)) = (&answer, tunnel)
            && was_cut(error)
            && tunnel.turn().await
        {
            answer = tokio::time::timeout(FIRST, client.version()).await;
            if !matches!(answer, Ok(Ok(_))) {
                tunnel.turn_back();
            }
        }
        let version = match answer {
            Ok(Ok(version)) => version,
            Ok(Err(error)) => {
                return Err(tls::explain(&error, host, location.tls.as_deref())
                    .await
                    .or_else(|| ssh::explain(&error, host))
                    .unwrap_or_else(|| not_an_engine(DockerError::of_client(CONNECT, host, &error), host)));
            }
            Err(_) => return Err(late(CONNECT, host, FIRST)),
        };
        let api = agree(&version, location)?;
        let client = client.clone().with_request_modifier(move |request| versioned(request, api));
        let info = within(CONNECT, host, READ, client.info()).await?;
        let info = engine_info(location, version, info, api);
        Ok(Docker::new(client, location.clone(), info, api))
    }
}

async fn open(location: &Location) -> Result<(bollard::Docker, Option<Tunnel>), DockerError> {
    let host = location.host.as_str();
    if let Some(path) = host.strip_prefix("unix://") {
        look_at_socket(host, Path::new(path)).await?;
        let client = bollard::Docker::connect_with_unix(host, NEVER, API_DEFAULT_VERSION)
            .map_err(|error| DockerError::of_client(CONNECT, host, &error))?;
        Ok((client, None))
    } else if host.starts_with("tcp://") {
        let tls = location.tls.as_deref();
        let client = tls.map_or_else(|| remote::plain(host), |certificates| remote::secure(host, certificates))?;
        Ok((client, None))
    } else if host.starts_with("ssh://") {
        remote::ssh(host).map(|(client, tunnel)| (client, Some(tunnel)))
    } else {
        Err(DockerError::new(CONNECT, host, Failure::Invalid, "is no unix://, tcp:// or ssh:// address"))
    }
}

/// Tells a missing socket, a forbidden directory, a forbidden socket, something else and nobody listening apart.
async fn look_at_socket(host: &str, path: &Path) -> Result<(), DockerError> {
    let shown = path.display();
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let words = format!("permission denied: a directory above {shown} may not be entered by this user");
            let error = DockerError::new(CONNECT, host, Failure::Permission, &words);
            return Err(error.advise("run pitstop as the user who owns it, or with sudo; --host names another engine"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let error = DockerError::new(CONNECT, host, Failure::NoSocket, &format!("there is no socket at {shown}"));
            return Err(match rootless_socket().filter(|socket| Path::new(socket) != path) {
                Some(socket) => error.advise(format!("a rootless engine listens at {socket}: --host unix://{socket}")),
                None => error,
            });
        }
        Err(error) => return Err(DockerError::new(CONNECT, host, Failure::NoSocket, &format!("{shown}: {error}"))),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(DockerError::new(CONNECT, host, Failure::NotAnEngine, &format!("{shown} is no socket")));
        }
        Ok(_) => {}
    }
    // Never blocks: where too many wait already, the kernel says so.
    match UnixStream::connect(path).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let words = format!("permission denied: this user may not use the socket {shown}");
            Err(DockerError::new(CONNECT, host, Failure::Permission, &words).advise(how_to_be_let_in(path)))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let words = format!("the socket {shown} is there, but nobody listens");
            Err(DockerError::new(CONNECT, host, Failure::Refused, &words))
        }
        Err(error) => Err(DockerError::new(CONNECT, host, Failure::Refused, &format!("{shown}: {error}"))),
    }
}

fn rootless_socket() -> Option<String> {
    let socket = Path::new(&std::env::var_os("XDG_RUNTIME_DIR")?).join("docker.sock");
    socket.exists().then(|| socket.display().to_string())
}

/// The group that may use the socket, by name.
fn how_to_be_let_in(path: &Path) -> String {
    let gid = path.metadata().map(|found| found.gid()).unwrap_or_default();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| clean(name))
    });
    match name.filter(|name| name != "root") {
        Some(group) => format!(
            "its users are in group `{group}`: `sudo usermod -aG {group} $USER`, log out and in again (that group is as \
             powerful as root); or run pitstop with sudo"
        ),
        None => "only root may use it: run pitstop with sudo".to_owned(),
    }
}

/// How the standard library begins what getaddrinfo(3) says.
const NO_SUCH_NAME: &str = "failed to lookup address information";

/// A failure of the very first request that is none of the connection's: somebody else answers there.
fn not_an_engine(error: DockerError, host: &str) -> DockerError {
    if !matches!(error.failure, Failure::NotFound | Failure::Conflict | Failure::BadRequest | Failure::Broken) {
        return error;
    }
    if error.message.contains(NO_SUCH_NAME) {
        return DockerError::new(CONNECT, host, Failure::Refused, &error.message).advise(
            "that name has no address: is it spelt right, and are DNS and VPN up? --host or --context name another",
        );
    }
    let words = format!("what answers there is no Docker Engine: {}", error.message);
    DockerError::new(CONNECT, host, Failure::NotAnEngine, &words)
}

fn parse(version: &str) -> Option<ApiVersion> {
    let (major, minor) = version.trim().trim_start_matches('v').split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The newest version both sides speak, or the one asked for.
fn agree(version: &SystemVersion, location: &Location) -> Result<ApiVersion, DockerError> {
    let host = location.host.as_str();
    let Some(newest) = version.api_version.as_deref().and_then(parse) else {
        let words = "what answers there is no Docker Engine: it names no API version";
        return Err(DockerError::new(CONNECT, host, Failure::NotAnEngine, words));
    };
    let oldest = version.min_api_version.as_deref().and_then(parse).unwrap_or((1, 0)).max(OLDEST);
    let ours = (as_u32(API_DEFAULT_VERSION.major_version), as_u32(API_DEFAULT_VERSION.minor_version));
    let newest = newest.min(ours);
    let unsupported = |words: String| {
        Err(DockerError::new(CONNECT, host, Failure::UnsupportedApi, &words)
            .advise("pitstop needs Docker Engine 20.10 or newer"))
    };
    let show = |(major, minor): ApiVersion| format!("{major}.{minor}");
    if newest < oldest {
        let engine = version.version.as_deref().unwrap_or("?");
        let theirs = version.api_version.as_deref().unwrap_or("?");
        let (from, to) = (show(oldest), show(ours));
        return unsupported(format!("Engine {engine} speaks API {theirs}; this pitstop would need {from} to {to}"));
    }
    match location.api_version.as_deref() {
        None => Ok(newest),
        Some(asked) => match parse(asked) {
            Some(asked) if (oldest..=newest).contains(&asked) => Ok(asked),
            _ => {
                let (from, to) = (show(oldest), show(newest));
                unsupported(format!("DOCKER_API_VERSION asks for {asked}; {from} to {to} are possible here"))
            }
        },
    }
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn engine_info(
    location: &Location,
    version: SystemVersion,
    info: SystemInfo,
    (major, minor): ApiVersion,
) -> EngineInfo {
    let text = |text: Option<String>| clean(&text.unwrap_or_default());
    let podman = version.components.iter().flatten().any(|part| part.name.starts_with("Podman"));
    EngineInfo {
        host: clean(&location.host),
        context: location.context.as_deref().map(clean),
        name: text(info.name),
        // Engines of one machine may share the key in /etc/docker that the id comes from (20.10), never their data. Podman makes
        // up another id for each answer.
        id: [info.id.filter(|_| !podman), info.docker_root_dir].map(text).join(" ").trim().to_owned(),
        version: text(version.version),
        api_version: format!("{major}.{minor}"),
        os: text(version.os),
        arch: text(version.arch),
        kernel: text(version.kernel_version),
        podman,
        cpus: info.ncpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1),
        memory: info.mem_total.and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
        live_restore: info.live_restore_enabled.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(newest: &str, oldest: &str, asked: Option<&str>) -> Result<ApiVersion, Failure> {
        let version = SystemVersion {
            api_version: Some(newest.into()),
            min_api_version: Some(oldest.into()),
            ..SystemVersion::default()
        };
        let location = Location { api_version: asked.map(Into::into), ..Location::at("unix:///x") };
        agree(&version, &location).map_err(|error| error.failure)
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        assert_eq!(agreed("1.41", "1.12", None), Ok((1, 41)));
        assert_eq!(agreed("1.47", "1.24", None), Ok((1, 47)));
        assert_eq!(agreed("1.99", "1.44", None), Ok((1, 53)));
        assert_eq!(agreed("1.40", "1.12", None), Err(Failure::UnsupportedApi));
        assert_eq!(agreed("1.99", "1.60", None), Err(Failure::UnsupportedApi));
        assert_eq!(agreed("1.47", "1.24", Some("1.43")), Ok((1, 43)));
        assert_eq!(agreed("1.47", "1.44", Some("v1.44")), Ok((1, 44)));
        assert_eq!(agreed("1.47", "1.44", Some("1.43")), Err(Failure::UnsupportedApi));
        assert_eq!(agreed("1.41", "1.12", Some("latest")), Err(Failure::UnsupportedApi));
        assert_eq!(agreed("", "", None), Err(Failure::NotAnEngine));
    }

    #[tokio::test]
    async fn the_group_of_a_socket_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(look_at_socket("unix:///s", &path).await.is_ok());
        assert!(how_to_be_let_in(&path).contains("sudo"));
        assert_eq!(look_at_socket("unix:///d", dir.path()).await.unwrap_err().failure, Failure::NotAnEngine);
    }
}
