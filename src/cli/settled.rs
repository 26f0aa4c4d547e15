//! One value for each option: command line over variable over settings file over default.
//!
//! clap has settled the first two; here the file comes in, and what this version can't do yet is said. Must not read files.

use super::args::{Global, OperationArgs, Warm};
use super::error::CliError;
use crate::domain::ids::ImageRef;
use crate::domain::options::Options;

/// Global options, settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub host: Option<String>,
    pub context: Option<String>,
    pub read_only: bool,
    pub sandbox_image: Option<ImageRef>,
}

impl Settled {
    pub fn of(global: &Global) -> Result<Self, CliError> {
        let sandbox_image = match filled(global.sandbox_image.as_ref()) {
            Some(text) => {
                Some(ImageRef::new(text).map_err(|error| CliError::usage(format!("sandbox image: {error}")))?)
            }
            None => None,
        };
        Ok(Self {
            host: filled(global.host.as_ref()),
            context: filled(global.context.as_ref()),
            read_only: global.read_only.unwrap_or(false),
            sandbox_image,
        })
    }
}

/// A variable that is set to nothing counts as not set.
fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// The options of an operation, and what the user should know about them.
pub fn options(args: &OperationArgs) -> Result<(Options, Vec<String>), CliError> {
    let mut notes = Vec::new();
    match args.warm.unwrap_or_default() {
        Warm::Off => {}
        Warm::Auto => notes.push("warm swap is not built yet: `--warm auto` is `off`".to_owned()),
        Warm::Start | Warm::Bind => {
            return Err(CliError::usage("warm swap is not built yet: only `--warm off` works in this version"));
        }
    }
    let defaults = Options::default();
    let options = Options {
        batch: args.batch,
        parallel: args.parallel,
        gate: args.gate.map(|gate| gate.0),
        on_failure: args.on_failure.map(|on_failure| on_failure.0),
        probe: args.probe.clone(),
        drain_timeout: args.drain_timeout.unwrap_or(defaults.drain_timeout),
        stop_grace: args.stop_grace,
        ready_timeout: args.ready_timeout.unwrap_or(defaults.ready_timeout),
        min_ready: args.min_ready,
        pull: args.pull.map(|pull| pull.0),
        pull_timeout: args.pull_timeout.unwrap_or(defaults.pull_timeout),
        allow_recreate: args.allow_recreate.unwrap_or(defaults.allow_recreate),
    };
    Ok((options, notes))
}
