//! Keys while a question is open, and the engine's answers to it.
//!
//! A plan is confirmed in two steps that the person sees as one: Enter asks for the plan again, and only when that is
//! the plan that was shown, it runs. So what is confirmed is what was read.

use super::super::engine::EngineId;
use super::super::input::Line;
use super::super::message::{Command, Refusal};
use super::super::model::{Ask, Confirm, Dialog, Model, Question};
use super::super::rows::AppKey;
use super::super::theme::Role;
use super::{bulk, columns, copy, creating, export, marks, say, themes};
use crate::domain::event::Urgency;
use crate::domain::options::{BatchSize, Gate, OnFailure};
use crate::domain::plan::{Kind, Plan};
use crate::domain::warm::Warm;
use crate::engine::Request;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Asks an engine for a plan, and shows that it is asked.
pub fn plan(model: &mut Model, engine: EngineId, request: Request, what: String) -> Vec<Command> {
    model.ticket += 1;
    let request = Box::new(request);
    model.dialog = Some(Dialog::Planning { what, engine, request: request.clone() });
    vec![Command::Plan { ticket: model.ticket, engine, request }]
}

/// Takes a key while a dialog is open.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if key.code == KeyCode::Esc || (key.code == KeyCode::Char('c') && key.modifiers == KeyModifiers::CONTROL) {
        themes::close(model);
        columns::close(model);
        model.dialog = None;
        model.ticket += 1;
        return Vec::new();
    }
    match &mut model.dialog {
        Some(Dialog::Themes(_)) => themes::press(model, key),
        Some(Dialog::Columns(_)) => return columns::press(model, key),
        Some(Dialog::Copy(_)) => return copy::press(model, key),
        Some(Dialog::Services(_)) => return creating::press(model, key),
        Some(Dialog::Ask(ask)) => match key.code {
            KeyCode::Enter => return answer(model),
            KeyCode::Up | KeyCode::Down if !ask.choices.is_empty() => {
                let last = ask.choices.len() - 1;
                ask.chosen =
                    if key.code == KeyCode::Up { ask.chosen.saturating_sub(1) } else { (ask.chosen + 1).min(last) };
                ask.line = Line::new(&ask.choices[ask.chosen]);
            }
            _ => {
                ask.wrong = None;
                ask.line.press(key);
            }
        },
        Some(Dialog::Confirm(_)) => return press_confirm(model, key),
        Some(Dialog::Bulk(_)) => return bulk::press(model, key),
        Some(Dialog::Refused { .. }) if key.code == KeyCode::Enter => model.dialog = None,
        Some(Dialog::Gate(id)) => match key.code {
            KeyCode::Char('g') => {
                let command = Command::Go(id.clone());
                model.dialog = None;
                return vec![command];
            }
            KeyCode::Char('a') => model.dialog = Some(Dialog::Abort(id.clone())),
            _ => {}
        },
        Some(Dialog::Abort(id)) => {
            let urgency = match key.code {
                KeyCode::Char('f') => Urgency::Finish,
                KeyCode::Char('a') => Urgency::Abort,
                KeyCode::Char('A') => Urgency::AbortAll,
                _ => return Vec::new(),
            };
            let command = Command::Cancel(id.clone(), urgency);
            model.dialog = None;
            return vec![command];
        }
        Some(Dialog::Quit) => match key.code {
            KeyCode::Char('f') => {
                model.dialog = None;
                model.leaving = true;
                say(model, "leaving as soon as the instances in flight are finished", Role::Warn);
                return cancel_all(model, Urgency::Finish);
            }
            KeyCode::Char('Q') => {
                let mut commands = cancel_all(model, Urgency::Leave);
                commands.push(Command::Quit);
                return commands;
            }
            _ => {}
        },
        _ => {}
    }
    Vec::new()
}

fn cancel_all(model: &Model, urgency: Urgency) -> Vec<Command> {
    model.operations.iter().filter(|op| op.is_running()).map(|op| Command::Cancel(op.id.clone(), urgency)).collect()
}

