//! What keys do to the model, and what they ask to be done.

use super::sample::{self, Course};
use super::{clock, press, running, showing, text};
use pitstop::domain::event::{EventKind, Urgency};
use pitstop::domain::fleet::FleetState;
use pitstop::domain::options::{BatchSize, Gate, OnFailure};
use pitstop::engine::Request;
use pitstop::tui::message::{Command, Msg, Refusal};
use pitstop::tui::model::{Dialog, Model, Screen};
use pitstop::tui::rows::RowId;
use pitstop::tui::update::update;

fn wide() -> Model {
    showing((120, 36), FleetState::Live(sample::fleet()))
}

fn narrow() -> Model {
    showing((80, 24), FleetState::Live(sample::fleet()))
}

/// The row the cursor is on, in words.
fn cursor(model: &Model) -> String {
    match &model.list.cursor {
        Some(RowId::Unmanaged) => "unmanaged".into(),
        Some(id) => id.target().unwrap(),
        None => "nothing".into(),
    }
}

#[test]
fn the_cursor_moves_within_its_pane() {
    for (keys, wide_at, narrow_at) in [
        ("", "office/mail", "office/mail"),
        ("j", "shop/api", "office/mail-1"),
        ("jjj", "shop/web", "shop/api"),
        ("G", "blog/ghost", "blog-ghost-2"),
        ("Gg", "office/mail", "office/mail"),
        ("kkk", "office/mail", "office/mail"),
        ("j<tab>", "shop/api-1", "office/mail"),
        ("j<right>jj", "shop/api-3", "shop/api"),
        ("j<enter>jjjjj", "shop/api-3", "office/mail-1"),
        ("jjj<tab>j<tab>", "shop/web", "shop/api"),
        ("jjj<right>j<left>", "shop/web", "shop/api"),
        ("jjjj", "unmanaged", "shop/api-1"),
    ] {
        let (mut w, mut n) = (wide(), narrow());
        press(&mut w, keys);
        press(&mut n, keys);
        assert_eq!(cursor(&w), wide_at, "wide: {keys}");
        assert_eq!(cursor(&n), narrow_at, "narrow: {keys}");
    }
}

#[test]
fn the_selection_survives_updates() {
    let mut model = wide();
    press(&mut model, "jjj");
    let mut fleet = sample::fleet();
    fleet.apps.retain(|app| app.id.app != "mail");
    update(&mut model, Msg::Fleet(FleetState::Live(fleet.clone())));
    assert_eq!(cursor(&model), "shop/web");
    // Its row goes: the cursor stays at its place.
    fleet.apps.retain(|app| app.id.app != "web");
    update(&mut model, Msg::Fleet(FleetState::Live(fleet.clone())));
    assert_eq!(cursor(&model), "unmanaged");
    // An instance goes: the cursor stays among those of its app; the app goes: among the apps.
    let mut model = wide();
    press(&mut model, "j<tab>G");
    assert_eq!(cursor(&model), "shop/api-3");
    let mut fleet = sample::fleet();
    fleet.apps.iter_mut().find(|app| app.id.app == "api").unwrap().instances.pop();
    update(&mut model, Msg::Fleet(FleetState::Live(fleet.clone())));
    assert_eq!(cursor(&model), "shop/api-2");
    fleet.apps.retain(|app| app.id.app != "api");
    update(&mut model, Msg::Fleet(FleetState::Live(fleet)));
    assert!(matches!(model.list.cursor, Some(RowId::App(_))), "{:?}", model.list.cursor);
}

#[test]
fn the_filter_narrows_and_goes() {
    let mut model = wide();
    press(&mut model, "/WEB");
    assert_eq!((model.rows().len(), cursor(&model).as_str()), (1, "shop/web"));
    press(&mut model, "<enter>");
    assert_eq!(model.list.shown.filter, "WEB");
    press(&mut model, "<esc>");
    assert_eq!((model.list.shown.filter.as_str(), model.rows().len()), ("", 8));
    press(&mut model, "/!shop<enter>");
    assert!(model.rows().iter().all(|row| row.id().target().is_none_or(|name| !name.starts_with("shop"))));
    press(&mut model, "<esc>/red<esc>");
    assert_eq!(model.list.shown.filter, "");
    // By address, and by state.
    press(&mut model, "/172.18.0.11<enter>");
    assert_eq!(cursor(&model), "shop/api");
    press(&mut model, "<esc>/orphaned<enter>");
    assert_eq!((model.rows().len(), cursor(&model).as_str()), (1, "office/mail"));
}

