//! Adoption: what is said before, and that it goes on, or back, from wherever it was left.

use super::super::{Wish, adopt, give_back};
use super::engine::Engine;
use super::world::{at, container, file, image_id};
use crate::domain::adopt::Original;
use crate::domain::balancer::{Admin, BalancerSeen, BalancerSpec, Server, Traffic};
use crate::domain::facts::Facts;
use crate::domain::few::Few;
use crate::domain::fleet::{Container, Fleet, NetworkSeen, State};
use crate::domain::hook::{Hook, Hooks};
use crate::domain::identity::Address;
use crate::domain::ids::{AppId, ServerName};
use crate::domain::labels::Role;
use crate::domain::options::Options;
use crate::domain::plan::{Kind, Lane, Plan, Refusal, Task};
use crate::domain::probe::ProbeSpec;
use crate::domain::project::Subnet;
use crate::domain::spec::{AppSpec, NetworkAttach, RestartPolicy, Rollout, SandboxSpec};
use std::sync::Arc;

/// A container `name` at `ip` on `shop_default`, of a project if it has one.
fn stranger(n: u32, name: &str, ip: &str, compose: Option<(&str, &str, u32)>) -> Container {
    let mut old = container(n, name, State::Running);
    old.networks = at(ip);
    old.network_mode = "shop_default".into();
    old.compose = compose.map(|(project, service, number)| (project.into(), service.into(), number));
    if let Some(detail) = &mut old.detail {
        Arc::make_mut(detail).restart = RestartPolicy::Always;
    }
    old
}

/// These containers, on a network whose subnet somebody configured.
fn world(containers: Vec<Container>) -> Facts {
    let attach = NetworkAttach { network: "shop_default".into(), ..NetworkAttach::default() };
    let sandbox = SandboxSpec { networks: vec![attach], hostname: Some("abc".into()), ..SandboxSpec::default() };
    let original = |old: &Container| Original {
        spec: AppSpec { image: "web:v1".into(), sandbox: sandbox.clone(), ..AppSpec::default() },
        sandbox: sandbox.clone(),
        chosen: old.networks.iter().filter_map(|(name, now)| Some((name.clone(), now.ipv4.clone()?))).collect(),
        ..Original::default()
    };
    let originals = containers.iter().map(|old| (old.id.clone(), original(old))).collect();
    let network = NetworkSeen {
        name: "shop_default".into(),
        pools: vec![Subnet { subnet: "10.0.0.0/24".into(), ..Subnet::default() }],
        addresses: containers.iter().flat_map(|old| old.networks.values()).filter_map(|now| now.ipv4.clone()).collect(),
        ..NetworkSeen::default()
    };
    Facts {
        fleet: Fleet::assemble(crate::domain::fleet::EngineInfo::default(), containers),
        networks: vec![network],
        originals,
        ..Facts::default()
    }
}

fn wish(targets: &[&str]) -> Wish {
    Wish { targets: targets.iter().map(|target| (*target).to_owned()).collect(), ..Wish::default() }
}

fn planned(facts: &Facts, wish: &Wish) -> Plan {
    let plan = adopt(wish, facts, &Options::default()).unwrap();
    assert_eq!(plan.broken(), None);
    plan
}

fn refused(facts: &Facts, wish: &Wish) -> String {
    match adopt(wish, facts, &Options::default()) {
        Err(Refusal::Refused(why) | Refusal::Usage(why)) => why,
        Ok(plan) => panic!("planned: {:?}", plan.notes),
    }
}

/// Compose v2 gives its containers the very names that sandboxes have.
fn composed() -> Facts {
    world(vec![
        stranger(1, "shop-web-1", "10.0.0.2", Some(("shop", "web", 1))),
        stranger(2, "shop-web-2", "10.0.0.3", Some(("shop", "web", 2))),
    ])
}

