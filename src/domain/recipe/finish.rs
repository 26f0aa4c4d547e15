//! Going on with what was left half-done, and taking it back, from the containers alone: no record says what was asked for.
//!
//! Forward is the newest revision that was made, everywhere; back is the newest one before it. Both are an in-place
//! deployment planned from what is there, so doing either twice does nothing the second time.

use super::super::facts::Facts;
use super::super::fleet::{App, Container};
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal};
use super::super::unfinished::{app_containers, newest_made};
use super::managed;
use super::roll::{Image, Roll};
use super::settle::spec_of;

/// Plans the newest revision that was made for every instance.
pub fn finish(app: &str, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let app = managed(app, "resume", facts)?;
    let newest = newest_made(app).ok_or_else(|| nothing_made(app))?;
    roll(Kind::Deploy, app, newest, facts, options)
}

/// Plans the newest revision before that for every instance.
pub fn take_back(app: &str, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let app = managed(app, "abort", facts)?;
    let newest = newest_made(app).map(Container::revision).ok_or_else(|| nothing_made(app))?;
    let before = app.instances.iter().flat_map(app_containers).filter(|one| one.revision() < newest);
    let before = before.max_by_key(|one| one.revision()).ok_or_else(|| {
        Refusal::Refused(format!(
            "no container of {} is older than revision {newest}, so there is nothing to take back; `pitstop rollback {}` deploys the revision before",
            app.id, app.id
        ))
    })?;
    roll(Kind::Rollback, app, before, facts, options)
}

fn roll(kind: Kind, app: &App, wanted: &Container, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let spec = spec_of(wanted).ok_or_else(|| {
        Refusal::Refused(format!(
            "the spec of {} can't be read from container {}; `pitstop deploy {} -f FILE` says what is wanted",
            app.id, wanted.name, app.id
        ))
    })?;
    let image = Image::Id(wanted.image_id.to_string());
    Roll { kind, app, spec, image, again: Vec::new(), project: None, facts, options }.plan()
}

fn nothing_made(app: &App) -> Refusal {
    Refusal::Refused(format!(
        "{} has no app container to go on from; `pitstop deploy {} -f FILE` makes them",
        app.id, app.id
    ))
}
