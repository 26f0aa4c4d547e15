//! What the documentation points at exists, and the floors it draws are the floors that are enforced.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::floors::{FLOORS, files, root};

/// The targets of Markdown links that lead to files: `[text](target)`, without web addresses and anchors.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let local = targets.filter(|target| !target.contains("://") && !target.starts_with(['#', '<']));
    local.map(|target| target.split('#').next().unwrap_or(target)).filter(|target| !target.is_empty()).collect()
}

/// The project's paths that a page names in backquotes, such as `src/domain/ids.rs`; patterns are left out.
fn named_paths(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    let ours = ["src/", "tests/", "scripts/", "docs/", "guest/", "themes/", "benches/", "examples/", ".ci/"];
    quoted
        .filter_map(|text| text.split_whitespace().next())
        .filter(|text| ours.iter().any(|folder| text.starts_with(folder)))
        .filter(|text| !text.contains(['…', '*', '{', '<', '$']) && !text.contains("..."))
        .map(|text| text.split([':', '#']).next().unwrap_or(text))
        .collect()
}

/// The floors drawn in a page, top first: the lines on which `main.rs` or names like `docker/` come first.
fn drawn_floors(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().map(|line| line.trim_start_matches("//!").trim());
    let block = lines.skip_while(|line| *line != "main.rs").take_while(|line| !line.starts_with("```"));
    let names = |line: &str| {
        let modules = line.split_whitespace().map_while(|word| word.strip_suffix(['/']).or(word.strip_suffix(".rs")));
        modules.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut floors: Vec<_> = block.map(names).filter(|names| !names.is_empty()).collect();
    // What is drawn below the lowest floor is not part of this crate.
    let lowest = floors.iter().position(|names| names.iter().any(|name| name == "domain"));
    floors.truncate(lowest.map_or(0, |lowest| lowest + 1));
    floors
}

#[test]
fn the_page_of_keys_is_what_the_program_prints() {
    let printed = crate::support::pitstop::Pitstop::without_engine().run(&["keys", "--markdown"]).expect_code(0).stdout;
    let page = std::fs::read_to_string(root().join("docs/keys.md")).unwrap();
    assert_eq!(page, printed, "`pitstop keys --markdown >docs/keys.md` writes it anew");
}

#[test]
fn what_the_pages_point_at_exists() {
    let mut broken = Vec::new();
    // What others wrote points at others' files.
    for page in files(&root(), "md").into_iter().filter(|page| !page.ends_with("THIRD-PARTY.md")) {
        let text = std::fs::read_to_string(&page).unwrap();
        let beside = page.parent().unwrap_or(Path::new("/"));
        let targets = links(&text).into_iter().map(|target| (target, beside.join(target)));
        let paths = named_paths(&text).into_iter().map(|path| (path, root().join(path)));
        let missing = targets.chain(paths).filter(|(_, path)| !path.exists());
        broken.extend(missing.map(|(name, _)| format!("{}: {name} does not exist", page.display())));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_floors_that_are_drawn_are_the_floors_that_are_enforced() {
    let drawings: Vec<_> = ["src/lib.rs", "docs/architecture.md"].map(|page| root().join(page)).into();
    for page in drawings.iter().filter(|page| page.exists()) {
        let drawn = drawn_floors(&std::fs::read_to_string(page).unwrap());
        assert_eq!(drawn.len(), FLOORS.len(), "{}: {drawn:?}", page.display());
        for (drawn, enforced) in drawn.iter().rev().zip(FLOORS) {
            let unknown: Vec<_> = drawn.iter().filter(|module| !enforced.contains(&module.as_str())).collect();
            assert!(unknown.is_empty(), "{}: {unknown:?} are drawn on a floor with {enforced:?}", page.display());
        }
    }
}

#[test]
fn links_paths_and_drawings_are_read_as_written() {
    let page = "[a](docs/a.md#x) [b](https://b.example/) [c](#c) ![d](d.svg \"title\")";
    assert_eq!(links(page), ["docs/a.md", "d.svg"]);
    let page = "`src/a.rs` and `scripts/test FILTER…`, `src/x/{a,b}.rs`, `docs/…`, `cargo run`, `tests/it/a.rs:12`";
    assert_eq!(named_paths(page), ["src/a.rs", "scripts/test", "tests/it/a.rs"]);
    let page = "//! ```text\n//! main.rs\n//! cli/ tui/   front ends\n//! domain/  values\n//! x/\n//! ```\n//! y/\n";
    assert_eq!(drawn_floors(page), [vec!["main"], vec!["cli", "tui"], vec!["domain"]]);
}

/// The crates of THIRD-PARTY.md, as `name version`.
fn licensed() -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("THIRD-PARTY.md")).expect("scripts/third-party writes it");
    let rows =
        page.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with("| "));
    rows.map(|row| row.split('|').nth(1).expect("a crate").trim().to_owned()).collect()
}

#[test]
fn the_licences_passed_on_are_those_of_the_crates_that_are_in_the_program() {
    let crates = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"].into_iter().flat_map(|target| {
        let edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
        let mut tree = Command::new(env!("CARGO"));
        tree.args(["tree", "--locked", "--offline", "--target", target]).args(edges).current_dir(root());
        let tree = tree.output().expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let text = String::from_utf8(tree.stdout).expect("text");
        text.lines()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ").replace(" v", " "))
            .collect::<Vec<_>>()
    });
    let mut crates: BTreeSet<String> = crates.filter(|name| !name.is_empty()).collect();
    crates.remove(&format!("pitstop {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(licensed(), crates, "scripts/third-party writes THIRD-PARTY.md anew");
}
