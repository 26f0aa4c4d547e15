//! App files as people write them, right and wrong: what they become, and what is said about them and where.
//!
//! `tests/compose/valid/` holds good files, compared whole with a snapshot. `tests/compose/invalid/` holds one fault or
//! more a file; its last lines say what has to be said of it: `# expect LINE:COLUMN: PATH: MESSAGE`.

use pitstop::config::compose::{ComposeErrors, LoadOptions, load};
use pitstop::domain::environment::Environment;
use pitstop::domain::project::ProjectSpec;
use std::path::{Path, PathBuf};

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose").join(kind)
}

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Options under which results do not depend on this machine.
fn fixed(pairs: &[(&str, &str)]) -> LoadOptions {
    LoadOptions { project_dir: Some("/srv/shop".into()), env: env(pairs), ..LoadOptions::default() }
}

/// Loads one file of this text, in a directory of its own called `proj`.
fn load_text(text: &str, options: &LoadOptions) -> Result<ProjectSpec, ComposeErrors> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("compose.yaml");
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions { project: options.project.clone().or(Some("proj".to_owned())), ..options.clone() };
    load(&[path], &options)
}

#[test]
fn a_realistic_file() {
    let options = fixed(&[
        ("TAG", "v7"),
        ("PASSWORD", "0123"),
        ("HOME", "/home/ann"),
        ("FROM_OUTSIDE", "out"),
        ("LOG_LEVEL", ""),
    ]);
    let file = directory("valid").join("shop.yaml");
    let mut project = load(std::slice::from_ref(&file), &options).unwrap_or_else(|errors| panic!("{errors}"));
    for warning in &mut project.warnings {
        *warning = warning.replace(file.to_str().unwrap(), "shop.yaml");
    }
    insta::assert_json_snapshot!("shop", project);
}

/// What the last lines of a file expect, as the errors are printed after the file's name.
fn expected(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# expect ")).collect()
}

#[test]
fn every_fault_is_named_with_its_place() {
    let mut files: Vec<_> =
        std::fs::read_dir(directory("invalid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let options = LoadOptions { project: None, ..fixed(&[]) };
        let errors = match load(std::slice::from_ref(&file), &options) {
            Ok(_) => "no error".to_owned(),
            Err(errors) => errors.to_string().replace(&format!("{}", file.display()), ""),
        };
        let got: Vec<_> = errors.lines().map(|line| line.trim_start_matches(':').trim_start()).collect();
        if got != expected(&text) {
            let lines: Vec<_> = got.iter().map(|line| format!("# expect {line}")).collect();
            wrong.push(format!("{}\n{}", file.file_name().unwrap().display(), lines.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "said otherwise:\n{}", wrong.join("\n\n"));
}

/// The one error of a load that fails.
fn only_error(result: Result<ProjectSpec, ComposeErrors>) -> String {
    result.map(|project| panic!("loaded: {project:?}")).unwrap_err().to_string()
}

#[test]
fn files_that_cannot_be_read() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    std::fs::write(at("empty.yaml"), "# nothing\n").unwrap();
    std::fs::write(at("latin1.yaml"), b"services:\n  caf\xe9: {}\n").unwrap();
    std::fs::write(at("large.yaml"), "#".repeat((4 << 20) + 1)).unwrap();
    std::fs::create_dir(at("directory")).unwrap();
    for (name, phrase) in [
        ("missing.yaml", "does not exist"),
        ("directory", "is a directory"),
        ("empty.yaml", "is empty; it needs at least `services:`"),
        ("latin1.yaml", "is not UTF-8 text (line 2)"),
        ("large.yaml", "is larger than 4 MB"),
    ] {
        let error = only_error(load(&[at(name)], &fixed(&[])));
        assert!(error.starts_with(&format!("{}: {phrase}", at(name).display())), "{error}");
    }
    let nowhere = LoadOptions { project_dir: Some(at("directory")), ..LoadOptions::default() };
    assert!(only_error(load(&[], &nowhere)).contains("holds no app file (compose.yaml, "));
}

#[test]
fn the_name_comes_from_the_strongest_source() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("_My.Shop-1");
    std::fs::create_dir(&directory).unwrap();
    let (plain, named) = (directory.join("plain.yaml"), directory.join("named.yaml"));
    std::fs::write(&plain, "services: { web: { image: a, environment: { P: $COMPOSE_PROJECT_NAME } } }").unwrap();
    std::fs::write(&named, "name: top-${N:-x}\nservices: {}").unwrap();
    let name = |files: &[&PathBuf], project: Option<&str>, variables: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|file| (*file).clone()).collect();
        let options =
            LoadOptions { project: project.map(str::to_owned), env: env(variables), ..LoadOptions::default() };
        let project = load(&files, &options).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(project.apps["web"].spec.container.environment["P"], project.name);
        project.name
    };
    assert_eq!(name(&[&plain], None, &[]), "myshop-1");
    std::fs::create_dir(directory.join("sub")).unwrap();
    assert_eq!(name(&[&directory.join("sub/../plain.yaml")], None, &[]), "myshop-1");
    assert_eq!(name(&[&plain, &named], None, &[]), "top-x");
    assert_eq!(name(&[&plain, &named], None, &[("COMPOSE_PROJECT_NAME", "set")]), "set");
    assert_eq!(name(&[&plain, &named], Some("told"), &[("COMPOSE_PROJECT_NAME", "set")]), "told");
    std::fs::write(directory.join(".env"), "COMPOSE_PROJECT_NAME=dotenv\nN=1\n").unwrap();
    assert_eq!(name(&[&plain, &named], None, &[]), "dotenv");
    let told = LoadOptions { project: Some("Not Me".to_owned()), ..LoadOptions::default() };
    assert!(only_error(load(&[plain], &told)).starts_with("-p: `Not Me` is not a project name"));
}

