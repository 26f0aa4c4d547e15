//! The import table of the architecture, enforced on every source file.
//!
//! A module imports only from floors below its own; modules that share a floor never import one another; each outside
//! thing has one module that names its crate; time is read in one file, and only `main` ends the process.

mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The floors, bottom first. `main` is the program; `lib.rs` only declares them.
pub const FLOORS: [&[&str]; 6] = [
    &["domain"],
    &["files"],
    &["docker", "balancer", "probe", "config", "sim"],
    &["engine"],
    &["cli", "tui"],
    &["main"],
];

/// The one module that may name a crate.
const OWNERS: [(&str, &str); 6] = [
    ("bollard", "docker"),
    ("ratatui", "tui"),
    ("crossterm", "tui"),
    ("tui_logger", "tui"),
    ("tui_input", "tui"),
    ("crokey", "tui"),
];

/// The crates that domain may name: data, and no way to the outside.
const DOMAIN_CRATES: [&str; 8] =
    ["serde", "serde_json", "thiserror", "indexmap", "sha2", "jiff", "unicode_width", "regex_lite"];

/// What domain may not name of the standard library; of `net` it may name the addresses.
const DOMAIN_STD: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];
const DOMAIN_NET: [&str; 5] = ["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "AddrParseError"];

/// Types whose `now` reads a clock, and the only files that may: ours, and the simulated engine's own.
const CLOCKS: [&str; 4] = ["Instant", "SystemTime", "Timestamp", "Zoned"];
const CLOCK_FILES: [&str; 2] = ["engine/clock.rs", "sim/clock.rs"];

/// The doors to changing an engine, and the places that may open them, each after asking whether it may: read-only mode is
/// that nobody else can.
const DOORS: [(&str, &str, &[&str]); 2] = [
    ("Changes", "of", &["engine/operator.rs"]),
    ("Operator", "of", &["cli/operate.rs", "cli/demo/real.rs", "cli/bench.rs", "tui/app.rs"]),
];

/// What is wrong with one source file, a sentence each: `file` is its path below `src/`, `dependencies` are the crates of
/// the manifest as code spells them.
fn check(file: &str, text: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |line: usize, what: String| wrong.push(format!("src/{file}:{line}: {what}"));

    if !text.starts_with("//!") {
        say(1, "does not begin with `//!`, what the file is for and what it must not do".to_owned());
    }
    let module = file.split('/').next().unwrap_or(file).trim_end_matches(".rs");
    let tokens = source::tokens(text);
    let paths = source::paths(&tokens);

    let own = FLOORS.iter().position(|floor| floor.contains(&module));
    if own.is_none() && module != "lib" {
        say(1, format!("`{module}` is on no floor"));
    }
    for path in &paths {
        let Some(imported) = top_module(file, &path.segments) else { continue };
        let below = FLOORS.iter().position(|floor| floor.contains(&imported));
        let allowed = imported == module || module == "lib" || (module != "sim" && below.is_some() && below < own);
        if !allowed && (below.is_some() || path.segments[0] != "super") {
            say(path.line, format!("`{module}` may not import `{imported}`"));
        }
    }

    for path in &paths {
        let head = path.segments[0].as_str();
        if let Some((_, owner)) = OWNERS.iter().find(|(owned, owner)| *owned == head && *owner != module) {
            say(path.line, format!("only `{owner}` may name `{head}`"));
        }
        if module == "domain" && dependencies.contains(head) && !DOMAIN_CRATES.contains(&head) {
            say(path.line, format!("`domain` may not name `{head}`"));
        }
        let address = DOMAIN_NET.iter().any(|name| path.has("net", name));
        let outside = DOMAIN_STD.iter().find(|name| path.has("std", name) && !address);
        if let (true, Some(name)) = (module == "domain", outside) {
            say(path.line, format!("`domain` may not name `std::{name}`"));
        }
    }
    if module == "domain" {
        for token in tokens.iter().filter(|token| matches!(token.text.as_str(), "async" | "await")) {
            say(token.line, format!("`domain` is not `{}`", token.text));
        }
    }

    for path in source::paths(&source::without_tests(&tokens)) {
        if !CLOCK_FILES.contains(&file) && CLOCKS.iter().any(|clock| path.has(clock, "now")) {
            say(path.line, format!("reads the clock (`{}`); only `{}` may", path.segments.join("::"), CLOCK_FILES[0]));
        }
        let door = DOORS.iter().find(|(kind, made, _)| path.has(kind, made));
        if let Some((kind, made, may)) = door.filter(|(_, _, may)| !may.contains(&file)) {
            say(path.line, format!("opens `{kind}::{made}`, leave to change an engine; only {} may", may.join(", ")));
        }
        if module != "main" && path.has("process", "exit") {
            say(path.line, "ends the process; only `main` may".to_owned());
        }
    }
    wrong.dedup();
    wrong
}

/// The top module of this crate that a path in `file` leads to, if it leads to the crate's root.
fn top_module<'a>(file: &str, segments: &'a [String]) -> Option<&'a str> {
    let skip = match segments[0].as_str() {
        "crate" | "pitstop" => 1,
        // Modules above this file's: its folders, itself unless it is `mod.rs`. Inside an inline module one `super` more is
        // needed, so this can only see too many roots, and what is found there is then no floor's name.
        "super" => {
            let supers = segments.iter().take_while(|segment| *segment == "super").count();
            let depth = file.trim_end_matches("/mod.rs").split('/').count();
            if supers < depth {
                return None;
            }
            supers
        }
        _ => return None,
    };
    segments.get(skip).map(String::as_str)
}

