//! Compose files into [`ProjectSpec`]s: everything resolved, or every error with file, line, column and key.
//!
//! The way of a file: [`source`] reads it, [`tree`] parses it, [`variables`] expands it, [`merge`] lays several over one
//! another, and [`service`] and its neighbours read the one tree with [`read`]'s typed readers. What Compose means by a
//! key is here and nowhere else; a key that would change what runs and is not supported is an error, never silence.

mod balancer;
mod context;
mod depend;
mod merge;
mod mounts;
mod networks;
mod ports;
mod process;
mod read;
mod report;
mod resources;
mod rollout;
mod service;
mod source;
mod tree;
mod variables;

pub use process::words;
pub use report::{ComposeError, ComposeErrors};

use crate::domain::environment::Environment;
use crate::domain::ids::{AppId, ObjectName, is_project_name, is_service_name};
use crate::domain::project::ProjectSpec;
use context::{Context, without_dots};
use read::{At, Fields, Keys, nearest};
use report::Report;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tree::{Node, Pos};
use variables::Variables;

/// What besides the files decides how they are read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `-p`; wins over `COMPOSE_PROJECT_NAME`, `name:` and the directory's name.
    pub project: Option<String>,
    /// `--profile`; those of `COMPOSE_PROFILES` are added. `*` is all.
    pub profiles: Vec<String>,
    /// The process's environment.
    pub env: Environment,
    /// Where relative paths start and `.env` is; `None`: the first file's directory.
    pub project_dir: Option<PathBuf>,
    /// `--env-file`, instead of `.env`.
    pub env_files: Vec<PathBuf>,
    /// `--scale SERVICE=N`, instead of the file's counts.
    pub scale: BTreeMap<String, u32>,
}

impl LoadOptions {
    /// With this process's environment; a variable that is no text can't be meant by a file.
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self { env: std::env::vars_os().filter_map(text).collect(), ..Self::default() }
    }
}

const TOP: Keys = Keys {
    read: &["name", "services", "networks", "volumes", "secrets", "configs"],
    refused: &[("include", "not in this version; use several -f"), ("models", "only containers are")],
    passed: &[("version", "the Compose specification has no versions any more")],
};

/// Reads app files, later ones over earlier ones; `-` is standard input. Without files, those that Compose would find.
pub fn load(files: &[PathBuf], options: &LoadOptions) -> Result<ProjectSpec, ComposeErrors> {
    let report = Report::default();
    let project = read_all(files, options, &report);
    let warnings = report.finish()?;
    // Without errors there is a project: whoever gives none has noted why.
    Ok(ProjectSpec { warnings, ..project.unwrap_or_default() })
}

/// Reads an app file that is in no file; relative paths in it start at `options.project_dir`, else here.
pub fn load_text(name: &str, text: &str, options: &LoadOptions) -> Result<ProjectSpec, ComposeErrors> {
    let report = Report::default();
    let directory = options.project_dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let project = read_texts(vec![(name.to_owned(), Ok(text.to_owned()))], directory, options, &report);
    let warnings = report.finish()?;
    Ok(ProjectSpec { warnings, ..project.unwrap_or_default() })
}

fn read_all(files: &[PathBuf], options: &LoadOptions, report: &Report) -> Option<ProjectSpec> {
    let (files, directory) = locate(files, options, report)?;
    let shown = |path: &Path| if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let texts = files.iter().map(|path| (shown(path), source::read(path))).collect();
    let project = read_texts(texts, directory, options, report)?;
    Some(ProjectSpec { files: named(&files), ..project })
}

