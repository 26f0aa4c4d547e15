//! Commands in running containers: pitstop's guest watching a port, and checks that ask whether the program answers.

use super::super::answer::{Answer, Reply, refuse};
use super::super::ask::Ask;
use super::super::behaviour::words;
use super::super::clock::Clock;
use super::super::engine::Engine;
use super::super::guest::{Spec, watch};
use super::super::world::Exec;
use super::attach::{Console, Input, go_on};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

pub async fn create(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("exec_create").await;
    let body = ask.json()?;
    let command = words(&body["Cmd"]);
    if command.is_empty() {
        return refuse(400, "No exec command specified");
    }
    engine.change(|world| {
        let container = world.find(key)?;
        if !container.runs() {
            return refuse(409, format!("Container {} is not running", container.id));
        }
        let container = container.id.clone();
        let id = world.id();
        let exec = Exec { container, command, stdin: body["AttachStdin"] == true, running: false, exit_code: None };
        world.execs.insert(id.clone(), exec);
        Ok(Reply::with(201, &json!({"Id": id})))
    })
}

pub async fn inspect(engine: &Engine, id: &str) -> Answer {
    engine.work("inspect").await;
    engine.look(|world| match world.execs.get(id) {
        None => refuse(404, format!("No such exec instance: {id}")),
        Some(exec) => Ok(Reply::json(&json!({
            "ID": id, "ContainerID": exec.container, "Running": exec.running, "ExitCode": exec.exit_code,
            "OpenStdin": exec.stdin, "OpenStdout": true, "OpenStderr": true, "Pid": 0, "CanRemove": false,
            "ProcessConfig": {"entrypoint": exec.command[0], "arguments": exec.command[1..], "tty": false},
        }))),
    })
}

pub async fn start(engine: &Arc<Engine>, id: &str, ask: Ask) -> Answer {
    engine.work("exec_start").await;
    let exec = engine.change(|world| {
        let Some(exec) = world.execs.get(id).cloned() else {
            return refuse(404, format!("No such exec instance: {id}"));
        };
        if !world.find(&exec.container)?.runs() {
            return refuse(409, format!("Container {} is not running", exec.container));
        }
        if let Some(exec) = world.execs.get_mut(id) {
            exec.running = true;
        }
        Ok(exec)
    })?;
    if let Some(code) = known(&exec.command) {
        // Once begun it ends, whoever listens.
        let (here, engine, id) = (Arc::clone(engine), Arc::clone(engine), id.to_owned());
        here.spawn(async move {
            engine.work("exec").await;
            engine.change(|world| {
                if let Some(exec) = world.execs.get_mut(&id) {
                    (exec.running, exec.exit_code) = (false, Some(code));
                }
            });
        });
    }
    let (here, engine, id) = (Arc::clone(engine), Arc::clone(engine), id.to_owned());
    go_on(&here, ask, move |console, input| async move {
        if known(&exec.command).is_some() {
            engine.until(|world| world.execs.get(&id).is_none_or(|exec| !exec.running).then_some(())).await;
            return;
        }
        let code = run(&engine, &exec, console, input).await;
        engine.change(|world| {
            if let Some(exec) = world.execs.get_mut(&id) {
                (exec.running, exec.exit_code) = (false, Some(code));
            }
        });
    })
}

/// Programs that any image is taken to have, with how they end.
fn known(command: &[String]) -> Option<i64> {
    match command.first().map(String::as_str) {
        Some("true" | "/bin/true") => Some(0),
        Some("false" | "/bin/false") => Some(1),
        _ => None,
    }
}

/// Runs the command to its end; gives its exit code.
async fn run(engine: &Arc<Engine>, exec: &Exec, mut console: Console, mut input: Input) -> i64 {
    let command: Vec<&str> = exec.command.iter().map(String::as_str).collect();
    if let [program, "watch", spec, ..] = command.as_slice()
        && program.ends_with("pitstop-guest")
    {
        let Some(spec) = Spec::parse(spec) else {
            console.say("pitstop-guest: not tcp:PORT or http:PORT/PATH").await;
            return 2;
        };
        let (out, mut lines) = mpsc::channel(64);
        let watching = watch(Arc::clone(engine), exec.container.clone(), String::new(), spec, out);
        let told = async {
            while let Some(line) = lines.recv().await {
                if !console.say(&line).await {
                    return;
                }
            }
        };
        tokio::select! {
            () = watching => {}
            () = told => {}
            // A watch ends when its standard input is readable or closed.
            _ = input.recv() => {}
        }
        return 0;
    }
    if command[0].ends_with("/sh") {
        console.say("This engine is simulated: nothing is in here. Back in a moment.").await;
        // Whoever reads it, or leaves.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), input.recv()).await;
        return 0;
    }
    engine.work("exec").await;
    let now = Clock::instant();
    let found = engine.look(|world| world.find(&exec.container).map(|seen| (seen.behaviour.guest, seen.answers(now))));
    match found {
        Ok((true, _)) if !command[0].ends_with("pitstop-guest") => {
            let name = command[0];
            console
                .say(&format!(
                    "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{name}\": stat {name}: \
                     no such file or directory: unknown"
                ))
                .await;
            126
        }
        Ok((_, answers)) => i64::from(!answers),
        Err(_) => super::super::life::KILLED,
    }
}
