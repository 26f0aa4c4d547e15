//! The connection: one deadline per request, few requests at once, and the API version in every path.
//!
//! The client library's own timeout covers only the head of an answer, and it sends no API version: both are made up
//! for here, so every request of this module goes through [`Docker::call`] or [`Docker::raw`].

use super::error::{DockerError, Failure};
use super::location::Location;
use crate::domain::fleet::EngineInfo;
use crate::domain::ids::ContainerId;
use bollard::errors::Error as ClientError;
use bollard::{BollardRequest, body_full};
use bytes::Bytes;
use futures_util::Stream;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, header};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};

/// For requests that only read one thing.
pub(super) const READ: Duration = Duration::from_secs(10);
/// For a sign of life.
const PING: Duration = Duration::from_secs(2);
/// For lists: a thousand containers take a busy engine most of a second.
pub(super) const LIST: Duration = Duration::from_secs(30);
pub(super) const CREATE: Duration = Duration::from_secs(60);
/// Many starts side by side take seconds each.
pub(super) const START: Duration = Duration::from_secs(120);
/// Added to the grace period of a stop.
pub(super) const STOP_EXTRA: Duration = Duration::from_secs(15);
pub(super) const REMOVE: Duration = Duration::from_secs(60);

/// Requests side by side; each takes a file descriptor here and a goroutine there (500 at once ran into EMFILE).
const REQUESTS: usize = 16;

/// Names kept for messages before all are forgotten.
const NAMES: usize = 20_000;

/// A version of the Engine API: (major, minor).
pub(super) type ApiVersion = (u32, u32);

/// A connection to an engine; cloning it is cheap.
#[derive(Clone)]
pub struct Docker {
    pub(super) inner: Arc<Inner>,
}

/// A connection that may also change things; reads go through it as through [`Docker`].
///
/// Whoever holds only a [`Docker`] cannot change anything: it has no method for that. So read-only mode is a type, and
/// the one door to this one is `engine::Operator`.
#[derive(Clone, Debug)]
pub struct Changes(Docker);

impl Changes {
    /// Leave to change what `docker` shows.
    pub fn of(docker: &Docker) -> Self {
        Self(docker.clone())
    }
}

impl Deref for Changes {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.0
    }
}

pub(super) struct Inner {
    pub(super) client: bollard::Docker,
    pub(super) location: Location,
    pub(super) info: EngineInfo,
    pub(super) api: ApiVersion,
    slots: Semaphore,
    /// Held while the sandbox image is loaded: once is enough.
    pub(super) loading: Mutex<()>,
    /// What containers are called, for error messages.
    names: std::sync::Mutex<HashMap<ContainerId, String>>,
}

impl Docker {
    /// Who answers.
    pub fn info(&self) -> &EngineInfo {
        &self.inner.info
    }

    /// Where it was found.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }

    pub(super) fn new(client: bollard::Docker, location: Location, info: EngineInfo, api: ApiVersion) -> Self {
        let (slots, loading, names) = (Semaphore::new(REQUESTS), Mutex::new(()), std::sync::Mutex::default());
        Self { inner: Arc::new(Inner { client, location, info, api, slots, loading, names }) }
    }

    /// Whether an engine answers there now. Its version is asked for: while it starts or ends, a bare ping may be answered
    /// by whoever holds its socket.
    pub async fn answers(&self) -> bool {
        within("ask", "the engine", PING, self.client().version()).await.is_ok()
    }

    /// What a container is called, if it was seen; else its short id.
    pub(super) fn name(&self, id: &ContainerId) -> String {
        let names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(id).cloned().unwrap_or_else(|| id.short().to_owned())
    }

    pub(super) fn remember(&self, id: &ContainerId, name: &str) {
        let mut names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.get(id).is_some_and(|known| known == name) {
            return;
        }
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(id.clone(), name.to_owned());
    }

    /// The client library, with the API version in its paths.
    pub(super) fn client(&self) -> &bollard::Docker {
        &self.inner.client
    }

    /// Runs one request, body included, within `deadline`, as one of a few at a time.
    pub(super) fn call<T>(
        &self,
        operation: &'static str,
        subject: &str,
        deadline: Duration,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> impl Future<Output = Result<T, DockerError>> {
        // Boxed before anything waits: the library's futures are large, and callers' would grow with each of them.
        let request = Box::pin(request);
        async move {
            // The semaphore is never closed; were it, going on without a slot would be right.
            let _slot = self.inner.slots.acquire().await.ok();
            within(operation, subject, deadline, request).await
        }
    }

    /// The body of any request, as it comes: for what the library decodes wrongly or has no words for.
    pub(super) fn raw(&self, path_and_query: &str) -> impl Stream<Item = Result<Bytes, ClientError>> + Send + use<> {
        raw(self.client(), format!("{}{path_and_query}", prefix(self.inner.api)))
    }

    /// The client with the body of its next request replaced, for fields that the library's models lack.
    pub(super) fn sending(&self, body: &serde_json::Value) -> bollard::Docker {
        let (api, body) = (self.inner.api, Bytes::from(body.to_string()));
        self.inner.client.clone().with_request_modifier(move |request| {
            let (mut parts, _) = versioned(request, api).into_parts();
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            BollardRequest::from_parts(parts, body_full(body.clone()))
        })
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("location", &self.inner.location).finish_non_exhaustive()
    }
}

/// Runs one request within `deadline` and translates its error.
pub(super) async fn within<T>(
    operation: &'static str,
    subject: &str,
    deadline: Duration,
    request: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, DockerError> {
    match tokio::time::timeout(deadline, request).await {
        Ok(answer) => answer.map_err(|error| DockerError::of_client(operation, subject, &error)),
        Err(_) => Err(late(operation, subject, deadline)),
    }
}

/// The error of a deadline that passed.
pub(super) fn late(operation: &'static str, subject: &str, deadline: Duration) -> DockerError {
    let words = format!("the engine did not answer within {} s", deadline.as_secs());
    DockerError::new(operation, subject, Failure::Timeout, &words)
}

/// The body of a request as it comes; the path is asked for as it is.
pub(super) fn raw(
    client: &bollard::Docker,
    path_and_query: String,
) -> impl Stream<Item = Result<Bytes, ClientError>> + Send + use<> {
    // Any request with a raw body will do: the modifier puts the real path in.
    client.clone().with_request_modifier(move |request| with_path(request, &path_and_query)).export_container("raw")
}

/// `/v1.41`
fn prefix((major, minor): ApiVersion) -> String {
    format!("/v{major}.{minor}")
}

/// Puts the version in front of the path: the library (0.21.1) drops it, and the engine then speaks its newest.
pub(super) fn versioned(request: BollardRequest, api: ApiVersion) -> BollardRequest {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let prefix = prefix(api);
    if path.starts_with(&format!("{prefix}/")) { request } else { with_path(request, &format!("{prefix}{path}")) }
}

fn with_path(mut request: BollardRequest, path_and_query: &str) -> BollardRequest {
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path) = PathAndQuery::try_from(path_and_query) {
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    debug_assert_eq!(request.uri().path_and_query().map(PathAndQuery::as_str), Some(path_and_query));
    request
}