#[test]
fn variables_come_from_the_process_then_env_files() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    std::fs::write(
        at("compose.yaml"),
        "name: v\nservices: { web: { image: 'a:$A$B', env_file: [one.env, two.env], environment: { Z: 9, A: } } }",
    )
    .unwrap();
    std::fs::write(at("compose.override.yml"), "services: { web: { labels: { b: '$B' }, user: $NOBODY } }").unwrap();
    std::fs::write(at(".env"), "A=dot\nB=dot\n").unwrap();
    std::fs::write(at("other.env"), "A=other\n").unwrap();
    std::fs::write(at("one.env"), "X=1\nY=1\nZ=1\n").unwrap();
    std::fs::write(at("two.env"), "Y=2$A\n").unwrap();
    let options = LoadOptions {
        project_dir: Some(scratch.path().into()),
        env: env(&[("B", "process")]),
        ..LoadOptions::default()
    };
    let project = load(&[], &options).unwrap_or_else(|errors| panic!("{errors}"));
    let web = &project.apps["web"].spec;
    assert_eq!((web.image.as_str(), web.container.labels["b"].as_str()), ("a:dotprocess", "process"));
    assert_eq!(web.container.environment, env(&[("A", "dot"), ("X", "1"), ("Y", "2dot"), ("Z", "9")]));
    assert_eq!(project.warnings, ["the variable NOBODY is not set; an empty text is used for it"]);
    let other = LoadOptions { env_files: vec![at("other.env")], ..options };
    assert_eq!(load(&[], &other).unwrap().apps["web"].spec.image, "a:otherprocess");
}

#[test]
fn later_files_are_laid_over_earlier_ones() {
    let scratch = tempfile::tempdir().unwrap();
    let (base, over) = (scratch.path().join("a.yaml"), scratch.path().join("b.yaml"));
    std::fs::write(&base, "services: { web: { image: 'web:1', command: [a], ports: ['80:80'], expose: ['1'], volumes: ['/x:/data', '/y:/y'], depends_on: [db] }, db: { image: 'db:1' } }").unwrap();
    std::fs::write(&over, "services: { web: { command: [b], ports: ['80:80', '81:81'], volumes: ['/z:/data/'], depends_on: { db: { condition: service_healthy } } }, new: { image: 'n:1' } }").unwrap();
    let project = load(&[base, over], &fixed(&[])).unwrap_or_else(|errors| panic!("{errors}"));
    let web = &project.apps["web"];
    assert_eq!(web.spec.container.command, Some(vec!["b".to_owned()]));
    assert_eq!(web.spec.sandbox.ports.iter().map(|port| port.container).collect::<Vec<_>>(), [80, 81]);
    let mounts: Vec<_> = web.spec.container.mounts.iter().map(|m| (m.source.as_str(), m.target.as_str())).collect();
    assert_eq!(mounts, [("/z", "/data"), ("/y", "/y")]);
    assert_eq!(format!("{:?}", web.depends_on[0].condition), "ServiceHealthy");
    assert_eq!(project.apps.keys().collect::<Vec<_>>(), ["web", "db", "new"]);
}

#[test]
fn profiles_choose_services_and_scale_replaces_counts() {
    let text = "services:\n  web: { image: a, deploy: { replicas: 2 } }\n  debug: { image: b, profiles: [dev, test] }\n  soft: { image: c, depends_on: { debug: { condition: service_started, required: false } } }\n";
    let names = |options: &LoadOptions| {
        let project = load_text(text, options).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(project.apps.values().all(|entry| entry.depends_on.iter().all(|d| project.apps.contains_key(&d.app))));
        project.apps.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&fixed(&[])), ["web", "soft"]);
    assert_eq!(names(&fixed(&[("COMPOSE_PROFILES", "x, test")])), ["web", "debug", "soft"]);
    assert_eq!(names(&LoadOptions { profiles: vec!["*".to_owned()], ..fixed(&[]) }), ["web", "debug", "soft"]);
    let scaled = |pairs: &[(&str, u32)]| LoadOptions {
        scale: pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        ..fixed(&[])
    };
    assert_eq!(load_text(text, &scaled(&[("web", 5)])).unwrap().apps["web"].replicas, 5);
    assert_eq!(
        only_error(load_text(text, &scaled(&[("wbe", 5)]))),
        "--scale: there is no service `wbe`; did you mean `web`?"
    );
}
