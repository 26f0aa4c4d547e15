//! The line behind `:`: what completes it, what it does, and what it says when it is not understood.

use super::sample::{self, Course};
use super::screens::look;
use super::{press, running, showing, text};
use pitstop::config::settings::Settings;
use pitstop::domain::control::Order;
use pitstop::domain::fleet::FleetState;
use pitstop::engine::line::Grammar;
use pitstop::engine::{Listed, Request};
use pitstop::tui::engine::{Engine, EngineId};
use pitstop::tui::message::{Command, Msg};
use pitstop::tui::model::{Dialog, Model, Question, Screen};
use pitstop::tui::update::update;
use std::sync::LazyLock;

/// A console with a line, and the real grammar.
fn console(size: (u16, u16)) -> Model {
    let mut model = showing(size, FleetState::live(sample::fleet()));
    model.grammar = grammar();
    model
}

/// The real one, made once.
pub fn grammar() -> Grammar {
    static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| pitstop::cli::line::grammar(Settings::default()));
    GRAMMAR.clone()
}

/// Types a line and Enter; what was read comes back as from outside.
fn enter(model: &mut Model, line: &str) -> Vec<Command> {
    press(model, ":");
    press(model, line);
    let commands = press(model, "<enter>");
    let Some(Command::Read { ticket, line }) = commands.first() else { panic!("{commands:?}") };
    let said = (model.grammar.read)(line);
    update(model, Msg::Said { ticket: *ticket, said })
}

/// The line as it is typed.
fn line(model: &Model) -> &str {
    model.prompt.as_ref().unwrap().line.text()
}

#[test]
fn what_it_looks_like() {
    look("prompt", |size| {
        let mut model = console(size);
        press(&mut model, ":");
        model
    });
    look("prompt_values", |size| {
        let mut model = console(size);
        press(&mut model, ":restart <tab><tab><tab>");
        model
    });
    look("prompt_wrong", |size| {
        let mut model = console(size);
        enter(&mut model, "scale shop/web=many");
        model
    });
}

#[test]
fn tab_completes_what_the_console_knows() {
    for (typed, completed) in [
        (":dep<tab>", "deploy "),
        (":re<tab>", "restart"),
        (":re<tab><tab>", "replay"),
        (":ro<tab>", "rollback "),
        (":deploy we<tab>", "deploy shop/web "),
        (":deploy shop/web --im<tab>", "deploy shop/web --image "),
        (":deploy shop/web --image reg<tab>", "deploy shop/web --image registry.local:5000/shop/web:v2 "),
        (":deploy shop/web --gate f<tab>", "deploy shop/web --gate first "),
        (":deploy shop/web --gate=f<tab>", "deploy shop/web --gate=first "),
        (":scale we<tab>", "scale shop/web="),
        (":rollback shop/web --to <tab><tab>", "rollback shop/web --to 5"),
        (":logs shop/web-<tab>", "logs shop/web-1"),
        (":logs shop/web-4<tab>", "logs shop/web-4 "),
        (":adopt ci<tab>", "adopt ci-runner-7 "),
        (":deploy ci<tab>", "deploy ci"),
        (":theme da<tab>", "theme daylight "),
        (":help dep<tab>", "help deploy "),
        (":nonsense <tab>", "nonsense "),
    ] {
        let mut model = console((120, 36));
        press(&mut model, typed);
        assert_eq!(line(&model), completed, "{typed}");
    }
    let mut model = console((120, 36));
    press(&mut model, ":create -f x --file <esc>:");
    update(&mut model, Msg::Files(Ok(vec!["compose.yaml".into()])));
    press(&mut model, "deploy web --file c<tab>");
    assert_eq!(line(&model), "deploy web --file compose.yaml ");
}

#[test]
fn operations_are_completed_as_far_as_they_fit_the_verb() {
    let known = |id: &str| Listed {
        op: pitstop::domain::ids::OpId::new(id).unwrap(),
        read: Ok(sample::broken_off(id, "shop/web", 60)),
    };
    let mut model = running((120, 36), Course { until: Some(700), ..Course::default() });
    model.grammar = grammar();
    press(&mut model, ":");
    update(&mut model, Msg::History(Ok(vec![known("20261122-115200-aaaa01"), known("20261122-115300-bbbb02")])));
    press(&mut model, "show a<tab>");
    assert_eq!(line(&model), "show aaaa01 ");
    press(&mut model, "<esc>:pause <tab>");
    assert_eq!(line(&model), "pause 3f2a01 ", "only what runs");
}

