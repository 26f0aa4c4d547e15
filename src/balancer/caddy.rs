//! Caddy by its admin API (Caddy documentation, "API": `/config/…`, `/reverse_proxy/upstreams`, `If-Match`).
//!
//! An upstream is taken out by moving it, as it is, from its `reverse_proxy` into a handler of ours right behind that one,
//! which no request matches. So Caddy's own configuration says who is out and where it belongs, and Caddy goes on counting
//! its requests. Each change carries the `ETag` of what it was made from: one that somebody else overtook is made anew.

use super::BalancerError;
use crate::domain::balancer::{Admin, Server, Traffic};
use crate::domain::clean::Clean;
use crate::domain::ids::ServerName;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

/// For one request: a change makes Caddy set up all its servers anew, which takes it some 10 ms.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest answer read.
const LONGEST: usize = 16 << 20;
/// How often a change that somebody else overtook is made anew.
const TRIES: usize = 20;

/// The part of the configuration that has reverse proxies.
const HTTP: &str = "/config/apps/http";
/// Marks our handler; a name that is nobody's (RFC 6761: `.invalid`), beside a condition that is never true.
const MARK: &str = "drained.pitstop.invalid";

/// One Caddy.
#[derive(Clone, Debug)]
pub struct Caddy {
    admin: Address,
    shown: String,
}

#[derive(Clone, Debug)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

/// An answer that Caddy gave.
struct Answer {
    status: StatusCode,
    etag: Option<String>,
    body: Bytes,
}

impl Caddy {
    /// `admin`: a path, with or without Caddy's `unix/` before it, or `host:port`.
    pub(super) fn new(admin: &str, shown: String) -> Self {
        let path = admin.strip_prefix("unix://").or_else(|| admin.strip_prefix("unix/")).unwrap_or(admin);
        let address = match admin.strip_prefix("http://") {
            Some(address) => Address::Tcp(address.trim_end_matches('/').to_owned()),
            None if path.starts_with('/') => Address::Unix(PathBuf::from(path)),
            None => Address::Tcp(admin.to_owned()),
        };
        Self { admin: address, shown }
    }

    /// Every upstream of every reverse proxy, those that are out among them.
    pub(super) async fn servers(&self) -> Result<Vec<Server>, BalancerError> {
        let (config, _) = self.config().await?;
        let counted = self.ask(Method::GET, "/reverse_proxy/upstreams", None, None).await?;
        let counted: Vec<Value> = serde_json::from_slice(&self.fine(counted)?.body)
            .map_err(|error| BalancerError::unreadable(&self.shown, &error.to_string()))?;
        let number = |one: &Value, key: &str| one[key].as_u64().unwrap_or_default();
        let traffic: BTreeMap<&str, Traffic> = counted
            .iter()
            .filter_map(|one| {
                let (sessions, errors) = (number(one, "num_requests"), number(one, "fails"));
                Some((one["address"].as_str()?, Traffic { sessions, errors, ..Traffic::default() }))
            })
            .collect();
        let server = |(dial, out): (String, bool)| {
            Some(Server {
                name: ServerName::new(&*dial).ok()?,
                address: dial.parse().ok(),
                admin: Some(if out { Admin::Maint } else { Admin::Ready }),
                up: !out,
                traffic: Some(traffic.get(dial.as_str()).copied().unwrap_or_default()),
                words: Clean::new(if out { "taken out of its reverse_proxy" } else { "in its reverse_proxy" }),
            })
        };
        Ok(upstreams(&config).into_iter().filter_map(server).collect())
    }

    pub(super) async fn set(&self, name: &ServerName, admin: Admin) -> Result<(), BalancerError> {
        for _ in 0..TRIES {
            let (mut config, etag) = self.config().await?;
            if !upstreams(&config).contains_key(name.as_str()) {
                return Err(BalancerError::gone(&format!("{name} of {}", self.shown)));
            }
            if !change(&mut config, name.as_str(), admin != Admin::Ready) {
                return Ok(());
            }
            let answer = self.ask(Method::PATCH, HTTP, Some(&config), etag.as_deref()).await?;
            if answer.status != StatusCode::PRECONDITION_FAILED {
                return self.fine(answer).map(drop);
            }
        }
        Err(BalancerError::here(&self.shown, "somebody else changes its configuration all the time", None))
    }

    /// The configuration of its HTTP servers, and what says that it has not changed since.
    async fn config(&self) -> Result<(Value, Option<String>), BalancerError> {
        let answer = self.fine(self.ask(Method::GET, HTTP, None, None).await?)?;
        let config = serde_json::from_slice(&answer.body);
        Ok((config.map_err(|error| BalancerError::unreadable(&self.shown, &error.to_string()))?, answer.etag))
    }

