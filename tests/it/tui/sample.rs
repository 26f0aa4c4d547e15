//! Canned fleets, plans and events, as an engine would give them.

use jiff::Timestamp;
use pitstop::domain::balancer::{Admin, BalancerSeen, BalancerSpec, Server, Traffic, TrafficSeen};
use pitstop::domain::event::{
    Counts, EventKind, Finished, GapMeasured, IdentityJudged, OpEvent, Outcome, Planned, StepFinished, StepProgress,
    StepResult, StepStarted,
};
use pitstop::domain::facts::Facts;
use pitstop::domain::few::Few;
use pitstop::domain::fleet::{BoundPort, Container, Detail, EngineInfo, Fleet, Health, MountSeen, State};
use pitstop::domain::identity::{Address, Identity, Verdict};
use pitstop::domain::ids::{AppId, ContainerId, InstanceName, OpId, ServerName};
use pitstop::domain::inspection::Inspection;
use pitstop::domain::labels::{OwnLabels, Role};
use pitstop::domain::options::Options;
use pitstop::domain::plan::{Action, Lane, Plan};
use pitstop::domain::project::{AppEntry, Dependency, DependencyCondition, ProjectSpec};
use pitstop::domain::recipe;
use pitstop::domain::record::{Extra, ExtraLine, Header, Record, Summary};
use pitstop::domain::spec::{AppSpec, MountKind, RestartPolicy};
use pitstop::tui::instance::Seen;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The moment all samples are seen at.
pub fn now() -> Timestamp {
    "2026-11-22T12:04:31Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

pub fn engine() -> EngineInfo {
    EngineInfo {
        host: "unix:///var/run/docker.sock".into(),
        context: None,
        name: "forge".into(),
        id: "7QXW:5C3P".into(),
        version: "28.2.1".into(),
        api_version: "1.50".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        kernel: "6.1.0-18-amd64".into(),
        podman: false,
        cpus: 8,
        memory: 16 << 30,
        live_restore: false,
    }
}

pub fn id(seed: &str) -> ContainerId {
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    ContainerId::new(format!("{hash:016x}").repeat(4)).unwrap()
}

fn address(ip: &str) -> Address {
    Address { ipv4: Some(ip.into()), ipv6: None, mac: Some("02:42:ac:12:00:03".into()) }
}

/// A container that runs since so many seconds; `None`: it has exited with 0.
pub fn container(name: &str, image: &str, up: Option<i64>) -> Container {
    let detail = Detail {
        started_at: Some(ago(up.unwrap_or(7200))),
        exit_code: 0,
        restart: RestartPolicy::UnlessStopped,
        environment: BTreeMap::from([("TOKEN".into(), "hush".into()), ("PORT".into(), "8080".into())]).into(),
        ..Detail::default()
    };
    Container {
        id: id(name),
        name: name.into(),
        image: image.into(),
        image_id: format!("sha256:{}", id(image)).as_str().into(),
        state: if up.is_some() { State::Running } else { State::Exited },
        health: None,
        status: if up.is_some() { "Up 3 hours".into() } else { "Exited (0) 2 hours ago".into() },
        created: Some(ago(90_000)),
        own: None,
        compose: None,
        labels: Few::default(),
        networks: Few::default(),
        ports: Vec::new(),
        mounts: Vec::new(),
        network_mode: "bridge".into(),
        detail: Some(detail.into()),
    }
}

/// Sandbox and app container of a managed instance with a pinned address.
pub fn instance(app: &AppId, number: u32, image: &str, revision: u32, ip: &str, up: Option<i64>) -> [Container; 2] {
    let own = |role| OwnLabels {
        app: app.clone(),
        number,
        role,
        revision,
        operation: String::new(),
        held: false,
        spec: Some(AppSpec { image: image.into(), ..AppSpec::default() }.into()),
        spec_hash: String::new(),
        replaces: None,
    };
    let mut sandbox = container(&app.sandbox_name(number), "pitstop-sandbox:0f3a", Some(1_036_900));
    sandbox.own = Some(own(Role::Sandbox));
    let network = format!("{}_default", app.project);
    sandbox.networks = Few::from([(network.clone(), address(ip))]);
    sandbox.network_mode = network.as_str().into();
    sandbox.ports = vec![BoundPort {
        container: 8080,
        protocol: "tcp".into(),
        host: Some(("0.0.0.0".into(), u16::try_from(18_080 + number).unwrap())),
    }];
    let detail = Arc::make_mut(sandbox.detail.as_mut().unwrap());
    detail.pinned = Few::from([(network, address(ip))]);
    detail.netns = "/var/run/docker/netns/4f1c2a".into();
    detail.hostname = app.sandbox_name(number).as_str().into();
    let mut container = container(&app.container_name(number, revision), image, up);
    container.own = Some(own(Role::App));
    container.network_mode = format!("container:{}", sandbox.id).as_str().into();
    container.mounts = vec![MountSeen {
        kind: MountKind::Volume,
        source: format!("{}_data", app.project),
        target: "/data".into(),
        read_only: false,
    }];
    [sandbox, container]
}

/// An unmanaged container on the default bridge.
pub fn stranger(name: &str, image: &str, ip: &str, up: Option<i64>) -> Container {
    let mut container = container(name, image, up);
    container.networks = Few::from([("bridge".into(), address(ip))]);
    container
}

/// Two projects with all kinds of states, and some strangers.
pub fn fleet() -> Fleet {
    let (web, api, db) = (AppId::new("shop", "web"), AppId::new("shop", "api"), AppId::new("shop", "db"));
    let mut all = Vec::new();
    for n in 1..=4 {
        all.extend(instance(
            &web,
            n,
            "registry.local:5000/shop/web:v2",
            7,
            &format!("172.18.0.{}", n + 2),
            Some(11_000),
        ));
    }
    all.extend(instance(&api, 1, "shop/api:41", 41, "172.18.0.10", Some(200_000)));
    all.extend(instance(&api, 2, "shop/api:40", 40, "172.18.0.11", Some(400_000)));
    let [sandbox, mut failed] = instance(&api, 3, "shop/api:41", 41, "172.18.0.12", None);
    Arc::make_mut(failed.detail.as_mut().unwrap()).exit_code = 137;
    all.extend([sandbox, failed]);
    let [mut sandbox, app] = instance(&db, 1, "postgres:16", 3, "172.18.0.20", Some(900_000));
    Arc::make_mut(sandbox.detail.as_mut().unwrap()).pinned = Few::default();
    all.extend([sandbox, app]);

    let mail = AppId::new("office", "mail");
    let [mut sandbox, mut app] = instance(&mail, 1, "office/mail:9", 9, "172.19.0.2", Some(500));
    // It was pinned to .2 and has .7 now.
    sandbox.networks = sandbox.networks.keys().map(|network| (network.clone(), address("172.19.0.7"))).collect();
    app.health = Some(Health::Healthy);
    all.extend([sandbox, app]);
    let [sandbox, app] = instance(&mail, 2, "office/mail:9", 9, "172.19.0.3", Some(1_200_000));
    all.extend([sandbox, app]);

    all.push(stranger("redis", "redis:7-alpine", "172.17.0.2", Some(172_000)));
    let mut runner = stranger("ci-runner-7", "ghcr.io/acme/ci/runner:3.11", "172.17.0.4", None);
    Arc::make_mut(runner.detail.as_mut().unwrap()).exit_code = 1;
    all.push(runner);
    for n in 1..=2 {
        let mut container = stranger(&format!("blog-ghost-{n}"), "ghost:5", &format!("172.20.0.{}", n + 1), Some(30));
        container.compose = Some(("blog".into(), "ghost".into(), n));
        if n == 2 {
            container.health = Some(Health::Starting);
        }
        all.push(container);
    }
    Fleet::assemble(engine(), all)
}

/// What an engine says of an instance's containers.
pub fn inspected() -> Seen {
    let read = |json: serde_json::Value| Some(Ok(Inspection::read(json.to_string().as_bytes()).unwrap()));
    let health = json!({"Status": "unhealthy", "FailingStreak": 2, "Log": [
        {"Start": "2026-11-22T12:04:02Z", "End": "2026-11-22T12:04:02.2Z", "ExitCode": 1,
         "Output": "curl: (7) Failed to connect to 127.0.0.1 port 8080\nConnection refused\n"},
    ]});
    Seen {
        app: read(json!({
            "Id": id("shop-web-1.r7").as_str(), "Name": "/shop-web-1.r7",
            "State": {"Status": "running", "Running": true, "Pid": 4711, "Health": health},
            "Config": {"Env": ["PORT=8080", "TOKEN=hush"], "Cmd": ["serve", "--all"], "Healthcheck": {"Test": ["CMD", "curl"]}},
            "HostConfig": {"NetworkMode": "container:c0ffee", "Memory": 268_435_456, "Privileged": false},
        })),
        sandbox: read(json!({
            "Id": id("shop-web-1").as_str(), "Name": "/shop-web-1", "State": {"Status": "running", "Pid": 4242},
            "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "172.18.0.3", "MacAddress": "02:42:ac:12:00:03"}}},
        })),
    }
}

/// A file's services: one that is there, and two that are not.
pub fn project() -> ProjectSpec {
    let mut project = ProjectSpec { name: "shop".into(), ..ProjectSpec::default() };
    project.warnings = vec!["compose.yaml:14: services.web.develop: changes nothing that runs; passed over".into()];
    for (name, image, replicas, after) in [
        ("web", "registry.local:5000/shop/web:v2", 4, &["queue", "cache"][..]),
        ("queue", "nats:2.10", 1, &[]),
        ("cache", "valkey:8", 1, &[]),
    ] {
        let needs = |app: &&str| Dependency {
            app: (*app).to_owned(),
            condition: DependencyCondition::ServiceHealthy,
            required: true,
        };
        let depends_on = after.iter().map(needs).collect();
        let spec = AppSpec { image: image.into(), ..AppSpec::default() };
        project.apps.insert(name.into(), AppEntry { spec, replicas, depends_on });
    }
    project
}

/// What the recipes may look at: the fleet, and images that are here.
pub fn facts() -> Facts {
    Facts { fleet: fleet(), ..Facts::default() }
}

/// A deployment of `shop/web` in batches of one.
pub fn deploy_plan() -> Plan {
    recipe::deploy("shop/web", Some("registry.local:5000/shop/web:v3"), None, &facts(), &Options::default()).unwrap()
}

/// The same with new instances first.
pub fn surge_plan() -> Plan {
    let options = Options { surge: Some(true), ..Options::default() };
    recipe::deploy("shop/web", Some("registry.local:5000/shop/web:v3"), None, &facts(), &options).unwrap()
}

/// The same behind a load balancer.
pub fn balanced_plan() -> Plan {
    let mut facts = facts();
    let server = |number: usize| Server {
        name: ServerName::new(format!("web-{number}")).unwrap(),
        address: None,
        admin: Some(Admin::Ready),
        up: true,
        traffic: Some(Traffic::default()),
        words: "UP".into(),
    };
    let servers = Ok((1..=4).map(server).collect());
    facts.balancers.insert(AppId::new("shop", "web"), vec![BalancerSeen { spec: haproxy(), servers }]);
    recipe::deploy("shop/web", Some("registry.local:5000/shop/web:v3"), None, &facts, &Options::default()).unwrap()
}

fn haproxy() -> BalancerSpec {
    BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() }
}