#[test]
fn trouble_comes_first_when_asked() {
    let mut model = wide();
    press(&mut model, "g!g");
    assert_eq!(cursor(&model), "office/mail");
    press(&mut model, "j");
    assert_eq!(cursor(&model), "shop/api");
    press(&mut model, "!g");
    assert_eq!(cursor(&model), "office/mail");
}

#[test]
fn groups_fold() {
    let mut model = narrow();
    let all = model.rows().len();
    press(&mut model, "z");
    assert_eq!(model.rows().len(), all - 2);
    press(&mut model, "z");
    assert_eq!(model.rows().len(), all);
    press(&mut model, "Gz");
    assert_eq!(model.rows().len(), all - 2);
    press(&mut model, "kkz");
    assert_eq!(cursor(&model), "unmanaged");
}

fn request(commands: &[Command]) -> &Request {
    match commands {
        [Command::Plan { request, .. }] => request,
        other => panic!("no plan asked for: {other:?}"),
    }
}

#[test]
fn keys_ask_for_plans() {
    type Check<'a> = &'a dyn Fn(&Request) -> bool;
    let cases: [(&str, Check<'_>); 6] = [
        ("jjjr", &|r| matches!(r, Request::Restart { targets, .. } if *targets == ["shop/web"])),
        ("jjj<tab>jr", &|r| matches!(r, Request::Restart { targets, .. } if *targets == ["shop/web-2"])),
        (
            "jjj<tab><space><space>r",
            &|r| matches!(r, Request::Restart { targets, .. } if *targets == ["shop/web-1", "shop/web-2"]),
        ),
        ("jjjU", &|r| matches!(r, Request::Rollback { app, to: None, .. } if app == "shop/web")),
        ("jjjS7<enter>", &|r| matches!(r, Request::Scale { app, replicas: 7, .. } if app == "shop/web")),
        (
            "jjjD<backspace>3<enter>",
            &|r| matches!(r, Request::Deploy { image: Some(image), .. } if image == "registry.local:5000/shop/web:v3"),
        ),
    ];
    for (keys, want) in cases {
        let mut model = wide();
        let commands = press(&mut model, keys);
        assert!(want(request(&commands)), "{keys}: {commands:?}");
        assert!(matches!(model.dialog, Some(Dialog::Planning { .. })), "{keys}");
    }
}

#[test]
fn what_was_left_half_done_is_gone_on_with_or_taken_back() {
    let mut model = wide();
    assert!(press(&mut model, "R").is_empty() && press(&mut model, "A").is_empty(), "nothing was left");
    let web = sample::broken_off("20261122-115200-3f2a01", "shop/web", 720);
    let api = sample::broken_off("20261122-115300-3f2a02", "shop/api", 600);
    update(&mut model, Msg::LeftOpen(vec![web.clone(), api.clone()]));
    // The oldest, unless the cursor is on an app that has one of its own.
    let commands = press(&mut model, "R");
    assert!(matches!(request(&commands), Request::Resume { op, .. } if *op == web.op), "{commands:?}");
    press(&mut model, "<esc>j");
    let commands = press(&mut model, "A");
    assert!(matches!(request(&commands), Request::Abort { op, .. } if *op == api.op), "{commands:?}");
    press(&mut model, "<esc>");
    model.read_only = true;
    assert!(press(&mut model, "R").is_empty() && press(&mut model, "A").is_empty());
}

#[test]
fn volumes_go_only_when_the_name_is_typed() {
    for (typed, volumes) in [("", false), ("shop/web", true)] {
        let mut model = wide();
        let commands = press(&mut model, &format!("jjjX{typed}<enter>"));
        assert!(
            matches!(request(&commands), Request::Remove { volumes: v, .. } if *v == volumes),
            "{typed}: {commands:?}"
        );
    }
    let mut model = wide();
    assert!(press(&mut model, "jjjXweb<enter>").is_empty());
    assert!(matches!(&model.dialog, Some(Dialog::Ask(ask)) if ask.wrong.is_some()));
}

#[test]
fn what_needs_a_sandbox_is_refused_for_strangers() {
    for key in ["D", "S", "U", "X"] {
        let mut model = wide();
        assert!(press(&mut model, &format!("G{key}")).is_empty());
        let Some(Dialog::Refused { hint: Some(hint), .. }) = &model.dialog else { panic!("{key}: {:?}", model.dialog) };
        assert!(hint.contains("restart works"), "{hint}");
    }
}

#[test]
fn wrong_answers_are_said_where_they_are_typed() {
    for (keys, said) in [
        ("jjjS-1<enter>", "`-1` is not a number"),
        ("jjjS<enter>", "`` is not a number"),
        ("jjjD <enter>", ""),
        ("jjjD?<enter>", "is not an image reference"),
        ("C<enter>", "which file?"),
    ] {
        let mut model = wide();
        press(&mut model, keys);
        if said.is_empty() {
            continue;
        }
        let Some(Dialog::Ask(ask)) = &model.dialog else { panic!("{keys}: {:?}", model.dialog) };
        assert!(ask.wrong.as_ref().is_some_and(|wrong| wrong.contains(said)), "{keys}: {:?}", ask.wrong);
    }
}

/// A console that shows the plan of a deployment of four instances.
fn confirming() -> Model {
    let mut model = wide();
    press(&mut model, "jjjD<enter>");
    answer(&mut model, Ok(sample::deploy_plan()));
    model
}

fn answer(model: &mut Model, answer: Result<pitstop::domain::plan::Plan, Refusal>) -> Vec<Command> {
    let ticket = model.ticket;
    update(model, Msg::Planned { ticket, answer })
}

#[test]
fn what_runs_is_what_was_confirmed() {
    let mut model = confirming();
    assert!(press(&mut model, "<enter>").is_empty(), "four instances need their number typed");
    assert!(press(&mut model, "3<enter>").is_empty());
    assert!(matches!(press(&mut model, "<backspace>4<enter>")[..], [Command::Plan { .. }]));
    assert!(press(&mut model, "<enter><enter>").is_empty(), "it is being checked");
    assert!(matches!(answer(&mut model, Ok(sample::deploy_plan()))[..], [Command::Run(..)]));

    let mut model = confirming();
    press(&mut model, "4<enter>");
    let mut other = sample::deploy_plan();
    other.notes.push("something is new".into());
    assert!(answer(&mut model, Ok(other.clone())).is_empty(), "another plan is shown, not run");
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(c)) if c.changed && c.plan == other));

    let mut model = confirming();
    press(&mut model, "4<enter>");
    let no = Refusal { message: "locked".into(), hint: None };
    assert!(answer(&mut model, Err(no)).is_empty());
    assert!(matches!(model.dialog, Some(Dialog::Refused { .. })));
}