/// Files by name, each with its text or the reason why there is none.
fn read_texts(
    texts: Vec<(String, Result<String, String>)>,
    directory: PathBuf,
    options: &LoadOptions,
    report: &Report,
) -> Option<ProjectSpec> {
    let mut variables = environment(&directory, options, report);
    let mut parsed = Vec::new();
    for (name, text) in texts {
        let file = report.file(&name);
        match text {
            Err(message) => report.error(Pos { file, ..Pos::default() }, "", &message),
            Ok(text) => match tree::parse(&text, file) {
                Err((pos, message)) => report.error(pos, "", &message),
                Ok(node) if node.value == tree::Value::Null => {
                    report.error(Pos { file, ..Pos::default() }, "", "is empty; it needs at least `services:`");
                }
                Ok(node) => parsed.push(node),
            },
        }
    }
    if report.failed() {
        return None;
    }
    let project = project_name(&parsed, options, &variables, &directory, report)?;
    // Files may use the name, wherever it came from.
    variables.insert("COMPOSE_PROJECT_NAME".to_owned(), project.clone());
    let mut expander = Variables::new(&variables);
    let mut merged: Option<Node> = None;
    for mut node in parsed {
        expander.expand_tree(&mut node, "", report);
        match &mut merged {
            None => merged = Some(node),
            Some(base) => merge::merge(base, node, &[]),
        }
    }
    for name in expander.unset() {
        report.warn_generally(&format!("the variable {name} is not set; an empty text is used for it"));
    }
    let root = merged?;
    let at = At { node: &root, pos: root.pos, path: String::new(), report };
    let top = at.fields(&TOP)?;
    let mut context = Context {
        project,
        directory,
        variables,
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    context.declare(&top);
    Some(services(&context, &top, options))
}

/// Where the files are, for reading them again; nothing where one of them can't be.
fn named(files: &[PathBuf]) -> Vec<String> {
    let name = |file: &PathBuf| Some(std::path::absolute(file).ok()?.to_str()?.to_owned());
    if files.iter().any(|file| file == Path::new("-")) {
        return Vec::new();
    }
    files.iter().map(name).collect::<Option<_>>().unwrap_or_default()
}

/// The files to read, and the project's absolute directory.
fn locate(files: &[PathBuf], options: &LoadOptions, report: &Report) -> Option<(Vec<PathBuf>, PathBuf)> {
    let fail = |name: &str, message: &str| {
        let file = report.file(name);
        report.error(Pos { file, ..Pos::default() }, "", message);
    };
    let mut files = files.to_vec();
    let start = options.project_dir.clone().unwrap_or_default();
    if files.is_empty() {
        files = match options.env.get("COMPOSE_FILE") {
            Some(list) => {
                let separator = options.env.get("COMPOSE_PATH_SEPARATOR").map_or(":", String::as_str);
                list.split(separator).filter(|name| !name.is_empty()).map(PathBuf::from).collect()
            }
            None => source::discover(&start),
        };
    }
    let Some(first) = files.first() else {
        let place = if start.as_os_str().is_empty() { ".".to_owned() } else { start.display().to_string() };
        fail(&place, &format!("holds no app file ({}); name one with -f", source::names()));
        return None;
    };
    let beside = if first == Path::new("-") { None } else { first.parent().map(Path::to_path_buf) };
    let directory = options.project_dir.clone().or(beside).unwrap_or_default();
    let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
    match std::path::absolute(&directory) {
        Ok(absolute) => Some((files, without_dots(&absolute))),
        Err(error) => {
            fail(&directory.display().to_string(), &format!("cannot be made absolute: {error}"));
            None
        }
    }
}

/// The process's environment over `.env` or the files named instead.
fn environment(directory: &Path, options: &LoadOptions, report: &Report) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let beside = [directory.join(".env")];
    let files = match options.env_files.as_slice() {
        [] if beside[0].is_file() => &beside,
        named => named,
    };
    for path in files {
        match source::read(path).and_then(|text| variables::dotenv(&text, &options.env)) {
            Ok(variables) => found.extend(variables),
            Err(message) => {
                let file = report.file(&path.display().to_string());
                report.error(Pos { file, ..Pos::default() }, "", &message);
            }
        }
    }
    found.extend(options.env.clone());
    found
}

