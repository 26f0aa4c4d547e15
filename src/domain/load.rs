//! What a container takes of the machine at a moment.

/// Of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Thousandths of one CPU; `None` until a second reading came.
    pub cpu: Option<u64>,
    /// Bytes, page cache that can be given back left out.
    pub memory: u64,
    /// Bytes it may take.
    pub limit: u64,
}

/// Counters of CPU time: a container's, the machine's, and how many CPUs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    pub used: u64,
    pub system: u64,
    pub cpus: u64,
}

impl CpuTime {
    /// Thousandths of one CPU used since `before`, as `docker stats` reckons.
    pub fn since(self, before: Self) -> Option<u64> {
        let system = self.system.checked_sub(before.system).filter(|system| *system > 0 && before.system > 0)?;
        let used = u128::from(self.used.saturating_sub(before.used));
        u64::try_from(used * u128::from(self.cpus.max(1)) * 1000 / u128::from(system)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_machine_becomes_thousandths_of_a_cpu() {
        let at = |used, system| CpuTime { used, system, cpus: 4 };
        for (before, now, want) in [
            (at(0, 0), at(10, 100), None),
            (at(10, 100), at(10, 100), None),
            (at(10, 100), at(20, 140), Some(1000)),
            (at(10, 100), at(10, 140), Some(0)),
            // A container that was started again counts from nothing.
            (at(90, 100), at(10, 140), Some(0)),
        ] {
            assert_eq!(now.since(before), want, "{before:?} {now:?}");
        }
    }
}