/// The same behind a balancer that knows them by their addresses, and not as what they are going to be.
fn behind(mut facts: Facts) -> Facts {
    let server = |(name, address): (&str, &str)| Server {
        name: ServerName::new(name).unwrap(),
        address: address.parse().ok(),
        admin: Some(Admin::Ready),
        up: true,
        traffic: Some(Traffic::default()),
        words: "UP".into(),
    };
    let servers = [("web-1", "10.0.0.2:8080"), ("web-2", "10.0.0.3:8080")].map(server);
    facts
        .balancers
        .insert(AppId::new("shop", "web"), vec![BalancerSeen { spec: haproxy(), servers: Ok(servers.to_vec()) }]);
    facts
}

fn haproxy() -> BalancerSpec {
    BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() }
}

/// All that runs a service of a file, which names that balancer, a probe and hooks.
fn by_file() -> Wish {
    let hook = |program: &str| Some(Hook { command: vec![program.into()], timeout_ms: 1_000 });
    let hooks = Hooks { pre_drain: hook("/leave"), pre_stop: hook("/flush"), post_ready: hook("/join") };
    let probe = Some(ProbeSpec::Tcp { port: 8080 });
    let mut spec = AppSpec { image: "web:v2".into(), ..AppSpec::default() };
    spec.rollout = Rollout { balancers: vec![haproxy()], hooks, probe, ..Rollout::default() };
    Wish { file: Some(file(spec, 2)), ..Wish::default() }
}

fn actions(plan: &Plan, lane: Lane) -> Vec<String> {
    let first = |step: &&crate::domain::plan::Step| step.lane == lane && step.batch == Some(1);
    plan.steps.iter().filter(first).map(|step| step.task.action().to_string()).collect()
}

#[test]
fn everything_that_can_fail_fails_before_the_stop_and_all_of_it_is_taken_back() {
    let plan = planned(&composed(), &wish(&["shop/web"]));
    assert_eq!((plan.kind, plan.app.as_str(), plan.batches.len()), (Kind::Adopt, "shop/web", 2));
    assert_eq!(
        actions(&plan, Lane::Main),
        [
            "verify",
            "reserve",
            "rename",
            "sandbox_create",
            "create",
            "stop",
            "sandbox_start",
            "start",
            "ready",
            "verify",
            "remove",
            "stop",
            "park",
            "remove"
        ]
    );
    assert_eq!(
        actions(&plan, Lane::Undo),
        ["stop", "remove", "stop", "remove", "rename", "stop", "start", "ready", "verify", "remove"]
    );
    let restarts = plan.steps.iter().filter_map(|step| match &step.task {
        Task::Start { restart, .. } if step.lane == Lane::Undo => restart.clone(),
        _ => None,
    });
    assert_eq!(restarts.collect::<Vec<_>>(), [RestartPolicy::Always, RestartPolicy::Always]);
    // The last old one is proven replaced before the first goes.
    let last_park = plan.steps.iter().rposition(|step| matches!(step.task, Task::Park { .. })).unwrap();
    let of_old =
        |task: &Task| matches!(task, Task::Remove { container, .. } if container.name().starts_with("shop-web-"));
    let gone = plan.steps.iter().filter(|step| step.lane == Lane::Main && of_old(&step.task));
    assert!(gone.clone().count() == 2 && gone.clone().all(|step| step.needs.contains(&last_park)));
    assert!(plan.notes.iter().any(|note| note.contains("docker compose does not know these containers")));
}

#[test]
fn what_becomes_of_an_address_is_said() {
    let said = |change: &dyn Fn(&mut Facts)| {
        let mut facts = world(vec![stranger(1, "web", "10.0.0.4", None)]);
        change(&mut facts);
        match adopt(&wish(&["web"]), &facts, &Options::default()) {
            Ok(plan) => plan.notes.join("\n"),
            Err(refusal) => refusal.to_string(),
        }
    };
    let auto = |facts: &mut Facts| facts.networks[0].pools[0].gateway = Some("10.0.0.1".into());
    assert!(said(&|_| {}).contains("10.0.0.4 on shop_default is kept: asked for from now on, and 2 free below it"));
    let trial = said(&auto);
    assert!(trial.contains("if a trial before anything stops shows") && trial.contains("unprotected"), "{trial}");
    let high = said(&|facts| {
        auto(facts);
        let old = stranger(1, "web", "10.0.0.200", None);
        let pools = facts.networks[0].pools.clone();
        *facts = world(vec![old]);
        facts.networks[0].pools = pools;
    });
    assert!(high.contains("may change") && high.contains("--accept-changes"), "{high}");
    let bridge = said(&|facts| {
        let mut old = stranger(1, "web", "10.0.0.4", None);
        old.networks =
            Few::from([("bridge".to_owned(), Address { ipv4: Some("10.0.0.4".into()), ..Address::default() })]);
        *facts = world(vec![old]);
        facts.networks[0].name = "bridge".into();
        let attach = NetworkAttach { network: "bridge".into(), ..NetworkAttach::default() };
        facts.originals.values_mut().for_each(|original| original.sandbox.networks = vec![attach.clone()]);
    });
    assert!(
        bridge.contains("becomes 10.0.0.2, the lowest free one") && bridge.contains("--accept-changes"),
        "{bridge}"
    );
}

