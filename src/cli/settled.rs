//! One value for each option: command line over variable over settings file over default.
//!
//! clap has settled the first two; here the file comes in, and what this version can't do yet is said.

use super::args::{Global, OperationArgs};
use super::error::CliError;
use crate::config::settings::{self, Choices, Color, Settings};
use crate::domain::options::Options;

/// The settings file with the command line and its variables laid over it.
pub fn settings(global: &Global) -> Result<Settings, CliError> {
    let named = global.config.as_deref().filter(|path| !path.as_os_str().is_empty());
    let file = settings::load(named).map_err(|error| CliError::usage(error.to_string()))?;
    let docker = ["DOCKER_HOST", "DOCKER_CONTEXT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    Ok(lay_over(global, docker, file))
}

/// `docker`: a variable of Docker's own names the engine.
fn lay_over(global: &Global, docker: bool, file: Settings) -> Settings {
    let (host, context) = (filled(global.host.as_ref()), filled(global.context.first()));
    // Host and context answer the same question: who answers it first, answers it alone.
    let answered = docker || host.is_some() || context.is_some();
    let color = global.color.map(|color| match color {
        clap::ColorChoice::Auto => Color::Auto,
        clap::ColorChoice::Always => Color::Always,
        clap::ColorChoice::Never => Color::Never,
    });
    Settings {
        host: host.or(file.host.filter(|_| !answered)),
        context: context.or(file.context.filter(|_| !answered)),
        theme: filled(global.theme.as_ref()).or(file.theme),
        read_only: global.read_only.or(file.read_only),
        color: color.or(file.color),
        sandbox_image: filled(global.sandbox_image.as_ref()).or(file.sandbox_image),
        trust_commands: global.trust_commands.or(file.trust_commands),
        on_hangup: global.on_hangup.map(|on_hangup| on_hangup.0).or(file.on_hangup),
        defaults: file.defaults,
        console: file.console,
    }
}

/// A variable that is set to nothing counts as not set.
fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// The options of an operation.
pub fn options(args: &OperationArgs, settings: &Settings) -> Options {
    let said = Choices {
        batch: args.batch,
        canary: args.canary,
        min_available: args.min_available,
        parallel: args.parallel,
        gate: args.gate.map(|gate| gate.0),
        on_failure: args.on_failure.map(|on_failure| on_failure.0),
        drain_timeout: args.drain_timeout,
        on_drain_timeout: args.on_drain_timeout.map(|arg| arg.0),
        stop_grace: args.stop_grace,
        ready_timeout: args.ready_timeout,
        min_ready: args.min_ready,
        probe: args.probe.clone(),
        pull: args.pull.map(|pull| pull.0),
        pull_timeout: args.pull_timeout,
        wait_lock: args.wait_lock,
        engine_grace: args.engine_grace,
        warm: args.warm.map(|warm| warm.0),
    };
    said.over(settings.defaults.clone()).options(args.allow_recreate.unwrap_or(false), args.surge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_the_engine_first_names_it_alone() {
        let file = Settings { context: Some("file".into()), ..Settings::default() };
        let with = |host: &str, docker| {
            let global = Global { host: Some(host.to_owned()), ..Global::default() };
            let settings = lay_over(&global, docker, file.clone());
            (settings.host, settings.context)
        };
        assert_eq!(with("unix:///x", false), (Some("unix:///x".into()), None));
        assert_eq!(with("", false), (None, Some("file".into())));
        assert_eq!(with("", true), (None, None));
    }

    #[test]
    fn a_flag_can_take_back_what_the_file_says() {
        let file = Settings { read_only: Some(true), color: Some(Color::Never), ..Settings::default() };
        assert_eq!(lay_over(&Global::default(), false, file.clone()).read_only, Some(true));
        let global = Global { read_only: Some(false), color: Some(clap::ColorChoice::Always), ..Global::default() };
        let settings = lay_over(&global, false, file);
        assert_eq!((settings.read_only, settings.color), (Some(false), Some(Color::Always)));
    }
}
