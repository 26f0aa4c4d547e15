//! As Markdown: a sentence, the instances with their addresses, the steps with their times, what went wrong.

use super::super::duration::human;
use super::super::ids::InstanceName;
use super::super::progress::Progress;
use super::{addresses, began, elapsed, outcome, title, told, verdict};
use std::fmt::Write;

const SLOWEST: usize = 3;

pub fn write(progress: &Progress) -> String {
    let mut out = String::new();
    // Writing to a text can't fail.
    let _ = body(&mut out, progress);
    out
}

fn body(out: &mut String, progress: &Progress) -> std::fmt::Result {
    let (title, change) = title(progress);
    let change = change.map_or_else(String::new, |change| format!(": {}", words(&change)));
    writeln!(out, "# {}{change}\n", words(&title))?;
    let op = progress.op.as_ref().map_or("", |op| op.as_str());
    let (took, began) = (human(elapsed(progress)), began(progress));
    writeln!(out, "**{}** after {took} · {began} · operation `{op}`\n", outcome(progress))?;
    writeln!(out, "{}\n", words(&progress.summary()))?;
    if let Some(finished) = &progress.finished {
        if let Some(error) = &finished.error {
            writeln!(out, "**Error:** {}\n", words(error))?;
        }
        for line in &finished.state {
            writeln!(out, "- {}", words(line))?;
        }
        if !finished.state.is_empty() {
            writeln!(out)?;
        }
    }
    instances(out, progress)?;
    steps(out, progress)?;
    times(out, progress)
}

fn instances(out: &mut String, progress: &Progress) -> std::fmt::Result {
    if progress.instances.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Instances\n\n| instance | batch | address | verdict | gap | because |")?;
    writeln!(out, "|---|---:|---|---|---:|---|")?;
    for one in &progress.instances {
        let gap = one.gap.as_ref().map_or_else(String::new, |(ms, probe)| format!("{ms:.1} ms at {}", words(probe)));
        let cells = [words(&addresses(one)), verdict(progress, one).to_owned(), gap, words(&one.reasons.join("; "))];
        writeln!(out, "| {} | {} | {} |", words(one.name.short()), one.batch, cells.join(" | "))?;
    }
    writeln!(out)
}

fn steps(out: &mut String, progress: &Progress) -> std::fmt::Result {
    let critical = progress.critical_path();
    writeln!(out, "## Steps\n\n| at | instance | step | result | waited | took | said | because |")?;
    writeln!(out, "|---:|---|---|---|---:|---:|---|---|")?;
    for step in told(progress) {
        let time = |ms: Option<u64>| ms.map_or_else(String::new, human);
        let name = step.plan.instance.as_ref().map_or("", InstanceName::short);
        let action = step.plan.action.as_str();
        // What would have to be faster for the whole to be faster.
        let action = if critical.contains(&step.plan.step) { format!("**{action}**") } else { action.to_owned() };
        let waited = step.started_ms.map(|_| step.waited_ms);
        let said = step.error.as_ref().or(step.detail.as_ref()).map_or_else(String::new, |said| words(said));
        let cells = [time(step.started_ms), words(name), action, step.word().to_owned(), time(waited)];
        let rest = [time(step.took_ms), said, words(&step.plan.cause)];
        writeln!(out, "| {} | {} |", cells.join(" | "), rest.join(" | "))?;
    }
    writeln!(out)
}

fn times(out: &mut String, progress: &Progress) -> std::fmt::Result {
    let slowest = progress.slowest(SLOWEST).into_iter().map(|step| {
        let name = step.plan.instance.as_ref().map_or("all", InstanceName::short);
        format!("{} {} {}", words(name), step.plan.action.as_str(), human(step.took_ms.unwrap_or(0)))
    });
    let (critical, serial) = (human(progress.critical_ms()), human(progress.serial_ms()));
    writeln!(out, "Critical path (bold): {critical}. One after the other: {serial}.")?;
    writeln!(out, "Slowest: {}.", slowest.collect::<Vec<_>>().join(", "))
}

/// Text of others, so that it stays text: in a table's cell, too.
fn words(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '#' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}
