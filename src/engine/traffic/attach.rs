//! Putting an instance back, or a new one in: told to send it requests, a balancer is asked until it does.

use super::super::clock;
use super::super::perform::{Context, Done, Failed, Outcome};
use super::{ABSENT, BACK, driver, look};
use crate::balancer::Balancer;
use crate::domain::balancer::{Admin, BalancerSpec, Place, Seat, Server, Wanted};
use crate::domain::fleet::Instance;
use crate::domain::ids::{ContainerId, InstanceName};
use futures_util::future::try_join_all;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Puts the instance back everywhere and waits until every balancer sends it requests.
pub(in crate::engine) async fn attach(
    context: &Context,
    instance: Option<&InstanceName>,
    places: &[Place],
    sandbox: Option<&ContainerId>,
    timeout: Duration,
) -> Outcome {
    let guarded = match instance {
        Some(instance) => context.guards.end(instance).await,
        None => None,
    };
    let deadline = clock::instant() + timeout;
    let servers = try_join_all(places.iter().map(|place| until_serving(place, deadline))).await?;
    if let Some(sandbox) = sandbox {
        context.docker.write_drain_note(sandbox, None).await?;
    }
    let names: Vec<String> = places.iter().map(|place| place.server.to_string()).collect();
    let (mut words, mut failed_requests) = (format!("{} serving", names.join(", ")), None);
    if let Some((before, again)) = guarded {
        let counted = servers.iter().all(|server| server.as_ref().is_some_and(|server| server.traffic.is_some()));
        let now: u64 = servers.iter().flatten().filter_map(|server| server.traffic).map(|traffic| traffic.errors).sum();
        failed_requests = now.checked_sub(before).filter(|_| counted);
        match failed_requests {
            Some(0) => words.push_str(", no request failed there meanwhile"),
            Some(failed) => words = format!("{words}, {failed} requests failed there meanwhile"),
            None => {}
        }
        if again > 0 {
            words.push_str("; a balancer had forgotten that it was out, and was told again");
        }
    }
    Ok(Done { failed_requests, ..Done::saying(words) })
}

/// Puts a new instance in wherever its place is out. A balancer that is not there yet, or does not know it, is said and holds
/// nothing up: it may be the next thing that somebody makes.
pub(in crate::engine) async fn join(
    context: &Context,
    balancers: &[BalancerSpec],
    seats: &[Seat],
    instance: &Instance,
    timeout: Duration,
) -> Outcome {
    let wanted = Wanted::of(instance);
    let member = wanted.member();
    let (mut places, mut said) = (Vec::new(), Vec::new());
    for seat in seats {
        let place = Place { address: member.as_ref().and_then(|member| member.address), ..seat.place() };
        take(&place, seat.port).await?;
        places.push(place);
    }
    let balancers = balancers.iter().filter(|spec| seats.iter().all(|seat| seat.balancer != **spec));
    for spec in balancers {
        match Balancer::of(spec).servers(member.as_slice()).await {
            Ok(servers) => {
                let mine = wanted.among(&servers);
                if mine.is_empty() {
                    said.push(format!("{spec} has no server for it"));
                }
                let address = member.as_ref().and_then(|member| member.address);
                let place = |server: &Server| Place { balancer: spec.clone(), server: server.name.clone(), address };
                places.extend(mine.into_iter().map(place));
            }
            Err(error) => said.push(error.to_string()),
        }
    }
    if !places.is_empty() {
        let done = attach(context, None, &places, None, timeout).await?;
        said.splice(0..0, done.detail);
    }
    Ok(Done::saying(said.join("; ")))
}

/// Makes a server that was nobody's the instance's own: from now on it sends requests to its address.
async fn take(place: &Place, port: Option<u16>) -> Result<(), Failed> {
    let Some(port) = port else { return Ok(()) };
    let address = place.address.ok_or_else(|| {
        Failed::new(format!("the new instance has no address that {} could be sent to", place.server))
    })?;
    let (address, deadline) = (SocketAddr::new(address, port), clock::instant() + BACK);
    loop {
        let told = async {
            if look(place).await?.address == Some(address) {
                return Ok(());
            }
            driver(place).set_address(&place.server, address).await
        };
        match told.await {
            Ok(()) => return Ok(()),
            Err(error) if error.passing && clock::instant() < deadline => tokio::time::sleep(ABSENT).await,
            Err(error) => return Err(Failed::new(error.to_string())),
        }
    }
}

async fn until_serving(place: &Place, deadline: Instant) -> Result<Option<Server>, Failed> {
    let mut told = false;
    loop {
        let looked = async {
            if !told {
                driver(place).set(&place.member(), Admin::Ready).await?;
                told = true;
            }
            look(place).await
        };
        let (why, absent) = match looked.await {
            Ok(server) if server.serves() || server.admin.is_none() => return Ok(Some(server)),
            Ok(server) => {
                // It has a state from before it was restarted.
                told &= !server.is_out();
                (format!("{place} is {}", server.words), false)
            }
            Err(error) if error.passing => (error.to_string(), true),
            Err(error) => {
                let next = "it is still out there; `pitstop repair` puts it back when that is right";
                return Err(Failed::new(format!("{error}; {next}")));
            }
        };
        if clock::instant() >= deadline {
            return Err(Failed::new(format!("{why}; it takes no requests there")));
        }
        tokio::time::sleep(if absent { ABSENT } else { driver(place).every() }).await;
    }
}
