//! Reproducible randomness: a seed gives the same numbers on every machine.

/// Knuth's MMIX generator (The Art of Computer Programming 2, 3.3.4), of which the upper bits are used.
pub struct Random(u64);

impl Random {
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// From `PITSTOP_SEED`, else `default`.
    pub fn seeded(default: u64) -> Self {
        Self::of(std::env::var("PITSTOP_SEED").map_or(default, |seed| seed.parse().expect("PITSTOP_SEED is a number")))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).expect("31 bits") % end
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}
