//! The demo's fleet on a real engine: set up by operations like anybody's, and taken away by its labels.

use super::super::args::DemoArgs;
use super::super::error::CliError;
use super::super::output::Output;
use super::super::signals::Signals;
use super::super::{connect, exit, follow};
use super::projects;
use crate::config::settings::Settings;
use crate::domain::options::Options;
use crate::domain::project::ProjectSpec;
use crate::engine::{DEMO_LABEL, Operator, Request, Session};

/// `demo --docker`, or with `--down` the way back; returns the exit code.
pub async fn real(out: &mut Output, settings: &Settings, args: &DemoArgs) -> Result<u8, CliError> {
    if settings.read_only == Some(true) {
        return Err(CliError::refused("read-only: the demo would change this engine")
            .hint("`pitstop demo` without options needs no engine"));
    }
    let session = connect(settings).await?;
    let projects = projects()?;
    if args.down { down(out, settings, &session, &projects).await } else { up(out, settings, &session, projects).await }
}

async fn up(
    out: &mut Output,
    settings: &Settings,
    session: &Session,
    projects: Vec<ProjectSpec>,
) -> Result<u8, CliError> {
    let apps = session.demo_apps(&names(&projects)).await?;
    if let Some(app) = apps.others.first() {
        return Err(CliError::refused(format!("{app} is there already and is not the demo's; nothing was touched")));
    }
    let operator = Operator::of(session);
    operator.begin_demo().await?;
    for mut project in projects {
        for app in project.apps.values_mut() {
            app.spec.container.labels.insert(DEMO_LABEL.to_owned(), "1".to_owned());
        }
        let (services, scale) = (Vec::new(), Vec::new());
        let request = Request::Create { project, services, scale, options: Options::default() };
        let code = run(out, settings, session, &operator, &request).await?;
        if code != exit::DONE {
            return Ok(code);
        }
    }
    out.lines([
        "",
        "pitstop                                                          the console",
        "pitstop deploy demo-shop/web --image pitstop-demo/web:v2         in place, batch by batch",
        "pitstop rollback demo-shop/web",
        "pitstop demo --down                                              takes all of it away again",
    ]);
    Ok(exit::DONE)
}

async fn down(
    out: &mut Output,
    settings: &Settings,
    session: &Session,
    projects: &[ProjectSpec],
) -> Result<u8, CliError> {
    let apps: Vec<String> = session.demo_apps(&names(projects)).await?.ours.iter().map(ToString::to_string).collect();
    let operator = Operator::of(session);
    if !apps.is_empty() {
        let request = Request::Remove { apps, volumes: true, options: Options::default() };
        let code = run(out, settings, session, &operator, &request).await?;
        if code != exit::DONE {
            return Ok(code);
        }
    }
    for kept in operator.end_demo().await? {
        out.warning(&kept);
    }
    out.closing("the demo is gone");
    Ok(exit::DONE)
}

fn names(projects: &[ProjectSpec]) -> Vec<&str> {
    projects.iter().map(|project| project.name.as_str()).collect()
}

async fn run(
    out: &mut Output,
    settings: &Settings,
    session: &Session,
    operator: &Operator,
    request: &Request,
) -> Result<u8, CliError> {
    let plan = session.plan(request).await?;
    let signals = Signals::take()?;
    let operation = operator.begin(request, plan).await?;
    Ok(follow::follow(out, operation, signals, settings.on_hangup.unwrap_or_default(), false).await)
}