#[test]
fn late_and_pasted_answers_confirm_nothing() {
    let mut model = confirming();
    update(&mut model, Msg::Paste("4\n".into()));
    assert!(press(&mut model, "<enter>").is_empty());
    press(&mut model, "4<enter>");
    let ticket = model.ticket;
    press(&mut model, "<esc>");
    assert!(update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) }).is_empty());
    assert!(model.dialog.is_none());
}

#[test]
fn one_instance_needs_only_enter() {
    let mut model = wide();
    press(&mut model, "jjD<enter>");
    let mut plan = sample::deploy_plan();
    plan.batches.truncate(1);
    answer(&mut model, Ok(plan.clone()));
    assert!(matches!(press(&mut model, "<enter>")[..], [Command::Plan { .. }]));
    assert!(matches!(answer(&mut model, Ok(plan))[..], [Command::Run(..)]));
}

#[test]
fn operations_go_on_in_the_background() {
    let mut model = running((120, 36), Course { until: Some(300), ..Course::default() });
    assert!(matches!(model.screen, Screen::Operation(_)));
    assert!(matches!(press(&mut model, "p")[..], [Command::Pause(_)]));
    assert!(matches!(press(&mut model, "g")[..], [Command::Go(_)]));
    assert!(press(&mut model, "<esc>").is_empty());
    assert_eq!((&model.screen, model.running()), (&Screen::Fleet, 1));
    press(&mut model, "O");
    assert!(matches!(model.screen, Screen::Operation(_)));
    assert!(press(&mut model, "a<enter>").is_empty(), "Enter aborts nothing");
    assert!(matches!(press(&mut model, "f")[..], [Command::Cancel(_, Urgency::Finish)]));
    assert!(matches!(press(&mut model, "aa")[..], [Command::Cancel(_, Urgency::Abort)]));
}

