//! Deploy: another image, or the app as a file has it now, in place and batch by batch.

use super::super::facts::Facts;
use super::super::fleet::App;
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal};
use super::super::project::ProjectSpec;
use super::super::spec::AppSpec;
use super::draft::image_ref;
use super::managed;
use super::roll::{Image, Roll};
use super::settle::{newest, pull_policy, spec_of};
use super::surge;

/// Plans it. Without an image and without a file the same spec is wanted, with what its image reference means now.
pub fn deploy(
    app: &str,
    image: Option<&str>,
    project: Option<&ProjectSpec>,
    facts: &Facts,
    options: &Options,
) -> Result<Plan, Refusal> {
    let app = managed(app, "deploy", facts)?;
    let mut spec = match project {
        Some(project) => from_file(app, project)?,
        None => from_labels(app)?,
    };
    if let Some(image) = image {
        image_ref(image)?.as_str().clone_into(&mut spec.image);
    }
    let policy = pull_policy(options, &spec, facts.images.get(&spec.image));
    let replicas = project.and_then(|project| project.apps.get(&app.id.app)).map(|entry| entry.replicas as usize);
    let mut plan = Roll {
        kind: Kind::Deploy,
        app,
        spec,
        image: Image::Reference(policy),
        again: Vec::new(),
        project,
        facts,
        options,
    }
    .plan()?;
    let there = app.instances.len() - surge::pairs(app).len();
    if let Some(replicas) = replicas.filter(|replicas| *replicas != there) {
        plan.notes.push(format!(
            "the file wants {replicas} instances of {}, there are {}: `pitstop scale {}={replicas}` changes that",
            app.id, there, app.id
        ));
    }
    Ok(plan)
}

fn from_file(app: &App, project: &ProjectSpec) -> Result<AppSpec, Refusal> {
    if project.name != app.id.project {
        return Err(Refusal::Usage(format!(
            "the file is of project {}, but {} is of project {}; give --project {}",
            project.name, app.id, app.id.project, app.id.project
        )));
    }
    match project.apps.get(&app.id.app) {
        Some(entry) => Ok(entry.spec.clone()),
        None => Err(Refusal::Usage(format!("the file has no service {}", app.id.app))),
    }
}

/// The spec that the newest revision was made from.
fn from_labels(app: &App) -> Result<AppSpec, Refusal> {
    let Some(container) = newest(app) else {
        return Err(Refusal::Refused(format!(
            "{} has no app container to take its spec from; give its file: pitstop deploy {} -f FILE",
            app.id, app.id
        )));
    };
    spec_of(container).ok_or_else(|| {
        Refusal::Refused(format!(
            "the spec of {} (revision {}) can't be read from container {}; give its file: pitstop deploy {} -f FILE",
            app.id,
            container.revision(),
            container.name,
            app.id
        ))
    })
}
