//! Which addresses sandboxes get: pinned, and out of reach of the engine's own choices.
//!
//! The engine hands out the lowest free address of the ip-range, at start, and remembers nothing. A pinned address
//! inside that range is stolen at boot; one below it is not (measured on Engine 20.10). So our networks keep the lower
//! half of their subnet for pinned addresses and give the upper half to the engine.

use super::fleet::NetworkSeen;
use super::labels;
use super::project::Subnet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// An IPv4 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    base: u32,
    prefix: u32,
}

impl Block {
    /// Reads `10.1.0.0/16`.
    pub fn parse(cidr: &str) -> Option<Self> {
        let (ip, prefix) = cidr.split_once('/')?;
        let prefix: u32 = prefix.parse().ok().filter(|p| *p <= 32)?;
        let ip = u32::from(ip.parse::<Ipv4Addr>().ok()?);
        Some(Self { base: ip & mask(prefix), prefix })
    }

    fn last(self) -> u32 {
        self.base | !mask(self.prefix)
    }

    fn contains(self, ip: u32) -> bool {
        ip & mask(self.prefix) == self.base
    }
}

fn mask(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32 - prefix).unwrap_or(0)
}

/// The address plan for a subnet the engine chose: its upper half for dynamic addresses, the gateway at `.1`.
///
/// `None` for what is no IPv4 block or too small to be halved (longer than /28).
pub fn with_room_for_pins(subnet: &str) -> Option<Subnet> {
    let block = Block::parse(subnet).filter(|block| block.prefix <= 28)?;
    let upper = block.base | (1 << (31 - block.prefix));
    Some(Subnet {
        subnet: format!("{}/{}", Ipv4Addr::from(block.base), block.prefix),
        ip_range: Some(format!("{}/{}", Ipv4Addr::from(upper), block.prefix + 1)),
        gateway: Some(Ipv4Addr::from(block.base + 1).to_string()),
    })
}

/// The address to pin: below the ip-range from the bottom where there is one, else from the top of the subnet down
/// (dynamic addresses grow from the bottom). `None` when the pool is no IPv4 block or full.
pub fn pick(pool: &Subnet, used: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let block = Block::parse(&pool.subnet)?;
    let range = pool.ip_range.as_deref().and_then(Block::parse);
    let gateway = pool.gateway.as_deref().and_then(|ip| ip.parse::<Ipv4Addr>().ok()).map_or(block.base + 1, u32::from);
    let free = |ip: &u32| {
        let dynamic = range.is_some_and(|range| range != block && range.contains(*ip));
        *ip != gateway && !dynamic && !used.contains(&Ipv4Addr::from(*ip))
    };
    let (first, last) = (block.base.checked_add(1)?, block.last().checked_sub(1)?);
    let pick = if range.is_some_and(|range| range != block) {
        (first..=last).find(free)
    } else {
        (first..=last).rev().find(free)
    };
    pick.map(Ipv4Addr::from)
}

/// The address the engine hands out next: the lowest free one of the ip-range, else of the subnet.
pub fn next_dynamic(pool: &Subnet, used: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let block = Block::parse(&pool.subnet)?;
    let range = pool.ip_range.as_deref().and_then(Block::parse).unwrap_or(block);
    let gateway = pool.gateway.as_deref().and_then(|ip| ip.parse::<Ipv4Addr>().ok()).map_or(block.base + 1, u32::from);
    let free =
        |ip: &u32| *ip != gateway && *ip != block.base && *ip != block.last() && !used.contains(&Ipv4Addr::from(*ip));
    (range.base..=range.last()).find(free).map(Ipv4Addr::from)
}