#[test]
fn what_can_t_be_adopted_is_refused_with_all_reasons() {
    let mut facts = world(vec![stranger(1, "web", "10.0.0.2", None), stranger(2, "db", "10.0.0.3", None)]);
    for (original, why) in facts.originals.values_mut().zip(["it is on no network", "it is a task"]) {
        original.obstacles.push(why.into());
    }
    let why = refused(&facts, &wish(&["web", "db"]));
    assert!(why.contains("web can't be adopted") && why.contains("db can't be adopted"), "{why}");

    let mut joined = container(3, "sidecar", State::Running);
    joined.network_mode = format!("container:{:064x}", 1).as_str().into();
    let facts = world(vec![stranger(1, "web", "10.0.0.2", None), joined]);
    assert!(refused(&facts, &wish(&["web"])).contains("sidecar shares its network"));

    let mut stopped = stranger(1, "web", "10.0.0.2", None);
    stopped.state = State::Exited;
    assert!(refused(&world(vec![stopped]), &wish(&["web"])).contains("docker start web"));
    assert!(refused(&composed(), &wish(&["nobody"])).contains("nobody"));
    let both = Wish { project: Some("one".into()), ..wish(&["shop-web-1", "web"]) };
    let facts = world(vec![
        stranger(1, "shop-web-1", "10.0.0.2", Some(("shop", "web", 1))),
        stranger(2, "web", "10.0.0.3", None),
    ]);
    assert!(refused(&facts, &both).contains("would both become one/web-1"));
}

fn alive(facts: &Facts) -> Vec<String> {
    let all = super::super::draft::all(facts).filter(|one| one.is_alive());
    let role = |one: &Container| one.own.as_ref().map_or("old", |own| own.role.as_str());
    let mut names: Vec<String> = all.map(|one| format!("{} {}", role(one), one.name)).collect();
    names.sort();
    names
}

#[test]
fn it_goes_on_or_back_from_wherever_it_was_left() {
    comes_to_its_end(&composed(), &wish(&["shop"]));
    comes_to_its_end(&behind(composed()), &by_file());
}

/// What serves already in an old one's place is stopped before that is started again: they have the same volumes.
fn starts_no_second(plan: &Plan) {
    for serves in plan.steps.iter().filter(|step| step.cause == "it serves already") {
        let back = plan.steps.iter().filter(|step| step.lane == Lane::Undo && step.instance == serves.instance);
        let mut stopped = Vec::new();
        for step in back {
            match &step.task {
                Task::Stop { .. } => stopped.push(&step.undoes),
                Task::Start { .. } => {
                    let parks = |undoes: &Vec<usize>| {
                        undoes.iter().any(|main| matches!(plan.steps[*main].task, Task::Park { .. }))
                    };
                    assert!(
                        !parks(&step.undoes) || stopped.iter().filter(|undoes| parks(undoes)).count() >= 2,
                        "{plan:?}"
                    );
                }
                _ => {}
            }
        }
    }
}

