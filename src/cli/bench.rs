//! `bench`: what pitstop is worth on this engine, measured, told as tables, JSON and a picture.
//!
//! Measuring is the engine floor's; here it is asked for, followed, told, and taken away whatever happens.

use super::args::{BenchArgs, OtherTool};
use super::error::CliError;
use super::output::Output;
use super::signals::{Signals, Wish as Signal};
use super::style::{PLAIN, pad};
use super::table::{self, Cell};
use super::{connect, exit};
use crate::config::compose::{self, LoadOptions};
use crate::config::settings::Settings;
use crate::domain::bench::{Figures, Row, Way, chart};
use crate::domain::ids::ImageRef;
use crate::domain::probe::ProbeSpec;
use crate::domain::project::ProjectSpec;
use crate::engine::bench::{Bench, IMAGE, LABEL, PROJECT, SERVICES, WARM, Wish};
use crate::engine::{Error, Operator, Session};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Steps that are told, in the order in which they come.
const STEPS: [&str; 10] =
    ["create", "warm", "stop", "start", "up", "restart", "ready", "verify", "remove", "operation"];

/// Measures, or takes away what a killed run left; returns the exit code.
pub async fn bench(out: &mut Output, settings: &Settings, args: &BenchArgs) -> Result<u8, CliError> {
    if settings.read_only == Some(true) {
        return Err(CliError::refused("read-only: a benchmark makes, replaces and removes containers of its own"));
    }
    // Beforehand: minutes of measuring are not thrown away for a name.
    if let Some(path) = &args.svg {
        std::fs::write(path, "").map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    }
    let wish = wish(args)?;
    // Its operations are nothing to go back to, and would push out those that are.
    let session = connect(settings).await?.with_records(None);
    let operator = Operator::of(&session);
    if args.down {
        operator.end_bench().await?;
        out.closing("nothing of a benchmark is left");
        return Ok(exit::DONE);
    }
    let mut signals = Signals::take()?;
    let mut bench = operator.begin_bench(&session, wish.clone()).await.map_err(|error| {
        CliError::from(error)
            .hint("`pitstop bench --down` takes away what a killed run left; another run ends by itself")
    })?;
    let mut figures = Figures::default();
    let ended = tokio::select! {
        done = measure(out, &mut bench, args, &mut figures) => Ok(done),
        signal = signals.next() => Err(signal),
    };
    if ended.is_err() {
        out.end_of_question(); // the terminal has echoed ^C there
    }
    out.passing("taking everything away …");
    let taken = bench.take_away().await;
    out.passing("");
    if let Err(error) = taken {
        let error = CliError::from(error).hint("`pitstop bench --down` tries again to take everything away");
        return Err(error);
    }
    match ended {
        Ok(done) => done?,
        Err(signal) => {
            out.note("interrupted; everything is taken away again");
            return Ok(if signal == Signal::Interrupt { exit::INTERRUPTED } else { exit::TERMINATED });
        }
    }
    let rows = figures.rows();
    if let Some(path) = &args.svg {
        let title = format!("{} instances, {}", args.instances, wish.image);
        std::fs::write(path, chart::svg(&title, &how(&session, args), &rows))
            .map_err(|error| CliError::failed(format!("{}: {error}", path.display())))?;
    }
    if args.json {
        out.result(&object(&session, args, &wish, &rows, &bench).to_string());
        return Ok(exit::DONE);
    }
    tell(out, &session, args, &rows);
    for (way, why) in &bench.left_out {
        out.note(&format!("left out, {}: {why}", way.words()));
    }
    Ok(exit::DONE)
}

async fn measure(out: &mut Output, bench: &mut Bench, args: &BenchArgs, figures: &mut Figures) -> Result<(), Error> {
    out.passing("setting the scene …");
    bench.set_up().await?;
    let mut ways = ways(args);
    for round in 1..=args.rounds {
        bench
            .round(&ways, figures, |way| out.passing(&format!("round {round} of {}: {}", args.rounds, way.words())))
            .await?;
        // Who comes first changes: what one leaves behind on the machine is not always the same one's burden.
        ways.rotate_left(1);
    }
    Ok(())
}

fn ways(args: &BenchArgs) -> Vec<Way> {
    let mut all = vec![Way::Recreate];
    all.extend([1, 2, 4].into_iter().filter(|batch| *batch <= args.instances).map(Way::Deploy));
    all.extend([Way::Warm, Way::Floor]);
    all.extend(with(args));
    all.extend([Way::PlainRestart, Way::Restart, Way::OneByOne, Way::SideBySide]);
    all
}