/// Enter in a line: what was typed becomes a request, or a sentence says what is wrong with it.
fn answer(model: &mut Model) -> Vec<Command> {
    if let Some(Dialog::Ask(Ask { question: Question::Images { .. } | Question::Counts { .. }, .. })) = &model.dialog {
        return answer_all(model);
    }
    if let Some(Dialog::Ask(Ask { question: Question::Export, line, .. })) = &model.dialog {
        let answer = export::answer(model, line.text().trim());
        return match (answer, &mut model.dialog) {
            (Ok(command), _) => vec![command],
            (Err(what), Some(Dialog::Ask(ask))) => wrong(ask, what),
            (Err(_), _) => Vec::new(),
        };
    }
    let options = model.options.clone();
    let Some(Dialog::Ask(ask)) = &mut model.dialog else { return Vec::new() };
    let text = ask.line.text().trim().to_owned();
    let (engine, request, what) = match &ask.question {
        Question::Image { app } => match crate::domain::ids::ImageRef::new(text.as_str()) {
            Ok(image) => {
                let (name, image) = (app.id.to_string(), Some(image.to_string()));
                (app.engine, Request::Deploy { app: name, image, project: None, options }, format!("deploy {}", app.id))
            }
            Err(error) => return wrong(ask, error.to_string()),
        },
        Question::Replicas { app, .. } => match text.parse::<u32>() {
            Ok(replicas) => {
                let what = format!("scale {} to {text}", app.id);
                (app.engine, Request::Scale { app: app.id.to_string(), replicas, options }, what)
            }
            Err(_) => return wrong(ask, format!("`{text}` is not a number of instances")),
        },
        Question::Images { .. } | Question::Counts { .. } | Question::Export => return Vec::new(),
        Question::File(_) if text.is_empty() => return wrong(ask, "which file?".to_owned()),
        Question::File(_) if text.ends_with('/') => return vec![Command::Files { directory: text }],
        Question::File(_) => return vec![Command::Load { path: text }],
        Question::Remove { apps } => {
            let names: Vec<String> = apps.iter().map(|app| app.id.to_string()).collect();
            let volumes = names.len() == 1 && text == names[0];
            let name = names.join(", ");
            if !volumes && !text.is_empty() {
                return wrong(ask, format!("leave it empty to keep the volumes, or type {name} to remove them too"));
            }
            let asked = marks::by_engine(apps.iter().map(|app| (app.engine, app.id.to_string())));
            let request = |apps| Request::Remove { apps, volumes, options: options.clone() };
            let requests = asked.into_iter().map(|(engine, apps)| (engine, request(apps))).collect();
            return bulk::plan_each(model, "remove", format!("remove {name}"), requests);
        }
    };
    plan(model, engine, request, what)
}

/// Enter in a line whose answer is for several apps.
fn answer_all(model: &mut Model) -> Vec<Command> {
    let Some(Dialog::Ask(ask)) = &model.dialog else { return Vec::new() };
    let text = ask.line.text().trim().to_owned();
    let (verb, requests) = match &ask.question {
        Question::Images { apps } => ("deploy", marks::deployments(model, apps, &text)),
        Question::Counts { apps } => {
            let replicas = text.parse::<u32>().map_err(|_| format!("`{text}` is not a number of instances"));
            let request = |replicas| {
                let options = || model.options.clone();
                let one = |app: &AppKey| {
                    (app.engine, Request::Scale { app: app.id.to_string(), replicas, options: options() })
                };
                apps.iter().map(one).collect()
            };
            ("scale", replicas.map(request))
        }
        _ => return Vec::new(),
    };
    match requests {
        Ok(requests) => bulk::plan(model, verb, requests),
        Err(what) => match &mut model.dialog {
            Some(Dialog::Ask(ask)) => wrong(ask, what),
            _ => Vec::new(),
        },
    }
}

fn wrong(ask: &mut Ask, what: String) -> Vec<Command> {
    ask.wrong = Some(what);
    Vec::new()
}

/// The engine has answered: a plan to confirm, a plan to compare, or a refusal. Late answers are for nobody.
pub fn planned(model: &mut Model, ticket: u64, answer: Result<Plan, Refusal>) -> Vec<Command> {
    if matches!(model.dialog, Some(Dialog::Bulk(_))) {
        return bulk::planned(model, ticket, answer);
    }
    if ticket != model.ticket {
        return Vec::new();
    }
    let (engine, request, what, shown) = match model.dialog.take() {
        Some(Dialog::Planning { engine, request, what }) => (engine, request, what, None),
        Some(Dialog::Confirm(confirm)) if confirm.checking => {
            let Confirm { engine, request, plan, .. } = *confirm;
            (engine, request, format!("{} {}", plan.kind, plan.app), Some(plan))
        }
        other => {
            model.dialog = other;
            return Vec::new();
        }
    };
    match (answer, shown) {
        (Err(Refusal { message, hint }), _) => {
            let title = format!("Cannot {what}{}", model.on(engine));
            model.dialog = Some(Dialog::Refused { title, message, hint });
            Vec::new()
        }
        (Ok(plan), Some(shown)) if plan == shown => {
            model.beginning += 1;
            vec![Command::Run { engine, plan: Box::new(plan), request }]
        }
        (Ok(plan), shown) => {
            let typed = must_type(&plan, &request, model.is_production(engine)).map(|wanted| (Line::default(), wanted));
            let changed = shown.is_some();
            let confirm = Confirm { engine, request, plan, typed, missed: false, scroll: 0, checking: false, changed };
            model.dialog = Some(Dialog::Confirm(Box::new(confirm)));
            Vec::new()
        }
    }
}

