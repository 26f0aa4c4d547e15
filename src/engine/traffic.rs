//! Draining and attaching, proven by what the balancers show.
//!
//! A balancer is told once and asked until it shows what is wanted; one that was restarted meanwhile, and has forgotten, is
//! told again. That an instance was taken out is written down in its sandbox before, so that whoever comes after a console
//! that died knows that it was pitstop who did it, and puts it back.

use super::clock;
use super::perform::{Context, Done, Failed, Outcome};
use crate::balancer::{Balancer, BalancerError};
use crate::docker::{DrainNote, PullProgress};
use crate::domain::balancer::{self, Admin, Place, Server, TrafficSeen, Wanted};
use crate::domain::duration::{human, millis};
use crate::domain::fleet::Fleet;
use crate::domain::ids::ContainerId;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at a balancer.
const EVERY: Duration = Duration::from_millis(50);
/// For sessions to be gone after they were cut, and for a balancer to say so.
const CUT: Duration = Duration::from_secs(10);

/// What the balancers of these apps show of their instances; one that can't be asked shows nothing.
pub(super) async fn seen(fleet: &Fleet) -> TrafficSeen {
    let mut seen = TrafficSeen::new();
    for app in fleet.apps.iter().filter(|app| app.managed) {
        for spec in balancer::of_app(app) {
            let servers = match Balancer::of(&spec).servers().await {
                Ok(servers) => servers,
                Err(error) => {
                    tracing::debug!("{error}");
                    continue;
                }
            };
            for instance in &app.instances {
                let mine =
                    Wanted::of(instance).among(&servers).into_iter().map(|server| (spec.clone(), server.clone()));
                let mine: Vec<_> = mine.collect();
                if !mine.is_empty() {
                    seen.entry(instance.name.clone()).or_default().extend(mine);
                }
            }
        }
    }
    seen
}

/// Takes the instance out everywhere and waits until its sessions have ended; what is left after `timeout` is cut, and said.
pub(super) async fn drain(
    context: &Context,
    places: &[Place],
    sandbox: Option<&ContainerId>,
    timeout: Duration,
    tell: impl Fn(PullProgress),
) -> Outcome {
    if let Some(sandbox) = sandbox {
        let note = DrainNote { operation: context.op.to_string(), places: places.to_vec() };
        context.docker.write_drain_note(sandbox, Some(&note)).await?;
    }
    let began = clock::instant();
    let deadline = began + timeout;
    let mut most = 0;
    let mut cut = 0;
    loop {
        let mut left = 0;
        for place in places {
            match look(place).await {
                Ok(server) => {
                    left += server.traffic.sessions + server.traffic.queued;
                    if server.admin == Admin::Ready {
                        // Not told yet, or it was restarted and has forgotten.
                        set(place, Admin::Drain).await?;
                        left = left.max(1);
                    }
                }
                // A balancer that is just being restarted; its clients notice, whatever we do.
                Err(error) if clock::instant() < deadline + CUT => {
                    tracing::warn!("{error}");
                    left = left.max(1);
                }
                Err(error) => return Err(Failed::new(error.to_string())),
            }
        }
        if left == 0 {
            break;
        }
        most = most.max(left);
        tell(PullProgress { done: most - left, total: most, note: sessions(left) });
        if clock::instant() >= deadline + CUT {
            return Err(Failed::new(format!("{} do not end even when cut", sessions(left))));
        }
        if clock::instant() >= deadline && cut == 0 {
            cut = left;
            for place in places {
                driver(place).cut(&place.server).await.map_err(|error| Failed::new(error.to_string()))?;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
    // Maintenance: no health check marks it down while it is replaced, so that it serves the moment it is put back.
    for place in places {
        set(place, Admin::Maint).await?;
    }
    Ok(Done::saying(match cut {
        0 => format!("no session left after {}", human(millis(clock::instant().duration_since(began)))),
        left => format!("{} cut after {}", sessions(left), human(millis(timeout))),
    }))
}

/// Puts the instance back everywhere and waits until every balancer sends it requests.
pub(super) async fn attach(
    context: &Context,
    places: &[Place],
    sandbox: Option<&ContainerId>,
    timeout: Duration,
) -> Outcome {
    let deadline = clock::instant() + timeout;
    for place in places {
        until_serving(place, deadline).await?;
    }
    if let Some(sandbox) = sandbox {
        context.docker.write_drain_note(sandbox, None).await?;
    }
    let servers: Vec<String> = places.iter().map(|place| place.server.to_string()).collect();
    Ok(Done::saying(format!("{} serving", servers.join(", "))))
}

async fn until_serving(place: &Place, deadline: Instant) -> Result<(), Failed> {
    loop {
        let why = match look(place).await {
            Ok(server) if server.serves() => return Ok(()),
            Ok(server) if server.admin != Admin::Ready => match set(place, Admin::Ready).await {
                Ok(()) => continue,
                Err(failed) => failed.0,
            },
            Ok(server) => format!("{place} is {}", server.words),
            Err(error) => error.to_string(),
        };
        if clock::instant() >= deadline {
            return Err(Failed::new(format!("{why}; it takes no requests there")));
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn driver(place: &Place) -> Balancer {
    Balancer::of(&place.balancer)
}

async fn set(place: &Place, admin: Admin) -> Result<(), Failed> {
    driver(place).set(&place.server, admin).await.map_err(|error| Failed::new(error.to_string()))
}

async fn look(place: &Place) -> Result<Server, BalancerError> {
    let servers = driver(place).servers().await?;
    servers
        .into_iter()
        .find(|server| server.name == place.server)
        .ok_or_else(|| BalancerError::gone(&place.to_string()))
}

fn sessions(left: u64) -> String {
    if left == 1 { "1 session".to_owned() } else { format!("{left} sessions") }
}