fn wish(args: &BenchArgs) -> Result<Wish, CliError> {
    let image =
        ImageRef::new(args.image.as_deref().unwrap_or(IMAGE)).map_err(|error| CliError::usage(error.to_string()))?;
    let probe = args.probe.clone().unwrap_or(ProbeSpec::Http { port: 8080, path: "/".to_owned() });
    if !probe.watchable() {
        return Err(CliError::usage(format!("clients can't ask `{probe}`: use http:PORT/PATH or tcp:PORT")));
    }
    let versions = [file(args.instances, &image, &probe, 1)?, file(args.instances, &image, &probe, 2)?];
    Ok(Wish { instances: args.instances, image, probe, versions, with: with(args) })
}

fn with(args: &BenchArgs) -> BTreeSet<Way> {
    let way = |tool: &OtherTool| match tool {
        OtherTool::Compose => Way::Compose,
        OtherTool::Swarm => Way::Swarm,
    };
    args.with.iter().map(way).collect()
}

/// The measured project. A version is another value in the environment, so any image has two.
fn file(instances: u32, image: &ImageRef, probe: &ProbeSpec, version: u32) -> Result<ProjectSpec, CliError> {
    let service = |name: &str| {
        json!({
            "image": image.as_str(),
            "pull_policy": "missing",
            "environment": {"PITSTOP_BENCH": version.to_string()},
            "deploy": {"replicas": instances},
            "x-pitstop": {"probe": probe.to_string(), "warm": if name == WARM { "auto" } else { "off" }},
        })
    };
    let services: serde_json::Map<_, _> = SERVICES.iter().map(|name| ((*name).to_owned(), service(name))).collect();
    // JSON is YAML.
    let text = json!({"name": PROJECT, "services": services}).to_string();
    let mut project = compose::load_text("bench.yaml", &text, &LoadOptions::default())
        .map_err(|errors| CliError::failed(errors.to_string()))?;
    for app in project.apps.values_mut() {
        app.spec.container.labels.insert(LABEL.to_owned(), "1".to_owned());
    }
    Ok(project)
}

fn how(session: &Session, args: &BenchArgs) -> String {
    let engine = session.info();
    format!(
        "Docker {}, {} CPUs, {} {} in turn; median, whiskers from least to most",
        engine.version,
        engine.cpus,
        args.rounds,
        if args.rounds == 1 { "round" } else { "rounds" }
    )
}

fn tell(out: &mut Output, session: &Session, args: &BenchArgs, rows: &[Row]) {
    let right = |text: String, width| Cell(pad("", usize::saturating_sub(width, text.len())) + &text, PLAIN);
    let whole = |ms: f64| format!("{ms:.0}");
    let mut lines = Vec::new();
    for row in rows {
        let failed = if row.asked == 0 { String::new() } else { format!("{} of {}", row.failed, row.asked) };
        let faster = row.faster.filter(|_| row.way != row.against).map(|faster| format!("{faster:.2}×"));
        lines.push(vec![
            Cell::from(row.words.as_str()),
            right(whole(row.took_ms.median), 6),
            right(format!("{:.0}–{:.0}", row.took_ms.least, row.took_ms.most), 11),
            right(row.gap_ms.map(|gap| whole(gap.median)).unwrap_or_default(), 6),
            right(row.gap_ms.map(|gap| whole(gap.most)).unwrap_or_default(), 6),
            right(failed, 12),
            right(faster.unwrap_or_default(), 8),
        ]);
    }
    out.lines([format!("{} instances; {}; milliseconds", args.instances, how(session, args)), String::new()]);
    let heading = ["all instances", "median", "least–most", "   gap", "  most", "failed asks", "as fast"];
    out.lines(table::render(&heading, &lines));
    let told: Vec<&str> =
        STEPS.into_iter().filter(|step| rows.iter().any(|row| row.steps.contains_key(*step))).collect();
    let mut lines = Vec::new();
    for row in rows {
        let mut line = vec![Cell::from(row.words.as_str())];
        line.extend(told.iter().map(|step| {
            let median = row.steps.get(*step).map(|step| whole(step.median)).unwrap_or_default();
            right(median, step.len().max(5))
        }));
        lines.push(line);
    }
    let mut heading = vec!["median of one step"];
    heading.extend(told);
    out.lines([String::new()]);
    out.lines(table::render(&heading, &lines));
}

fn object(session: &Session, args: &BenchArgs, wish: &Wish, rows: &[Row], bench: &Bench) -> Value {
    let engine = session.info();
    let left_out: serde_json::Map<_, _> =
        bench.left_out.iter().map(|(way, why)| (way.key(), Value::from(why.as_str()))).collect();
    json!({
        "v": 1,
        "pitstop": env!("CARGO_PKG_VERSION"),
        "engine": {"name": engine.name, "version": engine.version, "cpus": engine.cpus},
        "instances": args.instances,
        "rounds": args.rounds,
        "image": wish.image.as_str(),
        "probe": wish.probe.to_string(),
        "ways": rows,
        "left_out": left_out,
    })
}
