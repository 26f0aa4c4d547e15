//! Which look fits this terminal, from what its variables say.
//!
//! Pure: variables come as a function. Decides colours, their number, and the set of symbols, once.

use super::glyphs::{ASCII, Glyphs, UNICODE};
use super::model::Look;
use super::theme::{BUILT_IN, Depth, Theme};

/// A theme asked for: its name, and its text if it is a user's own file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub theme: Option<String>,
    /// The user's file of that name.
    pub text: Option<String>,
    /// `--color always` or `never`; `None`: as the terminal and `NO_COLOR` say.
    pub colour: Option<bool>,
}

/// The look; the errors are sentences about the theme.
pub fn of(wanted: &Wanted, env: impl Fn(&str) -> Option<String>) -> Result<Look, Vec<String>> {
    let glyphs = glyphs(&env);
    if !is_coloured(wanted, &env) {
        return Ok(Look { theme: Theme::mono(), glyphs });
    }
    let depth = depth(&env);
    let theme = match (&wanted.theme, &wanted.text) {
        (None, _) => Theme::standard(depth),
        (Some(name), Some(text)) => Theme::parse(name, text, depth)?,
        (Some(name), None) => {
            if let Some((name, text)) = BUILT_IN.iter().find(|(known, _)| known == name) {
                Theme::parse(name, text, depth)?
            } else {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                return Err(vec![format!(
                    "there is no theme `{}`; built in are {}, yours are files in the themes directory",
                    crate::domain::clean::clean(name),
                    names.join(", ")
                )]);
            }
        }
    };
    Ok(Look { theme, glyphs })
}

/// Whether colours may be shown.
pub fn is_coloured(wanted: &Wanted, env: impl Fn(&str) -> Option<String>) -> bool {
    wanted.colour.unwrap_or_else(|| env("NO_COLOR").is_none_or(|value| value.is_empty()))
}

fn depth(env: impl Fn(&str) -> Option<String>) -> Depth {
    let term = env("TERM").unwrap_or_default();
    match env("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => Depth::True,
        _ if term.contains("direct") || term.contains("kitty") || term.contains("ghostty") => Depth::True,
        _ if term.contains("256color") || term.starts_with("alacritty") || term.starts_with("foot") => Depth::Indexed,
        _ => Depth::Basic,
    }
}

fn glyphs(env: impl Fn(&str) -> Option<String>) -> &'static Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_uppercase();
        locale.contains("UTF-8") || locale.contains("UTF8")
    });
    // The Linux console has UTF-8, but not these shapes.
    if utf8 && env("TERM").is_none_or(|term| term != "linux") { &UNICODE } else { &ASCII }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Role;
    use ratatui::style::Color;

    type Cases<'a, T> = &'a [(&'a [(&'a str, &'a str)], T)];

    fn look(vars: &[(&str, &str)]) -> Look {
        let env = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        of(&Wanted::default(), env).unwrap()
    }

    #[test]
    fn colours_follow_the_terminal() {
        let cases: Cases<Option<Color>> = &[
            (&[("COLORTERM", "truecolor")], Some(Color::Rgb(0x85, 0xc7, 0x9a))),
            (&[("TERM", "xterm-256color")], Some(Color::Indexed(114))),
            (&[("TERM", "linux")], Some(Color::Green)),
            (&[("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Some(Color::Reset)),
            (&[("COLORTERM", "truecolor"), ("NO_COLOR", "")], Some(Color::Rgb(0x85, 0xc7, 0x9a))),
        ];
        for (vars, want) in cases {
            assert_eq!(look(vars).theme.style(Role::Good).fg, *want, "{vars:?}");
        }
    }

    #[test]
    fn symbols_follow_the_locale() {
        let cases: Cases<bool> = &[
            (&[("LANG", "en_GB.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LC_ALL", ""), ("LANG", "de_DE.UTF-8")], true),
            (&[("LANG", "C.UTF-8"), ("TERM", "linux")], false),
            (&[], false),
        ];
        for (vars, unicode) in cases {
            assert_eq!(look(vars).glyphs == &UNICODE, *unicode, "{vars:?}");
        }
    }

    #[test]
    fn an_unknown_theme_is_an_error() {
        let wanted = Wanted { theme: Some("neon".into()), ..Wanted::default() };
        assert!(
            of(&wanted, |_| None).unwrap_err()[0]
                .starts_with("there is no theme `neon`; built in are default, daylight")
        );
    }
}
