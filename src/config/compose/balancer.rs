//! `x-pitstop: {balancer: …}`: which load balancer, and how it is reached.
//!
//! Everything that will be sent somewhere, opened or run is checked here, with its place in the file.

use super::read::{At, Keys};
use crate::domain::balancer::{BalancerSpec, Hooks, Nginx, SETTLE_MS, TIMEOUT_MS};
use crate::domain::ids::ServerName;

/// The kinds there are.
const KINDS: [&str; 5] = ["haproxy", "nginx", "caddy", "command", "none"];

/// Longest `settle` and `timeout`, in milliseconds: a step of a rollout, not a night.
const LONGEST_MS: u64 = 3_600_000;

/// One load balancer: `{haproxy: {…}}`, or `none`.
pub(super) fn read(at: &At<'_>) -> Option<BalancerSpec> {
    if at.is_text() {
        return at.parsed(|text| match text {
            "none" => Ok(BalancerSpec::None),
            _ if KINDS.contains(&text) => Err(format!("`{text}` needs its settings: `{{{text}: {{…}}}}`")),
            _ => Err(format!("`{text}` is not a load balancer; use {} or none", KINDS[..4].join(", "))),
        });
    }
    let fields = at.fields(&Keys::only(&KINDS))?;
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| fields.at.node.get(kind).is_some()).collect();
    match *given {
        ["haproxy"] => haproxy(&fields.need("haproxy")?),
        ["nginx"] => nginx(&fields.need("nginx")?),
        ["caddy"] => caddy(&fields.need("caddy")?),
        ["command"] => command(&fields.need("command")?),
        ["none"] => Some(BalancerSpec::None),
        [] => {
            // A key that is none of them was told already.
            if fields.at.entries().is_empty() {
                at.error(format!("names no load balancer; use {} or none", KINDS[..4].join(", ")));
            }
            None
        }
        _ => {
            at.error(format!("names {} at once; several load balancers are a list", given.join(" and ")));
            None
        }
    }
}

fn haproxy(at: &At<'_>) -> Option<BalancerSpec> {
    let fields = at.fields(&Keys::only(&["socket", "backend"]))?;
    let socket = fields.need("socket").and_then(|at| socket(&at, &["unix://", "tcp://"]));
    let backend = fields.need("backend").and_then(|at| name(&at));
    Some(BalancerSpec::Haproxy { socket: socket?, backend: backend? })
}

fn caddy(at: &At<'_>) -> Option<BalancerSpec> {
    let admin = at.fields(&Keys::only(&["admin"]))?.need("admin")?;
    Some(BalancerSpec::Caddy { admin: socket(&admin, &["unix://", "unix/", "http://"])? })
}

fn nginx(at: &At<'_>) -> Option<BalancerSpec> {
    let fields = at.fields(&Keys::only(&["file", "upstream", "test", "reload", "settle"]))?;
    // What is wrong with a key that may be left out is told, which is enough: no file with an error is used.
    let argv = |key| fields.get(key).and_then(|at| argv(&at));
    Some(BalancerSpec::Nginx(Nginx {
        test: argv("test"),
        reload: argv("reload"),
        upstream: fields.get("upstream").and_then(|at| name(&at)),
        settle_ms: fields.get("settle").and_then(|at| wait(&at)).unwrap_or(SETTLE_MS),
        file: fields.need("file").and_then(|at| path(&at))?,
    }))
}

fn command(at: &At<'_>) -> Option<BalancerSpec> {
    let fields = at.fields(&Keys::only(&["drain", "attach", "status", "timeout", "settle"]))?;
    let needed = |key| fields.need(key).and_then(|at| argv(&at));
    let (drain, attach) = (needed("drain"), needed("attach"));
    Some(BalancerSpec::Command(Hooks {
        status: fields.get("status").and_then(|at| argv(&at)),
        timeout_ms: fields.get("timeout").and_then(|at| wait(&at)).unwrap_or(TIMEOUT_MS),
        settle_ms: fields.get("settle").and_then(|at| wait(&at)).unwrap_or(SETTLE_MS),
        drain: drain?,
        attach: attach?,
    }))
}

/// A path from the root or `host:port`, either with one of the prefixes that its kind is known by.
fn socket(at: &At<'_>, prefixes: &[&str]) -> Option<String> {
    let socket = plain(at)?;
    let bare = prefixes.iter().find_map(|prefix| socket.strip_prefix(prefix)).unwrap_or(&socket);
    let host =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-[]%".contains(&b));
    let is_address = bare.rsplit_once(':').is_some_and(|(name, port)| host(name) && port.parse::<u16>().is_ok());
    if bare.starts_with('/') || is_address {
        return Some(socket);
    }
    at.error(format!("`{socket}` is neither a path from the root nor HOST:PORT"));
    None
}

fn path(at: &At<'_>) -> Option<String> {
    let path = plain(at)?;
    if path.starts_with('/') {
        return Some(path);
    }
    at.error(format!("`{path}` is not a path from the root"));
    None
}

fn name(at: &At<'_>) -> Option<ServerName> {
    at.parsed(|text| ServerName::new(text).map_err(|error| error.to_string()))
}

/// An argument vector. One text is no vector: it would need a shell to take it apart.
fn argv(at: &At<'_>) -> Option<Vec<String>> {
    if at.is_text() {
        at.error("is one text; write the program and its arguments as a list, since no shell reads them");
        return None;
    }
    let words: Option<Vec<String>> = at.items().iter().map(plain).collect();
    let words = words?;
    if words.is_empty() {
        at.error("is empty; the program and its arguments are expected");
        return None;
    }
    Some(words)
}

/// Text without control characters.
fn plain(at: &At<'_>) -> Option<String> {
    let text = at.word()?;
    if text.chars().any(char::is_control) {
        at.error("has a control character in it");
        return None;
    }
    Some(text)
}

fn wait(at: &At<'_>) -> Option<u64> {
    let ms = at.duration_ms()?;
    if ms > LONGEST_MS {
        at.error("is longer than an hour");
        return None;
    }
    Some(ms)
}
