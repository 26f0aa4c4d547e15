//! Operations as files: what stands in them, and that text of strangers stays text there.

use crate::floors::root;
use crate::support::pitstop::Pitstop;
use pitstop::domain::event::EventKind;
use pitstop::domain::export::{self, Format, Palette};
use pitstop::domain::progress::Progress;
use pitstop::engine::read_file;
use pitstop::tui::palette;
use serde_json::Value;

fn colours() -> Palette {
    palette::named(None, None).unwrap()
}

/// A deployment as an earlier version recorded it.
fn recorded() -> Progress {
    let record = read_file(&root().join("tests/it/records/deploy-0.1.0.jsonl")).unwrap();
    Progress::of(&record.events)
}

/// The same, with a name and an error that would like to be more than text.
fn hostile() -> Progress {
    let mut record = read_file(&root().join("tests/it/records/deploy-0.1.0.jsonl")).unwrap();
    for event in &mut record.events {
        match &mut event.kind {
            EventKind::Planned(planned) => planned.app = "a|b<script>&\"`*".into(),
            EventKind::Finished(finished) => finished.error = Some("</text><script>x</script> | # [y](z)".into()),
            _ => {}
        }
    }
    Progress::of(&record.events)
}

#[test]
fn a_record_as_markdown() {
    insta::assert_snapshot!(export::file(Format::Markdown, &recorded(), &colours()));
}

#[test]
fn a_record_as_a_picture_with_real_text_and_no_other_file() {
    let svg = export::file(Format::Svg, &recorded(), &colours());
    let light = export::file(Format::Svg, &recorded(), &palette::named(Some("daylight"), None).unwrap());
    for needed in ["<svg xmlns", "deploy ", ">web-1<", "</svg>", "<title>stop ok", &colours().ground] {
        assert!(svg.contains(needed), "{needed}: {svg}");
    }
    for never in ["href", "@import", "url(", "<image", "<script", "<foreignObject"] {
        assert!(!svg.contains(never), "{never}");
    }
    assert!(!light.contains(&colours().ground));
    // Each element that is opened is closed, and texts lie inside the picture.
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
}

#[test]
fn a_record_as_json() {
    let json: Value = serde_json::from_str(&export::file(Format::Json, &recorded(), &colours())).unwrap();
    assert_eq!((json["v"].as_u64(), json["kind"].as_str()), (Some(1), Some("deploy")));
    let steps = json["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["critical"] == true && step["took_ms"].is_u64()), "{steps:?}");
    let instances = json["instances"].as_array().unwrap();
    assert!(!instances.is_empty() && instances.iter().all(|one| one["verdict"] == "kept"), "{instances:?}");
}

#[test]
fn an_operation_is_written_into_a_new_file_by_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("pitstop");
    std::fs::create_dir(&state).unwrap();
    std::fs::copy(root().join("tests/it/records/deploy-0.1.0.jsonl"), state.join("20261128-201947-32a700.jsonl"))
        .unwrap();
    let pitstop = Pitstop::without_engine().env("XDG_STATE_HOME", home.path().to_str().unwrap());
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    for name in ["a.md", "a.json", "a.svg"] {
        let output = pitstop.run(&["show", "32a700", "--export", &at(name)]).expect_code(0);
        assert_eq!(output.stdout.trim(), at(name));
        assert!(std::fs::metadata(at(name)).unwrap().len() > 1000, "{name}");
    }
    for (name, why) in
        [("a.md", "is there already"), ("a.txt", "should end in"), ("no/a.md", "directory does not exist")]
    {
        let output = pitstop.run(&["show", "32a700", "--export", &at(name)]).expect_code(2);
        assert!(output.stderr.contains(why), "{name}: {}", output.stderr);
    }
}

#[test]
fn what_strangers_wrote_stays_text() {
    let svg = export::file(Format::Svg, &hostile(), &colours());
    assert!(!svg.contains("<script") && svg.contains("&lt;/text&gt;&lt;script&gt;"), "{svg}");
    let markdown = export::file(Format::Markdown, &hostile(), &colours());
    assert!(!markdown.contains("<script") && markdown.contains("a\\|b&lt;script&gt;&amp;\"\\`\\*"), "{markdown}");
    assert!(markdown.contains("\\[y\\](z)"), "{markdown}");
    let name = export::name(&hostile());
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
}
