//! The same by Docker Compose: each service brought up again, one after the other, as a careful script does it.
//!
//! The program is run as a person runs it, so its start-up is in its figures. The file goes in by standard input.

use super::super::clock;
use super::ways::{Steps, note};
use super::{Bench, Error, LABEL, PROJECT, failed};
use crate::domain::bench::Way;
use crate::domain::labels;
use serde_json::json;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::watch;

/// Of one call.
const PATIENCE: Duration = Duration::from_secs(120);

/// The plugin of the docker command, or the program of its own: whatever is there first.
const PROGRAMS: [Program; 2] = [&["docker", "compose"], &["docker-compose"]];

/// A program, and the words behind it by which it is called.
pub(super) type Program = &'static [&'static str];

impl Bench {
    /// Its services, each with one container; left out where there is no Compose.
    pub(super) async fn set_up_compose(&mut self) -> Result<(), Error> {
        let host = self.session.info().host.clone();
        for program in PROGRAMS {
            if run(program, &host, &["version"], "").await.is_ok_and(|output| output.status.success()) {
                self.compose = Some(program);
                self.call(0, &["up", "-d"]).await?;
                for number in 1..=self.wish.instances {
                    let at = self.composed_at(number).await?;
                    self.composed.push(watch::Sender::new(at));
                }
                return Ok(());
            }
        }
        self.left_out.insert(Way::Compose, "neither `docker compose` nor `docker-compose` is here".into());
        Ok(())
    }

    /// The other version, one service after the other.
    pub(super) async fn compose(&mut self, steps: &mut Steps) -> Result<(), Error> {
        let version = self.other_version("compose");
        for number in 1..=self.wish.instances {
            let began = clock::instant();
            self.call(version, &["up", "-d", "--no-deps", &service(number)]).await?;
            note(steps, "up", began);
            let began = clock::instant();
            let at = self.composed_at(number).await?;
            note(steps, "ready", began);
            if let Some(told) = usize::try_from(number - 1).ok().and_then(|index| self.composed.get(index)) {
                told.send_replace(at);
            }
        }
        Ok(())
    }

    /// Where the container of a service answers, as soon as it does.
    async fn composed_at(&self, number: u32) -> Result<std::net::SocketAddr, Error> {
        let all = self.operator.changes().labelled(&format!("com.docker.compose.service={}", service(number))).await?;
        let ours = all
            .iter()
            .find(|container| container.name.starts_with(&project()))
            .ok_or_else(|| failed("Compose made no container"))?;
        let at = self.address(&ours.id).await?;
        self.answers(at).await?;
        Ok(at)
    }

    /// With the file in that version.
    async fn call(&self, version: usize, arguments: &[&str]) -> Result<(), Error> {
        let Some(program) = self.compose else { return Ok(()) };
        let services: serde_json::Map<_, _> = (1..=self.wish.instances)
            .map(|number| {
                let one = json!({
                    "image": self.wish.image.as_str(),
                    "environment": {"PITSTOP_BENCH": version.to_string()},
                    "labels": {LABEL: "1"},
                });
                (service(number), one)
            })
            .collect();
        // By this label the network is found when all is taken away.
        let networks = json!({"default": {"labels": {labels::PROJECT: PROJECT}}});
        let file = json!({"version": "3.5", "services": services, "networks": networks}).to_string();
        let project = project();
        let arguments = [&["-f", "-", "-p", &project], arguments].concat();
        let output = run(program, &self.session.info().host, &arguments, &file).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(&format!("{} {}: {}", program.join(" "), arguments.join(" "), said.trim())))
    }
}

fn service(number: u32) -> String {
    format!("bench{number}")
}

fn project() -> String {
    format!("{PROJECT}-compose")
}

async fn run(program: &[&str], host: &str, arguments: &[&str], input: &str) -> Result<Output, Error> {
    let done = async {
        let mut child = Command::new(program[0])
            .args(&program[1..])
            .args(arguments)
            .env("DOCKER_HOST", host)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not want it says so by its end.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(done) => done.map_err(|error| failed(&format!("{}: {error}", program.join(" ")))),
        Err(_) => Err(failed(&format!("{} did not end within {} s", program.join(" "), PATIENCE.as_secs()))),
    }
}