/// `-p`, else `COMPOSE_PROJECT_NAME`, else `name:` of the last file that has one, else the directory's name.
fn project_name(
    parsed: &[Node],
    options: &LoadOptions,
    variables: &BTreeMap<String, String>,
    directory: &Path,
    report: &Report,
) -> Option<String> {
    const RULE: &str = "is not a project name: lower-case letters, digits, `-` and `_`, the first a letter or digit";
    let set = variables.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty());
    for (origin, name) in [("-p", options.project.as_ref()), ("COMPOSE_PROJECT_NAME", set)] {
        let Some(name) = name else { continue };
        if is_project_name(name) {
            return Some(name.clone());
        }
        let file = report.file(origin);
        report.error(Pos { file, ..Pos::default() }, "", &format!("`{name}` {RULE}"));
        return None;
    }
    if let Some(entry) = parsed.iter().rev().find_map(|node| node.get("name")) {
        let at = At { node: &entry.node, pos: entry.pos, path: "name".to_owned(), report };
        return at.parsed(|text| {
            let name = Variables::new(variables).expand(text)?;
            if is_project_name(&name) { Ok(name) } else { Err(format!("`{name}` {RULE}")) }
        });
    }
    let base = directory.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name: String =
        base.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-' || *c == '_').collect();
    let name = name.trim_start_matches(['-', '_']).to_owned();
    if is_project_name(&name) {
        return Some(name);
    }
    let file = report.file(&directory.display().to_string());
    report.error(Pos { file, ..Pos::default() }, "", "gives no project name; give one with -p");
    None
}

fn services(context: &Context<'_>, top: &Fields<'_>, options: &LoadOptions) -> ProjectSpec {
    let mut project = ProjectSpec { name: context.project.clone(), ..ProjectSpec::default() };
    let common = rollout::x_pitstop(top);
    let Some(section) = top.need("services") else { return project };
    let active = active_profiles(context, options);
    let mut places = BTreeMap::new();
    let mut inactive = Vec::new();
    for (name, at) in section.entries() {
        if !is_service_name(&name) {
            at.error(format!("`{name}` is not a service name (letters, digits, `.`, `_`, `-`)"));
            continue;
        }
        if !is_active(&at, &active) {
            inactive.push(name);
            continue;
        }
        let told = options.scale.get(&name).copied();
        let longest = AppId::new(&context.project, &name).container_name(1000, 100_000);
        if ObjectName::new(longest).is_err() {
            at.error("its containers' names (PROJECT-SERVICE-N) would be longer than 128 characters");
        }
        let Some(service) = service::read(context, &at, &common, told) else { continue };
        for key in &service.networks {
            if let Some(network) = context.networks.get(key) {
                project.networks.insert(network.name.clone(), network.clone());
            }
        }
        for key in &service.volumes {
            if let Some(volume) = context.volumes.get(key) {
                project.volumes.insert(volume.name.clone(), volume.clone());
            }
        }
        project.apps.insert(name.clone(), service.entry);
        places.insert(name, at);
    }
    depend::check(&mut project, &places, &inactive);
    ports::check_clashes(&project, &places);
    for name in options.scale.keys().filter(|name| section.node.get(name).is_none()) {
        let known = section.entries();
        let near = nearest(name, known.iter().map(|(name, _)| name.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let file = section.report.file("--scale");
        section.report.error(Pos { file, ..Pos::default() }, "", &format!("there is no service `{name}`{hint}"));
    }
    if section.entries().is_empty() {
        section.error("holds no service");
    }
    project
}

fn active_profiles(context: &Context<'_>, options: &LoadOptions) -> Vec<String> {
    let set = context.variables.get("COMPOSE_PROFILES").map(String::as_str).unwrap_or_default();
    let set = set.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    options.profiles.iter().cloned().chain(set).collect()
}

/// A service without profiles always is.
fn is_active(at: &At<'_>, active: &[String]) -> bool {
    let own = at.node.get("profiles").map(|entry| At { node: &entry.node, ..at.clone() });
    let own: Vec<String> = own.map(|at| at.texts()).unwrap_or_default();
    own.is_empty() || active.iter().any(|name| name == "*" || own.contains(name))
}
