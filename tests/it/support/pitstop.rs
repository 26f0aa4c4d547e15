//! The built `pitstop` program: run to its end, in the background, or in a terminal; always with a clean environment.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::docker::Engine;
use super::pty::{HangUp, Pty};
use super::term::Term;
use super::wait::{try_wait_for, wait_for};

/// How long a run may take before it counts as hung.
const DEADLINE: Duration = Duration::from_secs(180);

/// The program with a home of its own. Everything it writes there goes when this is dropped.
pub struct Pitstop {
    home: TempDir,
    env: Vec<(String, OsString)>,
    deadline: Duration,
}

impl Pitstop {
    /// The program as a person would start it on `engine`'s machine.
    pub fn on(engine: &Engine) -> Self {
        Self::without_engine().env("DOCKER_HOST", engine.host())
    }

    /// The program with nothing in the environment that names an engine: it finds the default socket, if that is there.
    pub fn without_engine() -> Self {
        let home = tempfile::Builder::new().prefix("pitstop-home").tempdir().expect("a temporary directory");
        let below = |name: &str| home.path().join(name).into_os_string();
        let mut env = vec![
            ("PATH".to_owned(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".to_owned(), home.path().as_os_str().to_owned()),
            ("LANG".to_owned(), "C.UTF-8".into()),
            ("TZ".to_owned(), "UTC".into()),
            ("TERM".to_owned(), "xterm-256color".into()),
            ("COLUMNS".to_owned(), "120".into()),
            ("RUST_BACKTRACE".to_owned(), "1".into()),
        ];
        for kind in ["CONFIG", "STATE", "CACHE", "DATA"] {
            env.push((format!("XDG_{kind}_HOME"), below(&kind.to_lowercase())));
        }
        Self { home, env, deadline: DEADLINE }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Gives each run so long instead of three minutes.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Its home directory, which is also where it runs: relative paths in arguments start here.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into [`Pitstop::home`], for `-f NAME`.
    #[track_caller]
    pub fn file(&self, name: &str, text: &str) {
        std::fs::write(self.home().join(name), text).expect("a file in the temporary directory");
    }

    /// Runs `pitstop ARGS…` to its end, with nothing on standard input.
    ///
    /// # Panics
    /// When it does not end within the deadline; with what it said so far.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Output {
        self.start(args).wait()
    }

    /// Runs `pitstop ARGS…` to its end, with a standard output that nobody reads any more.
    #[track_caller]
    pub fn run_unread(&self, args: &[&str]) -> Output {
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = self.command(args).stdout(closed).spawn().expect("the built program");
        let stderr = child.stderr.take().map(drain).expect("piped");
        Running { what: args.join(" "), child, stdout: drain(std::io::empty()), stderr, deadline: self.deadline }.wait()
    }

    /// Starts `pitstop ARGS…` in the background.
    #[track_caller]
    pub fn start(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().expect("the built program");
        let stdout = child.stdout.take().map(drain).expect("piped");
        let stderr = child.stderr.take().map(drain).expect("piped");
        Running { what: args.join(" "), child, stdout, stderr, deadline: self.deadline }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pitstop"));
        command.args(args).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.home()).stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts `pitstop ARGS…` in a terminal of so many columns and rows.
    #[track_caller]
    pub fn terminal(&self, columns: u16, rows: u16, args: &[&str]) -> Term {
        // The terminal tells its size; COLUMNS would contradict it after a resize.
        let env: Vec<_> = self.env.iter().filter(|(name, _)| name != "COLUMNS").cloned().collect();
        Term::start(env!("CARGO_BIN_EXE_pitstop"), args, &env, self.home(), (columns, rows))
    }

    /// Starts `command` in a bare terminal, with the environment that the program has.
    #[track_caller]
    pub fn pty(&self, pty: &mut Pty, command: &[&str], hang_up: HangUp) {
        let env: Vec<_> = self.env.iter().filter(|(name, _)| name != "COLUMNS").cloned().collect();
        pty.start(command, &env, self.home(), hang_up);
    }
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Output {
    /// The exit code, or `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON Lines.
    ///
    /// # Panics
    /// On a line that is not JSON: with `--json` nothing else may be on standard output.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("not JSON ({error}): {line}\nstderr: {}", self.stderr),
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Itself, if it ended with `code`.
    ///
    /// # Panics
    /// Otherwise, with all it said.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A run in the background; killed when dropped before its end.
pub struct Running {
    what: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
    deadline: Duration,
}

impl Running {
    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard output contains `text`.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) {
        let found = try_wait_for(self.deadline, || self.stdout().contains(text).then_some(()));
        assert!(found.is_some(), "no {text:?} from pitstop {}\n{}\n{}", self.what, self.stdout(), self.stderr());
    }

    /// Whether it has come to its end.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within the deadline; with what it said so far.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let ended: Option<ExitStatus> = try_wait_for(self.deadline, || self.child.try_wait().expect("our child"));
        let Some(status) = ended else {
            panic!(
                "pitstop {} did not end within {:?}\n{}\n{}",
                self.what,
                self.deadline,
                self.stdout(),
                self.stderr()
            );
        };
        wait_for("the end of its output", self.deadline, || (self.stdout.ended() && self.stderr.ended()).then_some(()));
        Output { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes read by a thread of their own, so that a full pipe never stops the program.
struct Stream {
    bytes: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no reader panics")).into_owned()
    }

    fn ended(&self) -> bool {
        self.reader.is_finished()
    }
}

fn drain(mut from: impl Read + Send + 'static) -> Stream {
    let bytes = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = bytes.clone();
    let reader = std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            into.lock().expect("no reader panics").extend_from_slice(&chunk[..count]);
        }
    });
    Stream { bytes, reader }
}

#[test]
fn a_run_has_a_home_of_its_own_and_ends_in_time() {
    let pitstop = Pitstop::without_engine().env("LANG", "C");
    pitstop.file("compose.yaml", "services: {}\n");
    assert!(pitstop.home().join("compose.yaml").exists());
    let home = pitstop.home().to_owned();
    pitstop.run(&["--version"]).expect_code(0);
    drop(pitstop);
    assert!(!home.exists());
}
