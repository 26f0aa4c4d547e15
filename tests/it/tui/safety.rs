//! What keeps a person from the wrong change: where this is, what it may do, and which keys there are.

use super::sample;
use super::screens::look;
use super::{press, showing, text};
use crate::support::sim::Served;
use pitstop::domain::fleet::FleetState;
use pitstop::sim::Scenario;
use pitstop::tui::message::{Command, Msg};
use pitstop::tui::model::Model;
use pitstop::tui::update::update;

/// A console on an engine of that context, with these settings for what is production.
fn on(size: (u16, u16), context: &str, production: &[&str]) -> Model {
    let mut fleet = sample::fleet();
    fleet.engine.context = Some(context.to_owned());
    let mut model = showing(size, FleetState::live(fleet));
    model.production = production.iter().map(ToString::to_string).collect();
    model
}

#[test]
fn production_is_said_in_the_title_and_where_a_change_is_confirmed() {
    look("production", |size| {
        let mut model = on(size, "prod-eu", &["prod-*"]);
        press(&mut model, "/web<enter>");
        let commands = press(&mut model, "r");
        let [Command::Plan { ticket, .. }] = &commands[..] else { panic!("{commands:?}") };
        update(&mut model, Msg::Planned { ticket: *ticket, answer: Ok(sample::deploy_plan()) });
        model
    });
    for (named, is) in
        [("prod-eu", true), ("prod-*", true), ("unix:///var/run/docker.sock", true), ("prod", false), ("eu", false)]
    {
        let model = on((80, 24), "prod-eu", &[named]);
        assert_eq!(text(&model).contains("PRODUCTION"), is, "{named}");
    }
}

#[test]
fn in_production_a_single_instance_is_typed_for_too_and_elsewhere_enter_is_enough() {
    let mut plan = sample::deploy_plan();
    plan.batches = vec![plan.batches[0][..1].to_vec()];
    for (context, typed) in [("prod-eu", true), ("test-eu", false)] {
        let mut model = on((120, 36), context, &["prod-*"]);
        press(&mut model, "/web<enter>");
        let commands = press(&mut model, "r");
        let [Command::Plan { ticket, .. }] = &commands[..] else { panic!("{commands:?}") };
        update(&mut model, Msg::Planned { ticket: *ticket, answer: Ok(plan.clone()) });
        assert_eq!(text(&model).contains("type 1 to run it"), typed, "{}", text(&model));
        let commands = press(&mut model, "<enter>");
        assert_eq!(commands.is_empty(), typed, "{context}: {commands:?}");
        if typed {
            assert!(text(&model).contains("that is not 1"), "{}", text(&model));
            let commands = press(&mut model, "1<enter>");
            assert!(matches!(commands[..], [Command::Plan { .. }]), "{commands:?}");
        }
    }
}

#[test]
fn the_settings_say_what_is_production_and_one_restart_there_is_typed_for() {
    let served = Served::with(Scenario::demo().unwrap());
    let pitstop = served.pitstop();
    std::fs::create_dir_all(pitstop.home().join("config/pitstop")).unwrap();
    pitstop.file("config/pitstop/config.toml", "[console]\nproduction = ['unix:*']\n");
    let mut term = pitstop.terminal(120, 36, &[]);
    term.wait_for("PRODUCTION");
    term.keys(":restart blog/ghost-1<enter>");
    term.wait_for("type 1 to run it");
    term.keys("<enter>");
    term.wait_for("that is not 1");
    term.keys("1<enter>");
    term.wait_for("1 operation");
    term.wait_for("restarted");
    term.keys("q");
    assert_eq!(term.exit(), Some(0));
}

#[test]
fn a_console_that_may_change_nothing_says_so_in_its_title() {
    let mut model = on((80, 24), "default", &[]);
    assert!(!text(&model).contains("read-only"));
    model.read_only = true;
    assert!(text(&model).lines().next().unwrap().contains("read-only"), "{}", text(&model));
}

#[test]
fn names_are_found_by_their_letters_and_escape_goes_back() {
    for size in [(80, 24), (120, 36)] {
        let mut model = showing(size, FleetState::live(sample::fleet()));
        let target = |model: &Model| model.list.cursor.as_ref().unwrap().target();
        press(&mut model, "Zfsw3");
        assert_eq!(target(&model).as_deref(), Some("shop/web-3"), "{size:?}");
        press(&mut model, "<esc>");
        assert_eq!(target(&model).as_deref(), Some("office/mail"), "{size:?}");
        press(&mut model, "fweb<down><enter>");
        assert_eq!(target(&model).as_deref(), Some("shop/web-1"), "{size:?}");
        // What fits nothing moves nothing.
        press(&mut model, "fzzz<enter>");
        assert_eq!(target(&model).as_deref(), Some("shop/web-1"), "{size:?}");
    }
}

#[test]
fn a_keymap_that_is_wrong_keeps_nobody_out_and_is_said() {
    let served = Served::with(Scenario::demo().unwrap());
    let pitstop = served.pitstop();
    std::fs::create_dir_all(pitstop.home().join("config/pitstop")).unwrap();
    pitstop.file("config/pitstop/keymap.toml", "[fleet]\ndeploy = 'r'\nfly = 'q'\n");
    for args in [&["keys", "check"][..], &["keys"], &["keys", "check", "config/pitstop/keymap.toml"]] {
        let said = pitstop.run(args).expect_code(2).stderr;
        assert!(said.contains("the key `r` means both") && said.contains("there is no action `fly`"), "{said}");
    }
    let mut term = pitstop.terminal(100, 30, &[]);
    term.wait_for("Your keys are not used");
    for said in ["means both restart and deploy", "keymap.toml:3: there is no action `fly`", "pitstop keys check"] {
        assert!(term.text().contains(said), "{said}:\n{}", term.text());
    }
    term.keys("<enter>");
    term.wait_for_absence("Your keys are not used");
    term.keys("q");
    assert_eq!(term.exit(), Some(0));
    // One that is right is used, and listed.
    pitstop.file("config/pitstop/keymap.toml", "[fleet]\ndeploy = 'x'\n");
    assert!(pitstop.run(&["keys", "check"]).expect_code(0).stdout.contains("good"));
    let listed = pitstop.run(&["keys"]).expect_code(0).stdout;
    assert!(listed.contains("  x               deploy another image"), "{listed}");
}
