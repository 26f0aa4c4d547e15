//! What keys do to the model, and what they ask to be done.

use super::sample::{self, Course};
use super::{clock, heard, press, running, showing, text};
use pitstop::domain::event::{EventKind, Urgency};
use pitstop::domain::fleet::{Fleet, FleetState};
use pitstop::domain::options::{BatchSize, Gate, OnFailure};
use pitstop::domain::plan::Plan;
use pitstop::engine::Request;
use pitstop::tui::engine::EngineId;
use pitstop::tui::message::{Command, Msg, News, Refusal};
use pitstop::tui::model::{Dialog, Model, Screen};
use pitstop::tui::rows::RowId;
use pitstop::tui::update::update;
use std::sync::Arc;

fn wide() -> Model {
    showing((120, 36), FleetState::live(sample::fleet()))
}

fn narrow() -> Model {
    showing((80, 24), FleetState::live(sample::fleet()))
}

/// The row the cursor is on, in words.
fn cursor(model: &Model) -> String {
    match &model.list.cursor {
        Some(RowId::Group(_, name)) => name.clone(),
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
    heard(&mut model, News::Fleet(FleetState::live(fleet.clone())));
    assert_eq!(cursor(&model), "shop/web");
    // Its row goes: the cursor stays at its place.
    fleet.apps.retain(|app| app.id.app != "web");
    heard(&mut model, News::Fleet(FleetState::live(fleet.clone())));
    assert_eq!(cursor(&model), "unmanaged");
    // An instance goes: the cursor stays among those of its app; the app goes: among the apps.
    let mut model = wide();
    press(&mut model, "j<tab>G");
    assert_eq!(cursor(&model), "shop/api-3");
    let mut fleet = sample::fleet();
    fleet.apps.iter_mut().find(|app| app.id.app == "api").unwrap().instances.pop();
    heard(&mut model, News::Fleet(FleetState::live(fleet.clone())));
    assert_eq!(cursor(&model), "shop/api-2");
    fleet.apps.retain(|app| app.id.app != "api");
    heard(&mut model, News::Fleet(FleetState::live(fleet)));
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

#[test]
fn filters_have_fields_and_all_words_count() {
    let mut fleet = sample::fleet();
    let api = fleet.apps.iter_mut().find(|app| app.id.app == "api").unwrap();
    Arc::make_mut(api.instances[0].app.as_mut().unwrap()).labels = [("tier".into(), "Gold".into())].into();
    for (filter, apps, rows) in [
        ("label:tier", vec!["shop/api"], 2),
        ("-l tier=gold", vec!["shop/api"], 2),
        ("label:tier=silver", vec![], 0),
        ("state:failed", vec!["shop/api", "ci-runner-7"], 4),
        ("!state:ready", vec!["office/mail", "shop/api", "ci-runner-7", "blog/ghost"], 8),
        ("image:postgres", vec!["shop/db"], 1),
        ("held:loose !blog", vec!["redis"], 1),
        ("shop web-3", vec!["shop/web"], 2),
        ("shop nothing", vec![], 0),
    ] {
        let mut model = showing((80, 24), FleetState::live(fleet.clone()));
        press(&mut model, &format!("/{filter}<enter>"));
        let shown: Vec<String> = model
            .rows()
            .iter()
            .filter(|row| matches!(row, pitstop::tui::rows::Row::App(..)))
            .filter_map(|row| row.id().target())
            .collect();
        assert_eq!((shown, model.rows().len()), (apps.iter().map(ToString::to_string).collect(), rows), "{filter}");
    }
}

/// What containers of the sample take: the more, the later they come.
fn loads(model: &mut Model) {
    let fleet = model.fleet().unwrap().clone();
    let running = fleet.apps.iter().flat_map(|app| &app.instances).filter_map(|one| one.app.as_deref());
    let load = |n: u64| pitstop::domain::load::Load { cpu: Some(n * 37), memory: (30 - n) << 20, limit: 16 << 30 };
    let loads = running.filter(|app| app.is_running()).zip(1..).map(|(app, n)| (app.id.clone(), load(n))).collect();
    heard(model, News::Loads(loads));
}

#[test]
fn rows_are_sorted_by_any_column_and_turned_round() {
    let order = |keys: &str| {
        let mut model = wide();
        loads(&mut model);
        press(&mut model, keys);
        model.rows().iter().filter_map(|row| row.id().target()).collect::<Vec<_>>()
    };
    assert_eq!(order("N")[..4], ["shop/web", "shop/db", "shop/api", "office/mail"]);
    assert_eq!(order("NN")[..4], ["office/mail", "shop/api", "shop/db", "shop/web"]);
    assert_eq!(order("P")[0], "shop/web");
    assert_eq!(order("M")[0], "shop/web");
    assert_eq!(order("I")[0], "office/mail");
    assert_eq!(order("E")[0], "office/mail");
    assert_eq!(order("Y")[0], "office/mail", "what started last");
    assert_eq!(order(">>")[0], "shop/web", "by address, after by state");
    assert_eq!(order("P<"), order(">>>"), "the column before CPU is held");
    // In one list, instances are sorted as well, and the heading says by what.
    let mut model = narrow();
    loads(&mut model);
    press(&mut model, "PZ");
    press(&mut model, "w");
    assert!(text(&model).contains("CPU▾"), "{}", text(&model));
    press(&mut model, "P");
    assert!(text(&model).contains("CPU▴"), "{}", text(&model));
}

#[test]
fn projects_have_headings_that_fold() {
    let mut model = narrow();
    press(&mut model, "p");
    let heads = |model: &Model| {
        let rows = model.rows();
        let name = |row: &pitstop::tui::rows::Row<'_>| match row.id() {
            RowId::Group(_, name) => Some(name),
            _ => None,
        };
        (rows.iter().filter_map(name).collect::<Vec<_>>(), rows.len())
    };
    assert_eq!(heads(&model), (["blog", "office", "shop", "unmanaged"].map(String::from).to_vec(), 22));
    press(&mut model, "Z");
    assert_eq!(heads(&model).1, 4);
    assert!(matches!(model.list.cursor, Some(RowId::Group(..))), "{:?}", model.list.cursor);
    press(&mut model, "z");
    assert!(heads(&model).1 > 4);
    press(&mut model, "ZZp");
    assert_eq!(heads(&model).0, ["unmanaged"]);
}

#[test]
fn ranges_are_marked_and_their_number_is_always_said() {
    for (size, keys, marked) in
        [((120, 36), "j<right><space>jV", 3), ((80, 24), "jjjj<space>jV", 3), ((80, 24), "*", 14), ((120, 36), "*-", 0)]
    {
        let mut model = showing(size, FleetState::live(sample::fleet()));
        press(&mut model, keys);
        assert_eq!(model.list.marks.len(), marked, "{keys} {:?}", model.list.marks);
        let said = format!("{marked} marked");
        assert_eq!(text(&model).contains(&said), marked > 0, "{}", text(&model));
    }
    let mut model = wide();
    press(&mut model, "V");
    assert!(text(&model).contains("mark the first row"), "{}", text(&model));
}

#[test]
fn a_shell_opens_in_the_apps_container_and_nowhere_else() {
    for (keys, want) in [
        ("jjj<tab>je", Some("shop-web-2.r7")),
        ("jjje", Some("shop-web-1.r7")),
        ("je", Some("shop-api-1.r41")),
        ("j<tab>jje", None),
    ] {
        let mut model = wide();
        let commands = press(&mut model, keys);
        match (&commands[..], want) {
            ([Command::Shell { container, .. }], Some(name)) => assert_eq!(*container, sample::id(name), "{keys}"),
            ([], None) => assert!(text(&model).contains("shop/api-3 does not run"), "{}", text(&model)),
            other => panic!("{keys}: {other:?}"),
        }
    }
    let mut model = wide();
    model.read_only = true;
    assert!(press(&mut model, "jjje").is_empty());
    for (how, said) in [
        (Ok(Some(127)), "has no shell"),
        (Ok(Some(3)), "ended with 3"),
        (Ok(Some(0)), "back from shop/web-1"),
        (Err("the engine is gone".into()), "the engine is gone"),
    ] {
        let mut model = wide();
        update(&mut model, Msg::ShellEnded { name: "shop/web-1".into(), how });
        assert!(text(&model).contains(said), "{said}: {}", text(&model));
    }
}

#[test]
fn a_theme_is_worn_as_soon_as_the_cursor_is_on_it() {
    let mut model = wide();
    model.themes =
        vec![("mine".into(), "[roles]\ngood = \"#00ff00\"\n".into()), ("torn".into(), "[roles]\ngood = 3\n".into())];
    let before = model.look.theme.clone();
    press(&mut model, "tj");
    assert_eq!(model.look.theme.name, "daylight");
    press(&mut model, "<esc>");
    assert_eq!(model.look.theme, before);
    press(&mut model, "tjjj<enter>");
    assert_eq!((model.look.theme.name.as_str(), model.dialog.is_none()), ("fjord", true));
    assert!(text(&model).contains("theme = \"fjord\""), "how to keep it: {}", text(&model));
    press(&mut model, "t<end><up>");
    assert_eq!(model.look.theme.name, "mine");
    press(&mut model, "<down>");
    assert!(text(&model).contains("torn:2:"), "what is wrong is said: {}", text(&model));
    assert_eq!(model.look.theme.name, "mine", "and what is wrong is not worn");
    let mut model = wide();
    model.colourless = true;
    press(&mut model, "t");
    assert!(model.dialog.is_none() && text(&model).contains("NO_COLOR"), "{}", text(&model));
}

/// Answers every plan asked for with its own.
fn answered(
    model: &mut Model,
    commands: &[Command],
    answer: impl Fn(&Request) -> Result<Plan, Refusal>,
) -> Vec<Command> {
    let asked: Vec<(u64, Request)> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Plan { ticket, request, .. } => Some((*ticket, (**request).clone())),
            _ => None,
        })
        .collect();
    asked
        .into_iter()
        .flat_map(|(ticket, request)| update(model, Msg::Planned { ticket, answer: answer(&request) }))
        .collect()
}