/// The engine, or somebody else's lock, did not let it begin.
pub fn not_begun(model: &mut Model, refusal: Refusal) -> Vec<Command> {
    let Refusal { message, hint } = refusal;
    model.beginning = model.beginning.saturating_sub(1);
    model.together = model.together.saturating_sub(1);
    if model.leaving && model.running() == 0 {
        return vec![Command::Quit];
    }
    model.dialog = Some(Dialog::Refused { title: "Not begun".to_owned(), message, hint });
    Vec::new()
}

/// What has to be typed grows with what may break: nothing for one instance, their number for many and in production, the
/// app's name for volumes. Creating breaks nothing.
fn must_type(plan: &Plan, request: &Request, production: bool) -> Option<String> {
    if matches!(request, Request::Remove { volumes: true, .. }) {
        return Some(plan.app.clone());
    }
    let instances = plan.batch_sizes().sum::<usize>();
    let counts = instances > 1 || (production && instances == 1);
    (counts && plan.kind != Kind::Create).then(|| instances.to_string())
}

/// Changes how a rollout is done, and asks for its plan anew. What is typed to confirm one is a number, so letters are free.
fn choose(model: &mut Model, key: KeyEvent) -> Option<Vec<Command>> {
    let Some(Dialog::Confirm(confirm)) = &model.dialog else { return None };
    let batches = matches!(key.code, KeyCode::Char('g' | 'f' | '+' | '-')) && confirm.is_rollout();
    let warmth = key.code == KeyCode::Char('w') && confirm.is_swap();
    if !(batches || warmth) || confirm.checking {
        return None;
    }
    let (plan, engine, mut request) = (&confirm.plan, confirm.engine, (*confirm.request).clone());
    let batch = plan.batch_sizes().max().unwrap_or(1);
    let options = request.options_mut();
    match key.code {
        KeyCode::Char('g') => {
            options.gate = Some(match plan.gate {
                Gate::Auto => Gate::First,
                Gate::First => Gate::Every,
                Gate::Every => Gate::Auto,
            });
        }
        KeyCode::Char('w') => {
            options.warm = Some(match options.warm {
                None | Some(Warm::Off) => Warm::Auto,
                Some(Warm::Auto) => Warm::Bind,
                Some(Warm::Bind) => Warm::Exclusive,
                Some(Warm::Exclusive) => Warm::Start,
                Some(Warm::Start) => Warm::Off,
            });
        }
        KeyCode::Char('f') if plan.kind != Kind::Rollback => {
            options.on_failure = Some(match plan.on_failure {
                OnFailure::Pause => OnFailure::Rollback,
                OnFailure::Rollback => OnFailure::Pause,
            });
        }
        KeyCode::Char('+') => options.batch = Some(BatchSize::Count(u32::try_from(batch + 1).unwrap_or(u32::MAX))),
        KeyCode::Char('-') => options.batch = Some(BatchSize::Count(u32::try_from(batch - 1).unwrap_or(1).max(1))),
        _ => return None,
    }
    let what = format!("{} {}", plan.kind, plan.app);
    Some(self::plan(model, engine, request, what))
}

fn press_confirm(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    if let Some(commands) = choose(model, key) {
        return commands;
    }
    let ticket = model.ticket + 1;
    let Some(Dialog::Confirm(confirm)) = &mut model.dialog else { return Vec::new() };
    match key.code {
        _ if confirm.checking => {}
        KeyCode::Up => confirm.scroll = confirm.scroll.saturating_sub(1),
        KeyCode::Down => confirm.scroll = (confirm.scroll + 1).min(500),
        KeyCode::Enter if confirm.plan.is_empty() => model.dialog = None,
        KeyCode::Enter => {
            let said = confirm.typed.as_ref().is_none_or(|(line, wanted)| line.text().trim() == wanted);
            if said {
                confirm.checking = true;
                let (engine, request) = (confirm.engine, confirm.request.clone());
                model.ticket = ticket;
                return vec![Command::Plan { ticket, engine, request }];
            }
            confirm.missed = true;
            // The next try begins anew.
            if let Some((line, _)) = &mut confirm.typed {
                *line = Line::default();
            }
        }
        _ => {
            if let Some((line, _)) = &mut confirm.typed {
                line.press(key);
                confirm.missed = false;
            }
        }
    }
    Vec::new()
}
