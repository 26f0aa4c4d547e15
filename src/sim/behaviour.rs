//! How a simulated program behaves: when it answers, how it ends, what it says.
//!
//! Chosen by its image, or read from the command line of pitstop's own guest, so that an archive loaded into a real
//! engine and into this one behaves alike. Pure.

use serde::Deserialize;
use serde_json::Value;

/// The program of one image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// It listens there; `None` for a program that never does.
    pub port: Option<u16>,
    /// From its start until it answers.
    pub ready_ms: u64,
    /// It never answers, though it runs.
    pub mute: bool,
    /// It ends by itself after so long.
    pub lives_ms: Option<u64>,
    /// … with this code.
    pub exit_code: i64,
    /// How long it takes to end when asked to.
    pub stop_ms: u64,
    /// It does not end when asked to.
    pub stubborn: bool,
    /// A line of log every so often.
    pub log_every_ms: Option<u64>,
    /// What it says when it ends by itself.
    pub last_words: Option<String>,
    /// What its health check prints while it answers.
    pub healthy: Option<String>,
    /// Memory it takes, in bytes.
    pub memory: u64,
    /// CPU it takes, in thousandths of one.
    pub cpu_milli: u64,
    /// What it is: decides what the console may ask it.
    pub guest: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            port: None,
            ready_ms: 0,
            mute: false,
            lives_ms: None,
            exit_code: 0,
            stop_ms: 0,
            stubborn: false,
            log_every_ms: None,
            last_words: None,
            healthy: None,
            memory: 24 << 20,
            cpu_milli: 5,
            guest: false,
        }
    }
}

impl Behaviour {
    /// The guest by its command line: `pause` unless told to serve; `None` for another program.
    pub fn of_guest(entrypoint: &[String], command: &[String]) -> Option<Self> {
        // Behind the gate it is the program that counts.
        let entrypoint = if entrypoint.get(1).is_some_and(|mode| mode == "gate") { &[] } else { entrypoint };
        let mut words = entrypoint.iter().chain(command).map(String::as_str);
        if !words.next()?.ends_with("pitstop-guest") {
            return None;
        }
        let mut own = Self { guest: true, memory: 300 << 10, cpu_milli: 0, ..Self::default() };
        if words.next() != Some("serve") {
            return Some(own);
        }
        own.port = words.next().and_then(|port| port.parse().ok());
        words.next();
        while let Some(option) = words.next() {
            let mut number = || words.next().and_then(|ms| ms.parse::<u64>().ok()).unwrap_or_default();
            match option {
                "--boot-ms" => own.ready_ms = number(),
                "--exit-after-ms" => own.lives_ms = Some(number()),
                "--exit-code" => own.exit_code = i64::try_from(number()).unwrap_or(1),
                "--ignore-term" => own.stubborn = true,
                "--never-listen" => own.mute = true,
                // Their numbers are not options.
                "--sick-from-ms" | "--sick-until-ms" | "--take-mb" => drop(number()),
                _ => {}
            }
        }
        Some(own)
    }
}

/// The words of a create request's or an image's `Cmd` or `Entrypoint`.
pub fn words(list: &Value) -> Vec<String> {
    match list {
        Value::String(word) => vec![word.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_s_command_line_says_how_it_behaves() {
        let of = |line: &str| {
            let all: Vec<String> = line.split(' ').map(str::to_owned).collect();
            Behaviour::of_guest(&all[..1], &all[1..])
        };
        assert_eq!(of("/bin/sh -c true"), None);
        assert_eq!(of("/pitstop-guest").unwrap().port, None);
        let slow = of("/pitstop-guest serve 8080 v1 --boot-ms 500 --ignore-term").unwrap();
        assert_eq!((slow.port, slow.ready_ms, slow.stubborn), (Some(8080), 500, true));
        let dies = of("/pitstop-guest serve 8080 v1 --exit-after-ms 10 --exit-code 3").unwrap();
        assert_eq!((dies.lives_ms, dies.exit_code), (Some(10), 3));
    }
}
