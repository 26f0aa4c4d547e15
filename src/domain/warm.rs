//! Warm swap: which way a new version is held back while the old one serves, and why that one.
//!
//! The sandbox's guest holds it (`guest/arbiter.rs`): at its start, so that the engine's work lies outside the gap, or at its
//! `bind`, so that the program's own boot does, too; and it may let both versions have the port until the old one ends, so that
//! there is no gap. Pure: what is seen goes in, the way and its reason come out.

use super::ids::OpId;
use super::plan::StepId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The guest that can hold, by the label of its image; an earlier one can't.
pub const GUEST: u32 = 3;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Warm {
    /// Old stops, then new starts.
    #[default]
    Off,
    /// Hold its start.
    Start,
    /// Hold its `bind`; both versions have the port until the old one ends.
    Bind,
    /// Hold its `bind` until the old version has left the port: never two at once.
    Exclusive,
    /// What is possible and safe.
    Auto,
}

/// How one new container is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "at")]
pub enum HoldAt {
    /// Before its program begins. Without a port it is let go when the old container has ended, which takes the console's word;
    /// so too where both would write to the same files.
    Start { port: Option<u16> },
    /// Before its program binds `port`.
    Bind {
        port: u16,
        /// It may have the port before the old version has left it.
        #[serde(default)]
        beside: bool,
    },
}

/// What decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The old container serves: there is something to swap with.
    pub serves: bool,
    /// Of the sandbox's guest.
    pub guest: u32,
    /// The port that readiness or the published ports name.
    pub port: Option<u16>,
    /// What both versions could write to at once: a place in the container.
    pub shared: Option<&'a str>,
    /// Bytes that one may take, and that the engine's machine has; where they are known.
    pub memory: Option<(u64, u64)>,
    /// How many begin at once.
    pub batch: usize,
    /// `--security-opt`s.
    pub security: &'a [String],
    /// The engine is Podman.
    pub podman: bool,
}

/// The way, and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `None`: not warm.
    pub hold: Option<HoldAt>,
    pub why: String,
}

impl Warm {
    /// The word of options and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Start => "start",
            Self::Bind => "bind",
            Self::Exclusive => "exclusive",
            Self::Auto => "auto",
        }
    }
}

impl Seen<'_> {
    /// Decides; an error where what was asked for by name can't be had.
    pub fn choose(&self, wish: Warm) -> Result<Choice, String> {
        if wish == Warm::Off || !self.serves {
            // What does not run has nothing that a swap would spare.
            return Ok(Choice { hold: None, why: String::new() });
        }
        if let Some(why) = self.impossible() {
            return match wish {
                Warm::Auto => Ok(Choice { hold: None, why: format!("not warm: {why}") }),
                _ => Err(why),
            };
        }
        let shared = self.shared;
        let start = |why: String| {
            let port = self.port.filter(|_| shared.is_none());
            Choice { hold: Some(HoldAt::Start { port }), why }
        };
        Ok(match (wish, self.no_bind()) {
            (Warm::Bind | Warm::Exclusive, Some(why)) => return Err(why),
            (Warm::Auto, Some(why)) => start(format!("warm, held before its start: {why}")),
            (Warm::Auto, None) => match shared {
                Some(volume) => start(format!(
                    "warm, held before its start: both versions would write to {volume} at once if it booted beside the old one; \
                     --warm bind does that all the same"
                )),
                None => self.bind(true, None),
            },
            (Warm::Bind | Warm::Exclusive, None) => self.bind(wish == Warm::Bind, shared),
            (Warm::Start | Warm::Off, _) => start("warm, held before its start".to_owned()),
        })
    }

    fn bind(&self, beside: bool, shared: Option<&str>) -> Choice {
        let port = self.port.unwrap_or_default();
        let mut why = if beside {
            format!(
                "warm, boots beside the old version and binds port {port} before that one stops; both answer for a moment"
            )
        } else {
            format!(
                "warm, boots beside the old version and is held before it binds port {port}, until that one has left it"
            )
        };
        if let Some(volume) = shared {
            use std::fmt::Write as _;
            let _ = write!(why, "; both write to {volume} meanwhile");
        }
        Choice { hold: Some(HoldAt::Bind { port, beside }), why }
    }

    /// Why nothing can be held.
    fn impossible(&self) -> Option<String> {
        if self.podman {
            return Some("Podman does not let pitstop speak with the sandbox's guest".to_owned());
        }
        if self.guest < GUEST {
            return Some(
                "its sandbox was made by an earlier pitstop, whose guest can't hold a new version back; \
                 --allow-recreate with a change, or rm and create, makes a new one"
                    .to_owned(),
            );
        }
        let (one, all) = self.memory?;
        let both = one.saturating_mul(2).saturating_mul(self.batch.max(1) as u64);
        (both > all).then(|| {
            format!("two versions at once may take {} MB, and the engine's machine has {} MB", both >> 20, all >> 20)
        })
    }

    /// Why a `bind` can't be held.
    fn no_bind(&self) -> Option<String> {
        if self.port.is_none() {
            return Some("nothing names the port it serves: --probe tcp:PORT does".to_owned());
        }
        let profile = self.security.iter().find_map(|option| option.strip_prefix("seccomp="));
        match profile {
            Some(profile) if profile != "unconfined" => {
                Some("its own seccomp profile may forbid the filter that this takes".to_owned())
            }
            _ => None,
        }
    }
}

impl HoldAt {
    /// The word on screen and in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Bind { .. } => "bind",
        }
    }
}

