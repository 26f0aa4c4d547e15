//! The program: picks the front end, and is the only place that ends the process.

use pitstop::cli::args::Cli;
use pitstop::{cli, tui};
use std::io;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// For what is said on the normal screen when the console has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

fn main() {
    let code = cli::guarded(|| match cli::parse(std::env::args_os()) {
        Ok(args) => front_end(args),
        Err(code) => code,
    });
    std::process::exit(i32::from(code))
}

fn front_end(args: Cli) -> u8 {
    if let Some(themes) = cli::themes_meant(&args) {
        let built_in: Vec<&str> = tui::theme::BUILT_IN.iter().map(|(name, _)| *name).collect();
        return cli::themes(themes, &built_in, |name, text| {
            tui::theme::Theme::parse(name, text, tui::theme::Depth::True).err()
        });
    }
    if let Some(keys) = cli::keys_meant(&args) {
        let wrong = |name: &str, text: &str| tui::keymap::Keymap::parse(name, text).err();
        return cli::keys(keys, tui::keytable::table, wrong);
    }
    if cli::console::is_meant(&args) {
        cli::console_start(&args).map_or_else(|code| code, |start| drive(console(start)))
    } else {
        drive(cli::run(args, tui::palette::named))
    }
}

/// What still writes to a disk is waited for so long: one that stands still holds nobody.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Does the front end's own work on this thread and all that it spawns on another one: who waits for a terminal, or for a
/// pipe that nobody reads, holds up no operation. One, for what waits for an engine needs no thread for each core, and each
/// has memory of its own.
fn drive(front: impl Future<Output = u8>) -> u8 {
    let started = || -> io::Result<_> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, (end, ended)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let work = std::thread::Builder::new().name("work".into()).spawn(move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_timeout(LAST_WRITES);
        })?;
        Ok((handle, end, work))
    };
    let (handle, end, work) = match started() {
        Ok(started) => started,
        Err(error) => return cli::no_runtime(&error),
    };
    let code = handle.block_on(front);
    drop(end);
    // A fault there has been told.
    let _ = work.join();
    code
}

async fn console(mut start: cli::console::Start) -> u8 {
    let _simulated = match cli::simulated(&mut start) {
        Ok(simulated) => simulated,
        Err(code) => return code,
    };
    let settings = tui::Settings {
        locations: start.locations,
        sandbox_image: start.sandbox_image,
        look: tui::look::Wanted { theme: start.theme, text: start.theme_text, colour: start.color },
        themes: start.themes,
        keymap: start.keymap,
        read_only: start.read_only,
        trust_commands: start.trust_commands,
        on_hangup: start.on_hangup,
        options: start.options,
        records: start.records,
        console: start.settings.console.clone(),
        kept: start.kept,
        grammar: cli::line::grammar(start.settings),
        demo: start.demo.map(|demo| tui::Demo {
            files: demo.files,
            tour: demo.tour.map(|(text, speed)| tui::tour::Script { text, speed }),
        }),
    };
    let ended = Box::pin(tui::run(settings)).await;
    let ended = ended.map_err(|error| error.0).map(|ended| {
        let end = match ended.why {
            tui::Why::Asked => cli::console::End::Asked,
            tui::Why::Signal(number) => cli::console::End::Signal(number),
            tui::Why::HungUp => cli::console::End::HungUp,
            tui::Why::Fault => cli::console::End::Fault(ended.fault.unwrap_or_default()),
        };
        (end, ended.summary)
    });
    // A terminal that takes nothing holds up no end.
    let code = cli::console_code(&ended);
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        cli::console_ended(ended);
        let _ = tell.send(());
    });
    let _ = told.recv_timeout(LAST_WORDS);
    code
}