fn dependencies() -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    manifest["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
}

/// The project's directory.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `directory` with this extension, sorted; what is built (`target`) or hidden is left out.
pub fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_source_file_keeps_to_its_floor() {
    let src = root().join("src");
    let files = files(&src, "rs");
    assert!(files.len() > 2, "no sources found in {}", src.display());
    let dependencies = dependencies();
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
            check(name, &std::fs::read_to_string(path).unwrap(), &dependencies)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_breaks_the_table_is_found() {
    let cases = [
        ("engine/run.rs", "use crate::cli::Args;", "`engine` may not import `cli`"),
        ("engine/run.rs", "fn f() { crate::tui::start(); }", "`engine` may not import `tui`"),
        ("docker/x.rs", "use crate::{domain::A, probe::{B, C}};", "`docker` may not import `probe`"),
        ("config/mod.rs", "use crate::docker as d;", "`config` may not import `docker`"),
        ("cli/run.rs", "use crate::tui::Model;", "`cli` may not import `tui`"),
        ("tui/view/a.rs", "use super::super::super::cli::X;", "`tui` may not import `cli`"),
        ("tui/mod.rs", "use super::cli;", "`tui` may not import `cli`"),
        ("domain/ids.rs", "#[cfg(test)] mod t { use crate::engine::X; }", "`domain` may not import `engine`"),
        ("sim/mod.rs", "use crate::domain::Spec;", "`sim` may not import `domain`"),
        ("cli/mod.rs", "use crate::main::x;", "`cli` may not import `main`"),
        ("engine/mod.rs", "use crate::utils::x;", "`engine` may not import `utils`"),
        ("utils/mod.rs", "", "`utils` is on no floor"),
        ("engine/gather.rs", "fn f(d: &bollard::Docker) {}", "only `docker` may name `bollard`"),
        ("main.rs", "use crossterm::terminal;", "only `tui` may name `crossterm`"),
        ("cli/mod.rs", "use ratatui;", "only `tui` may name `ratatui`"),
        ("domain/a.rs", "use tokio::sync::mpsc;", "`domain` may not name `tokio`"),
        ("domain/a.rs", "fn f() { tracing::info!(); }", "`domain` may not name `tracing`"),
        ("domain/a.rs", "use std::{fmt, fs};", "`domain` may not name `std::fs`"),
        ("domain/a.rs", "use std::net::{IpAddr, TcpStream};", "`domain` may not name `std::net`"),
        ("domain/a.rs", "async fn f() {}", "`domain` is not `async`"),
        ("engine/run.rs", "fn f() { std::time::Instant::now(); }", "reads the clock"),
        ("docker/a.rs", "use jiff::Timestamp; fn f() { Timestamp::now(); }", "reads the clock"),
        ("domain/a.rs", "fn f() { std::time::SystemTime::now(); }", "reads the clock"),
        ("engine/run.rs", "fn f() { Changes::of(&docker); }", "leave to change an engine"),
        ("tui/bridge.rs", "fn f() { Operator::of(&session); }", "leave to change an engine"),
        ("cli/exit.rs", "use std::process::{self, exit};", "ends the process"),
        ("cli/exit.rs", "fn f() { process::exit(1) }", "ends the process"),
    ];
    for (file, code, expected) in cases {
        let wrong = check(file, &format!("//! Doc.\n{code}"), &dependencies());
        assert!(
            wrong.len() == 1 && wrong[0].contains(expected) && wrong[0].starts_with(&format!("src/{file}:")),
            "{file}: {code}\nexpected: {expected}\nfound: {wrong:?}"
        );
    }
    assert!(check("cli/a.rs", "// Not a doc.\n", &dependencies())[0].contains("does not begin with `//!`"));
    assert!(
        check("engine/a.rs", "//! Doc.\n\nuse crate::cli::X;", &dependencies())[0].starts_with("src/engine/a.rs:3:")
    );
}

#[test]
fn what_keeps_to_the_table_is_left_alone() {
    let cases = [
        ("engine/run.rs", "use crate::{docker::Client, domain::plan::Plan, engine::clock, probe::tcp};"),
        ("engine/run.rs", "use super::clock; mod inner { use super::super::lock; }"),
        ("engine/clock.rs", "pub fn now() -> Instant { Instant::now() }"),
        ("engine/run.rs", "#[cfg(test)] mod tests { fn f() { std::time::Instant::now(); std::process::exit(1) } }"),
        ("docker/connect.rs", "use bollard::Docker; use crate::domain::ids::AppId;"),
        ("domain/ids.rs", "use std::{fmt, net::IpAddr, time::Duration}; use serde::Serialize; use jiff::Timestamp;"),
        ("domain/ids.rs", "// crate::engine::run is above\nconst A: &str = \"std::fs crate::cli::X\";"),
        ("tui/mod.rs", "use ratatui::Frame; use crate::engine::Run; use crate::domain::event::OpEvent;"),
        ("main.rs", "use pitstop::{cli, tui}; fn main() { std::process::exit(cli::run()) }"),
        ("lib.rs", "pub mod domain; pub mod engine;"),
    ];
    for (file, code) in cases {
        let wrong = check(file, &format!("//! Doc.\n{code}"), &dependencies());
        assert_eq!(wrong, Vec::<String>::new(), "{file}: {code}");
    }
}
