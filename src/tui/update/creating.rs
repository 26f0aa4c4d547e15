//! Creating from a Compose file: the file, then its services, then the plan.

use super::super::creating::Services;
use super::super::engine::Engine;
use super::super::input::Line;
use super::super::message::Command;
use super::super::model::{Ask, Dialog, Model, Question};
use super::dialog;
use crate::domain::project::ProjectSpec;
use crate::engine::Request;
use crossterm::event::{KeyCode, KeyEvent};

/// What a directory has: the first is proposed. One that can't be read leaves what was offered.
pub fn files(model: &mut Model, files: Result<Vec<String>, String>) {
    let Some(Dialog::Ask(ask)) = &mut model.dialog else { return };
    if !matches!(ask.question, Question::File(_)) {
        return;
    }
    match files {
        Err(why) => ask.wrong = Some(why),
        Ok(files) => {
            // What was typed meanwhile stays.
            let asked = ask.line.text().is_empty() || ask.line.text().ends_with('/');
            if asked {
                let file = files.first().filter(|first| !first.ends_with('/'));
                ask.line = Line::new(file.map_or("", String::as_str));
            }
            ask.choices = files;
            ask.chosen = 0;
        }
    }
}

/// The file was read: its services are shown; or it was not.
pub fn loaded(model: &mut Model, project: Result<Box<ProjectSpec>, String>) {
    let Some(Dialog::Ask(Ask { question: Question::File(engine), .. })) = &model.dialog else { return };
    let engine = *engine;
    model.dialog = Some(match project {
        Ok(project) => {
            let fleet = model.engines.get(engine).and_then(Engine::fleet);
            Dialog::Services(Box::new(Services::new(engine, project, fleet)))
        }
        Err(message) => Dialog::Refused {
            title: "Cannot read the file".to_owned(),
            message,
            hint: Some("nothing was touched".to_owned()),
        },
    });
}

/// Keys while services are chosen.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let options = model.options.clone();
    let Some(Dialog::Services(services)) = &mut model.dialog else { return Vec::new() };
    services.wrong = None;
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => services.step(false),
        KeyCode::Down | KeyCode::Char('j') => services.step(true),
        KeyCode::Char(' ') => services.mark(),
        KeyCode::Char('*') => services.mark_all(),
        KeyCode::Char('+') | KeyCode::Right => services.scale(true),
        KeyCode::Char('-') | KeyCode::Left => services.scale(false),
        KeyCode::Enter => match services.chosen() {
            Err(wrong) => services.wrong = Some(wrong),
            Ok((names, scale)) => {
                let what = format!("create {}", services.project.name);
                let project = (*services.project).clone();
                let engine = services.engine;
                return dialog::plan(model, engine, Request::Create { project, services: names, scale, options }, what);
            }
        },
        _ => {}
    }
    Vec::new()
}
