//! `ps`: the fleet as a table or as one JSON object.
//!
//! From a [`Fleet`] to text; the moment of reading is passed in. The JSON's shape is a contract: keys are only added.

use super::history::{self, is_about};
use super::style::{BAD, CARE, DIM, GOOD, Glyphs, PLAIN};
use super::table::{self, Cell};
use crate::domain::balancer::{BalancerSpec, Server, Standing, TrafficSeen};
use crate::domain::duration::{human, millis};
use crate::domain::fleet::{App, BoundPort, Container, Fleet, Health, Instance, State};
use crate::domain::identity::{Address, Hold, Verdict};
use crate::domain::record::Summary;
use crate::domain::unfinished::Unfinished;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const HEADING: [&str; 10] = ["APP", "INSTANCE", "STATE", "READY", "ADDRESS", "HELD", "IMAGE", "REV", "UP", "PORTS"];
/// The column of images.
const IMAGE: usize = 6;

/// The fleet with only the apps that were asked for; all without. The error is a sentence for the user.
pub fn select(mut fleet: Fleet, targets: &[String]) -> Result<Fleet, String> {
    if targets.is_empty() {
        return Ok(fleet);
    }
    let mut wanted = Vec::new();
    for target in targets {
        wanted.push(fleet.find(target)?.id.clone());
    }
    fleet.apps.retain(|app| wanted.contains(&app.id));
    Ok(fleet)
}

/// Of the operations left half-done, those on apps that were asked for; all without.
pub fn concerned(mut left: Vec<Summary>, fleet: &Fleet, targets: &[String]) -> Vec<Summary> {
    if !targets.is_empty() {
        left.retain(|one| fleet.apps.iter().any(|app| is_about(&one.app, &app.id.to_string())));
    }
    left
}

/// One line per instance; what its load balancers show stands before the image, where an app has any.
pub fn table(fleet: &Fleet, traffic: &TrafficSeen, now: Timestamp, glyphs: Glyphs) -> Vec<String> {
    let mut heading = HEADING.to_vec();
    let mut rows: Vec<Vec<Cell>> =
        fleet.apps.iter().flat_map(|app| app.instances.iter().map(move |one| row(app, one, now, glyphs))).collect();
    if !traffic.is_empty() {
        heading.insert(IMAGE, "TRAFFIC");
        for (row, instance) in rows.iter_mut().zip(fleet.apps.iter().flat_map(|app| &app.instances)) {
            row.insert(IMAGE, served(traffic.get(&instance.name).map_or(&[], Vec::as_slice), glyphs));
        }
    }
    table::render(&heading, &rows)
}

/// Whether requests reach it, and how many sessions it has.
fn served(servers: &[(BalancerSpec, Server)], glyphs: Glyphs) -> Cell {
    let Some((standing, sessions)) = Standing::of(servers.iter().map(|(_, server)| server)) else {
        return Cell(glyphs.none.to_owned(), DIM);
    };
    let (glyph, style) = match standing {
        Standing::Serving => (glyphs.ok, GOOD),
        Standing::Partly | Standing::Draining | Standing::Drained => (glyphs.care, CARE),
        Standing::Down => (glyphs.failed, BAD),
    };
    let sessions = if sessions == 0 { String::new() } else { format!(" {sessions}") };
    Cell(format!("{glyph} {}{sessions}", standing.as_str()), style)
}

fn row(app: &App, instance: &Instance, now: Timestamp, glyphs: Glyphs) -> Vec<Cell> {
    let none = || glyphs.none.to_owned();
    let serving = instance.app.as_deref();
    vec![
        app.id.to_string().into(),
        instance.name.short().into(),
        state(instance).into(),
        if instance.is_ready() {
            Cell(format!("{} ready", glyphs.ok), GOOD)
        } else {
            Cell(format!("{} not ready", glyphs.failed), CARE)
        },
        instance.address().map_or_else(none, str::to_owned).into(),
        held(instance, glyphs),
        serving.map_or_else(none, |app| app.image_name().to_owned()).into(),
        instance.revision().map_or_else(none, |revision| revision.to_string()).into(),
        serving.and_then(|app| up(app, now)).unwrap_or_else(none).into(),
        Cell(instance.owner().map(|owner| ports(&owner.ports, glyphs)).unwrap_or_default(), DIM),
    ]
}

/// The state, with what a health check adds to it.
fn state(instance: &Instance) -> (String, clap::builder::styling::Style) {
    let Some(app) = &instance.app else { return ("no app container".to_owned(), BAD) };
    let word = match app.state {
        State::Created => "created",
        State::Running => "running",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Removing => "removing",
        State::Exited => "exited",
        State::Dead => "dead",
        State::Unknown => "unknown",
    };
    let word = match (app.state, app.health, &app.detail) {
        (State::Running, Some(Health::Unhealthy), _) => format!("{word}, unhealthy"),
        (State::Running, Some(Health::Starting), _) => format!("{word}, starting"),
        (State::Exited, _, Some(detail)) => format!("{word} {}", detail.exit_code),
        _ => word.to_owned(),
    };
    (word, if app.state == State::Running { PLAIN } else { CARE })
}

