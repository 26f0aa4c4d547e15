//! Load balancers as values: which one an app has, and what is seen of a server there.
//!
//! What the `balancer` floor reads becomes these values, and the decisions about them are made here: may this server be
//! drained, is it drained, who took it out. Must not know any balancer's protocol.

mod seat;
mod spec;
mod wanted;

pub use seat::Seat;
pub use spec::{BalancerSpec, Hooks, Nginx, Place, SETTLE_MS, TIMEOUT_MS};
pub use wanted::{Member, Reach, Wanted};

use super::clean::Clean;
use super::fleet::{App, Fleet};
use super::ids::{AppId, InstanceName, ServerName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A balancer of an app as it was read for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerSeen {
    pub spec: BalancerSpec,
    /// Its servers, or why they could not be read.
    pub servers: Result<Vec<Server>, String>,
}

/// A server of a balancer, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub name: ServerName,
    /// Where it sends requests; `None` while its name is not resolved.
    pub address: Option<SocketAddr>,
    /// `None`: the balancer does not tell.
    pub admin: Option<Admin>,
    /// Its health check passes, or it has none.
    pub up: bool,
    /// `None`: the balancer counts nothing.
    pub traffic: Option<Traffic>,
    /// The balancer's own word for all that, e.g. `UP 1/2, L7OK`.
    pub words: Clean,
}

/// What a person, or pitstop, has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admin {
    /// Takes new sessions while its checks pass.
    Ready,
    /// Takes no new sessions; those it has go on.
    Drain,
    /// Takes none, and is not checked.
    Maint,
}

/// What goes on at a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Sessions under way.
    pub sessions: u64,
    /// Requests waiting for it.
    pub queued: u64,
    /// Connections kept open for reuse.
    pub idle: u64,
    /// Sessions ever.
    pub total: u64,
    /// Requests that failed at it, as the balancer counts them: connection errors, response errors, aborted by the server.
    pub errors: u64,
}

impl Server {
    /// New requests reach it.
    pub fn serves(&self) -> bool {
        self.admin == Some(Admin::Ready) && self.up
    }

    /// Somebody took it out.
    pub fn is_out(&self) -> bool {
        self.admin.is_some_and(|admin| admin != Admin::Ready)
    }

    /// Sessions under way and requests that wait for it; `None` where the balancer does not count.
    pub fn sessions(&self) -> Option<u64> {
        self.traffic.map(|traffic| traffic.sessions + traffic.queued)
    }
}

impl Admin {
    /// The word in events and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Drain => "drain",
            Self::Maint => "maint",
        }
    }
}

/// What the balancers show of the instances; nothing of one that none of them knows.
pub type TrafficSeen = BTreeMap<InstanceName, Vec<(BalancerSpec, Server)>>;

/// The balancers of each app, as they were read.
pub type BalancersSeen = BTreeMap<AppId, Vec<BalancerSeen>>;

/// Finds each instance among the servers; a balancer that can't be asked shows nothing.
pub fn traffic(fleet: &Fleet, seen: &BalancersSeen) -> TrafficSeen {
    let mut traffic = TrafficSeen::new();
    for app in &fleet.apps {
        for balancer in seen.get(&app.id).into_iter().flatten() {
            let servers = balancer.servers.as_deref().unwrap_or_default();
            for instance in &app.instances {
                let mine = Wanted::of(instance).among(servers).into_iter();
                let mine: Vec<_> = mine.map(|server| (balancer.spec.clone(), server.clone())).collect();
                if !mine.is_empty() {
                    traffic.entry(instance.name.clone()).or_default().extend(mine);
                }
            }
        }
    }
    traffic
}

/// What comes of all an instance's servers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Every balancer sends it requests.
    Serving,
    /// Some do, some don't.
    Partly,
    /// Taken out, and sessions are still under way.
    Draining,
    /// Taken out, no session left.
    Drained,
    /// Nobody took it out, but its health check fails.
    Down,
}

