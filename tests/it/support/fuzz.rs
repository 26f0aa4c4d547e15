//! How many cases the generators try: a small fixed sample, or as many fresh ones as `PITSTOP_FUZZ_CASES` says.

use proptest::test_runner::{Config, RngSeed};

/// `few`: in a normal run.
pub fn cases(few: u32) -> Config {
    let more = std::env::var("PITSTOP_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(42) };
    Config { cases: more.unwrap_or(few), rng_seed, failure_persistence: None, ..Config::default() }
}
