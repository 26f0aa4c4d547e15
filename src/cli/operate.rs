//! The verbs that change something: make the request, show or run its plan.

use super::args::{OperationArgs, Verb};
use super::error::CliError;
use super::output::Output;
use super::settled;
use super::signals::Signals;
use super::{connect, exit, files, follow, history, order, preview, resume};
use crate::config::settings::Settings;
use crate::domain::event::{EventKind, OpEvent, Planned, VERSION};
use crate::domain::options::{Gate, Options};
use crate::domain::plan::Plan;
use crate::domain::recipe::Wish;
use crate::engine::{Operator, Request, Session, clock};
use std::time::Duration;

/// How long the engine may take to answer when the machine starts.
const BOOT: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Carries `verb` out; returns the exit code.
pub async fn operate(out: &mut Output, settings: &Settings, verb: &Verb, args: &OperationArgs) -> Result<u8, CliError> {
    out.report(args.json, args.quiet, args.events.as_deref())?;
    if settings.read_only == Some(true) && !args.dry_run {
        return Err(CliError::refused("read-only: nothing may be changed here")
            .hint("--read-only, PITSTOP_READ_ONLY or the settings file says so; --dry-run shows the plan"));
    }
    let options = settled::options(args, settings);
    let (ops, all) = match verb {
        Verb::Resume(args) => (args.op.as_deref(), false),
        Verb::Abort(args) => {
            if let Some(code) = order::abort(out, settings, args).await? {
                return Ok(code);
            }
            (args.op.as_deref(), args.all)
        }
        Verb::Retry(retry) => {
            let request = Request::Retry { op: resume::newest(&retry.op)?, options };
            let session = connect(settings).await?;
            return carry_out(out, settings, verb, args, &session, &request).await;
        }
        _ => {
            let request = request(verb, options)?;
            for warning in warnings(&request) {
                out.warning(warning);
            }
            let boot = matches!(verb, Verb::Repair(args) if args.boot);
            let session = if boot { when_there(settings).await? } else { connect(settings).await? };
            return carry_out(out, settings, verb, args, &session, &request).await;
        }
    };
    let session = connect(settings).await?;
    let resume = matches!(verb, Verb::Resume(_));
    let mut code = exit::DONE;
    for one in resume::meant(out, &session, if resume { "resume" } else { "abort" }, ops, all).await? {
        let request = one.request(resume, options.clone());
        let this = carry_out(out, settings, verb, args, &session, &request).await?;
        // The first that did not end well decides.
        code = if code == exit::DONE { this } else { code };
    }
    Ok(code)
}

/// Plans the request, and shows or runs its plan.
async fn carry_out(
    out: &mut Output,
    settings: &Settings,
    verb: &Verb,
    args: &OperationArgs,
    session: &Session,
    request: &Request,
) -> Result<u8, CliError> {
    let plan = session.plan(request).await?;
    let planned = Planned::of(&plan);
    // What has come to its end needs no operation to say so.
    let ended =
        matches!(verb, Verb::Resume(_) | Verb::Abort(_) | Verb::Retry(_)) && plan.is_empty() && plan.resumes.is_none();
    if let Verb::Repair(repair) = verb
        && plan.is_empty()
        && !args.dry_run
    {
        // Nothing to do is no operation, and no news when nobody asked.
        if !repair.boot || !plan.hopeless.is_empty() {
            show(out, args, planned);
        }
        return Ok(if plan.hopeless.is_empty() { exit::DONE } else { exit::FAILED });
    }
    if args.dry_run || ended {
        show(out, args, planned);
        return Ok(exit::DONE);
    }
    let ask = out.can_ask();
    let gated = plan.gate != Gate::Auto && plan.batches.len() > 1;
    if gated && !ask && history::records().is_none() {
        return Err(CliError::usage(format!(
            "gate `{}` asks a person, there is no terminal to ask on, and without a home directory no other can be heard",
            if plan.gate == Gate::First { "first" } else { "every" }
        ))
        .hint("--gate auto goes on by itself"));
    }
    if !agreed(out, verb, &plan)? {
        out.alarm("not confirmed; nothing was touched");
        return Ok(exit::ABORTED);
    }
    let signals = Signals::take()?;
    let hopeless = !plan.hopeless.is_empty();
    let operation = Operator::of(session).begin(request, plan).await?;
    let on_hangup = settings.on_hangup.unwrap_or_default();
    let code = follow::follow(out, operation, signals, on_hangup, ask).await;
    Ok(if code == exit::DONE && hopeless { exit::FAILED } else { code })
}