    /// The answer, unless it is a refusal.
    fn fine(&self, answer: Answer) -> Result<Answer, BalancerError> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let said = said.as_ref().and_then(|said| said["error"].as_str());
        let words = said.map_or_else(|| answer.status.to_string(), str::to_owned);
        let hint = (answer.status == StatusCode::FORBIDDEN)
            .then_some("its `admin` option `origins` says which names it may be called by");
        Err(BalancerError::said(&self.shown, &words, hint))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Answer, BalancerError> {
        // On a Unix socket Caddy wants no host (`AdminConfig.allowedOrigins`).
        let host = match &self.admin {
            Address::Unix(_) => "",
            Address::Tcp(address) => address,
        };
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, host);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(etag) = etag {
            request = request.header(header::IF_MATCH, etag);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.body(Full::new(body)).map_err(|error| self.broken(&error.to_string()))?;
        let answer = tokio::time::timeout(DEADLINE, async {
            match &self.admin {
                Address::Unix(path) => self.exchange(UnixStream::connect(path).await, request).await,
                Address::Tcp(address) => self.exchange(TcpStream::connect(address).await, request).await,
            }
        });
        answer.await.map_err(|_| BalancerError::late(&self.shown, DEADLINE))?
    }

    async fn exchange<S>(&self, stream: io::Result<S>, request: Request<Full<Bytes>>) -> Result<Answer, BalancerError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = stream.map_err(|error| BalancerError::of_io(&self.shown, &error))?;
        let broken = |error: hyper::Error| self.broken(&error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // What ends it is in the answer, or is the answer's error.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await.map_err(|error| self.broken(&error.to_string()))?;
        let of = |headers: &hyper::HeaderMap| Some(headers.get(header::ETAG)?.to_str().ok()?.to_owned());
        // Older ones know it only after the body has gone.
        let etag = of(&head.headers).or_else(|| body.trailers().and_then(of));
        Ok(Answer { status: head.status, etag, body: body.to_bytes() })
    }

    fn broken(&self, what: &str) -> BalancerError {
        BalancerError::of_io(&self.shown, &io::Error::other(what.to_owned()))
    }
}

/// Every upstream's address, and whether it is out everywhere.
fn upstreams(config: &Value) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    handles(&mut config.clone(), &mut |handlers| {
        for (handler, out) in proxies(handlers) {
            for dial in dials(handler) {
                let all_out: &mut bool = found.entry(dial.to_owned()).or_insert(true);
                *all_out &= out;
            }
        }
    });
    found
}

/// Moves that upstream in every list of handlers; whether anything had to be moved.
fn change(config: &mut Value, dial: &str, out: bool) -> bool {
    let mut changed = false;
    handles(config, &mut |handlers| {
        let mut at = 0;
        while at < handlers.len() {
            if is_proxy(&handlers[at]) {
                changed |= if out { park(handlers, at, dial) } else { unpark(handlers, at, dial) };
            }
            at += 1;
        }
    });
    changed
}

/// Moves it from the proxy at `at` into the parking place behind it.
fn park(handlers: &mut Vec<Value>, at: usize, dial: &str) -> bool {
    let taken = take(&mut handlers[at], dial);
    if taken.is_empty() {
        return false;
    }
    if !handlers.get(at + 1).is_some_and(is_parking) {
        let never = json!([{"host": [MARK], "not": [{}]}]);
        let parked = json!([{"handler": "reverse_proxy", "upstreams": []}]);
        handlers.insert(at + 1, json!({"handler": "subroute", "routes": [{"match": never, "handle": parked}]}));
    }
    put(&mut handlers[at + 1]["routes"][0]["handle"][0], taken);
    true
}

/// The way back; an empty parking place goes.
fn unpark(handlers: &mut Vec<Value>, at: usize, dial: &str) -> bool {
    // Without a list there would be no place to put them back.
    if !handlers[at]["upstreams"].is_array() {
        return false;
    }
    let Some(parking) = handlers.get_mut(at + 1).filter(|next| is_parking(next)) else { return false };
    let parked = &mut parking["routes"][0]["handle"][0];
    let taken = take(parked, dial);
    let empty = dials(parked).next().is_none();
    if empty {
        handlers.remove(at + 1);
    }
    let moved = !taken.is_empty();
    put(&mut handlers[at], taken);
    moved
}

/// Takes the upstreams with that address out of a proxy.
fn take(proxy: &mut Value, dial: &str) -> Vec<Value> {
    let Some(list) = proxy.get_mut("upstreams").and_then(Value::as_array_mut) else { return Vec::new() };
    let (taken, kept) = std::mem::take(list).into_iter().partition(|one| one["dial"] == dial);
    *list = kept;
    taken
}

fn put(proxy: &mut Value, upstreams: Vec<Value>) {
    if let Some(list) = proxy.get_mut("upstreams").and_then(Value::as_array_mut) {
        list.extend(upstreams);
    }
}

/// Each list of handlers, wherever it is; not those inside our parking places.
fn handles(value: &mut Value, visit: &mut impl FnMut(&mut Vec<Value>)) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields.iter_mut() {
                match inner {
                    Value::Array(handlers) if key == "handle" => {
                        visit(handlers);
                        handlers.iter_mut().filter(|one| !is_parking(one)).for_each(|one| handles(one, visit));
                    }
                    inner => handles(inner, visit),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| handles(item, visit)),
        _ => {}
    }
}

