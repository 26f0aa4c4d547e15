//! What is in the world, as the engine shows it.

use super::clock::Clock;
use super::world::{Container, Network, Status, World};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Go's zero time stands for "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// An entry of the list.
pub fn summary(world: &World, seen: &Container, clock: Clock, now: Instant) -> Value {
    let mut ports: Vec<Value> = Vec::new();
    for key in seen.config["ExposedPorts"].as_object().into_iter().flatten().map(|(key, _)| key) {
        let Some((port, protocol)) = super::ports::inside(key) else { continue };
        if seen.joins.is_none() && seen.runs() && !seen.state.ports.iter().any(|bound| bound.0 == port) {
            ports.push(json!({"PrivatePort": port, "Type": protocol}));
        }
    }
    for (port, protocol, ip, public) in &seen.state.ports {
        ports.push(json!({"IP": ip, "PrivatePort": port, "PublicPort": public, "Type": protocol}));
    }
    json!({
        "Id": seen.id, "Names": [format!("/{}", seen.name)], "Image": seen.image, "ImageID": seen.image_id,
        "Command": seen.config["Cmd"].as_array().and_then(|words| words.first()).cloned().unwrap_or(json!("")),
        "Created": seen.created.as_second(), "State": seen.state.word(), "Status": sentence(seen, clock, now),
        "Ports": ports, "Labels": seen.labels, "Mounts": seen.mounts,
        "HostConfig": {"NetworkMode": mode(seen)},
        "NetworkSettings": {"Networks": endpoints(world, seen)},
    })
}

/// `Up 3 seconds`
fn sentence(seen: &Container, clock: Clock, now: Instant) -> String {
    let state = &seen.state;
    let ago = |at: Option<jiff::Timestamp>| {
        at.map_or(0, |at| u64::try_from(clock.wall_at(now).duration_since(at).as_secs()).unwrap_or(0))
    };
    match state.status {
        Status::Created => "Created".into(),
        Status::Running if state.paused => format!("Up {} (Paused)", about(ago(state.started))),
        Status::Running => match health(seen, now) {
            Some("starting") => format!("Up {} (health: starting)", about(ago(state.started))),
            Some(health) => format!("Up {} ({health})", about(ago(state.started))),
            None => format!("Up {}", about(ago(state.started))),
        },
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, about(ago(state.finished))),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, about(ago(state.finished))),
    }
}

/// A number of seconds in the engine's round words.
fn about(seconds: u64) -> String {
    match seconds {
        0 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".into(),
        120..3600 => format!("{} minutes", seconds / 60),
        3600..7200 => "About an hour".into(),
        7200..172_800 => format!("{} hours", seconds / 3600),
        172_800..1_209_600 => format!("{} days", seconds / 86_400),
        1_209_600..5_184_000 => format!("{} weeks", seconds / 604_800),
        _ => format!("{} months", seconds / 2_592_000),
    }
}

/// How often Docker looks at its health; `None` where it has no check.
pub(super) fn check_interval(seen: &Container) -> Option<Duration> {
    let check = &seen.config["Healthcheck"];
    check["Test"].as_array().filter(|test| test.len() > 1)?;
    Some(Duration::from_nanos(check["Interval"].as_u64().filter(|nanos| *nanos > 0).unwrap_or(30_000_000_000)))
}

/// Docker's own idea of its health, where it has a check: the first one runs after a whole interval.
pub(super) fn health(seen: &Container, now: Instant) -> Option<&'static str> {
    let interval = u64::try_from(check_interval(seen).filter(|_| seen.runs())?.as_nanos()).unwrap_or(u64::MAX);
    let retries = seen.config["Healthcheck"]["Retries"].as_u64().filter(|n| *n > 0).unwrap_or(3);
    let since = |from: Instant| u64::try_from(now.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX);
    let started = seen.state.since?;
    let checks = since(started) / interval;
    let last = started + Duration::from_nanos(checks.saturating_mul(interval));
    Some(if checks > 0 && seen.answers(last) {
        "healthy"
    } else if checks >= retries {
        "unhealthy"
    } else {
        "starting"
    })
}

/// What its last check found, as the engine keeps it.
fn last_probe(seen: &Container, clock: Clock, now: Instant) -> Option<Value> {
    let (interval, started) = (check_interval(seen)?, seen.state.since?);
    let age = now.saturating_duration_since(started);
    let since_last = Duration::from_nanos(u64::try_from(age.as_nanos() % interval.as_nanos().max(1)).unwrap_or(0));
    let last = now.checked_sub(since_last).filter(|last| *last > started)?;
    let at = clock.wall_at(last).to_string();
    let well = seen.behaviour.healthy.as_deref().unwrap_or("200 OK");
    let (code, said) = if seen.answers(last) { (0, well) } else { (1, "connection refused") };
    Some(json!({"Start": at, "End": at, "ExitCode": code, "Output": said}))
}

/// The network mode, as asked for.
fn mode(seen: &Container) -> Value {
    match seen.host["NetworkMode"].as_str() {
        None | Some("") => json!("default"),
        Some(mode) => json!(mode),
    }
}

