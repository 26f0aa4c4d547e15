//! What a rollback plans and says, in cases one can read.

use super::super::{deploy, rollback};
use super::tables::refused;
use super::world::{IMAGES, Seed, image_id, spec, web};
use crate::domain::ids::AppId;
use crate::domain::options::{OnFailure, Options, PullPolicy};
use crate::domain::plan::{RevisionRecord, Task};

#[test]
fn a_rollback_takes_the_very_image() {
    let mut world = web(&[Seed { revision: 3, image: 1, ..Seed::well() }]);
    let id = AppId::new("shop", "web");
    let record = |revision, image: &str| RevisionRecord {
        revision,
        image_id: image_id(image),
        digests: Vec::new(),
        spec: spec(image),
    };
    let say = |world: &_, to| refused(rollback("web", to, world, &Options::default()));
    assert!(say(&world, None).1.ends_with("and no earlier one is kept (a deployment keeps the one it replaces)"));
    world.revisions.insert(id, vec![record(2, IMAGES[0]), record(1, IMAGES[3])]);
    let plan = rollback("web", None, &world, &Options::default()).unwrap();
    let draft = plan.steps.iter().find_map(|step| match &step.task {
        Task::Create { draft } => Some(draft),
        _ => None,
    });
    let draft = draft.unwrap();
    assert_eq!((draft.revision, draft.image_id.clone(), draft.image), (4, Some(image_id(IMAGES[0])), None));
    assert!(plan.steps.iter().all(|step| !matches!(step.task, Task::Pull { .. })));
    assert!(rollback("web", Some(3), &world, &Options::default()).unwrap().is_empty());
    let (usage, text) = say(&world, Some(9));
    assert!(usage && text.contains("2 (web:v1), 1 (gone:v9)"), "{text}");
    let (usage, text) = say(&world, Some(1));
    assert!(!usage && text.contains("no longer on this engine"), "{text}");
}

#[test]
fn a_rollback_pulls_by_digest_what_the_engine_has_no_more() {
    let mut world = web(&[Seed { revision: 3, image: 1, ..Seed::well() }]);
    let [mirror, own] =
        ["mirror/gone@sha256:1", "reg:5000/gone@sha256:1"].map(|name| format!("{name}{}", "0".repeat(63)));
    for (image, want) in [("reg:5000/gone:v9", &own), ("reg:5000/gone", &own), ("other/gone:v9", &mirror)] {
        let digests = vec![mirror.clone(), own.clone()];
        let record = RevisionRecord { revision: 2, image_id: image_id("gone:v9"), digests, spec: spec(image) };
        world.revisions.insert(AppId::new("shop", "web"), vec![record]);
        let plan = rollback("web", None, &world, &Options::default()).unwrap();
        let pulled = plan.steps.iter().find_map(|step| match &step.task {
            Task::Pull { image, policy: PullPolicy::Missing } => Some(image.as_str()),
            _ => None,
        });
        assert_eq!((pulled, plan.to.as_deref()), (Some(want.as_str()), Some(want.as_str())));
    }
}

#[test]
fn a_rollback_is_never_rolled_back() {
    let mut world =
        web(&[Seed { revision: 3, image: 1, ..Seed::well() }, Seed { revision: 3, image: 1, ..Seed::well() }]);
    let record =
        RevisionRecord { revision: 2, image_id: image_id(IMAGES[0]), digests: Vec::new(), spec: spec(IMAGES[0]) };
    world.revisions.insert(AppId::new("shop", "web"), vec![record]);
    let options = Options { on_failure: Some(OnFailure::Rollback), ..Options::default() };
    let plan = rollback("web", None, &world, &options).unwrap();
    assert_eq!(plan.on_failure, OnFailure::Pause);
    assert!(plan.notes.iter().any(|note| note.contains("is not rolled back")), "{:?}", plan.notes);
    let plan = deploy("web", Some("web:v1"), None, &world, &options).unwrap();
    assert_eq!(plan.on_failure, OnFailure::Rollback);
}
