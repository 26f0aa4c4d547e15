//! `completions` and `man`: what is generated from the argument definitions.

use super::args::Cli;
use super::error::CliError;
use clap::{Command, CommandFactory};
use std::path::Path;

/// The completion script for `shell`.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pitstop", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page of the program.
pub fn man() -> Result<String, CliError> {
    page(Cli::command())
}

/// One page per verb into `dir`; returns their file names.
pub fn man_pages(dir: &Path) -> Result<Vec<String>, CliError> {
    let failed = |error: std::io::Error| {
        CliError::failed(format!("cannot write manual pages to {}", dir.display())).because(&error)
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut program = Cli::command();
    program.build();
    let verbs = program.get_subcommands().filter(|verb| verb.get_name() != "help").cloned();
    // clap has named the verbs `pitstop-ps` by building the program.
    let pages = std::iter::once(Cli::command()).chain(verbs);
    let mut written = Vec::new();
    for command in pages {
        let name = format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()));
        std::fs::write(dir.join(&name), page(command)?).map_err(failed)?;
        written.push(name);
    }
    Ok(written)
}

fn page(command: Command) -> Result<String, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| CliError::failed("cannot make the manual page").because(&error))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