#[test]
fn a_line_does_what_the_keys_do() {
    let mut model = console((120, 36));
    let commands = enter(&mut model, "deploy shop/web --image web:v9 --batch 2");
    let [Command::Plan { request, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert!(matches!(&**request, Request::Deploy { image: Some(image), .. } if image == "web:v9"));
    // What it was confirmed by grows with what it may break, as with keys.
    let ticket = model.ticket;
    update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) });
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(confirm)) if confirm.typed.is_some()));

    let mut model = console((120, 36));
    enter(&mut model, "create");
    assert!(matches!(&model.dialog, Some(Dialog::Ask(ask)) if matches!(ask.question, Question::File(_))));

    let mut model = console((120, 36));
    let commands = enter(&mut model, "logs shop/web-1 --since 10m");
    assert_eq!(model.screen, Screen::Logs);
    assert!(commands.iter().any(|command| matches!(command, Command::Log { wanted, .. } if wanted.since.is_some())));

    enter(&mut model, "filter !web");
    assert_eq!((model.screen.clone(), model.list.shown.filter.as_str()), (Screen::Fleet, "!web"));
    assert!(matches!(enter(&mut model, "history web")[..], [Command::History]));
    assert_eq!(model.history.as_ref().unwrap().filter, "app:web");
    enter(&mut model, "theme fjord");
    assert_eq!(model.look.theme.name, "fjord");
    assert!(matches!(enter(&mut model, "doctor")[..], [Command::Doctor(_)]));
    assert!(matches!(enter(&mut model, "context far")[..], [Command::Engines(_)]));
    update(&mut model, Msg::Switched(Ok(vec![Engine::new(EngineId(1), "far".into())])));
    assert!(model.fleet().is_none() && text(&model).contains("the engine of context far"));
    enter(&mut model, "help deploy");
    assert_eq!(model.screen, Screen::Reading);
    assert!(text(&model).contains("--image"), "{}", text(&model));
    assert!(matches!(enter(&mut model, "q")[..], [Command::Quit]));
}

#[test]
fn what_runs_is_told_here_or_elsewhere() {
    let mut model = running((120, 36), Course { until: Some(700), ..Course::default() });
    model.grammar = grammar();
    assert!(matches!(enter(&mut model, "pause")[..], [Command::Pause(_)]));
    assert!(matches!(enter(&mut model, "abort shop/web --leave")[..], [Command::Cancel(..)]));
    let commands = enter(&mut model, "go shop/api");
    assert!(matches!(&commands[..], [Command::Tell { op: Some(op), order: Order::Go }] if op == "shop/api"));
    update(&mut model, Msg::Told(Err("no operation `shop/api` of yours runs on this machine".into())));
    assert!(text(&model).contains("of yours runs"));
}

#[test]
fn what_is_wrong_is_said_and_the_line_stays() {
    for (typed, want) in [
        ("rolback web", "a similar verb exists: 'rollback'"),
        ("rm", "required arguments"),
        ("logs nothing", "`nothing`"),
        ("show nothing", "no record of an operation `nothing`"),
        ("resume", "nothing was left half-done"),
        ("theme pink", "there is no theme `pink`; there are default"),
        ("ps --json", "no use here"),
    ] {
        let mut model = console((120, 36));
        assert!(enter(&mut model, typed).is_empty(), "{typed}");
        assert_eq!(line(&model), typed);
        let shown = text(&model);
        assert!(shown.contains(want), "{typed}: {shown}");
        press(&mut model, "x");
        assert!(!text(&model).contains(want), "{typed}: what was wrong is forgotten when it is changed");
        press(&mut model, "<esc>");
        assert!(model.prompt.is_none());
    }
}

#[test]
fn a_console_that_only_reads_refuses_what_changes() {
    for typed in
        ["deploy web --image v2", "restart web", "rm web", "create", "resume", "abort web", "retry web", "pause"]
    {
        let mut model = console((120, 36));
        model.read_only = true;
        assert!(enter(&mut model, typed).is_empty(), "{typed}");
        assert!(text(&model).contains("read-only"), "{typed}");
    }
    let mut model = console((120, 36));
    model.read_only = true;
    enter(&mut model, "logs shop/web");
    assert_eq!(model.screen, Screen::Logs);
}

#[test]
fn earlier_lines_come_back() {
    let mut model = console((120, 36));
    assert!(press(&mut model, ":").iter().any(|command| matches!(command, Command::Lines)));
    update(&mut model, Msg::Lines(vec!["logs web".into(), "scale web=3".into(), "logs api".into()]));
    press(&mut model, "<up>");
    assert_eq!(line(&model), "logs api");
    press(&mut model, "<up><up><up><up>");
    assert_eq!(line(&model), "logs web");
    press(&mut model, "<down><down><down>");
    assert_eq!(line(&model), "");
    press(&mut model, "lo<up><up>");
    assert_eq!(line(&model), "logs web", "only what begins so");
    press(&mut model, "<down><down>");
    assert_eq!(line(&model), "lo");
    press(&mut model, "<esc>");
    let kept = |commands: &[Command]| commands.iter().any(|command| matches!(command, Command::KeepLine(_)));
    press(&mut model, ":doctor");
    assert!(kept(&press(&mut model, "<enter>")));
    press(&mut model, "<esc>:<space>doctor");
    assert!(!kept(&press(&mut model, "<enter>")), "as in a shell");
    // Nothing is asked for twice, and nothing is read twice.
    press(&mut model, "<esc>");
    assert!(!press(&mut model, ":").iter().any(|command| matches!(command, Command::Lines)));
    press(&mut model, "<up>");
    assert_eq!(line(&model), "doctor");
}

#[test]
fn pasted_text_is_typed_and_nothing_more() {
    let mut model = console((120, 36));
    press(&mut model, ":");
    update(&mut model, Msg::Paste("rm web\nquit\n".into()));
    assert!(line(&model).starts_with("rm web") && model.prompt.is_some() && model.dialog.is_none());
}

#[test]
fn contexts_are_completed() {
    let mut model = console((120, 36));
    press(&mut model, ":");
    update(&mut model, Msg::Contexts(vec!["default".into(), "prod-eu".into(), "prod-us".into()]));
    press(&mut model, "context p<tab>");
    assert_eq!(line(&model), "context prod-");
    press(&mut model, "u<tab>");
    assert_eq!(line(&model), "context prod-us ");
}
