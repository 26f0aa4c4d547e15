//! Where a new instance will get its requests from: the server of a balancer that it is going to be.
//!
//! Decided before anything is touched, because a balancer that can't be told of a new server must stop all. Must not
//! guess: a server that serves is somebody's.

use super::{BalancerSpec, Place, Server, Wanted};
use crate::domain::fleet::Instance;
use crate::domain::ids::ServerName;

/// A server that becomes an instance which does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub balancer: BalancerSpec,
    pub server: ServerName,
    /// Where the instance answers there; `None`: the balancer is told where by itself.
    pub port: Option<u16>,
}

impl Seat {
    /// The same as a place; where the instance answers is not known yet.
    pub fn place(&self) -> Place {
        Place { balancer: self.balancer.clone(), server: self.server.clone(), address: None }
    }

    /// The seat of `new`, which takes the place of the instance that is `old` among these servers. An error says why there
    /// is none, and what would make one.
    pub fn find(spec: &BalancerSpec, servers: &[Server], old: &[&Server], new: &Instance) -> Result<Self, String> {
        let seat = |server: ServerName, port| Self { balancer: spec.clone(), server, port };
        let short = ServerName::new(new.name.short()).map_err(|error| error.to_string())?;
        match spec {
            BalancerSpec::Haproxy { .. } => {}
            BalancerSpec::Command(_) | BalancerSpec::None => return Ok(seat(short, None)),
            BalancerSpec::Nginx(_) => {
                return Err(format!("{spec} learns of a new server only from whoever writes its file"));
            }
            BalancerSpec::Caddy { .. } => {
                return Err(format!("{spec} learns of a new server only from whoever writes its configuration"));
            }
        }
        let [old] = old else {
            return Err(format!("{spec} sends {} requests by {} servers, and one is taken over", short, old.len()));
        };
        if let [there] = &*Wanted::of(new).among(servers).into_iter().filter(|one| one.serves()).collect::<Vec<_>>() {
            return Ok(seat(there.name.clone(), there.address.map(|at| at.port())));
        }
        let server = servers.iter().find(|server| server.name == short).ok_or_else(|| {
            format!(
                "{spec} has no server {short}, and a new instance needs one: `server-template {} 1-N …` in that backend, \
                 or `server {short} 0.0.0.0:PORT disabled`",
                prefix(short.as_str())
            )
        })?;
        let its_own = new.sandbox.is_some();
        if server.serves() && !its_own {
            return Err(format!(
                "server {short} of {spec} serves already ({}), so it is somebody else's",
                server.words
            ));
        }
        let port = |server: &Server| server.address.map(|at| at.port()).filter(|port| *port > 0);
        match port(server).or_else(|| port(old)) {
            Some(port) => Ok(seat(short, Some(port))),
            None => Err(format!("neither {short} nor {} of {spec} has a port", old.name)),
        }
    }
}

/// `web-` of `web-3`: what a template is called whose servers have the instances' names.
fn prefix(name: &str) -> &str {
    name.trim_end_matches(|digit: char| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::balancer::{Admin, Traffic};
    use crate::domain::clean::Clean;
    use crate::domain::ids::InstanceName;

    fn server(name: &str, address: Option<&str>, admin: Admin) -> Server {
        Server {
            name: ServerName::new(name).unwrap(),
            address: address.map(|text| text.parse().unwrap()),
            admin: Some(admin),
            up: admin == Admin::Ready,
            traffic: Some(Traffic::default()),
            words: Clean::default(),
        }
    }

    #[test]
    fn a_seat_is_a_server_of_that_name_that_serves_nobody() {
        let spec = BalancerSpec::Haproxy { socket: "/x".into(), backend: ServerName::new("web").unwrap() };
        let new = Instance {
            name: InstanceName("shop/web-3".into()),
            number: 3,
            sandbox: None,
            app: None,
            others: Vec::new(),
        };
        let old = server("web-1", Some("10.0.0.2:8080"), Admin::Ready);
        let find = |spare: Server| {
            let servers = [old.clone(), spare];
            Seat::find(&spec, &servers, &[&servers[0]], &new).map(|seat| (seat.server.to_string(), seat.port))
        };
        let seat = |port| Ok(("web-3".to_owned(), Some(port)));
        assert_eq!(find(server("web-3", None, Admin::Maint)), seat(8080), "the port is the old one's");
        assert_eq!(find(server("web-3", Some("0.0.0.0:0"), Admin::Maint)), seat(8080));
        assert_eq!(find(server("web-3", Some("10.9.9.9:81"), Admin::Maint)), seat(81));
        let mut down = server("web-3", Some("10.9.9.9:81"), Admin::Ready);
        down.up = false;
        assert_eq!(find(down), seat(81), "a server that is down serves nobody");
        assert!(find(server("web-3", Some("10.9.9.9:81"), Admin::Ready)).unwrap_err().contains("somebody else's"));
        let none = find(server("web-4", None, Admin::Maint)).unwrap_err();
        assert!(none.contains("server-template web- 1-N"), "{none}");
        let caddy = BalancerSpec::Caddy { admin: "/x".into() };
        assert!(Seat::find(&caddy, &[], &[&old], &new).unwrap_err().starts_with("caddy at /x learns"));
    }
}