/// How the address is held: a symbol and a word.
fn held(instance: &Instance, glyphs: Glyphs) -> Cell {
    let (glyph, word, style) = match (instance.standing(), instance.hold()) {
        (Verdict::Changed, _) => (glyphs.failed, "changed", BAD),
        (_, Some(Hold::Pinned)) => (glyphs.ok, "held", GOOD),
        (_, Some(Hold::Unpinned)) => (glyphs.care, "not pinned", CARE),
        (_, Some(Hold::Loose)) => (glyphs.care, "loose", CARE),
        (_, Some(Hold::Orphaned)) => (glyphs.failed, "orphaned", BAD),
        (_, None) => (glyphs.none, "none", DIM),
    };
    Cell(format!("{glyph} {word}"), style)
}

/// Since when it runs; from Docker's own sentence where only that is known.
fn up(app: &Container, now: Timestamp) -> Option<String> {
    if !app.is_running() {
        return None;
    }
    let Some(started) = app.started_at() else {
        let sentence = app.status.strip_prefix("Up ")?;
        return Some(sentence.split(" (").next().unwrap_or(sentence).to_owned());
    };
    Some(human(millis(Duration::try_from(now.duration_since(started)).unwrap_or_default())))
}

/// `18080→8080/tcp`; the same port on IPv4 and IPv6 is one.
fn ports(ports: &[BoundPort], glyphs: Glyphs) -> String {
    let mut shown: Vec<String> = Vec::new();
    for port in ports {
        let Some((ip, host)) = &port.host else { continue };
        let everywhere = matches!(ip.as_str(), "" | "0.0.0.0" | "::");
        let ip = if everywhere { String::new() } else { format!("{ip}:") };
        let text = format!("{ip}{host}{}{}/{}", glyphs.arrow, port.container, port.protocol);
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    shown.join(", ")
}

/// The contract's object.
pub fn object(fleet: &Fleet, traffic: &TrafficSeen, left: &[Summary], seen: &[Unfinished]) -> Value {
    json!({
        "engine": fleet.engine,
        "apps": fleet.apps.iter().map(|app| app_object(app, traffic)).collect::<Vec<_>>(),
        "unfinished": left.iter().map(|one| history::object(one, true)).chain(seen.iter().map(seen_object)).collect::<Vec<_>>(),
    })
}

/// What only the containers tell of: the keys that a record's has, as far as they are known.
fn seen_object(one: &Unfinished) -> Value {
    json!({"op": one.operation, "app": one.app.to_string(), "revision": one.revision, "unfinished": true, "signs": one.signs})
}

fn app_object(app: &App, traffic: &TrafficSeen) -> Value {
    json!({
        "project": Some(&app.id.project).filter(|project| !project.is_empty()),
        "app": app.id.app,
        "managed": app.managed,
        "image": app.image(),
        "revision": app.revision(),
        "ready": app.ready(),
        "instances": app.instances.iter().map(|one| instance_object(one, traffic)).collect::<Vec<_>>(),
    })
}

fn instance_object(instance: &Instance, traffic: &TrafficSeen) -> Value {
    let serving = instance.app.as_deref();
    // An exited container's addresses may be stale: only a running owner has any.
    let owner = instance.owner().filter(|owner| owner.is_running());
    let addresses: BTreeMap<&String, &Address> = owner.iter().flat_map(|owner| &owner.networks).collect();
    let identity = instance.identity().unwrap_or_default();
    json!({
        "name": instance.name,
        "state": instance.state(),
        "health": serving.and_then(|app| app.health),
        "ready": instance.is_ready(),
        "addresses": addresses,
        "identity": instance.standing(),
        "hostname": identity.hostname,
        "ports": identity.ports,
        "volumes": identity.volumes,
        "image": serving.map(Container::image_name),
        "image_id": serving.map(|app| &app.image_id),
        "revision": instance.revision(),
        "container_id": serving.map(|app| &app.id),
        "sandbox_id": instance.sandbox.as_deref().map(|sandbox| &sandbox.id),
        "started_at": serving.and_then(Container::started_at),
        "traffic": traffic.get(&instance.name).into_iter().flatten().map(|(balancer, server)| json!({
            "balancer": balancer.to_string(),
            "server": server.name,
            "state": Standing::of([server]).map(|(standing, _)| standing),
            "sessions": server.traffic.map(|traffic| traffic.sessions),
            "queued": server.traffic.map(|traffic| traffic.queued),
            "errors": server.traffic.map(|traffic| traffic.errors),
        })).collect::<Vec<_>>(),
    })
}
