//! Limits: memory, CPU, processes, `ulimits`, from the service's own keys and from `deploy.resources`.

use super::read::{At, Fields, Keys};
use super::tree::Value;
use crate::domain::spec::Resources;
use std::collections::BTreeMap;

const LIMITS: Keys = Keys::only(&["cpus", "memory", "pids"]);

const RESERVATIONS: Keys = Keys {
    read: &["memory"],
    refused: &[("devices", "not in this version"), ("generic_resources", "an engine without Swarm has none")],
    passed: &[("cpus", "an engine without Swarm reserves no CPU")],
};

/// Reads all limits; one given in both places must be the same in both.
pub(super) fn read(service: &Fields<'_>, deploy: Option<&Fields<'_>>) -> Resources {
    let section = deploy
        .and_then(|deploy| deploy.get("resources"))
        .and_then(|at| at.fields(&Keys::only(&["limits", "reservations"])));
    let part = |key: &str, keys: &Keys| section.as_ref().and_then(|s| s.get(key)).and_then(|at| at.fields(keys));
    let (limits, reservations) = (part("limits", &LIMITS), part("reservations", &RESERVATIONS));
    let both = |key: &str, section: &Option<Fields<'_>>, other: &str, read: fn(&At<'_>) -> Option<i64>| {
        let own = service.get(key).and_then(|at| Some((read(&at)?, at)));
        let deployed = section.as_ref().and_then(|s| s.get(other)).and_then(|at| read(&at));
        if let (Some((own, at)), Some(deployed)) = (&own, deployed)
            && *own != deployed
        {
            at.error(format!("differs from `{other}` in deploy.resources; give it once"));
        }
        own.map(|(value, _)| value).or(deployed)
    };
    let memory = both("mem_limit", &limits, "memory", size);
    let memory_swap = service.get("memswap_limit").and_then(|at| swap(&at, memory));
    Resources {
        memory,
        memory_reservation: both("mem_reservation", &reservations, "memory", size),
        memory_swap,
        nano_cpus: both("cpus", &limits, "cpus", nano_cpus),
        cpu_shares: service.get("cpu_shares").and_then(|at| at.int()),
        cpuset: service.get("cpuset").and_then(|at| at.parsed(cpuset)),
        pids: both("pids_limit", &limits, "pids", count),
    }
}

/// Memory plus swap in bytes, or -1; it can't be less than the memory, and means nothing without it.
fn swap(at: &At<'_>, memory: Option<i64>) -> Option<i64> {
    if at.text()?.trim() == "-1" {
        return Some(-1);
    }
    let swap = at.bytes()?;
    match memory {
        Some(memory) if swap >= memory => Some(swap),
        Some(_) => {
            at.error("is memory and swap together, and so must not be less than mem_limit");
            None
        }
        None => {
            at.error("needs mem_limit");
            None
        }
    }
}

fn size(at: &At<'_>) -> Option<i64> {
    at.bytes()
}

fn count(at: &At<'_>) -> Option<i64> {
    at.int()
}

fn nano_cpus(at: &At<'_>) -> Option<i64> {
    at.parsed(|text| match text.trim().parse::<f64>() {
        // 1024 is more than any engine's, so the cast is exact enough.
        #[allow(clippy::cast_possible_truncation)]
        Ok(cpus) if (0.0..=1024.0).contains(&cpus) => Ok((cpus * 1e9).round() as i64),
        _ => Err(format!("`{text}` is not a number of CPUs like 0.5 or 2")),
    })
}

fn cpuset(text: &str) -> Result<String, String> {
    let number = |text: &str| text.parse::<u16>().is_ok();
    let part = |part: &str| part.split_once('-').map_or_else(|| number(part), |(a, b)| number(a) && number(b));
    if text.split(',').all(part) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a set of CPUs; write it like 0-3 or 0,2"))
    }
}

/// `ulimits`: one number for both, or soft and hard.
pub(super) fn ulimits(at: &At<'_>) -> BTreeMap<String, (i64, i64)> {
    let limit = |at: &At<'_>| {
        if !matches!(at.node.value, Value::Map(_)) {
            let both = at.int()?;
            return Some((both, both));
        }
        let fields = at.fields(&Keys::only(&["soft", "hard"]))?;
        let (soft, hard) = (fields.need("soft")?.int::<i64>()?, fields.need("hard")?.int::<i64>()?);
        if hard != -1 && (soft > hard || soft == -1) {
            at.error(format!("soft ({soft}) is above hard ({hard})"));
            return None;
        }
        Some((soft, hard))
    };
    at.entries().into_iter().filter_map(|(name, at)| Some((name, limit(&at)?))).collect()
}