/// The proxies of a list of handlers, and whether they are a parking place's.
fn proxies(handlers: &[Value]) -> impl Iterator<Item = (&Value, bool)> {
    handlers.iter().filter_map(|handler| match handler {
        one if is_proxy(one) => Some((one, false)),
        one if is_parking(one) => Some((&one["routes"][0]["handle"][0], true)),
        _ => None,
    })
}

fn is_proxy(handler: &Value) -> bool {
    handler["handler"] == "reverse_proxy"
}

fn is_parking(handler: &Value) -> bool {
    let marked = |matcher: &Map<String, Value>| matcher.get("host").is_some_and(|host| host[0] == MARK);
    handler["handler"] == "subroute"
        && handler["routes"][0]["match"][0].as_object().is_some_and(marked)
        // One that somebody has edited may be nothing of ours any more.
        && handler["routes"][0]["handle"][0]["upstreams"].is_array()
}

fn dials(proxy: &Value) -> impl Iterator<Item = &str> {
    proxy["upstreams"].as_array().into_iter().flatten().filter_map(|one| one["dial"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Value {
        let proxy = json!({"handler": "reverse_proxy", "lb": 1, "upstreams": [{"dial": "10.0.0.1:80", "max_requests": 9}, {"dial": "10.0.0.2:80"}]});
        let other =
            json!({"handler": "reverse_proxy", "upstreams": [{"dial": "10.0.0.1:80"}, {"dial": "[fd00::3]:90"}]});
        json!({"servers": {"s": {"routes": [
            {"handle": [{"handler": "subroute", "routes": [{"handle": [{"handler": "headers"}, proxy]}]}], "terminal": true},
            {"handle": [other, {"handler": "file_server"}]},
        ]}}})
    }

    fn shown(config: &Value) -> Vec<(String, bool)> {
        upstreams(config).into_iter().collect()
    }

    #[test]
    fn an_upstream_is_found_wherever_it_is() {
        let all = [("10.0.0.1:80", false), ("10.0.0.2:80", false), ("[fd00::3]:90", false)];
        assert_eq!(shown(&config()), all.map(|(dial, out)| (dial.to_owned(), out)));
        for odd in
            [json!(null), json!([]), json!({"handle": 3}), json!({"handle": [null, {"handler": "reverse_proxy"}]})]
        {
            assert_eq!(shown(&odd), [], "{odd}");
            assert!(!change(&mut odd.clone(), "10.0.0.1:80", true));
        }
    }

    #[test]
    fn a_parking_place_that_somebody_edited_loses_nothing() {
        let mut parked = config();
        assert!(change(&mut parked, "10.0.0.1:80", true));
        let routes = |config: &mut Value| config["servers"]["s"]["routes"][1]["handle"].take();
        let whole = routes(&mut parked.clone());
        for edit in [
            |handle: &mut Value| handle[1]["routes"][0]["handle"] = json!([]),
            |handle: &mut Value| handle[1]["routes"][0]["handle"] = json!(null),
            |handle: &mut Value| handle[1]["routes"][0]["handle"][0] = json!({"handler": "file_server"}),
            |handle: &mut Value| handle[0]["upstreams"] = json!(null),
        ] {
            let mut edited = json!({ "handle": whole.clone() });
            edit(&mut edited["handle"]);
            let before = edited.clone();
            for dial in ["10.0.0.1:80", "[fd00::3]:90"] {
                for out in [false, true, false] {
                    change(&mut edited, dial, out);
                }
            }
            let count = |config: &Value| config.to_string().matches("\"dial\"").count();
            assert_eq!(count(&edited), count(&before), "{edited}");
        }
    }

    #[test]
    fn it_is_out_of_all_its_proxies_and_comes_back_as_it_was() {
        let mut there = config();
        assert!(change(&mut there, "10.0.0.1:80", true));
        assert_eq!(upstreams(&there).get("10.0.0.1:80"), Some(&true));
        assert_eq!(there.to_string().matches(MARK).count(), 2, "one parking place behind each");
        assert!(!change(&mut there, "10.0.0.1:80", true), "twice is once");
        assert!(change(&mut there, "10.0.0.2:80", true));
        assert_eq!(there.to_string().matches(MARK).count(), 2, "one place for all");
        let live = &there["servers"]["s"]["routes"][0]["handle"][0]["routes"][0]["handle"];
        assert_eq!((&live[0]["handler"], &live[1]["upstreams"]), (&json!("headers"), &json!([])));

        assert!(change(&mut there, "10.0.0.1:80", false) && change(&mut there, "10.0.0.2:80", false));
        assert!(!change(&mut there, "10.0.0.2:80", false));
        assert!(!there.to_string().contains(MARK), "nothing of ours stays");
        let [mut now, mut was] = [there, config()];
        for one in [&mut now, &mut was] {
            handles(one, &mut |handlers| {
                for list in handlers.iter_mut().filter_map(|one| one["upstreams"].as_array_mut()) {
                    list.sort_by_key(ToString::to_string);
                }
            });
        }
        assert_eq!(now, was, "but for the order of upstreams");
    }
}
