//! A simulated engine and consoles that come and go, each on a runtime of its own: a console dies as a process does, all
//! at once. One thread turns them by turns, and time goes on only by a tick when all have had their turns.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pitstop::domain::event::{EventKind, Finished, OpEvent};
use pitstop::engine::{Location, Operator, Records, Request, Session};
use pitstop::sim::{Control, Scenario, Sim};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// What time goes on by: ever longer while nothing happens, up to the second. Nothing here is about exact durations.
const TICK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(1000));
/// Turns without anything happening before time goes on, and what each does in one.
const TURNS: (u32, u32) = (2, 4);
/// An operation that has not ended by then never will.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How a console's request ended.
pub enum End {
    /// Before anything was touched, and why.
    Refused(String),
    Finished(Finished),
    /// It was killed.
    Died,
}

/// One run of a request.
pub struct Ran {
    pub end: End,
    pub events: Vec<OpEvent>,
    /// Steps in its plan; `None` where it came to none.
    pub steps: Option<usize>,
}

/// A runtime whose clock moves only by hand. Tokio moves a paused clock when nobody has anything to do, and whoever turns this
/// one has: to go round again.
struct Still(Option<Runtime>);

impl Still {
    fn new() -> Self {
        Self(Some(Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until dropped")
    }

    fn turn(&self) {
        self.get().block_on(async {
            for _ in 0..TURNS.1 {
                tokio::task::yield_now().await;
            }
        });
    }

    fn tick(&self, time: Duration) {
        self.get().block_on(tokio::time::advance(time));
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The engine's life.
pub struct Life {
    sim: Option<Sim>,
    engine: Still,
    dir: TempDir,
}

impl Life {
    pub fn new(scenario: Scenario) -> Self {
        let engine = Still::new();
        let dir = tempfile::Builder::new().prefix("pitstop-sim").tempdir().expect("a temporary directory");
        let sim = engine.get().block_on(async { Sim::serve(dir.path().join("engine.sock"), scenario) });
        Self { sim: Some(sim.expect("a simulated engine")), engine, dir }
    }

    pub fn control(&self) -> Control {
        self.sim.as_ref().expect("it is there until dropped").control()
    }

    fn host(&self) -> String {
        self.sim.as_ref().expect("it is there until dropped").host()
    }

    /// A fresh console asks for this, and is killed as soon as `dies` says so.
    pub fn ask(&self, request: Request, dies: impl Fn(&Control) -> bool) -> Ran {
        self.ask_on(request, None, dies)
    }

    /// The same, and it keeps a record.
    pub fn ask_recorded(&self, request: Request, dies: impl Fn() -> bool) -> Ran {
        self.ask_on(request, Some(self.records()), |_| dies())
    }

    /// The records of those consoles.
    pub fn records(&self) -> Records {
        Records::at(self.dir.path().join("records"))
    }

    fn ask_on(&self, request: Request, records: Option<Records>, dies: impl Fn(&Control) -> bool) -> Ran {
        let events = Arc::new(Mutex::new(Vec::new()));
        let steps = Arc::new(Mutex::new(None));
        let (told, planned) = (Arc::clone(&events), Arc::clone(&steps));
        let location = Location::at(self.host());
        let end = self.console(
            async move {
                let session = Session::connect(&location).await.map_err(|error| error.to_string())?;
                let session = session.with_records(records);
                let plan = session.plan(&request).await.map_err(|error| error.to_string())?;
                *planned.lock().expect("no panic") = Some(plan.steps.len());
                let begun = Operator::of(&session).begin(&request, plan).await;
                let mut operation = begun.map_err(|error| error.to_string())?;
                while let Some(event) = operation.events.recv().await {
                    told.lock().expect("no panic").push(event);
                }
                Ok(())
            },
            dies,
        );
        let events = events.lock().expect("no panic").clone();
        let steps = *steps.lock().expect("no panic");
        let end = match end {
            None => End::Died,
            Some(Err::<(), String>(why)) => End::Refused(why),
            Some(Ok(())) => match events.last().map(|event| &event.kind) {
                Some(EventKind::Finished(end)) => End::Finished(end.clone()),
                other => panic!("an operation ended with {other:?}"),
            },
        };
        Ran { end, events, steps }
    }

    /// Somebody's own hand on a container: `stop`, `start`, `kill` or `remove`, without pitstop.
    pub fn hand(&self, what: &str, id: &str) {
        match what {
            "remove" => self.plainly(&format!("DELETE /v1.41/containers/{id}?force=1"), ""),
            "kill" => self.plainly(&format!("POST /v1.41/containers/{id}/kill?signal=9"), ""),
            other => self.plainly(&format!("POST /v1.41/containers/{id}/{other}"), ""),
        }
    }

    /// A request without pitstop.
    pub fn plainly(&self, ask: &str, body: &str) {
        let socket = self.host().trim_start_matches("unix://").to_owned();
        let (ask, body) = (ask.to_owned(), body.to_owned());
        let work = async move {
            let mut stream = UnixStream::connect(socket).await?;
            let head = format!(
                "{ask} HTTP/1.1\r\nHost: engine\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await
        };
        let answered = self.console(work, |_| false);
        assert!(matches!(answered, Some(Ok(1..))), "{answered:?}");
    }

    /// Runs a console's work to its end; nothing, where it died before.
    fn console<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        dies: impl Fn(&Control) -> bool,
    ) -> Option<T> {
        let (console, control) = (Still::new(), self.control());
        let work = console.get().spawn(work);
        let (mut passed, mut pace) = (Duration::ZERO, Pace::of(&control));
        loop {
            while pace.goes_on() {
                self.engine.turn();
                console.turn();
                if dies(&control) {
                    return None;
                }
            }
            if work.is_finished() {
                return Some(console.get().block_on(work).expect("no panic"));
            }
            assert!(passed < PATIENCE, "it does not end: {:?}", control.requests().last());
            let tick = pace.tick();
            self.engine.tick(tick);
            console.tick(tick);
            passed += tick;
        }
    }

    /// Lets time pass without anybody there.
    pub fn pass(&self, time: Duration) {
        let control = self.control();
        let (mut passed, mut pace) = (Duration::ZERO, Pace::of(&control));
        while passed < time {
            while pace.goes_on() {
                self.engine.turn();
            }
            let tick = pace.tick().min(time.saturating_sub(passed));
            self.engine.tick(tick);
            passed += tick;
        }
    }
}

/// How fast time goes on.
struct Pace<'a> {
    control: &'a Control,
    seen: (usize, usize, u64),
    quiet: u32,
    tick: Duration,
}

impl<'a> Pace<'a> {
    fn of(control: &'a Control) -> Self {
        Self { control, seen: control.activity(), quiet: 0, tick: TICK.0 }
    }

    /// Is there, or may there be, anything to do before time goes on?
    fn goes_on(&mut self) -> bool {
        let now = self.control.activity();
        if now != self.seen {
            (self.seen, self.quiet, self.tick) = (now, 0, TICK.0);
        }
        self.quiet += 1;
        self.quiet <= TURNS.0
    }

    /// The next tick.
    fn tick(&mut self) -> Duration {
        self.quiet = 0;
        let tick = self.tick;
        self.tick = (tick * 2).min(TICK.1);
        tick
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _inside = self.engine.get().enter();
        drop(self.sim.take());
    }
}
