//! Load balancers as values: which one an app has, and what is seen of a server there.
//!
//! What the `balancer` floor reads becomes these values, and the decisions about them are made here: may this server be
//! drained, is it drained, who took it out. Must not know any balancer's protocol.

use super::clean::Clean;
use super::fleet::{App, Container, Instance};
use super::ids::{InstanceName, ServerName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A load balancer of an app (`x-pitstop: {balancer: …}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BalancerSpec {
    /// HAProxy, by its Runtime API (HAProxy management guide, 9.3).
    Haproxy {
        /// `/run/haproxy/admin.sock`, or `host:port`; it needs `level admin`.
        socket: String,
        backend: ServerName,
    },
}

impl fmt::Display for BalancerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Haproxy { socket, backend } => write!(f, "haproxy {backend} at {socket}"),
        }
    }
}

/// One server of one balancer: a place an instance gets requests from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub balancer: BalancerSpec,
    pub server: ServerName,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.balancer {
            BalancerSpec::Haproxy { socket, backend } => write!(f, "{backend}/{} of haproxy at {socket}", self.server),
        }
    }
}

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
    pub admin: Admin,
    /// Its health check passes, or it has none.
    pub up: bool,
    pub traffic: Traffic,
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

impl Traffic {
    /// Nobody would notice if it stopped now.
    pub fn is_quiet(&self) -> bool {
        self.sessions == 0 && self.queued == 0
    }
}

impl Server {
    /// New requests reach it.
    pub fn serves(&self) -> bool {
        self.admin == Admin::Ready && self.up
    }

    /// It was taken out and its sessions have ended.
    pub fn is_drained(&self) -> bool {
        self.admin != Admin::Ready && self.traffic.is_quiet()
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
    /// Of these servers, with the sessions at all of them; `None` without a server.
    pub fn of<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Option<(Self, u64)> {
        let (mut all, mut serving, mut out, mut sessions) = (0, 0, 0, 0);
        for server in servers {
            all += 1;
            serving += usize::from(server.serves());
            out += usize::from(server.admin != Admin::Ready);
            sessions += server.traffic.sessions + server.traffic.queued;
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

/// How an instance is recognised among a balancer's servers: by name, else by an address it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names it may go by: `web-1`, `shop-web-1`.
    pub names: Vec<String>,
    /// Where it can be reached: its own addresses with any port, and its published ports.
    pub addresses: Vec<Reach>,
}

/// A place where an instance answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The instance's own address: any port there is the instance.
    Own(IpAddr),
    /// A published port on the engine's machine. The unspecified address stands for every address of that machine.
    Published(SocketAddr),
}

impl Wanted {
    /// How this instance is recognised: where it answers, and its names.
    pub fn of(instance: &Instance) -> Self {
        let owner = instance.owner();
        let own = owner.into_iter().flat_map(|owner| owner.networks.values()).flat_map(|address| {
            [&address.ipv4, &address.ipv6].into_iter().flatten().filter_map(|text| text.parse().ok()).map(Reach::Own)
        });
        let addresses = own.chain(owner.into_iter().flat_map(published)).collect();
        let names = [instance.name.short().to_owned(), owner.map(|owner| owner.name.to_string()).unwrap_or_default()];
        Self { names: names.into_iter().filter(|name| !name.is_empty()).collect(), addresses }
    }

    /// The servers that are this instance. An address says more than a name: a server of the right name at a foreign address
    /// is somebody else's.
    pub fn among<'a>(&self, servers: &'a [Server]) -> Vec<&'a Server> {
        let at = |server: &&Server| server.address.is_some_and(|address| self.answers_at(address));
        let by_address: Vec<_> = servers.iter().filter(at).collect();
        if !by_address.is_empty() {
            return by_address;
        }
        let named = |server: &&Server| self.names.iter().any(|name| name == server.name.as_str());
        servers
            .iter()
            .filter(|server| named(server) && server.address.is_none_or(|a| a.ip().is_unspecified()))
            .collect()
    }

    fn answers_at(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|reach| match reach {
            Reach::Own(own) => *own == address.ip(),
            Reach::Published(published) => {
                published.port() == address.port()
                    && (published.ip() == address.ip()
                        || (published.ip().is_unspecified() && address.ip().is_loopback()))
            }
        })
    }
}

fn published(owner: &Container) -> impl Iterator<Item = Reach> {
    let tcp = owner.ports.iter().filter(|port| port.protocol == "tcp");
    tcp.filter_map(|port| {
        let (host, number) = port.host.as_ref()?;
        let ip = if host.is_empty() { "0.0.0.0" } else { host };
        Some(Reach::Published((ip.parse::<IpAddr>().ok()?, *number).into()))
    })
}

/// The balancers that an app's containers were made with.
pub fn of_app(app: &App) -> Vec<BalancerSpec> {
    let containers = app.instances.iter().filter_map(|instance| instance.app.as_ref());
    let specs = containers.filter_map(|container| container.own.as_ref()?.spec.as_ref());
    distinct(specs.flat_map(|spec| &spec.rollout.balancers))
}

/// Each once, in the order given.
pub fn distinct<'a>(specs: impl IntoIterator<Item = &'a BalancerSpec>) -> Vec<BalancerSpec> {
    let mut once = Vec::new();
    for spec in specs {
        if !once.contains(spec) {
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
            admin: Admin::Ready,
            up: true,
            traffic: Traffic::default(),
            words: Clean::default(),
        }
    }

    fn found(wanted: &Wanted, servers: &[Server]) -> Vec<String> {
        wanted.among(servers).iter().map(|server| server.name.to_string()).collect()
    }

    #[test]
    fn an_instance_is_found_by_its_address_before_its_name() {
        let wanted = Wanted {
            names: vec!["web-1".into(), "shop-web-1".into()],
            addresses: vec![
                Reach::Own("172.30.0.2".parse().unwrap()),
                Reach::Published("0.0.0.0:8081".parse().unwrap()),
            ],
        };
        let a = [server("a", Some("172.30.0.2:80")), server("web-1", Some("172.30.0.3:80"))];
        assert_eq!(found(&wanted, &a), ["a"], "the name is somebody else's");
        let published = [server("a", Some("127.0.0.1:8081")), server("b", Some("127.0.0.1:8082"))];
        assert_eq!(found(&wanted, &published), ["a"]);
        let foreign = [server("web-1", Some("10.0.0.9:80"))];
        assert_eq!(found(&wanted, &foreign), Vec::<String>::new(), "right name, wrong place");
        let unresolved = [server("web-1", None), server("web-2", None)];
        assert_eq!(found(&wanted, &unresolved), ["web-1"]);
        let two_ports = [server("http", Some("172.30.0.2:80")), server("grpc", Some("172.30.0.2:90"))];
        assert_eq!(found(&wanted, &two_ports), ["http", "grpc"]);
    }

    #[test]
    fn servers_together_have_one_standing() {
        let with = |admin, up, sessions| {
            let traffic = Traffic { sessions, ..Traffic::default() };
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
    fn a_server_is_drained_when_it_is_out_and_quiet() {
        let mut one = server("a", None);
        assert!(one.serves() && !one.is_drained(), "quiet, but not taken out");
        one.admin = Admin::Drain;
        one.traffic.sessions = 1;
        assert!(!one.serves() && !one.is_drained());
        one.traffic = Traffic { idle: 3, ..Traffic::default() };
        assert!(one.is_drained(), "connections kept for reuse carry nobody's request");
        one.traffic.queued = 1;
        assert!(!one.is_drained());
    }
}
