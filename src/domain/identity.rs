//! What must not change, read before and after an operation, and the verdict.
//!
//! The verdict is a pure function of two readings: nothing is assumed kept because a step succeeded.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where an instance is reachable and what it stores, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// By network name.
    pub networks: BTreeMap<String, Address>,
    /// The engine's id of the network namespace (its sandbox key), new at every start of its owner.
    pub netns: Option<String>,
    pub hostname: Option<String>,
    /// `8080/tcp` to `0.0.0.0:18080` (several hosts joined by `, `).
    pub ports: BTreeMap<String, String>,
    /// Path in the container to the volume's name or the host path.
    pub volumes: BTreeMap<String, String>,
}

/// Addresses on one network; empty texts are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub ipv4: Option<String>,
    pub ipv6: Option<String>,
    pub mac: Option<String>,
}

/// What an instance's identity is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The same as before, and a sandbox holds it.
    Kept,
    /// The same as before, but by luck: nothing holds the address.
    Unprotected,
    /// Something differs.
    Changed,
    /// The app sits in a network namespace that its sandbox no longer owns: it can't be reached.
    Orphaned,
    /// No address at all, or the reading failed.
    Lost,
}

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Sentences; for `kept` too.
    pub reasons: Vec<String>,
}

/// How sure the address is, apart from the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A running sandbox owns the namespace, the app is in it, and the address is pinned.
    Pinned,
    /// As above, but the address is the engine's choice: it may move when the engine restarts.
    Unpinned,
    /// No sandbox.
    Loose,
    /// The app is older than its sandbox's start: a dead namespace.
    Orphaned,
}

impl Verdict {
    /// The word in events and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Unprotected => "unprotected",
            Self::Changed => "changed",
            Self::Orphaned => "orphaned",
            Self::Lost => "lost",
        }
    }
}

impl Identity {
    /// The same, but at these addresses, by network: those it had before its sandbox was down.
    #[must_use]
    pub fn at_addresses(mut self, addresses: &BTreeMap<String, String>) -> Self {
        for (network, ip) in addresses {
            self.networks.entry(network.clone()).or_default().ipv4 = Some(ip.clone());
        }
        self
    }
}

/// Compares two readings. `before` is `None` for an instance that did not exist or was not running.
///
/// An instance that kept everything is `kept` when a sandbox holds it at a pinned address, else `unprotected`. A missing
/// `after`, or one without any address where there was one, is `lost`. A new namespace under kept addresses is a
/// change of nothing that clients see: it counts only where a sandbox held the one before. So does a new MAC address, which Engine
/// 28 and newer and Podman draw at each start of a container that asked for none.
pub fn judge(before: Option<&Identity>, after: Option<&Identity>, hold: Hold) -> Judgement {
    let Some(after) = after else {
        return Judgement {
            verdict: Verdict::Lost,
            reasons: vec!["it has no running container to read an identity from".into()],
        };
    };
    if hold == Hold::Orphaned {
        return Judgement {
            verdict: Verdict::Orphaned,
            reasons: vec![
                "the app started before its sandbox did, so it sits in a network namespace that is gone".into(),
            ],
        };
    }
    let mut reasons = Vec::new();
    if let Some(before) = before {
        compare_addresses(before, after, hold, &mut reasons);
        compare("hostname", before.hostname.as_ref(), after.hostname.as_ref(), &mut reasons);
        compare_maps("port", &before.ports, &after.ports, &mut reasons);
        // A mount that came or went was asked for; one that is another now was not.
        for (path, old) in &before.volumes {
            let new = after.volumes.get(path);
            if new.is_some() {
                compare(&format!("volume at {path}"), Some(old), new, &mut reasons);
            }
        }
        if hold != Hold::Loose && before.netns.is_some() {
            compare("network namespace", before.netns.as_ref(), after.netns.as_ref(), &mut reasons);
        }
        let had = before.networks.values().any(|a| a.ipv4.is_some() || a.ipv6.is_some());
        let has = after.networks.values().any(|a| a.ipv4.is_some() || a.ipv6.is_some());
        if had && !has {
            return Judgement { verdict: Verdict::Lost, reasons };
        }
    }
    if !reasons.is_empty() {
        return Judgement { verdict: Verdict::Changed, reasons };
    }
    let evidence = match (before, hold) {
        (Some(_), Hold::Pinned) => {
            "addresses, namespace, hostname, ports and volumes are the same; its sandbox holds a pinned address"
        }
        (Some(_), Hold::Unpinned) => {
            "all the same; its sandbox holds the address, but it is not pinned and may move when the engine restarts"
        }
        (Some(before), _) if macs(before) != macs(after) => {
            "all the same but for the MAC address, which the engine draws anew at each start; no sandbox holds the address: the next \
             restart may move it"
        }
        (Some(_), _) => "all the same, but no sandbox holds the address: the next restart may move it",
        (None, Hold::Pinned) => "its sandbox holds a pinned address",
        (None, Hold::Unpinned) => {
            "its sandbox holds the address, but it is not pinned and may move when the engine restarts"
        }
        (None, _) => "no sandbox holds the address",
    };
    let verdict = if hold == Hold::Pinned { Verdict::Kept } else { Verdict::Unprotected };
    Judgement { verdict, reasons: vec![evidence.into()] }
}