/// The engine, as soon as it answers: at the start of a machine the daemon may take its time.
async fn when_there(settings: &Settings) -> Result<Session, CliError> {
    let since = clock::instant();
    loop {
        match connect(settings).await {
            Err(error) if error.code == exit::UNREACHABLE && since.elapsed() < BOOT => {
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
            done => return done,
        }
    }
}

/// What the verb asks the engine for. Reads the files that it names.
pub fn request(verb: &Verb, options: Options) -> Result<Request, CliError> {
    Ok(match verb {
        Verb::Create(args) => Request::Create {
            project: files::project(args)?,
            services: args.services.clone(),
            scale: args.scale.clone(),
            options,
        },
        Verb::Deploy(args) => Request::Deploy {
            app: args.app.clone(),
            image: args.image.clone(),
            project: if args.files.is_empty() { None } else { Some(files::of_app(&args.app, &args.files)?) },
            options,
        },
        Verb::Restart(args) => {
            // It is of the same container unless this very command says otherwise.
            let warm = args.operation.warm.map(|warm| warm.0);
            Request::Restart { targets: args.targets.clone(), options: Options { warm, ..options } }
        }
        Verb::Adopt(args) => {
            let (app, file) = files::of_adoption(args)?;
            let wish = Wish {
                targets: args.targets.clone(),
                project: args.project.clone(),
                app,
                file,
                accept_changes: args.accept_changes,
                keep_old: args.keep_old,
            };
            Request::Adopt { wish, options }
        }
        Verb::Rollback(args) => Request::Rollback { app: args.app.clone(), to: args.to, options },
        Verb::Scale(args) => Request::Scale { app: args.target.0.clone(), replicas: args.target.1, options },
        Verb::Repair(args) => Request::Repair { targets: args.targets.clone(), options },
        Verb::Rm(args) => Request::Remove { apps: args.apps.clone(), volumes: args.volumes, options },
        Verb::Ps(_)
        | Verb::Logs(_)
        | Verb::History(_)
        | Verb::Show(_)
        | Verb::Replay(_)
        | Verb::Resume(_)
        | Verb::Abort(_)
        | Verb::Retry(_)
        | Verb::Go(_)
        | Verb::Pause(_)
        | Verb::Continue(_)
        | Verb::Doctor
        | Verb::Themes(_)
        | Verb::Keys(_)
        | Verb::Demo(_)
        | Verb::Bench(_)
        | Verb::Completions { .. }
        | Verb::Man { .. } => {
            return Err(CliError::usage("this verb is no operation"));
        }
    })
}

/// What its file has that is worth knowing.
fn warnings(request: &Request) -> &[String] {
    match request {
        Request::Create { project, .. } | Request::Deploy { project: Some(project), .. } => &project.warnings,
        Request::Adopt { wish, .. } => wish.file.as_ref().map_or(&[], |file| &file.warnings),
        _ => &[],
    }
}

/// What `--dry-run` shows: the plan in lines, or its event.
fn show(out: &mut Output, args: &OperationArgs, planned: Planned) {
    if !args.json {
        out.lines(preview::lines(&planned, out.glyphs));
    }
    out.event(&OpEvent {
        v: VERSION,
        op: clock::operation_id(),
        seq: 0,
        at: clock::wall(),
        elapsed_ms: 0,
        kind: EventKind::Planned(planned),
    });
}

/// Whether a removal may go on: a person is asked, a script has said so by calling it.
fn agreed(out: &mut Output, verb: &Verb, plan: &Plan) -> Result<bool, CliError> {
    let Verb::Rm(args) = verb else { return Ok(true) };
    if args.yes || plan.is_empty() || !out.can_ask() {
        return Ok(true);
    }
    let instances = preview::count(plan.batch_sizes().sum(), "instance");
    let data = if args.volumes { " and the data in their volumes" } else { "" };
    out.ask(&format!("remove {}: {instances}{data}? [y/N]", plan.app));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| CliError::failed("cannot read the answer").because(&error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
