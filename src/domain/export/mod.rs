//! One operation as a file for people elsewhere: a ticket, a chat, a wiki, another program.
//!
//! Pure: [`Progress`] and a palette in, text out. Counts and judges nothing itself. Times of day are UTC, because whoever reads
//! the file may sit anywhere.

mod json;
mod markdown;
pub(super) mod svg;

use super::event::{Outcome, StepResult};
use super::plan::{Action, Lane};
use super::progress::{InstanceProgress, Progress, Status, StepProgressed};

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Markdown,
    Json,
    Svg,
}

/// What a step does, as far as its colour tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Fetch,
    Make,
    Drain,
    Stop,
    Start,
    Ready,
    Check,
    Undo,
    Failed,
}

/// Colours as `#rrggbb`, by meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    pub ground: String,
    pub text: String,
    pub title: String,
    pub dim: String,
    pub rule: String,
    pub good: String,
    pub warn: String,
    pub bad: String,
    /// Words inside a bar.
    pub ink: String,
    /// In the order of [`Tone::ALL`].
    pub tones: [String; 9],
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Markdown, Self::Json, Self::Svg];

    /// How its files' names end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Svg => "svg",
        }
    }

    /// The format that a file of that name has. The error is a sentence.
    pub fn of(name: &str) -> Result<Self, String> {
        let known = |format: &Self| name == format.extension() || name.ends_with(&format!(".{}", format.extension()));
        Self::ALL.into_iter().find(known).ok_or_else(|| format!("`{name}` should end in .md, .json or .svg"))
    }
}

impl Tone {
    pub const ALL: [Self; 9] = [
        Self::Fetch,
        Self::Make,
        Self::Drain,
        Self::Stop,
        Self::Start,
        Self::Ready,
        Self::Check,
        Self::Undo,
        Self::Failed,
    ];

    /// One word for all that has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetch => "pull",
            Self::Make => "create",
            Self::Drain => "drain",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Check => "check",
            Self::Undo => "undo",
            Self::Failed => "failed",
        }
    }

    /// What that step does, or that it failed.
    pub fn of(step: &StepProgressed) -> Self {
        if matches!(step.status, Status::Ended(StepResult::Failed | StepResult::Cancelled)) {
            return Self::Failed;
        }
        if step.plan.lane == Lane::Undo {
            return Self::Undo;
        }
        match step.plan.action {
            Action::Pull | Action::Network | Action::Volume => Self::Fetch,
            // Beside the old version, which serves, booting is preparation.
            Action::SandboxCreate | Action::SandboxStart | Action::Create | Action::Warm | Action::Reserve => {
                Self::Make
            }
            Action::PreDrain | Action::Drain | Action::Attach => Self::Drain,
            Action::PreStop | Action::Stop | Action::Restart | Action::Remove => Self::Stop,
            Action::Start => Self::Start,
            Action::Ready | Action::PostReady => Self::Ready,
            Action::Verify | Action::Park | Action::Rename => Self::Check,
        }
    }
}

impl Palette {
    fn tone(&self, tone: Tone) -> &str {
        &self.tones[tone as usize]
    }
}

/// `pitstop-deploy-shop-web-3f2a01`: a name for its files, without an extension.
pub fn name(progress: &Progress) -> String {
    let what = progress
        .planned
        .as_ref()
        .map_or_else(|| "operation".to_owned(), |planned| format!("{}-{}", planned.kind, planned.app));
    let op = progress.op.as_ref().map_or("", |op| op.as_str().rsplit('-').next().unwrap_or_default());
    let spelled: String =
        format!("pitstop-{what}-{op}").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let words: Vec<&str> = spelled.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(120).collect()
}

/// The operation as such a file.
pub fn file(format: Format, progress: &Progress, palette: &Palette) -> String {
    match format {
        Format::Markdown => markdown::write(progress),
        Format::Json => json::write(progress),
        Format::Svg => svg::write(progress, palette),
    }
}

/// `deploy shop/web`, and what it changed: `web:v1 → web:v2`.
fn title(progress: &Progress) -> (String, Option<String>) {
    let Some(planned) = &progress.planned else { return ("operation".to_owned(), None) };
    let change = match (&planned.from, &planned.to) {
        (Some(from), Some(to)) if from != to => Some(format!("{from} → {to}")),
        (_, Some(to)) => Some(to.clone()),
        _ => None,
    };
    (format!("{} {}", planned.kind, planned.app), change)
}

/// How it stands, in a word or two.
fn outcome(progress: &Progress) -> &'static str {
    match progress.finished.as_ref().map(|finished| finished.outcome) {
        None => "running",
        Some(Outcome::Succeeded) => "succeeded",
        Some(Outcome::Failed) => "failed",
        Some(Outcome::Paused) => "paused on failure",
        Some(Outcome::Aborted) => "aborted",
        Some(Outcome::RolledBack) => "failed, rolled back",
        Some(Outcome::Interrupted) => "interrupted",
    }
}

/// `2026-11-22 12:04:31 UTC`
fn began(progress: &Progress) -> String {
    progress.began.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Milliseconds since the beginning at which it ended, or of its last event.
fn elapsed(progress: &Progress) -> u64 {
    progress.finished.as_ref().map_or(progress.elapsed_ms, |finished| finished.took_ms)
}

/// The word for an instance's verdict; one that took another's place has kept nothing.
fn verdict(progress: &Progress, instance: &InstanceProgress) -> &'static str {
    match instance.verdict {
        None => "",
        Some(super::identity::Verdict::Kept) if progress.is_new(instance) => "new",
        Some(verdict) => verdict.as_str(),
    }
}

/// `172.18.0.3`, or `172.18.0.3 → 172.18.0.7`.
fn addresses(instance: &InstanceProgress) -> String {
    match (instance.address_before(), instance.address_after()) {
        (Some(before), Some(after)) if before != after => format!("{before} → {after}"),
        (_, Some(address)) | (Some(address), None) => address.to_owned(),
        (None, None) => String::new(),
    }
}

/// Steps that say something: all of the main lane, and what of the undo lane was needed.
fn told(progress: &Progress) -> impl Iterator<Item = &StepProgressed> {
    progress.steps.iter().filter(|step| step.plan.lane == Lane::Main || step.started_ms.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_s_end_says_which_format_it_is() {
        for (name, format) in [("a.md", Format::Markdown), ("x/a.b.json", Format::Json), ("svg", Format::Svg)] {
            assert_eq!(Format::of(name), Ok(format), "{name}");
        }
        for name in ["", "a", "a.txt", "amd"] {
            assert!(Format::of(name).is_err(), "{name}");
        }
    }
}