/// How an operation goes in a sample.
#[derive(Clone, Copy, Default)]
pub struct Course {
    /// Only what had happened by then.
    pub until: Option<u64>,
    /// That instance's start fails.
    pub fails: Option<&'static str>,
    /// That instance comes back with another address.
    pub moves: Option<&'static str>,
}

/// The events of a plan whose steps take what such steps take.
pub fn events(plan: &Plan, course: Course) -> Vec<OpEvent> {
    let mut timed: Vec<(u64, EventKind)> = vec![(0, EventKind::Planned(Planned::of(plan)))];
    let mut ends: Vec<Option<u64>> = Vec::new();
    let (mut last, mut serial, mut error, mut failed_at) = (0, 0, None, None);
    for (id, step) in plan.steps.iter().enumerate() {
        let action = step.task.action();
        let ready = step.needs.iter().map(|need| ends[*need]).collect::<Option<Vec<_>>>();
        let name = step.instance.as_ref().map_or("", |name| name.short());
        let undone = step.undoes.iter().any(|main| ends[*main].is_some() || Some(*main) == failed_at);
        if step.lane == Lane::Undo && error.is_some() && undone {
            let took = 31;
            let start = StepStarted {
                step: id,
                instance: step.instance.clone(),
                batch: step.batch,
                action,
                attempt: 1,
                waited_ms: 0,
            };
            let end = StepFinished {
                failed_requests: None,
                step: id,
                instance: step.instance.clone(),
                batch: step.batch,
                action,
                lane: Lane::Undo,
                result: StepResult::Ok,
                took_ms: took,
                waited_ms: 0,
                error: None,
                detail: None,
            };
            timed.push((last, EventKind::StepStarted(start)));
            timed.push((last + took, EventKind::StepFinished(end)));
            last += took;
            ends.push(Some(last));
            continue;
        }
        let Some(begin) = ready.map(|ends| ends.into_iter().max().unwrap_or(4)).filter(|_| step.lane == Lane::Main)
        else {
            ends.push(None);
            continue;
        };
        let took = match action {
            Action::Pull => 312,
            Action::Stop => 96,
            Action::Start => 118,
            Action::Ready => 41,
            Action::Verify => 9,
            Action::Create => 62,
            Action::Drain => 240,
            _ => 12,
        } + name.bytes().map(u64::from).sum::<u64>() % 17;
        let failed = course.fails == Some(name) && action == Action::Start;
        let (instance, batch) = (step.instance.clone(), step.batch);
        let started = StepStarted { step: id, instance: instance.clone(), batch, action, attempt: 1, waited_ms: 0 };
        timed.push((begin, EventKind::StepStarted(started)));
        if action == Action::Drain {
            for (after, left) in [(1, 12), (120, 3)] {
                let note = format!("{left} sessions");
                let so_far = StepProgress { step: id, done: 12 - left, total: 12, note };
                timed.push((begin + after, EventKind::StepProgress(so_far)));
            }
        }
        if failed {
            failed_at = Some(id);
            error = Some(format!(
                "{name}: start {name}.r8: the engine said \"exec: \\\"serve\\\": executable file not found in $PATH\" (400)"
            ));
        }
        let finished = StepFinished {
            failed_requests: (action == Action::Attach).then_some(if name == "web-3" { 2 } else { 0 }),
            step: id,
            instance: instance.clone(),
            batch,
            action,
            lane: Lane::Main,
            result: if failed { StepResult::Failed } else { StepResult::Ok },
            took_ms: took,
            waited_ms: 0,
            error: error.clone().filter(|_| failed),
            detail: (action == Action::Stop).then(|| "exit 0".to_owned()),
        };
        timed.push((begin + took, EventKind::StepFinished(finished)));
        let is_last = !plan.steps[id + 1..]
            .iter()
            .any(|s| s.lane == Lane::Main && s.instance == step.instance && s.task.action() == Action::Verify);
        if let (Action::Verify, true, Some(instance)) = (action, is_last, &instance) {
            let mut judged = judged(instance, course.moves == Some(name));
            if plan.replaces.contains_key(instance) {
                judged.before = None;
                timed.push((begin + took, EventKind::IdentityJudged(judged)));
                last = last.max(begin + took);
                serial += took;
                ends.push(Some(begin + took));
                continue;
            }
            timed.push((begin + took, EventKind::IdentityJudged(judged)));
            let gap = GapMeasured {
                instance: instance.clone(),
                gap_ms: 198.4 + f64::from(u32::try_from(took).unwrap()),
                probe: "tcp:8080".into(),
            };
            timed.push((begin + took, EventKind::GapMeasured(gap)));
        }
        last = last.max(begin + took);
        serial += took;
        ends.push((!failed).then_some(begin + took));
    }
    for (id, step) in
        plan.steps.iter().enumerate().filter(|(id, _)| error.is_some() && ends[*id].is_none() && Some(*id) != failed_at)
    {
        let skipped = StepFinished {
            failed_requests: None,
            step: id,
            instance: step.instance.clone(),
            batch: step.batch,
            action: step.task.action(),
            lane: step.lane,
            result: StepResult::Skipped,
            took_ms: 0,
            waited_ms: 0,
            error: None,
            detail: None,
        };
        timed.push((last, EventKind::StepFinished(skipped)));
    }
    let n = u32::try_from(plan.batches.iter().flatten().count()).unwrap();
    let moved = u32::from(course.moves.is_some());
    let finished = Finished {
        outcome: if error.is_some() { Outcome::Paused } else { Outcome::Succeeded },
        took_ms: last,
        serial_ms: serial,
        counts: Counts { instances: n, kept: n - moved, changed: moved, ..Counts::default() },
        error,
        state: vec![format!("{n} of {n} instances of shop/web run revision 8")],
    };
    timed.push((last, EventKind::Finished(finished)));
    timed.sort_by_key(|(at, _)| *at);
    let op = OpId::new("20261122-120431-3f2a01").unwrap();
    (0..)
        .zip(timed)
        .filter(|(_, (at, _))| course.until.is_none_or(|until| *at <= until))
        .map(|(seq, (elapsed_ms, kind))| OpEvent { v: 1, op: op.clone(), seq, at: now(), elapsed_ms, kind })
        .collect()
}

