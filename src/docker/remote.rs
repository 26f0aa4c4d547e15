//! Engines that are not on this machine: over TCP, plain or with TLS, and through ssh.
//!
//! The client library opens a connection for each request, which costs a remote engine's user one to three times the way there
//! and back. Here connections are kept and used again; one that was taken over by an attachment, or is still being
//! read, is not. Must not know what is sent.

use super::error::{CONNECT, DockerError, Failure};
use super::ssh::Tunnel;
use super::tls;
use bollard::errors::Error as ClientError;
use bollard::{API_DEFAULT_VERSION, BollardRequest};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::path::Path;
use std::time::Duration;

/// Kept no longer than this without use: what stands between forgets connections that are quiet for minutes.
const IDLE: Duration = Duration::from_secs(60);

/// A connection on which nothing comes any more is noticed after some of these, also where nothing is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An engine on TCP, without protection.
pub(super) fn plain(host: &str) -> Result<bollard::Docker, DockerError> {
    through(tcp(), host, &format!("http://{}", address(host)))
}

/// An engine on TCP, with TLS and what lies in the directory `certificates`.
pub(super) fn secure(host: &str, certificates: &Path) -> Result<bollard::Docker, DockerError> {
    let config = tls::config(host, certificates)?;
    let mut tcp = tcp();
    tcp.enforce_http(false);
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
    through(connector.wrap_connector(tcp), host, &format!("https://{}", address(host)))
}

/// An engine behind an ssh server, and the way there.
pub(super) fn ssh(host: &str) -> Result<(bollard::Docker, Tunnel), DockerError> {
    let tunnel = Tunnel::to(host)?;
    Ok((through(tunnel.clone(), host, "http://docker")?, tunnel))
}

/// `far:2376` of `tcp://far:2376`
fn address(host: &str) -> &str {
    host.split_once("://").map_or(host, |(_, address)| address)
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp
}

fn through<C>(connector: C, host: &str, url: &str) -> Result<bollard::Docker, DockerError>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let mut builder = Client::builder(TokioExecutor::new());
    let client = builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(connector);
    let transport = move |request: BollardRequest| {
        let answer = client.request(request);
        async move { answer.await.map_err(ClientError::from) }
    };
    bollard::Docker::connect_with_custom_transport(transport, Some(url), super::connect::NEVER, API_DEFAULT_VERSION)
        .map_err(|error| DockerError::new(CONNECT, host, Failure::Invalid, &error.to_string()))
}