fn compare_addresses(before: &Identity, after: &Identity, hold: Hold, reasons: &mut Vec<String>) {
    let names: BTreeSet<_> = before.networks.keys().chain(after.networks.keys()).collect();
    for name in names {
        match (before.networks.get(name), after.networks.get(name)) {
            (Some(old), Some(new)) => {
                compare(&format!("IPv4 on {name}"), old.ipv4.as_ref(), new.ipv4.as_ref(), reasons);
                compare(&format!("IPv6 on {name}"), old.ipv6.as_ref(), new.ipv6.as_ref(), reasons);
                if hold != Hold::Loose {
                    compare(&format!("MAC on {name}"), old.mac.as_ref(), new.mac.as_ref(), reasons);
                }
            }
            (Some(_), None) => reasons.push(format!("network {name} is gone")),
            (None, Some(_)) => reasons.push(format!("network {name} is new")),
            (None, None) => {}
        }
    }
}

fn macs(identity: &Identity) -> Vec<Option<&String>> {
    identity.networks.values().map(|address| address.mac.as_ref()).collect()
}

fn compare(what: &str, old: Option<&String>, new: Option<&String>, reasons: &mut Vec<String>) {
    if old != new {
        let show = |text: Option<&String>| text.map_or("none", String::as_str).to_owned();
        reasons.push(format!("{what} changed from {} to {}", show(old), show(new)));
    }
}

