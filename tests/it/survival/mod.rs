//! Nothing is lost, whatever happens: on the simulated engine, which fails when told to.

mod adopt;
mod kills;
mod life;
mod oracle;
mod paths;
mod read_only;
mod records;
mod rival;
mod scene;
mod seeds;
mod single;
mod surge;

/// All cases of a family, or its sample?
fn exhaustive() -> bool {
    std::env::var("PITSTOP_EXHAUSTIVE").is_ok_and(|value| value == "1")
}

/// Figures of a family, seen with `--nocapture`.
#[expect(clippy::print_stdout, reason = "whoever runs the long form wants to know how much it was")]
fn tell(figures: &str) {
    println!("{figures}");
}
