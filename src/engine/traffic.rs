//! Draining and attaching, proven by what the balancers show.
//!
//! A balancer is told and asked until it shows what is wanted; one that was restarted meanwhile, and has forgotten, is
//! told again. That an instance was taken out is written down in its sandbox before, so that whoever comes after a console
//! that died knows that it was pitstop who did it, and puts it back.

mod attach;
mod drain;

pub(super) use attach::{attach, join};
pub(super) use drain::{Patience, drain, still_out};

use crate::balancer::{Balancer, BalancerError};
use crate::domain::balancer::{Admin, Place, Server, Wanted};
use crate::domain::fleet::Instance;
use std::time::Duration;

/// Between two looks at a balancer that is not there: one that comes back serves what it was told not to.
const ABSENT: Duration = Duration::from_millis(5);
/// For a balancer to come back, and for sessions to be gone after they were cut.
const BACK: Duration = Duration::from_secs(10);

/// Places of an instance that was not there when they were planned, with its address.
pub(super) fn at_its_address(places: &[Place], instance: &Instance) -> Vec<Place> {
    let address = Wanted::of(instance).member().and_then(|member| member.address);
    places.iter().map(|place| Place { address: place.address.or(address), ..place.clone() }).collect()
}

/// Has a balancer that has forgotten take it out again; whether it had.
pub(super) async fn remind(place: &Place) -> Result<bool, BalancerError> {
    let forgot = look(place).await?.admin == Some(Admin::Ready);
    if forgot {
        driver(place).set(&place.member(), Admin::Maint).await?;
    }
    Ok(forgot)
}

/// How long until the next look at a place, when this look could or could not be had.
pub(super) fn pause(place: &Place, absent: bool) -> Duration {
    let every = driver(place).every();
    if absent { every.min(ABSENT) } else { every }
}

fn driver(place: &Place) -> Balancer {
    Balancer::of(&place.balancer)
}

async fn look(place: &Place) -> Result<Server, BalancerError> {
    let servers = driver(place).servers(&[place.member()]).await?;
    servers
        .into_iter()
        .find(|server| server.name == place.server)
        .ok_or_else(|| BalancerError::gone(&place.to_string()))
}
