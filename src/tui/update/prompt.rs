//! Keys of the line behind `:`.
//!
//! A line is read outside, because it may name files; the prompt stays until it was understood, and says what was wrong.

use super::super::message::Command;
use super::super::model::Model;
use super::super::prompt::Prompt;
use super::said;
use crate::engine::line::Said;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Opens the line, and asks for what helps to complete it.
pub fn open(model: &mut Model) -> Vec<Command> {
    model.prompt = Some(Prompt::default());
    let mut commands = vec![Command::Files { directory: String::new() }, Command::History, Command::Contexts];
    if model.lines.is_none() {
        model.lines = Some(Vec::new());
        commands.push(Command::Lines);
    }
    commands
}

/// Takes a key.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let Some(mut prompt) = model.prompt.take() else { return Vec::new() };
    let ctrl_c = key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL;
    match key.code {
        KeyCode::Esc => return Vec::new(),
        _ if ctrl_c => return Vec::new(),
        // As an editor's: what is empty and deleted is closed.
        KeyCode::Backspace if prompt.line.text().is_empty() => return Vec::new(),
        KeyCode::Enter if prompt.line.text().trim().is_empty() => return Vec::new(),
        KeyCode::Enter => return enter(model, prompt),
        KeyCode::Tab => prompt.complete(model, true),
        KeyCode::BackTab => prompt.complete(model, false),
        KeyCode::Up | KeyCode::Down => {
            prompt.recall(model.lines.as_deref().unwrap_or_default(), key.code == KeyCode::Up);
        }
        _ => {
            prompt.line.press(key);
            (prompt.cycling, prompt.back, prompt.wrong) = (None, None, None);
        }
    }
    model.prompt = Some(prompt);
    Vec::new()
}

fn enter(model: &mut Model, mut prompt: Prompt) -> Vec<Command> {
    model.ticket += 1;
    (prompt.ticket, prompt.wrong, prompt.cycling, prompt.back) = (model.ticket, None, None, None);
    let line = prompt.line.text().to_owned();
    let mut commands = vec![Command::Read { ticket: prompt.ticket, line: line.trim().to_owned() }];
    // As in a shell, one that begins with a blank is not kept.
    if !line.starts_with(' ') {
        let kept = line.trim().to_owned();
        let lines = model.lines.get_or_insert_default();
        lines.retain(|other| *other != kept);
        lines.push(kept.clone());
        commands.push(Command::KeepLine(kept));
    }
    model.prompt = Some(prompt);
    commands
}

/// The line was read: what it asks for is done, or what is wrong with it is said.
pub fn said(model: &mut Model, ticket: u64, said: Result<Said, String>) -> Vec<Command> {
    let Some(prompt) = model.prompt.take_if(|prompt| prompt.ticket == ticket) else { return Vec::new() };
    let done = said.and_then(|said| said::done(model, &prompt, said));
    done.unwrap_or_else(|why| {
        model.prompt = Some(Prompt { wrong: Some(why), ..prompt });
        Vec::new()
    })
}