/// The wish dies after each of its steps; asked again, or taken back, it comes to its end, and no balancer is left told.
fn comes_to_its_end(facts: &Facts, wish: &Wish) {
    let first = planned(facts, wish);
    let steps = first.steps.iter().filter(|step| step.lane == Lane::Main).count();
    let serves_all = |facts: &Facts| {
        let seen = facts.balancers.values().flatten();
        facts.left_drained.is_empty() && seen.flat_map(|one| one.servers.iter().flatten()).all(Server::serves)
    };
    let whole = ["app shop-web-1.r1", "app shop-web-2.r1", "sandbox shop-web-1", "sandbox shop-web-2"];
    for died in 0..=steps {
        let mut on = Engine::new(facts);
        on.run(&first, died).unwrap();
        let mut back = Engine::new(facts);
        back.run(&first, died).unwrap();

        if died < steps {
            let again = adopt(wish, &on.facts, &Options::default()).unwrap_or_else(|why| panic!("after {died}: {why}"));
            assert_eq!(again.broken(), None);
            starts_no_second(&again);
            on.run(&again, usize::MAX).unwrap_or_else(|why| panic!("after {died}: {why}"));
        }
        assert_eq!(alive(&on.facts), whole, "after {died} steps");
        assert!(serves_all(&on.facts), "after {died} steps: {:?}", on.facts.balancers);
        let old = super::super::draft::all(&on.facts).filter(|one| one.own.is_none()).count();
        assert_eq!(old, 0, "the old ones are gone, after {died} steps");

        let taken_back = give_back(wish, &back.facts, &Options::default()).unwrap();
        if died == steps {
            assert!(taken_back.is_empty(), "the old ones are gone");
            continue;
        }
        assert_eq!(taken_back.broken(), None);
        back.run(&taken_back, usize::MAX).unwrap_or_else(|why| panic!("after {died}: {why}"));
        assert!(serves_all(&back.facts), "after {died} steps: {:?}", back.facts.balancers);
        let ours: Vec<&Container> = super::super::draft::all(&back.facts).collect();
        let of_role = |role| ours.iter().filter(|one| one.own.as_ref().is_some_and(|own| own.role == role)).count();
        let removed = usize::from(died >= steps - 1);
        assert_eq!((of_role(Role::App), of_role(Role::Sandbox)), (removed, removed), "after {died} steps");
        assert_eq!(alive(&back.facts).iter().filter(|name| name.starts_with("old shop-web-")).count(), 2 - removed);
        assert!(alive(&back.facts).iter().all(|name| !name.contains(".old")), "they have their names back");
    }
}

#[test]
fn a_file_says_how_it_is_drained_asked_and_told_and_what_runs_stays_as_it_is() {
    let facts = behind(composed());
    let plan = planned(&facts, &by_file());
    let main = actions(&plan, Lane::Main);
    let from = main.iter().position(|action| action == "create").unwrap();
    assert_eq!(
        main[from..from + 12],
        [
            "create",
            "pre_drain",
            "drain",
            "pre_stop",
            "stop",
            "sandbox_start",
            "start",
            "ready",
            "post_ready",
            "verify",
            "attach",
            "remove"
        ]
    );
    // What says that it was taken out stays until it is put back.
    assert_eq!(
        actions(&plan, Lane::Undo),
        [
            "stop",
            "remove",
            "stop",
            "stop",
            "start",
            "ready",
            "post_ready",
            "verify",
            "remove",
            "attach",
            "remove",
            "rename"
        ]
    );
    let made = plan.steps.iter().find_map(|step| match &step.task {
        Task::Create { draft } => Some(&draft.spec),
        _ => None,
    });
    let made = made.unwrap();
    assert_eq!((made.image.as_str(), &made.rollout.balancers), ("web:v1", &vec![haproxy()]));
    let said = plan.notes.join("\n");
    for word in [
        "becomes shop/web-1, with what its file says: probe tcp:8080, haproxy web at /run/haproxy/admin.sock, its hooks",
        "shop-web-1 stays as it is; the file has image",
    ] {
        assert!(said.contains(word), "{said}");
    }

    let mut down = behind(composed());
    down.balancers.values_mut().flatten().for_each(|seen| seen.servers = Err("nobody there".into()));
    assert!(refused(&down, &by_file()).contains("can't be asked"));
    let mut lost = facts.clone();
    lost.networks[0].name = "bridge".into();
    for one in lost.originals.values_mut() {
        one.sandbox.networks[0].network = "bridge".into();
    }
    let all = lost
        .fleet
        .apps
        .iter_mut()
        .flat_map(|app| &mut app.instances)
        .filter_map(|one| one.app.as_mut())
        .map(Arc::make_mut);
    all.for_each(|old| old.networks = old.networks.values().map(|now| ("bridge".to_owned(), now.clone())).collect());
    let why = refused(&lost, &Wish { accept_changes: true, ..by_file() });
    assert!(why.contains("web-1 of haproxy web") && why.contains("sends requests to 10.0.0.2"), "{why}");
}

