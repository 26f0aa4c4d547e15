//! A theme's colours for files: whatever the terminal shows, a file has all of them.

use super::theme::{BUILT_IN, Depth, Role, Theme};
use super::view::tone_role;
use crate::domain::export::{Palette, Tone};
use ratatui::style::Color;

/// The colours of the theme of that name, whose text is given if it is the user's own; a theme without colours lends itself
/// to no picture, so the default stands for it. The errors are sentences.
pub fn named(name: Option<&str>, text: Option<&str>) -> Result<Palette, Vec<String>> {
    let name = name.unwrap_or("default");
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let Some(text) = text.or(built_in) else {
        return Err(vec![format!("there is no theme `{}`", crate::domain::clean::clean(name))]);
    };
    let theme = Theme::parse(name, text, Depth::True)?;
    Ok(if theme.colourful { of(&theme) } else { of(&Theme::standard(Depth::True)) })
}

fn of(theme: &Theme) -> Palette {
    let ground = hex(theme.style(Role::Base).bg).unwrap_or_else(|| "#ffffff".to_owned());
    let text = hex(theme.style(Role::Base).fg).unwrap_or_else(|| "#000000".to_owned());
    let colour = |role| hex(theme.style(role).fg).unwrap_or_else(|| text.clone());
    Palette {
        text: colour(Role::Text),
        title: colour(Role::Title),
        dim: colour(Role::Dim),
        rule: colour(Role::Rule),
        good: colour(Role::Good),
        warn: colour(Role::Warn),
        bad: colour(Role::Bad),
        ink: hex(theme.style(Role::InkOn).fg).unwrap_or_else(|| ground.clone()),
        tones: Tone::ALL.map(|tone| colour(tone_role(tone))),
        ground,
    }
}

/// A colour that says what it is; others are the terminal's own business.
fn hex(colour: Option<Color>) -> Option<String> {
    match colour {
        Some(Color::Rgb(r, g, b)) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_has_colours_for_files() {
        for (name, _) in BUILT_IN {
            let palette = named(Some(name), None).unwrap();
            assert!(palette.ground != palette.text, "{name}: {palette:?}");
            assert!(palette.tones.iter().all(|tone| *tone != palette.ground), "{name}: {palette:?}");
        }
        assert_eq!(named(Some("mono"), None), named(None, None));
        assert!(named(Some("neon"), None).is_err());
    }
}