#[test]
fn a_gate_says_what_was_seen_and_only_g_passes_it() {
    let mut model = super::at_a_gate((120, 36));
    let shown = text(&model);
    for said in
        ["batch 1 of 4 is done. Go on?", "web-1  172.18.0.3", "kept", "gap ", "serving: 1 new, 3 old", "next: web-2"]
    {
        assert!(shown.contains(said), "no {said:?} in\n{shown}");
    }
    assert!(press(&mut model, "<enter>y").is_empty());
    assert!(matches!(press(&mut model, "g")[..], [Command::Go(_)]));
    assert!(model.dialog.is_none());
    // Closed, it is opened again; somebody else's word closes it.
    press(&mut model, "p");
    assert!(matches!(model.dialog, Some(Dialog::Gate(_))));
    press(&mut model, "<esc>p");
    super::tell(&mut model, 2000, EventKind::Resumed { reason: "go, said anna@ops1".into() });
    assert!(model.dialog.is_none());

    let mut model = super::at_a_gate((120, 36));
    assert!(press(&mut model, "a<enter>").is_empty());
    assert!(text(&model).contains("put all back, those done as well"), "{}", text(&model));
    assert!(matches!(press(&mut model, "A")[..], [Command::Cancel(_, Urgency::AbortAll)]));
}

#[test]
fn what_did_not_go_well_is_tried_again() {
    let mut model = running((120, 36), Course { fails: Some("web-2"), ..Course::default() });
    assert!(text(&model).contains("R retry"), "{}", text(&model));
    assert!(
        matches!(&press(&mut model, "R")[..], [Command::Plan { request, .. }] if matches!(**request, Request::Retry { .. }))
    );
    let mut model = running((120, 36), Course::default());
    assert!(press(&mut model, "R").is_empty() && model.dialog.is_none());
    let mut model = running((120, 36), Course { fails: Some("web-2"), ..Course::default() });
    model.read_only = true;
    assert!(press(&mut model, "R").is_empty());
}

#[test]
fn a_rollout_is_chosen_before_it_is_confirmed() {
    let chosen = |keys: &str| {
        let mut model = confirming();
        let commands = press(&mut model, keys);
        let [Command::Plan { request, .. }] = &commands[..] else { panic!("{keys}: {commands:?}") };
        let Request::Deploy { options, .. } = &**request else { panic!("{request:?}") };
        options.clone()
    };
    assert_eq!(chosen("g").gate, Some(Gate::First));
    assert_eq!(chosen("f").on_failure, Some(OnFailure::Rollback));
    assert_eq!((chosen("+").batch, chosen("-").batch), (Some(BatchSize::Count(2)), Some(BatchSize::Count(1))));
}