/// By what the sandbox's guest knows the container that this step of this operation makes: at most 64 of `[a-z0-9-]`.
pub fn token(op: &OpId, made_by: StepId) -> String {
    format!("{op}-{made_by}")
}

/// What a sandbox's network namespace is set to, with an engine on that kernel.
///
/// Connections that wait to be accepted when their listener is closed go to another one at the same port (Linux 5.14,
/// `ip-sysctl.rst`): to the new version, where both have it.
pub fn sysctls(kernel: &str) -> BTreeMap<String, String> {
    let mut numbers =
        kernel.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    let known = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 14);
    known.then(|| ("net.ipv4.tcp_migrate_req".to_owned(), "1".to_owned())).into_iter().collect()
}

/// A container's command as the engine puts it together from the spec's and the image's, so that something can stand in front of
/// it (moby, `daemon/commit.go`, `merge`); empty where there is none.
pub fn command(spec: (Option<&[String]>, Option<&[String]>), image: (&[String], &[String])) -> Vec<String> {
    let mut entrypoint = spec.0.unwrap_or_default().to_vec();
    let mut command = spec.1.unwrap_or_default().to_vec();
    if entrypoint.is_empty() {
        if command.is_empty() {
            command = image.1.to_vec();
        }
        if spec.0.is_none() {
            entrypoint = image.0.to_vec();
        }
    }
    if entrypoint == [""] {
        entrypoint.clear();
    }
    entrypoint.into_iter().chain(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_possible_and_safe_is_chosen_and_the_reason_told() {
        let rw = Some("/data");
        let profile = ["seccomp={}".to_owned()];
        let plain = Seen { serves: true, guest: GUEST, port: Some(80), batch: 1, ..Seen::default() };
        let bind = Some(HoldAt::Bind { port: 80, beside: true });
        let alone = Some(HoldAt::Bind { port: 80, beside: false });
        let start = |port| Some(HoldAt::Start { port });
        for (name, seen, wish, want) in [
            ("nothing asked", plain, Warm::Off, Ok((None, ""))),
            ("nothing serves", Seen { serves: false, ..plain }, Warm::Bind, Ok((None, ""))),
            ("all is well", plain, Warm::Auto, Ok((bind, "binds port 80"))),
            ("a volume", Seen { shared: rw, ..plain }, Warm::Auto, Ok((start(None), "write to /data"))),
            ("asked for all the same", Seen { shared: rw, ..plain }, Warm::Bind, Ok((bind, "write to /data"))),
            ("never two at once", plain, Warm::Exclusive, Ok((alone, "has left it"))),
            ("start", plain, Warm::Start, Ok((start(Some(80)), "start"))),
            ("no port", Seen { port: None, ..plain }, Warm::Auto, Ok((start(None), "port"))),
            ("no port", Seen { port: None, ..plain }, Warm::Bind, Err("port")),
            ("own profile", Seen { security: &profile, ..plain }, Warm::Auto, Ok((start(Some(80)), "seccomp"))),
            ("own profile", Seen { security: &profile, ..plain }, Warm::Bind, Err("seccomp")),
            ("own profile", Seen { security: &profile, ..plain }, Warm::Exclusive, Err("seccomp")),
            ("Podman", Seen { podman: true, ..plain }, Warm::Auto, Ok((None, "Podman"))),
            ("old guest", Seen { guest: 1, ..plain }, Warm::Auto, Ok((None, "earlier pitstop"))),
            ("old guest", Seen { guest: 1, ..plain }, Warm::Start, Err("earlier pitstop")),
            ("memory", Seen { memory: Some((600, 1000)), ..plain }, Warm::Auto, Ok((None, "memory"))),
            ("memory", Seen { memory: Some((500, 1000)), ..plain }, Warm::Auto, Ok((bind, "binds"))),
            ("a batch's memory", Seen { memory: Some((400, 1000)), batch: 2, ..plain }, Warm::Bind, Err("MB")),
        ] {
            let chosen = seen.choose(wish);
            match (&chosen, want) {
                (Ok(choice), Ok((hold, words))) => {
                    assert_eq!(choice.hold, hold, "{name}: {choice:?}");
                    assert!(
                        choice.why.contains(words) || words == "memory" && choice.why.contains("MB"),
                        "{name}: {choice:?}"
                    );
                }
                (Err(why), Err(words)) => assert!(why.contains(words), "{name}: {why}"),
                _ => panic!("{name}: {chosen:?}"),
            }
        }
    }

    #[test]
    fn waiting_connections_move_where_the_kernel_can_do_that() {
        for (kernel, moves) in
            [("6.1.0-18-amd64", true), ("5.14.0", true), ("5.4.0", false), ("4.18.0-553.el8", false), ("", false)]
        {
            assert_eq!(sysctls(kernel).len(), usize::from(moves), "{kernel}");
        }
    }

    #[test]
    fn a_command_is_put_together_as_the_engine_does() {
        let list = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let image = (list("/entry"), list("run it"));
        for (entrypoint, cmd, want) in [
            (None, None, "/entry run it"),
            (None, Some("serve"), "/entry serve"),
            (Some("/other"), None, "/other"),
            (Some("/other"), Some("serve"), "/other serve"),
            (Some(""), None, "run it"),
            (Some(""), Some("serve"), "serve"),
        ] {
            let (entrypoint, cmd) = (entrypoint.map(list), cmd.map(list));
            let got = command((entrypoint.as_deref(), cmd.as_deref()), (&image.0, &image.1));
            assert_eq!(got, list(want));
        }
        assert_eq!(command((Some(&[String::new()]), None), (&image.0, &image.1)), Vec::<String>::new());
    }
}
