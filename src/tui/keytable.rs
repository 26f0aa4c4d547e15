//! The keymap as tables: what each key does, place by place.

use super::keymap::{Action, Keymap, SECTIONS};
use std::fmt::Write;

/// What a section is called.
fn heading(section: &str) -> &'static str {
    match section {
        "global" => "Everywhere",
        "move" => "Moving, everywhere",
        "fleet" => "In the fleet",
        "operation" => "In an operation",
        "logs" => "In a log",
        "history" => "In the history",
        "replay" => "In a record",
        "notices" => "Among notices",
        _ => "On an instance's page",
    }
}

/// All keys of a person's keymap (its name and text), or of the built-in one. The errors are sentences.
pub fn table(own: Option<(&str, &str)>, markdown: bool) -> Result<String, Vec<String>> {
    let map = own.map_or_else(|| Ok(Keymap::default()), |(name, text)| Keymap::parse(name, text))?;
    let mut out = String::new();
    if markdown {
        out.push_str("# Keys\n\nAs `pitstop keys --markdown` prints them. A file of your own is laid over these: [how](reference.md#keys).\n");
    }
    for section in SECTIONS {
        let rows: Vec<(Vec<&str>, Action)> = map.section(section);
        if !out.is_empty() {
            out.push('\n');
        }
        // A String takes all that is written to it.
        let _ = if markdown {
            writeln!(out, "## {}\n\n| keys | |\n|---|---|", heading(section))
        } else {
            writeln!(out, "{}", heading(section))
        };
        for (keys, action) in rows {
            let _ = if markdown {
                let keys: Vec<String> = keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
                writeln!(out, "| {} | {} |", keys.join(" "), action.help().replace('|', "\\|"))
            } else {
                writeln!(out, "  {:<16}{}", keys.join("  "), action.help())
            };
        }
    }
    Ok(out)
}