fn compare_maps(what: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, reasons: &mut Vec<String>) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        compare(&format!("{what} {name}"), old.get(name), new.get(name), reasons);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let address = Address { ipv4: Some("10.0.0.2".into()), ipv6: None, mac: Some("02:42:0a:00:00:02".into()) };
        Identity {
            networks: BTreeMap::from([("shop_default".to_owned(), address)]),
            netns: Some("/var/run/docker/netns/abc".into()),
            hostname: Some("shop-web-1".into()),
            ports: BTreeMap::from([("8080/tcp".to_owned(), "0.0.0.0:18080".to_owned())]),
            volumes: BTreeMap::from([("/data".to_owned(), "shop_data".to_owned())]),
        }
    }

    fn changed(change: impl FnOnce(&mut Identity)) -> Identity {
        let mut identity = identity();
        change(&mut identity);
        identity
    }

    fn address(identity: &mut Identity) -> &mut Address {
        identity.networks.get_mut("shop_default").unwrap()
    }

    #[test]
    fn the_same_is_worth_what_holds_it() {
        let same = identity();
        for (before, hold, verdict, word) in [
            (Some(&same), Hold::Pinned, Verdict::Kept, "pinned address"),
            (Some(&same), Hold::Unpinned, Verdict::Unprotected, "not pinned"),
            (Some(&same), Hold::Loose, Verdict::Unprotected, "no sandbox"),
            (Some(&same), Hold::Orphaned, Verdict::Orphaned, "gone"),
            (None, Hold::Pinned, Verdict::Kept, "pinned address"),
            (None, Hold::Unpinned, Verdict::Unprotected, "not pinned"),
            (None, Hold::Loose, Verdict::Unprotected, "no sandbox"),
            (None, Hold::Orphaned, Verdict::Orphaned, "gone"),
        ] {
            let judgement = judge(before, Some(&same), hold);
            assert_eq!(judgement.verdict, verdict, "{hold:?}");
            assert!(judgement.reasons.len() == 1 && judgement.reasons[0].contains(word), "{judgement:?}");
        }
    }

    #[test]
    fn a_new_mac_address_is_told_and_counts_where_a_sandbox_held_the_one_before() {
        let after = changed(|i| address(i).mac = Some("9a:d1:c7:95:f6:80".into()));
        let loose = judge(Some(&identity()), Some(&after), Hold::Loose);
        assert!(
            loose.verdict == Verdict::Unprotected && loose.reasons[0].contains("but for the MAC address"),
            "{loose:?}"
        );
        for hold in [Hold::Pinned, Hold::Unpinned] {
            assert_eq!(judge(Some(&identity()), Some(&after), hold).verdict, Verdict::Changed);
        }
    }

    #[test]
    fn every_part_counts() {
        let cases: [(&str, Identity); 8] = [
            (
                "IPv4 on shop_default changed from 10.0.0.2 to 10.0.0.9",
                changed(|i| address(i).ipv4 = Some("10.0.0.9".into())),
            ),
            (
                "IPv6 on shop_default changed from none to fd00::2",
                changed(|i| address(i).ipv6 = Some("fd00::2".into())),
            ),
            ("MAC on shop_default changed from 02:42:0a:00:00:02 to none", changed(|i| address(i).mac = None)),
            ("hostname changed from shop-web-1 to other", changed(|i| i.hostname = Some("other".into()))),
            ("port 8080/tcp changed from 0.0.0.0:18080 to none", changed(|i| i.ports.clear())),
            (
                "volume at /data changed from shop_data to else",
                changed(|i| {
                    i.volumes.insert("/data".into(), "else".into());
                }),
            ),
            (
                "network second is new",
                changed(|i| {
                    i.networks.insert("second".into(), Address::default());
                }),
            ),
            ("network namespace changed from /var/run/docker/netns/abc to none", changed(|i| i.netns = None)),
        ];
        for (reason, after) in cases {
            let judgement = judge(Some(&identity()), Some(&after), Hold::Pinned);
            assert_eq!(judgement, Judgement { verdict: Verdict::Changed, reasons: vec![reason.into()] });
        }
    }

    #[test]
    fn a_mount_that_comes_or_goes_was_asked_for() {
        let more = changed(|i| {
            i.volumes.insert("/more".into(), "x".into());
        });
        for (before, after) in [(identity(), more.clone()), (more, identity())] {
            assert_eq!(judge(Some(&before), Some(&after), Hold::Pinned).verdict, Verdict::Kept);
        }
    }

    #[test]
    fn a_new_namespace_is_no_change_where_nothing_held_it() {
        let after = changed(|i| i.netns = Some("/var/run/docker/netns/new".into()));
        assert_eq!(judge(Some(&identity()), Some(&after), Hold::Loose).verdict, Verdict::Unprotected);
        assert_eq!(judge(Some(&identity()), Some(&after), Hold::Unpinned).verdict, Verdict::Changed);
    }

    #[test]
    fn what_has_no_address_any_more_is_lost() {
        assert_eq!(judge(Some(&identity()), None, Hold::Pinned).verdict, Verdict::Lost);
        assert_eq!(judge(None, None, Hold::Loose).verdict, Verdict::Lost);
        for after in [changed(|i| i.networks.clear()), changed(|i| *address(i) = Address::default())] {
            let judgement = judge(Some(&identity()), Some(&after), Hold::Loose);
            assert_eq!(judgement.verdict, Verdict::Lost);
            assert!(!judgement.reasons.is_empty());
        }
        // Without a network of its own (host, none) there was nothing to lose.
        let bare = Identity::default();
        assert_eq!(judge(Some(&bare), Some(&bare), Hold::Loose).verdict, Verdict::Unprotected);
    }
}
