//! The drivers of the `balancer` floor against real load balancers.

mod haproxy;

use pitstop::domain::balancer::Member;
use pitstop::domain::ids::ServerName;

fn member(name: &str) -> Member {
    Member { name: ServerName::new(name).unwrap(), address: None }
}
