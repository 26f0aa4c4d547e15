//! App files as people write them, right and wrong: what they become, and what is said about them and where.
//!
//! `tests/compose/valid/` holds good files, compared whole with a snapshot. `tests/compose/invalid/` holds one fault or
//! more a file; its first lines say what is expected of each: `# error LINE:COLUMN PATH: PHRASE`, or `# file PHRASE`
//! where the whole file is at fault.

use pitstop::config::compose::{ComposeErrors, LoadOptions, load};
use pitstop::domain::project::ProjectSpec;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn directory(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose").join(kind)
}

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Options under which results do not depend on this machine.
fn fixed(pairs: &[(&str, &str)]) -> LoadOptions {
    LoadOptions { project_dir: Some("/srv/shop".into()), env: env(pairs), ..LoadOptions::default() }
}

#[allow(dead_code)]
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
