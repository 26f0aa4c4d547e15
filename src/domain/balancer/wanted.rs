//! Which of a balancer's servers an instance is.
//!
//! By address before name, because a server of the right name at a foreign address is somebody else's.

use super::Server;
use crate::domain::fleet::{Container, Instance};
use crate::domain::ids::ServerName;
use std::net::{IpAddr, SocketAddr};

/// An instance as a balancer may be told of it that has no list of servers: by name and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: ServerName,
    pub address: Option<IpAddr>,
}

/// How an instance is recognised among a balancer's servers: by an address it has, else by name.
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
    /// A published port on the engine's machine. The unspecified address stands for that machine's loopback ones.
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

    /// The instance under its short name, at its first own address; `None` where its name is none for a balancer.
    pub fn member(&self) -> Option<Member> {
        let own = self.addresses.iter().find_map(|reach| match reach {
            Reach::Own(ip) => Some(*ip),
            Reach::Published(_) => None,
        });
        Some(Member { name: ServerName::new(self.names.first()?).ok()?, address: own })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::{Admin, Traffic};
    use crate::domain::clean::Clean;

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
}