fn judged(instance: &InstanceName, moved: bool) -> IdentityJudged {
    let last = instance.0.bytes().last().unwrap() - b'0' + 2;
    let identity = |ip: String| {
        let address = Address { ipv4: Some(ip), ..Address::default() };
        Identity { networks: BTreeMap::from([("shop_default".into(), address)]), ..Identity::default() }
    };
    let (before, after) = (format!("172.18.0.{last}"), format!("172.18.0.{}", if moved { last + 40 } else { last }));
    let reasons = if moved {
        vec![format!("IPv4 on shop_default changed from {before} to {after}")]
    } else {
        vec![
            "addresses, namespace, hostname, ports and volumes are the same; its sandbox holds a pinned address".into(),
        ]
    };
    IdentityJudged {
        instance: instance.clone(),
        verdict: if moved { Verdict::Changed } else { Verdict::Kept },
        before: Some(identity(before)),
        after: Some(identity(after)),
        reasons,
    }
}

/// The first instance of `shop/web` serves, the second is being drained, the third is out.
pub fn traffic() -> TrafficSeen {
    let haproxy = haproxy();
    let server = |number, admin, up, sessions| Server {
        name: ServerName::new(format!("web-{number}")).unwrap(),
        address: None,
        admin,
        up,
        traffic: Some(Traffic { sessions, ..Traffic::default() }),
        words: "UP".into(),
    };
    let web = AppId::new("shop", "web");
    [(1, Admin::Ready, true, 12), (2, Admin::Drain, true, 3), (3, Admin::Maint, false, 0)]
        .map(|(number, admin, up, sessions)| {
            (web.instance(number), vec![(haproxy.clone(), server(number, Some(admin), up, sessions))])
        })
        .into()
}

/// A deployment whose console died.
pub fn broken_off(id: &str, app: &str, seconds: i64) -> Summary {
    let header = Header { by: "anna@ops1".into(), ..Header::default() };
    let kind = EventKind::Planned(Planned { app: app.into(), ..Planned::of(&deploy_plan()) });
    let op = OpId::new(id).unwrap();
    let planned = OpEvent { v: 1, op: op.clone(), seq: 0, at: ago(seconds), elapsed_ms: 0, kind };
    let head = ExtraLine::new(op, 0, ago(seconds), 0, Extra::Recorded(header)).line().unwrap();
    let text = [head, serde_json::to_vec(&planned).unwrap(), b"\n".to_vec()].concat();
    Record::read(&text).unwrap().summary(false)
}