/// A plan of so many instances.
fn plan_of(request: &Request, instances: usize) -> Plan {
    let mut plan = sample::deploy_plan();
    plan.app = request.subject();
    plan.batches.truncate(instances);
    plan
}

#[test]
fn marked_apps_are_deployed_each_by_its_own_plan() {
    let mut model = wide();
    press(&mut model, "j<space>j<space>");
    let commands = press(&mut model, "D9<enter>");
    let images: Vec<_> = commands
        .iter()
        .map(|command| match command {
            Command::Plan { request, .. } => match &**request {
                Request::Deploy { app, image: Some(image), .. } => format!("{app} {image}"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(images, ["shop/api shop/api:9", "shop/web registry.local:5000/shop/web:9"]);
    let no = Refusal { message: "shop/api is locked by anna@ops1".into(), hint: None };
    let answer = |request: &Request| {
        if request.subject() == "shop/api" { Err(no.clone()) } else { Ok(plan_of(request, 3)) }
    };
    assert!(answered(&mut model, &commands, answer).is_empty());
    let shown = text(&model);
    assert!(shown.contains("locked by anna@ops1") && shown.contains("type 3 to run all"), "{shown}");
    assert!(press(&mut model, "<enter>2<enter>").is_empty(), "the number has to be right");
    let commands = press(&mut model, "<backspace>3<enter>");
    assert_eq!(commands.len(), 2, "all are checked again");
    let runs = answered(&mut model, &commands, answer);
    assert!(matches!(&runs[..], [Command::Run { plan, .. }] if plan.app == "shop/web"), "{runs:?}");
    assert_eq!((model.running(), &model.screen), (1, &Screen::Fleet));
    // It goes on in the background.
    let op = sample::events(&sample::deploy_plan(), Course::default())[0].op.clone();
    update(&mut model, Msg::Began(EngineId::default(), op));
    assert_eq!(model.screen, Screen::Fleet);
}

#[test]
fn several_plans_that_have_changed_are_shown_again() {
    let mut model = wide();
    press(&mut model, "j<space>j<space>");
    let commands = press(&mut model, "S6<enter>");
    answered(&mut model, &commands, |request| Ok(plan_of(request, 2)));
    let commands = press(&mut model, "4<enter>");
    assert!(answered(&mut model, &commands, |request| Ok(plan_of(request, 3))).is_empty());
    assert!(
        text(&model).contains("The fleet has changed since") && text(&model).contains("type 6"),
        "{}",
        text(&model)
    );
    assert!(press(&mut model, "<esc>").is_empty() && model.dialog.is_none());
}

#[test]
fn what_is_done_loses_its_mark_and_what_failed_keeps_it() {
    let mut model = wide();
    press(&mut model, "jjj<tab>*");
    assert_eq!(model.list.marks.len(), 4);
    let events = sample::events(&sample::deploy_plan(), Course { fails: Some("web-2"), ..Course::default() });
    update(&mut model, Msg::Began(EngineId::default(), events[0].op.clone()));
    for event in events {
        update(&mut model, Msg::Op(event));
    }
    let left: Vec<String> = model.list.marks.iter().filter_map(RowId::target).collect();
    assert_eq!(left, ["shop/web-2", "shop/web-3", "shop/web-4"], "web-1 is done");
}

#[test]
fn only_what_is_on_screen_is_measured() {
    let watched = |keys: &str, size| {
        let mut model = showing(size, FleetState::live(sample::fleet()));
        press(&mut model, keys);
        pitstop::tui::view::watched(&model).len()
    };
    assert_eq!(watched("jjj", (120, 36)), 4, "the app's instances");
    assert_eq!(watched("", (80, 24)), 12, "all that run");
    assert_eq!(watched("", (80, 10)), 4, "rows in view");
    assert_eq!(watched("?", (80, 24)), 0);
    assert_eq!(watched("P", (120, 36)), 12, "sorting by load needs all");
    let mut model = wide();
    heard(&mut model, News::Fleet(FleetState::Loading));
    assert!(pitstop::tui::view::watched(&model).is_empty());
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
    heard(&mut model, News::LeftOpen(vec![web.clone(), api.clone()]));
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

fn answer(model: &mut Model, answer: Result<Plan, Refusal>) -> Vec<Command> {
    let ticket = model.ticket;
    update(model, Msg::Planned { ticket, answer })
}

#[test]
fn what_runs_is_what_was_confirmed() {
    let mut model = confirming();
    assert!(press(&mut model, "<enter>").is_empty(), "four instances need their number typed");
    assert!(press(&mut model, "3<enter>").is_empty());
    assert!(text(&model).contains("that is not 4"), "{}", text(&model));
    press(&mut model, "<left>");
    assert!(!text(&model).contains("that is not 4"));
    press(&mut model, "<right>");
    assert!(matches!(press(&mut model, "<backspace>4<enter>")[..], [Command::Plan { .. }]));
    assert!(press(&mut model, "<enter><enter>").is_empty(), "it is being checked");
    assert!(matches!(answer(&mut model, Ok(sample::deploy_plan()))[..], [Command::Run { .. }]));

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
    assert!(matches!(answer(&mut model, Ok(plan))[..], [Command::Run { .. }]));
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
        assert!(matches!(answer(&mut model, Ok(sample::deploy_plan()))[..], [Command::Run { .. }]));
        assert!(press(&mut model, "q").is_empty(), "it asks before it leaves");
        assert!(press(&mut model, "f").is_empty(), "there is nothing to ask yet");
        model
    };
    let op = sample::events(&sample::deploy_plan(), Course::default())[0].op.clone();
    let commands = update(&mut waiting(), Msg::Began(EngineId::default(), op));
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

#[test]
fn what_the_settings_say_counts_here_too() {
    let mut model = wide();
    model.options.batch = Some(BatchSize::Count(3));
    let batch = |commands: Vec<Command>| match commands.into_iter().next() {
        Some(Command::Plan { mut request, .. }) => request.options_mut().batch.map(|batch| batch.to_string()),
        other => panic!("{other:?}"),
    };
    press(&mut model, "jjj");
    let asked = press(&mut model, "D<enter>");
    assert_eq!(batch(asked).as_deref(), Some("3"));
    press(&mut model, "<esc>");
    let asked = press(&mut model, "U");
    assert_eq!(batch(asked).as_deref(), Some("3"));
    press(&mut model, "<esc>");
    let asked = press(&mut model, "r");
    assert_eq!(batch(asked).as_deref(), Some("3"));
}

#[test]
fn secrets_are_shown_by_a_key_and_hidden_when_the_page_is_left() {
    let mut model = wide();
    press(&mut model, "jjj<tab>");
    let asked = press(&mut model, "i");
    assert!(matches!(&asked[..], [Command::Inspect { app: Some(_), sandbox: Some(_), .. }]), "{asked:?}");
    let ticket = model.ticket;
    update(&mut model, Msg::Inspected { ticket, seen: Box::new(sample::inspected()) });
    let shows = |model: &Model| text(model).contains("hush");
    assert!(!shows(&model) && text(&model).contains("Connection refused"));
    // The cursor's variable alone, then all.
    press(&mut model, "Gx");
    assert!(shows(&model) && !text(&model).contains("PORT=8080"));
    press(&mut model, "x");
    assert!(!shows(&model));
    press(&mut model, "X");
    assert!(shows(&model) && text(&model).contains("PORT=8080"));
    // In the engine's own words, too.
    press(&mut model, "i/TOKEN<enter>");
    assert!(shows(&model), "{}", text(&model));
    press(&mut model, "X");
    assert!(!shows(&model) && text(&model).contains("TOKEN=********"));
    press(&mut model, "X<esc><esc><esc>i");
    assert!(matches!(model.screen, Screen::Instance(..)) && !shows(&model));
    press(&mut model, "i");
    // An answer to the page that was open before is for nobody.
    update(&mut model, Msg::Inspected { ticket, seen: Box::new(sample::inspected()) });
    assert!(text(&model).contains("asking the engine"));
}

#[test]
fn the_page_of_an_instance_opens_its_own_log_whatever_is_marked() {
    let mut model = wide();
    press(&mut model, "j<space>j<tab>i");
    let Screen::Instance(_, name) = model.screen.clone() else { panic!("{:?}", model.screen) };
    press(&mut model, "l");
    assert_eq!(model.logs.as_ref().unwrap().title, name.0);
}

#[test]
fn an_open_page_asks_again_and_its_search_goes_round() {
    let mut model = wide();
    press(&mut model, "jjj<tab>i");
    let ticket = model.ticket;
    update(&mut model, Msg::Inspected { ticket, seen: Box::new(sample::inspected()) });
    let late = |ms| Msg::Clock { wall: sample::now(), now: std::time::Duration::from_millis(ms) };
    assert!(update(&mut model, late(4_000)).is_empty());
    assert!(matches!(&update(&mut model, late(5_000))[..], [Command::Inspect { .. }]));
    press(&mut model, "i/\"Pid\"<enter>");
    let first = model.page.as_ref().unwrap().cursor;
    press(&mut model, "n");
    let second = model.page.as_ref().unwrap().cursor;
    assert!(second > first);
    press(&mut model, "n");
    assert_eq!(model.page.as_ref().unwrap().cursor, first);
    press(&mut model, "N/(<enter>");
    assert!(text(&model).contains("not a regular expression"));
    press(&mut model, "<esc>/nowhere<enter>");
    assert!(text(&model).contains("not found"));
}

/// Presses a key with ctrl.
fn ctrl(model: &mut Model, c: char) -> Vec<Command> {
    let key =
        crossterm::event::KeyEvent::new(crossterm::event::KeyCode::Char(c), crossterm::event::KeyModifiers::CONTROL);
    update(model, Msg::Key(key))
}

#[test]
fn what_is_under_the_cursor_is_copied_and_said() {
    let cases = [
        ("jjj<tab>yn", "shop/web-1"),
        ("jjj<tab>ya", "172.18.0.3"),
        ("jjj<tab>yi", "registry.local:5000/shop/web:v2"),
        ("jjj<tab>yc", sample::id("shop-web-1.r7").as_str().to_owned().leak()),
        ("jjj<tab>ys", sample::id("shop-web-1").as_str().to_owned().leak()),
        ("jjjyn", "shop/web"),
        ("jjjya", "172.18.0.3 172.18.0.4 172.18.0.5 172.18.0.6"),
        // What is masked is copied masked.
        ("jjj<tab>iGyy", "TOKEN=********"),
        ("jjj<tab>iGxyy", "TOKEN=hush"),
    ];
    for (keys, wanted) in cases {
        let mut model = wide();
        let commands = press(&mut model, keys);
        let copied = commands.iter().find_map(|command| match command {
            Command::Copy(text) => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(copied, Some(wanted), "{keys}");
        assert!(text(&model).contains(&format!("copied the {}", copied_what(&model))), "{keys}: {}", text(&model));
        assert!(model.dialog.is_none());
    }
    let mut model = wide();
    let line = press(&mut model, "jjj<tab>yy");
    let [Command::Copy(line)] = &line[..] else { panic!("{line:?}") };
    assert!(line.starts_with("web-1  ● ready  172.18.0.3  ✓ held"), "{line}");
    // A letter that means nothing keeps asking; a heading has nothing.
    assert!(press(&mut model, "yq").is_empty() && matches!(model.dialog, Some(Dialog::Copy(_))));
    press(&mut model, "<esc>");
    let mut model = wide();
    assert!(press(&mut model, "jjjjy").is_empty());
    assert!(text(&model).contains("nothing to copy here"));
}

fn copied_what(model: &Model) -> String {
    let said = &model.notice.as_ref().unwrap().text;
    said.strip_prefix("copied the ").unwrap().split(':').next().unwrap().to_owned()
}

#[test]
fn an_operation_is_saved_as_its_name_says_and_nothing_is_overwritten() {
    let mut model = running((120, 36), Course::default());
    for (downs, ending, begins) in [
        ("", "md", "# deploy shop/web: registry.local:5000/shop/web:v2 → "),
        ("<down>", "json", "{\n"),
        ("<down><down>", "svg", "<svg "),
        ("<down><down><down>", "txt", " pitstop "),
    ] {
        assert!(ctrl(&mut model, 's').is_empty());
        let commands = press(&mut model, &format!("{downs}<enter>"));
        let [Command::Save { path, text }] = &commands[..] else { panic!("{ending}: {commands:?}") };
        assert_eq!(*path, format!("pitstop-deploy-shop-web-3f2a01.{ending}"));
        assert!(text.starts_with(begins), "{ending}: {text}");
        // The name is taken: said, and another one may be typed.
        update(&mut model, Msg::Saved(Err("it is there already".into())));
        assert!(super::text(&model).contains("it is there already"));
        let commands = press(&mut model, &format!("{}other.{ending}<enter>", "<backspace>".repeat(path.len())));
        assert!(matches!(&commands[..], [Command::Save { path, .. }] if *path == format!("other.{ending}")));
        update(&mut model, Msg::Saved(Ok(format!("other.{ending}"))));
        assert!(model.dialog.is_none() && super::text(&model).contains("saved to other."));
    }
    ctrl(&mut model, 's');
    assert!(press(&mut model, "x<enter>").is_empty());
    assert!(text(&model).contains("should end in .md, .json or .svg,"), "{}", text(&model));
}

#[test]
fn a_screen_is_saved_whole_and_without_its_hints() {
    let mut model = narrow();
    ctrl(&mut model, 's');
    let commands = press(&mut model, "<enter>");
    let [Command::Save { path, text }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(path, "pitstop-fleet-20261122-120431.txt");
    assert!(text.contains("ci-runner-7") && text.contains("office/mail"), "{text}");
    assert!(!text.contains("q quit") && !text.contains("Save"), "{text}");
    // A page of secrets is saved as it is shown.
    let mut model = wide();
    press(&mut model, "jjj<tab>i");
    ctrl(&mut model, 's');
    let commands = press(&mut model, "<enter>");
    let [Command::Save { text, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert!(text.contains("TOKEN=********"));
}

#[test]
fn a_lost_engine_leaves_the_last_fleet_and_counts_down_to_the_next_try() {
    let lost = |since: &str, fleet: Option<Fleet>| FleetState::Stale {
        fleet: fleet.map(Into::into),
        since: since.parse().unwrap(),
        error: "connection refused".into(),
        retry_in: std::time::Duration::from_secs(4),
    };
    let mut model = wide();
    press(&mut model, "jjj");
    clock(&mut model, 10_000);
    heard(&mut model, News::Fleet(lost("2026-11-22T12:04:19Z", Some(sample::fleet()))));
    for (ms, said) in
        [(10_000, "next try in 4 s"), (12_500, "next try in 2 s"), (14_000, "trying now"), (20_000, "trying now")]
    {
        clock(&mut model, ms);
        assert!(text(&model).contains(said), "{ms}: {}", text(&model));
    }
    assert!(text(&model).contains("lost since 12:04:19: connection refused"));
    // A watch that was begun anew knows no fleet and no beginning: both are kept, and the cursor.
    heard(&mut model, News::Fleet(lost("2026-11-22T12:04:29Z", None)));
    assert_eq!(cursor(&model), "shop/web");
    assert!(
        text(&model).contains("lost since 12:04:19") && text(&model).contains("stale for 12 s"),
        "{}",
        text(&model)
    );
    // Restarting makes no sense now, so its key tries, too.
    for key in ["r", "ctrl-r"] {
        let commands = if key == "r" { press(&mut model, "r") } else { ctrl(&mut model, 'r') };
        assert!(matches!(&commands[..], [Command::Resync]), "{key}: {commands:?}");
        assert!(text(&model).contains("trying now"));
        heard(&mut model, News::Fleet(lost("2026-11-22T12:04:29Z", None)));
    }
    heard(&mut model, News::Fleet(FleetState::live(sample::fleet())));
    assert!(text(&model).contains("the engine is back after 12 s"), "{}", text(&model));
    assert_eq!(cursor(&model), "shop/web");
    // Never reached: no fleet is made up.
    let mut model = super::console((80, 24));
    heard(&mut model, News::Fleet(lost("2026-11-22T12:04:19Z", None)));
    assert!(model.fleet().is_none() && text(&model).contains("No Docker Engine answers"));
}

#[test]
fn a_file_is_found_and_of_its_services_what_is_marked_is_planned() {
    let mut model = wide();
    let asked = press(&mut model, "C");
    assert!(matches!(&asked[..], [Command::Files { directory }] if directory.is_empty()), "{asked:?}");
    let here = ["compose.yaml", "other.yml", "../", "apps/"].map(str::to_owned).to_vec();
    update(&mut model, Msg::Files(Ok(here)));
    // A directory is opened, and one that can't be read is said.
    let asked = press(&mut model, "<down><down><down><enter>");
    assert!(matches!(&asked[..], [Command::Files { directory }] if directory == "apps/"), "{asked:?}");
    update(&mut model, Msg::Files(Err("apps/ cannot be read: permission denied".into())));
    assert!(text(&model).contains("permission denied"));
    press(&mut model, "<up><enter>");
    update(&mut model, Msg::Files(Ok(vec!["apps/compose.yaml".into(), "./".into()])));
    let asked = press(&mut model, "<enter>");
    assert!(matches!(&asked[..], [Command::Load { path }] if path == "apps/compose.yaml"), "{asked:?}");
    update(&mut model, Msg::Loaded(Ok(Box::new(sample::project()))));
    assert!(text(&model).contains("Create shop  3 of 3 services"), "{}", text(&model));
    assert!(press(&mut model, "*<enter>").is_empty());
    assert!(text(&model).contains("mark at least one service"), "{}", text(&model));
    let asked = press(&mut model, "<space><space>++<enter>");
    let [Command::Plan { request, .. }] = &asked[..] else { panic!("{asked:?}") };
    let Request::Create { project, services, scale, .. } = &**request else { panic!("{request:?}") };
    // All are marked again: no names are needed.
    assert_eq!((project.name.as_str(), services.len()), ("shop", 0));
    assert_eq!(*scale, [("cache".to_owned(), 3)]);
}

#[test]
fn columns_are_chosen_seen_at_once_and_kept() {
    let mut model = wide();
    press(&mut model, "jjjw");
    let heading = |model: &Model| text(model).lines().find(|line| line.contains("APP / INSTANCE")).unwrap().to_owned();
    assert!(heading(&model).contains("HELD") && heading(&model).contains("PORTS"));
    press(&mut model, "cj<space>");
    assert!(!heading(&model).contains("HELD"), "{}", text(&model));
    press(&mut model, "<esc>");
    assert!(heading(&model).contains("HELD"));
    let commands = press(&mut model, "cj<space><enter>");
    let [Command::Keep(kept)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((kept.hidden.as_slice(), kept.wide), (&["HELD".to_owned()][..], true));
    // The next console begins with it; a title that there is no more means nothing.
    let mut next = wide();
    let of_old = pitstop::config::kept::Kept { hidden: vec!["HELD".into(), "OLD".into()], ..kept.clone() };
    pitstop::tui::columns::restore(&mut next.list.shown, &of_old);
    assert!(!heading(&next).contains("HELD") && next.list.shown.hidden.len() == 1);
    // Wide and headings are kept, too.
    assert!(matches!(&press(&mut next, "w")[..], [Command::Keep(kept)] if !kept.wide));
    assert!(matches!(&press(&mut next, "p")[..], [Command::Keep(kept)] if kept.by_project));
}

#[test]
fn what_is_listed_and_not_yet_inspected_is_shown_and_nothing_is_claimed_of_it() {
    let mut fleet = sample::fleet();
    let containers = |app: &mut pitstop::domain::fleet::App| {
        for one in &mut app.instances {
            one.sandbox.iter_mut().chain(&mut one.app).for_each(|container| Arc::make_mut(container).detail = None);
        }
    };
    fleet.apps.iter_mut().for_each(containers);
    let mut model = wide();
    heard(&mut model, News::Fleet(FleetState::live(fleet)));
    press(&mut model, "jjj<tab>");
    let shown = text(&model);
    assert!(shown.contains("web-1") && shown.contains("172.18.0.3") && shown.contains("being read"), "{shown}");
    for claim in ["held", "loose", "CHANGED", "orphaned"] {
        assert!(!shown.contains(claim), "{claim}: {shown}");
    }
}
