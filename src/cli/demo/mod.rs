//! `demo`: a sample fleet to try everything on.
//!
//! The app files are embedded, so that it needs none of this machine's.
//!
//! ```text
//! simulated   the fleet on an engine that is none      real   on a real one, set up and taken away
//! ```

pub mod real;
pub mod simulated;

use super::args::DemoArgs;
use super::error::CliError;
use super::output::Output;
use crate::config::compose::{self, LoadOptions};
use crate::config::settings::Settings;
use crate::domain::project::ProjectSpec;

/// What `demo --script` plays.
const TOUR: &str = include_str!("tour.txt");
/// What there is to create on the simulated engine.
const CAFE: (&str, &str) = ("cafe.yaml", include_str!("cafe.yaml"));

/// How the console is different for the demo.
#[derive(Clone, Debug)]
pub struct Demo {
    /// App files by name and text.
    pub files: Vec<(String, String)>,
    /// A tour's script, and so many times as fast it is played.
    pub tour: Option<(String, f64)>,
}

impl Demo {
    /// As asked for.
    pub fn of(args: &DemoArgs) -> Self {
        let tour = args.script.then(|| (TOUR.to_owned(), args.speed.filter(|speed| *speed > 0.0).unwrap_or(1.0)));
        Self { files: vec![(CAFE.0.to_owned(), CAFE.1.to_owned())], tour }
    }
}

/// The demo without a console; returns the exit code.
pub async fn demo(out: &mut Output, settings: &Settings, args: &DemoArgs) -> Result<u8, CliError> {
    if args.docker || args.down {
        return real::real(out, settings, args).await;
    }
    if args.serve {
        return simulated::serve(out).await;
    }
    Err(CliError::usage("the demo's console needs a terminal on standard input and output")
        .hint("`pitstop demo --serve` serves its engine to any Docker client"))
}

/// The real fleet's app files.
const FILES: [(&str, &str); 2] =
    [("demo-shop.yaml", include_str!("shop.yaml")), ("demo-bank.yaml", include_str!("bank.yaml"))];

/// The real fleet's projects.
pub fn projects() -> Result<Vec<ProjectSpec>, CliError> {
    let read = |(name, text): &(&str, &str)| {
        compose::load_text(name, text, &LoadOptions::default()).map_err(|errors| CliError::failed(errors.to_string()))
    };
    FILES.iter().map(read).collect()
}