#[test]
fn sessions_fall_and_who_serves_is_said() {
    use pitstop::domain::event::{PlannedStep, StepProgress, StepStarted};
    use pitstop::domain::plan::{Action, Lane};
    let mut model = running((120, 36), Course { until: Some(0), ..Course::default() });
    let mut planned = pitstop::domain::event::Planned::of(&sample::deploy_plan());
    let instance = planned.batches[0].first().cloned();
    let step = |step, action, needs| PlannedStep {
        step,
        instance: instance.clone(),
        batch: Some(1),
        action,
        needs,
        lane: Lane::Main,
        cause: "its sessions end before it is touched".into(),
    };
    planned.batches.truncate(1);
    planned.steps = vec![step(0, Action::Drain, vec![]), step(1, Action::Stop, vec![0])];
    super::tell(&mut model, 1, EventKind::Planned(planned));
    let started = StepStarted { step: 0, instance, batch: Some(1), action: Action::Drain, attempt: 1, waited_ms: 0 };
    super::tell(&mut model, 2, EventKind::StepStarted(started));
    for (ms, done, said) in [(3, 0, "12 → 12"), (4, 9, "12 → 3")] {
        let note = format!("{} sessions", 12 - done);
        super::tell(&mut model, ms, EventKind::StepProgress(StepProgress { step: 0, done, total: 12, note }));
        let shown = text(&model);
        assert!(shown.contains(&format!("draining {said}")) && shown.contains(&format!("sessions {said}")), "{shown}");
        assert!(shown.contains("SERVES") && shown.contains(" old "), "{shown}");
    }
}

#[test]
fn an_operation_that_was_locked_out_says_by_whom() {
    let mut model = wide();
    let refused = Refusal { message: "shop/web is locked by anna@ops1".into(), hint: Some("wait".into()) };
    update(&mut model, Msg::NotBegun(refused));
    assert!(matches!(&model.dialog, Some(Dialog::Refused { message, .. }) if message.contains("anna@ops1")));
    assert_eq!(model.running(), 0);
}

#[test]
fn an_engine_that_is_gone_is_counted_down_and_forgotten_when_it_is_back() {
    let mut model = running((120, 36), Course { until: Some(300), ..Course::default() });
    let mut event = sample::events(&sample::deploy_plan(), Course::default()).remove(0);
    (event.seq, event.elapsed_ms, event.kind) = (900, 1000, EventKind::EngineLost { grace_ms: 60_000 });
    clock(&mut model, 1000);
    update(&mut model, Msg::Op(event.clone()));
    clock(&mut model, 21_000);
    assert!(text(&model).contains("the engine is gone: waiting for it, 40"), "{}", text(&model));
    (event.seq, event.elapsed_ms, event.kind) = (901, 22_000, EventKind::EngineBack { after_ms: 21_000 });
    update(&mut model, Msg::Op(event));
    assert!(!text(&model).contains("the engine is gone"), "{}", text(&model));
}

#[test]
fn quitting_asks_only_while_operations_run() {
    assert!(matches!(press(&mut wide(), "q")[..], [Command::Quit]));
    assert!(press(&mut wide(), "<esc><esc><esc>").is_empty(), "Esc never quits");
    let mut model = running((120, 36), Course { until: Some(300), ..Course::default() });
    assert!(press(&mut model, "qq<enter>").is_empty());
    assert!(matches!(press(&mut model, "f")[..], [Command::Cancel(_, Urgency::Finish)]));
    let rest = sample::events(&sample::deploy_plan(), Course::default());
    let commands = update(&mut model, Msg::Op(rest.last().unwrap().clone()));
    assert!(matches!(commands[..], [Command::Quit]));
}

#[test]
fn an_operation_that_waits_for_its_lock_counts_as_running() {
    let waiting = || {
        let mut model = confirming();
        press(&mut model, "4<enter>");
        assert!(matches!(answer(&mut model, Ok(sample::deploy_plan()))[..], [Command::Run(..)]));
        assert!(press(&mut model, "q").is_empty(), "it asks before it leaves");
        assert!(press(&mut model, "f").is_empty(), "there is nothing to ask yet");
        model
    };
    let op = sample::events(&sample::deploy_plan(), Course::default())[0].op.clone();
    let commands = update(&mut waiting(), Msg::Began(op));
    assert!(matches!(commands[..], [Command::Cancel(_, Urgency::Finish)]));
    let refused = Refusal { message: "locked".into(), hint: None };
    assert!(matches!(update(&mut waiting(), Msg::NotBegun(refused))[..], [Command::Quit]));
}

#[test]
fn a_read_only_console_asks_for_nothing() {
    for key in ["r", "D", "C", "S", "U", "X"] {
        let mut model = wide();
        model.read_only = true;
        assert!(press(&mut model, &format!("jjj{key}")).is_empty());
        assert!(model.dialog.is_none() && model.notice.is_some(), "{key}");
    }
}
