//! Addresses as Engine 20.10 hands them out: the lowest free one of the range, given at start, taken back at stop.
//!
//! Pure: who has which address is told.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// One subnet with its range for dynamic addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub subnet: Block,
    pub range: Block,
    pub gateway: Ipv4Addr,
}

/// `10.0.0.0/24`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub base: Ipv4Addr,
    pub bits: u8,
}

impl Block {
    /// Reads `10.0.0.0/24`, host bits cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/')?;
        let (base, bits): (Ipv4Addr, u8) = (base.parse().ok()?, bits.parse().ok()?);
        (bits <= 32).then(|| Self { base: Ipv4Addr::from_bits(base.to_bits() & mask(bits)), bits })
    }

    fn last(self) -> u32 {
        self.base.to_bits() | !mask(self.bits)
    }

    /// Is it inside?
    pub fn has(self, ip: Ipv4Addr) -> bool {
        ip.to_bits() & mask(self.bits) == self.base.to_bits()
    }

    /// Do they share an address?
    pub fn overlaps(self, other: Self) -> bool {
        let bits = self.bits.min(other.bits);
        self.base.to_bits() & mask(bits) == other.base.to_bits() & mask(bits)
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

impl Pool {
    /// A subnet with what else was said about it; the gateway is the range's first address unless told.
    pub fn new(subnet: Block, range: Option<Block>, gateway: Option<Ipv4Addr>) -> Self {
        let range = range.unwrap_or(subnet);
        let first = range.base.to_bits().saturating_add(u32::from(range.base == subnet.base));
        Self { subnet, range, gateway: gateway.unwrap_or(Ipv4Addr::from_bits(first)) }
    }

    /// The lowest address of the range that nobody has; never the subnet's first and last, nor the gateway's.
    pub fn lowest_free(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        (self.range.base.to_bits()..=self.range.last())
            .filter(|bits| *bits != self.subnet.base.to_bits() && *bits != self.subnet.last())
            .map(Ipv4Addr::from_bits)
            .find(|ip| *ip != self.gateway && !taken.contains(ip))
    }
}

/// The first of the engine's own subnets that overlaps none of those given: 172.17 to 172.31, then 192.168 in pieces.
pub fn free_subnet(taken: &[Block]) -> Option<Block> {
    let wide = (17..=31).map(|n| Block { base: Ipv4Addr::new(172, n, 0, 0), bits: 16 });
    let narrow = (0..=240).step_by(16).map(|n| Block { base: Ipv4Addr::new(192, 168, n, 0), bits: 20 });
    wide.chain(narrow).find(|block| !taken.iter().any(|other| other.overlaps(*block)))
}

/// Engine 20.10 makes the MAC address from the IPv4 address.
pub fn mac(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_address_of_the_range_is_given() {
        let block = |text: &str| Block::parse(text).unwrap();
        let plain = Pool::new(block("10.1.0.0/29"), None, None);
        let mut taken = BTreeSet::new();
        let mut given = Vec::new();
        while let Some(ip) = plain.lowest_free(&taken) {
            taken.insert(ip);
            given.push(ip.octets()[3]);
        }
        assert_eq!(given, [2, 3, 4, 5, 6]);
        taken.remove(&Ipv4Addr::new(10, 1, 0, 3));
        assert_eq!(plain.lowest_free(&taken), Some(Ipv4Addr::new(10, 1, 0, 3)));
        let roomy = Pool::new(block("10.1.0.0/24"), Some(block("10.1.0.128/25")), None);
        assert_eq!(roomy.lowest_free(&BTreeSet::new()), Some(Ipv4Addr::new(10, 1, 0, 129)));
    }

    #[test]
    fn subnets_do_not_overlap() {
        let block = |text: &str| Block::parse(text).unwrap();
        assert_eq!(free_subnet(&[]).unwrap().to_string(), "172.17.0.0/16");
        assert_eq!(free_subnet(&[block("172.16.0.0/12")]).unwrap().to_string(), "192.168.0.0/20");
        assert_eq!(free_subnet(&[block("0.0.0.0/0")]), None);
        assert_eq!(mac(Ipv4Addr::new(172, 17, 0, 2)), "02:42:ac:11:00:02");
    }
}