/// An inspection.
pub fn inspection(world: &World, seen: &Container, clock: Clock, now: Instant) -> Value {
    let state = &seen.state;
    let moment = |at: Option<jiff::Timestamp>| at.map_or_else(|| NEVER.to_owned(), |at| at.to_string());
    let mut shown = json!({
        "Status": state.word(), "Running": matches!(state.status, Status::Running | Status::Restarting),
        "Paused": state.paused, "Restarting": state.status == Status::Restarting, "OOMKilled": false, "Dead": false,
        "Pid": state.pid, "ExitCode": state.exit_code, "Error": state.error,
        "StartedAt": moment(state.started), "FinishedAt": moment(state.finished),
    });
    if let Some(health) = health(seen, now) {
        let log = last_probe(seen, clock, now).map_or_else(Vec::new, |probe| vec![probe]);
        let failing = log.first().is_some_and(|probe| probe["ExitCode"] != 0);
        shown["Health"] = json!({"Status": health, "FailingStreak": u8::from(failing), "Log": log});
    }
    let mut host = seen.host.clone();
    host["NetworkMode"] = mode(seen);
    if !host["RestartPolicy"].is_object() {
        host["RestartPolicy"] = json!({"Name": "", "MaximumRetryCount": 0});
    } else if host["RestartPolicy"]["MaximumRetryCount"].is_null() {
        host["RestartPolicy"]["MaximumRetryCount"] = json!(0);
    }
    let mut ports = Map::new();
    if seen.joins.is_none() && seen.runs() {
        for key in seen.config["ExposedPorts"].as_object().into_iter().flatten().map(|(key, _)| key) {
            ports.insert(key.clone(), Value::Null);
        }
    }
    for (port, protocol, ip, public) in &state.ports {
        let binding = json!({"HostIp": ip, "HostPort": public.to_string()});
        match ports.entry(format!("{port}/{protocol}")).or_insert(Value::Null) {
            Value::Array(list) => list.push(binding),
            other => *other = json!([binding]),
        }
    }
    let key = match (&seen.joins, state.own_netns) {
        (None, netns) if netns > 0 => format!("/var/run/docker/netns/{netns:012x}"),
        _ => String::new(),
    };
    json!({
        "Id": seen.id, "Created": seen.created.to_string(), "Name": format!("/{}", seen.name), "State": shown,
        "Path": "", "Args": [],
        "Image": seen.image_id, "RestartCount": state.restarts, "Driver": "simulated", "Platform": "linux",
        "Config": seen.config, "HostConfig": host, "Mounts": seen.mounts,
        "NetworkSettings": {"SandboxKey": key, "Ports": ports, "Networks": endpoints(world, seen)},
    })
}

/// By the network's name.
fn endpoints(world: &World, seen: &Container) -> Value {
    let mut all = Map::new();
    for (id, end) in &seen.ends {
        let network = world.network(id).ok();
        let name = network.map_or(id.as_str(), |network| network.name.as_str());
        let ipam = match (end.pinned, &end.pinned6) {
            (None, None) => Value::Null,
            (ip, ip6) => json!({"IPv4Address": ip.map(|ip| ip.to_string()).unwrap_or_default(),
                                "IPv6Address": ip6.clone().unwrap_or_default()}),
        };
        let pool = network.and_then(|network| network.pool.as_ref()).filter(|_| end.ip.is_some());
        all.insert(
            name.to_owned(),
            json!({
                "IPAMConfig": ipam, "Links": null, "Aliases": end.aliases, "NetworkID": id,
                "EndpointID": if end.ip.is_some() { seen.id.as_str() } else { "" },
                "Gateway": pool.map(|pool| pool.gateway.to_string()).unwrap_or_default(),
                "IPAddress": end.ip.map(|ip| ip.to_string()).unwrap_or_default(),
                "IPPrefixLen": pool.map_or(0, |pool| pool.subnet.bits),
                "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPv6Gateway": "", "MacAddress": end.mac,
            }),
        );
    }
    Value::Object(all)
}

/// A network, with who is on it where asked.
pub fn network(world: &World, seen: &Network, members: bool) -> Value {
    let mut plan = Vec::new();
    if let Some(pool) = &seen.pool {
        let mut config = json!({"Subnet": pool.subnet.to_string(), "Gateway": pool.gateway.to_string()});
        if seen.ranged {
            config["IPRange"] = json!(pool.range.to_string());
        }
        plan.push(config);
    }
    let mut containers = Map::new();
    if members {
        for other in world.containers.values().filter(|other| other.runs()) {
            let Some(end) = other.ends.get(&seen.id) else { continue };
            let bits = seen.pool.as_ref().map_or(0, |pool| pool.subnet.bits);
            let address = end.ip.map(|ip| format!("{ip}/{bits}")).unwrap_or_default();
            containers.insert(
                other.id.clone(),
                json!({"Name": other.name, "EndpointID": other.id, "MacAddress": end.mac, "IPv4Address": address,
                       "IPv6Address": ""}),
            );
        }
    }
    json!({
        "Name": seen.name, "Id": seen.id, "Created": seen.created.to_string(), "Scope": "local", "Driver": seen.driver,
        "EnableIPv6": false, "IPAM": {"Driver": "default", "Options": {}, "Config": plan}, "Internal": seen.internal,
        "Attachable": false, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
        "Containers": containers, "Options": seen.options, "Labels": seen.labels,
    })
}