#[test]
fn a_file_finds_its_containers_by_compose_s_labels_and_any_others_are_named() {
    let file = || by_file().file;
    assert!(refused(&world(vec![stranger(1, "old", "10.0.0.2", None)]), &by_file()).contains("--as PROJECT/SERVICE"));
    let plain = world(vec![
        stranger(1, "web", "10.0.0.2", None),
        stranger(2, "blue", "10.0.0.3", None),
        stranger(3, "green", "10.0.0.4", None),
        stranger(4, "other-api-1", "10.0.0.5", Some(("other", "api", 1))),
    ]);
    let batches =
        |wish: &Wish| planned(&plain, wish).batches.concat().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(batches(&Wish { file: file(), ..wish(&["web"]) }), ["shop/web-1"], "by its name");
    let named = Wish { file: file(), app: Some(AppId::new("shop", "web")), ..wish(&["green", "blue"]) };
    assert_eq!(batches(&named), ["shop/web-1", "shop/web-2"], "in the order named");
    let none = refused(&plain, &Wish { file: file(), ..wish(&["blue"]) });
    assert!(none.contains("the file has no service blue (it has web)") && none.contains("--as shop/SERVICE"), "{none}");
    let foreign = refused(&plain, &Wish { file: file(), ..wish(&["other-api-1"]) });
    assert!(foreign.contains("--project other") && foreign.contains("--as shop/SERVICE"), "{foreign}");
    comes_to_its_end_as(&plain, &named);
}

/// Numbers that were given stay, wherever it died.
fn comes_to_its_end_as(facts: &Facts, wish: &Wish) {
    let first = planned(facts, wish);
    let steps = first.steps.iter().filter(|step| step.lane == Lane::Main).count();
    for died in 0..=steps {
        let mut engine = Engine::new(facts);
        engine.run(&first, died).unwrap();
        // Those that are gone are asked for by nobody: their names went with them.
        let is_there = |target: &&String| super::super::draft::all(&engine.facts).any(|one| *one.name == **target);
        let targets: Vec<String> = wish.targets.iter().filter(is_there).cloned().collect();
        if !targets.is_empty() {
            let again = planned(&engine.facts, &Wish { targets, ..wish.clone() });
            engine.run(&again, usize::MAX).unwrap_or_else(|why| panic!("after {died}: {why}"));
        }
        let whole = [
            "app shop-web-1.r1",
            "app shop-web-2.r1",
            "old other-api-1",
            "old web",
            "sandbox shop-web-1",
            "sandbox shop-web-2",
        ];
        assert_eq!(alive(&engine.facts), whole, "after {died} steps");
    }
}

#[test]
fn what_is_adopted_already_is_passed_over() {
    let facts = composed();
    let mut engine = Engine::new(&facts);
    engine.run(&planned(&facts, &wish(&["shop/web"])), usize::MAX).unwrap();
    for target in ["shop", "shop/web", "web", "shop/web-2"] {
        let again = planned(&engine.facts, &wish(&[target]));
        assert!(again.is_empty(), "{target}: {again:?}");
        assert!(again.notes[0].contains(&format!("{target} is pitstop's already")), "{:?}", again.notes);
    }
    assert!(refused(&engine.facts, &wish(&["shop", "nobody"])).contains("nobody"));
}

#[test]
fn another_s_image_stays_what_it_is() {
    let plan = planned(&composed(), &wish(&["shop-web-2"]));
    let made = plan.steps.iter().find_map(|step| match &step.task {
        Task::Create { draft } => Some(draft),
        _ => None,
    });
    let made = made.unwrap();
    assert_eq!((made.number, made.image_id.clone()), (2, Some(image_id("web:v1"))));
}
