//! Choosing a theme: what the cursor is on is worn at once.

use super::super::model::{Dialog, Model, Themes};
use super::super::theme::{Role, Theme};
use super::say;
use crossterm::event::{KeyCode, KeyEvent};

/// Opens the list, on the theme that is worn.
pub fn open(model: &mut Model) {
    if model.colourless {
        say(
            model,
            "this terminal shows no colours (NO_COLOR or --color never), so there is nothing to choose",
            Role::Warn,
        );
        return;
    }
    let chosen = model.all_themes().iter().position(|(name, _)| *name == model.look.theme.name).unwrap_or(0);
    model.dialog = Some(Dialog::Themes(Themes { chosen, before: model.look.theme.clone(), wrong: None }));
}

/// Up and down try, Enter keeps, anything that closes the list takes it back.
pub fn press(model: &mut Model, key: KeyEvent) {
    let Some(Dialog::Themes(themes)) = &model.dialog else { return };
    let last = model.all_themes().len().saturating_sub(1);
    let chosen = match key.code {
        KeyCode::Up | KeyCode::Char('k') => themes.chosen.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j' | 't') => (themes.chosen + 1).min(last),
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => last,
        KeyCode::Enter => {
            let name = model.look.theme.name.clone();
            model.dialog = None;
            return say(
                model,
                format!("{name} until you leave; to keep it: theme = \"{name}\" in config.toml"),
                Role::Good,
            );
        }
        _ => return,
    };
    let depth = model.look.theme.depth;
    let Some((name, text)) = model.all_themes().get(chosen).copied() else { return };
    let read = Theme::parse(name, text, depth);
    let Some(Dialog::Themes(themes)) = &mut model.dialog else { return };
    themes.chosen = chosen;
    match read {
        Ok(theme) => (model.look.theme, themes.wrong) = (theme, None),
        Err(wrong) => themes.wrong = wrong.into_iter().next(),
    }
}

/// Closed without a choice.
pub fn close(model: &mut Model) {
    if let Some(Dialog::Themes(themes)) = &model.dialog {
        model.look.theme = themes.before.clone();
    }
}