/// The MAC address that goes with an address: engines up to 27 derive it so. Newer ones and Podman draw another at each start,
/// so it is asked for with each address that is pinned, and is held like it.
pub fn mac_of(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// So many free addresses below one's own are taken for a while; each costs a container's start.
pub const HOLES: usize = 16;

/// The addresses in use on a network.
pub fn used(network: &NetworkSeen) -> BTreeSet<Ipv4Addr> {
    network.addresses.iter().filter_map(|ip| ip.split('/').next()?.parse().ok()).collect()
}

/// How many free addresses the engine would hand out before `ip`.
pub fn holes_below(network: &NetworkSeen, ip: Ipv4Addr) -> usize {
    let pool = network.pools.iter().find(|pool| Block::parse(&pool.subnet).is_some_and(|b| b.contains(u32::from(ip))));
    let Some(pool) = pool else { return 0 };
    let mut used = used(network);
    used.insert(ip);
    let mut holes = 0;
    // More than are ever filled need no exact number.
    while let Some(free) = next_dynamic(pool, &used).filter(|free| *free < ip && holes <= HOLES * 2) {
        used.insert(free);
        holes += 1;
    }
    holes
}

/// Ours, or with an ip-range, or without a gateway: a person configured the subnet, so addresses can be asked for there.
/// Anything else may have been the engine's own choice, on which that fails before Engine 29.1.
pub fn is_configured(network: &NetworkSeen) -> bool {
    network.labels.contains_key(labels::PROJECT)
        || network.pools.iter().any(|pool| Block::parse(&pool.subnet).is_some() && somebody_chose(pool))
}

/// The same for IPv6: each family is asked for by its own subnet.
pub fn is_configured_for_ipv6(network: &NetworkSeen) -> bool {
    network.pools.iter().any(|pool| pool.subnet.contains(':') && somebody_chose(pool))
}

fn somebody_chose(pool: &Subnet) -> bool {
    pool.ip_range.is_some() || pool.gateway.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_gets_the_upper_half() {
        let plan = with_room_for_pins("172.20.0.0/16").unwrap();
        assert_eq!(
            (plan.subnet.as_str(), plan.ip_range.as_deref(), plan.gateway.as_deref()),
            ("172.20.0.0/16", Some("172.20.128.0/17"), Some("172.20.0.1"))
        );
        assert_eq!(with_room_for_pins("10.0.0.0/29"), None);
        assert_eq!(with_room_for_pins("fd00::/64"), None);
    }

    #[test]
    fn pins_come_from_outside_the_dynamic_range() {
        let plan = with_room_for_pins("10.1.0.0/24").unwrap();
        let mut used = BTreeSet::new();
        for want in 2..128 {
            let ip = pick(&plan, &used).unwrap();
            assert_eq!(ip, Ipv4Addr::new(10, 1, 0, want));
            used.insert(ip);
        }
        assert_eq!(pick(&plan, &used), None);
    }

    #[test]
    fn the_engine_hands_out_the_lowest_free_address_of_its_range() {
        let ips = |list: &[[u8; 4]]| list.iter().map(|ip| Ipv4Addr::from(*ip)).collect::<BTreeSet<_>>();
        let pool = Subnet { subnet: "10.1.0.0/24".into(), ..Subnet::default() };
        assert_eq!(next_dynamic(&pool, &ips(&[])), Some(Ipv4Addr::new(10, 1, 0, 2)));
        assert_eq!(next_dynamic(&pool, &ips(&[[10, 1, 0, 2], [10, 1, 0, 4]])), Some(Ipv4Addr::new(10, 1, 0, 3)));
        let ours = with_room_for_pins("10.1.0.0/24").unwrap();
        assert_eq!(next_dynamic(&ours, &ips(&[])), Some(Ipv4Addr::new(10, 1, 0, 128)));
        let tiny = Subnet { subnet: "10.1.0.0/30".into(), ..Subnet::default() };
        assert_eq!(next_dynamic(&tiny, &ips(&[[10, 1, 0, 2]])), None);
    }

    #[test]
    fn each_family_is_asked_for_by_its_own_subnet() {
        let pool = |subnet: &str, gateway: Option<&str>| Subnet {
            subnet: subnet.into(),
            gateway: gateway.map(Into::into),
            ..Subnet::default()
        };
        let on = |pools: Vec<Subnet>| {
            let seen = NetworkSeen { pools, ..NetworkSeen::default() };
            (is_configured(&seen), is_configured_for_ipv6(&seen))
        };
        let engine_s = pool("192.168.16.0/20", Some("192.168.16.1"));
        assert_eq!(on(vec![engine_s.clone(), pool("fd00:77::/64", None)]), (false, true));
        assert_eq!(on(vec![pool("10.1.0.0/24", None), pool("fd00:77::/64", Some("fd00:77::1"))]), (true, false));
        assert_eq!(on(vec![engine_s]), (false, false));
    }

    #[test]
    fn on_a_strangers_network_they_come_from_the_top() {
        let pool = Subnet { subnet: "10.1.0.0/24".into(), ip_range: None, gateway: Some("10.1.0.254".into()) };
        assert_eq!(pick(&pool, &BTreeSet::new()), Some(Ipv4Addr::new(10, 1, 0, 253)));
        let full = Subnet { subnet: "10.1.0.0/32".into(), ..Subnet::default() };
        assert_eq!(pick(&full, &BTreeSet::new()), None);
    }
}
