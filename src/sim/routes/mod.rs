//! Who answers what.

mod archive;
mod attach;
mod containers;
mod create;
mod events;
mod exec;
mod images;
mod logs;
mod networks;
mod stats;
mod system;
mod volumes;

pub use create::make as make_container;
pub use images::add as add_image;
pub use networks::make as make_network;
pub use system::{arch, release};

use super::answer::{Answer, refuse};
use super::ask::Ask;
use super::engine::Engine;
use std::sync::Arc;

/// Answers one request.
pub async fn answer(engine: &Arc<Engine>, ask: Ask) -> Answer {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    match (ask.method.as_str(), path.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => Ok(system::ping()),
        ("GET", ["version"]) => Ok(system::version(engine)),
        ("GET", ["info"]) => Ok(system::info(engine)),
        ("GET", ["containers", "json"]) => containers::list(engine, &ask).await,
        ("POST", ["containers", "create"]) => create::create(engine, &ask).await,
        ("GET", ["containers", id, "json"]) => containers::inspect(engine, id).await,
        ("POST", ["containers", id, "start"]) => containers::start(engine, id).await,
        ("POST", ["containers", id, "stop"]) => containers::stop(engine, id, &ask).await,
        ("POST", ["containers", id, "kill"]) => containers::kill(engine, id, &ask).await,
        ("POST", ["containers", id, "pause"]) => containers::pause(engine, id, true).await,
        ("POST", ["containers", id, "unpause"]) => containers::pause(engine, id, false).await,
        ("POST", ["containers", id, "wait"]) => containers::wait(engine, id).await,
        ("POST", ["containers", id, "rename"]) => containers::rename(engine, id, &ask).await,
        ("POST", ["containers", id, "update"]) => containers::update(engine, id, &ask).await,
        ("GET", ["containers", id, "logs"]) => logs::read(engine, id, &ask).await,
        ("GET", ["containers", id, "stats"]) => stats::read(engine, id, &ask),
        ("PUT", ["containers", id, "archive"]) => archive::put(engine, id, &ask).await,
        ("GET", ["containers", id, "archive"]) => archive::get(engine, id, &ask).await,
        ("POST", ["containers", id, "exec"]) => exec::create(engine, id, &ask).await,
        ("POST", ["containers", id, "attach"]) => {
            let id = (*id).to_owned();
            attach::attach(engine, &id, ask).await
        }
        ("GET", ["exec", id, "json"]) => exec::inspect(engine, id).await,
        ("POST", ["exec", id, "start"]) => {
            let id = (*id).to_owned();
            exec::start(engine, &id, ask).await
        }
        ("GET", ["events"]) => events::stream(engine, &ask),
        ("DELETE", ["containers", id]) => containers::remove(engine, id, &ask).await,
        ("GET", ["networks"]) => networks::list(engine, &ask).await,
        ("POST", ["networks", "create"]) => networks::create(engine, &ask).await,
        ("GET", ["networks", id]) => networks::inspect(engine, id).await,
        ("DELETE", ["networks", id]) => networks::remove(engine, id).await,
        ("POST", ["networks", id, "connect"]) => networks::connect(engine, id, &ask).await,
        ("POST", ["networks", id, "disconnect"]) => networks::disconnect(engine, id, &ask).await,
        ("GET", ["volumes"]) => volumes::list(engine).await,
        ("POST", ["volumes", "create"]) => volumes::create(engine, &ask).await,
        ("DELETE", ["volumes", name]) => volumes::remove(engine, name).await,
        ("GET", ["images", "json"]) => images::list(engine).await,
        ("POST", ["images", "create"]) => images::pull(engine, &ask).await,
        ("POST", ["images", "load"]) => images::load(engine, &ask).await,
        ("GET", ["images", name @ .., "json"]) => images::inspect(engine, &name.join("/")).await,
        _ => refuse(404, "page not found"),
    }
}
