//! Rollback: an in-place deployment of an earlier revision, with exactly the image it had.

use super::super::facts::Facts;
use super::super::fleet::{App, Instance};
use super::super::options::{Options, PullPolicy};
use super::super::plan::{Kind, Plan, Refusal, RevisionRecord};
use super::super::unfinished::app_containers;
use super::draft::{Draft, all};
use super::managed;
use super::roll::{Image, Roll};
use super::settle::{newest, spec_of};
use super::swap::as_record;

/// Plans it. `to` a revision; `None`: the newest one before the one that runs.
pub fn rollback(app: &str, to: Option<u32>, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let app = managed(app, "rollback", facts)?;
    let Some(now) = newest(app) else {
        return Err(Refusal::Refused(format!(
            "{} has no app container, so there is no revision to go back from; give its file: pitstop deploy {} -f FILE",
            app.id, app.id
        )));
    };
    let current = now.revision();
    let records = &known(app, facts, current);
    let record = match to {
        // An instance may be at the current revision while another is not: the roll sees to that.
        Some(to) if to == current => RevisionRecord {
            revision: to,
            image_id: now.image_id.to_string(),
            digests: Vec::new(),
            spec: spec_of(now).ok_or_else(|| unknown(app, to, records))?,
        },
        Some(to) => {
            records.iter().find(|record| record.revision == to).cloned().ok_or_else(|| unknown(app, to, records))?
        }
        None => {
            let earlier = records.iter().filter(|record| record.revision < current);
            earlier.max_by_key(|record| record.revision).cloned().ok_or_else(|| no_earlier(app, current, records))?
        }
    };
    let (image, record) = image(app, record, facts)?;
    let target = record.revision;
    let well = |one: &Instance| {
        let left = !one.others.is_empty() || facts.left_drained.contains_key(&one.name);
        one.revision() == Some(current) && one.is_ready() && !left
    };
    if target == current && app.instances.iter().all(well) {
        let mut draft = Draft::new(Kind::Rollback, app.id.to_string(), &record.spec.rollout, facts, options);
        draft.note(format!("{} runs revision {current} already: nothing to do", app.id));
        return Ok(draft.finish());
    }
    let mut plan =
        Roll { kind: Kind::Rollback, app, spec: record.spec, image, again: Vec::new(), project: None, facts, options }
            .plan()?;
    plan.revision = Some(target);
    if !plan.is_empty() {
        plan.notes.insert(0, format!("what revision {target} was becomes a new revision; numbers only go up"));
    }
    Ok(plan)
}

/// The revisions that are kept, and those that containers still there were made with: what a deployment replaces is written
/// down only on its way.
fn known(app: &App, facts: &Facts, current: u32) -> Vec<RevisionRecord> {
    let mut records = facts.revisions.get(&app.id).cloned().unwrap_or_default();
    for container in app.instances.iter().flat_map(app_containers) {
        let revision = container.revision();
        let new = ![0, current].contains(&revision) && records.iter().all(|record| record.revision != revision);
        records.extend(as_record(facts, container).filter(|_| new));
    }
    records.sort_by_key(|record| std::cmp::Reverse(record.revision));
    records
}

/// The very image of that revision: there, or to be had by its digest.
fn image(app: &App, record: RevisionRecord, facts: &Facts) -> Result<(Image, RevisionRecord), Refusal> {
    let there = facts.images.values().any(|image| image.id == record.image_id)
        || all(facts).any(|container| *container.image_id == *record.image_id);
    if there {
        return Ok((Image::Id(record.image_id.clone()), record));
    }
    if record.spec.image.contains("@sha256:") {
        return Ok((Image::Reference(PullPolicy::Missing), record));
    }
    // The tag may mean another image by now; the digest can't. From where it came first, else from wherever it is.
    let name = |reference: &str| reference.split('@').next().unwrap_or(reference).to_owned();
    let tagless = match record.spec.image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => &record.spec.image,
    };
    let from = record.digests.iter().find(|digest| name(digest) == tagless).or(record.digests.first());
    if let Some(digest) = from.cloned() {
        let mut record = record;
        record.spec.image = digest;
        return Ok((Image::Reference(PullPolicy::Missing), record));
    }
    Err(Refusal::Refused(format!(
        "the image of revision {} of {} ({}, {}) is no longer on this engine, and its tag may mean another one now; to take what it means now: pitstop deploy {} --image {}",
        record.revision, app.id, record.spec.image, record.image_id, app.id, record.spec.image
    )))
}

fn unknown(app: &App, to: u32, records: &[RevisionRecord]) -> Refusal {
    Refusal::Usage(format!("{} has no revision {to} to go back to; {}", app.id, kept(records)))
}

fn no_earlier(app: &App, current: u32, records: &[RevisionRecord]) -> Refusal {
    let rest = if records.is_empty() {
        " (a deployment keeps the one it replaces)".to_owned()
    } else {
        format!("; {}", kept(records))
    };
    Refusal::Usage(format!("{} runs revision {current}, and no earlier one is kept{rest}", app.id))
}

fn kept(records: &[RevisionRecord]) -> String {
    if records.is_empty() {
        return "none is kept (a deployment keeps the one it replaces)".into();
    }
    let list: Vec<_> = records.iter().map(|record| format!("{} ({})", record.revision, record.spec.image)).collect();
    format!("kept are {}", list.join(", "))
}
