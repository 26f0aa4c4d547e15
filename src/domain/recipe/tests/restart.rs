//! What a restart plans and says, in cases one can read.

use super::super::restart;
use super::tables::{batch, names, refused, shape};
use super::world::{Seed, at, container, facts, web};
use crate::domain::few::Few;
use crate::domain::fleet::State;
use crate::domain::options::Options;
use crate::domain::probe::ProbeSpec;
use crate::domain::record::Mask;
use std::sync::Arc;

#[test]
fn a_restart_touches_one_container() {
    let facts = web(&[Seed::well()]);
    let plan = restart(&["web-1".into()], &facts, &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 web-1 verify <- ",
            "1 web-1 stop <- 0",
            "2 web-1 start <- 1",
            "3 web-1 ready <- 2",
            "4 web-1 verify <- 3",
            "5 undo web-1 start <-  undoes 1",
            "6 undo web-1 ready <- 5 undoes 1",
        ]
    );
}

#[test]
fn what_the_app_was_given_is_not_written_down() {
    let mut facts = web(&[Seed::well()]);
    for instance in facts.fleet.apps.iter_mut().flat_map(|app| &mut app.instances) {
        let app = Arc::make_mut(instance.app.as_mut().unwrap());
        Arc::make_mut(app.detail.as_mut().unwrap()).environment.insert("TOKEN".into(), "swordfish".into());
    }
    let plan = restart(&["web-1".into()], &facts, &Options::default()).unwrap();
    assert_eq!(Mask::of(&plan).hide("bad token swordfish"), "bad token •••");
}

/// A stranger on these networks.
fn stranger(n: u32, name: &str, networks: &[(&str, &str)]) -> crate::domain::fleet::Container {
    let mut one = container(n, name, State::Running);
    let address = |ip: &str| at(ip).get("shop_default").unwrap().clone();
    one.networks = networks.iter().map(|(network, ip)| ((*network).to_owned(), address(ip))).collect();
    one
}

#[test]
fn strangers_on_one_network_restart_one_after_the_other() {
    let mut joined = stranger(4, "joined", &[]);
    joined.network_mode = format!("container:{:064x}", 3).as_str().into();
    let mut hosted = stranger(5, "hosted", &[]);
    hosted.networks = Few::from([("host".to_owned(), crate::domain::identity::Address::default())]);
    let mut world = facts(vec![
        stranger(1, "a", &[("shop_default", "10.0.0.2")]),
        stranger(2, "b", &[("shop_default", "10.0.0.4"), ("back", "10.1.0.2")]),
        stranger(3, "c", &[("back", "10.1.0.3")]),
        joined,
        hosted,
        stranger(6, "d", &[("bridge", "172.17.0.2")]),
    ]);
    world.networks[0].addresses = vec!["10.0.0.2/24".into(), "10.0.0.4/24".into()];
    let all: Vec<String> = ["joined", "a", "b", "c", "hosted", "d"].map(str::to_owned).to_vec();
    let plan = restart(&all, &world, &Options::default()).unwrap();
    assert_eq!(names(&plan), [vec!["a", "c", "hosted", "d"], vec!["b"], vec!["joined"]]);
    let notes = plan.notes.join("\n");
    assert!(notes.contains("b may lose its address 10.0.0.4 on shop_default: 10.0.0.3 is free"), "{notes}");
    assert!(notes.contains("d may lose its address 172.17.0.2 on bridge"), "{notes}");
    assert!(!notes.contains("a may lose"), "{notes}");

    let plan = restart(&all[1..3], &world, &batch("2")).unwrap();
    assert_eq!(names(&plan), [["a", "b"]]);
    assert!(plan.notes.iter().any(|note| note.contains("swap addresses")), "{:?}", plan.notes);
    let plan = restart(&["c".into()], &world, &Options::default()).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("joined") && note.contains("cut off")), "{:?}", plan.notes);
    let tcp = Options { probe: Some(ProbeSpec::Tcp { port: 80 }), ..Options::default() };
    assert!(refused(restart(&["a".into()], &world, &tcp)).0);
}

#[test]
fn a_restart_that_can_not_help_is_refused() {
    for (seed, word) in [
        (Seed { sandbox: None, ..Seed::well() }, "lost its sandbox"),
        (Seed { joined: false, ..Seed::well() }, "belongs to a sandbox that is gone"),
        (Seed { app: None, ..Seed::well() }, "no app container"),
    ] {
        let (usage, text) = refused(restart(&["web".into()], &web(&[seed]), &Options::default()));
        assert!(!usage && text.contains(word) && text.contains("pitstop deploy shop/web"), "{text}");
    }
    assert!(refused(restart(&[], &web(&[]), &Options::default())).0);
    assert!(refused(restart(&["x\u{1b}[2J".into()], &web(&[Seed::well()]), &Options::default())).1.is_ascii());
    // A dead sandbox comes first, then its app, which sits in the dead namespace.
    let plan =
        restart(&["web".into()], &web(&[Seed { sandbox: Some(State::Exited), ..Seed::well() }]), &Options::default())
            .unwrap();
    let main: Vec<_> = shape(&plan).into_iter().filter(|line| !line.contains("undo")).collect();
    assert_eq!(
        main,
        [
            "0 web-1 sandbox_start <- ",
            "1 web-1 verify <- 0",
            "2 web-1 stop <- 1",
            "3 web-1 start <- 2",
            "4 web-1 ready <- 3",
            "5 web-1 verify <- 4",
        ]
    );
}

#[test]
fn a_container_that_its_stop_would_remove_is_not_restarted() {
    let mut passing = stranger(1, "passing", &[("shop_default", "10.0.0.2")]);
    Arc::make_mut(passing.detail.as_mut().unwrap()).auto_remove = true;
    let world = facts(vec![passing, stranger(2, "staying", &[("shop_default", "10.0.0.3")])]);
    let (usage, text) = refused(restart(&["staying".into(), "passing".into()], &world, &Options::default()));
    assert!(!usage && text.contains("passing was run with --rm"), "{text}");
    restart(&["staying".into()], &world, &Options::default()).unwrap();
}