impl Standing {
    /// Of these servers, with the sessions at all of them as far as they are counted; `None` where no balancer tells.
    pub fn of<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Option<(Self, u64)> {
        let (mut all, mut serving, mut out, mut sessions) = (0, 0, 0, 0);
        for server in servers.into_iter().filter(|server| server.admin.is_some()) {
            all += 1;
            serving += usize::from(server.serves());
            out += usize::from(server.is_out());
            sessions += server.sessions().unwrap_or_default();
        }
        let standing = match (serving, out) {
            _ if all == 0 => return None,
            (serving, _) if serving == all => Self::Serving,
            (1.., _) => Self::Partly,
            (_, 0) => Self::Down,
            _ if sessions > 0 => Self::Draining,
            _ => Self::Drained,
        };
        Some((standing, sessions))
    }

    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Partly => "partly",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Down => "down",
        }
    }
}

/// The balancers that an app's containers were made with.
pub fn of_app(app: &App) -> Vec<BalancerSpec> {
    let containers = app.instances.iter().filter_map(|instance| instance.app.as_deref());
    let specs = containers.filter_map(|container| container.own.as_ref()?.spec.as_ref());
    distinct(specs.flat_map(|spec| &spec.rollout.balancers))
}

/// Each once, in the order given; that there shall be none is no balancer.
pub fn distinct<'a>(specs: impl IntoIterator<Item = &'a BalancerSpec>) -> Vec<BalancerSpec> {
    let mut once = Vec::new();
    for spec in specs {
        if *spec != BalancerSpec::None && !once.contains(spec) {
            once.push(spec.clone());
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, address: Option<&str>) -> Server {
        Server {
            name: ServerName::new(name).unwrap(),
            address: address.map(|text| text.parse().unwrap()),
            admin: Some(Admin::Ready),
            up: true,
            traffic: Some(Traffic::default()),
            words: Clean::default(),
        }
    }

    #[test]
    fn servers_together_have_one_standing() {
        let with = |admin, up, sessions| {
            let (admin, traffic) = (Some(admin), Some(Traffic { sessions, ..Traffic::default() }));
            Server { admin, up, traffic, ..server("a", None) }
        };
        let serving = with(Admin::Ready, true, 3);
        let draining = with(Admin::Drain, true, 1);
        let drained = with(Admin::Maint, false, 0);
        let down = with(Admin::Ready, false, 0);
        for (servers, want) in [
            (vec![], None),
            (vec![&serving, &serving], Some((Standing::Serving, 6))),
            (vec![&serving, &drained], Some((Standing::Partly, 3))),
            (vec![&draining, &drained], Some((Standing::Draining, 1))),
            (vec![&drained], Some((Standing::Drained, 0))),
            (vec![&down, &drained], Some((Standing::Drained, 0))),
            (vec![&down], Some((Standing::Down, 0))),
        ] {
            assert_eq!(Standing::of(servers.iter().copied()), want, "{servers:?}");
        }
    }

    #[test]
    fn a_server_is_out_when_it_was_told_and_quiet_when_nobody_is_served_or_waits() {
        let mut one = server("a", None);
        assert!(one.serves() && !one.is_out());
        one.admin = Some(Admin::Drain);
        assert!(!one.serves() && one.is_out());
        for (traffic, sessions) in [
            (Some(Traffic { sessions: 1, ..Traffic::default() }), Some(1)),
            // Connections kept for reuse carry nobody's request.
            (Some(Traffic { idle: 3, ..Traffic::default() }), Some(0)),
            (Some(Traffic { queued: 1, ..Traffic::default() }), Some(1)),
            (None, None),
        ] {
            one.traffic = traffic;
            assert_eq!(one.sessions(), sessions);
        }
        one.admin = None;
        assert!(!one.serves() && !one.is_out(), "nobody tells");
        assert_eq!(Standing::of([&one]), None);
    }
}
