//! How a service is rolled out: `deploy`, `scale`, `pull_policy`, and our own `x-pitstop`.

use super::balancer;
use super::read::{At, Fields, Keys};
use super::tree::Value;
use crate::domain::balancer::BalancerSpec;
use crate::domain::hook::{DEFAULT_TIMEOUT_MS, Hook, Hooks, LONGEST_TIMEOUT_MS};
use crate::domain::options::{BatchSize, Gate, OnDrainTimeout, OnFailure, PullPolicy};
use crate::domain::spec::Rollout;
use crate::domain::warm::Warm;

/// The keys of `deploy`.
pub(super) const DEPLOY: Keys = Keys {
    read: &["replicas", "resources", "restart_policy", "update_config", "mode"],
    refused: &[],
    passed: &[
        ("labels", "they belong to a Swarm service"),
        ("placement", "there is one engine"),
        ("endpoint_mode", "it is Swarm's"),
        ("rollback_config", "a rollback is rolled out as a deployment is"),
    ],
};

const UPDATE: Keys = Keys {
    read: &["parallelism", "failure_action", "monitor", "order"],
    refused: &[],
    passed: &[
        ("delay", "the next batch begins when this one is available; `monitor` lengthens that"),
        ("max_failure_ratio", "the first failure stops new batches"),
    ],
};

const PITSTOP: Keys = Keys {
    read: &[
        "probe",
        "batch",
        "canary",
        "min_available",
        "gate",
        "min_ready",
        "on_failure",
        "surge",
        "warm",
        "drain",
        "balancer",
        "hooks",
    ],
    refused: &[],
    passed: &[],
};

/// How many instances: `--scale`, else `scale` or `deploy.replicas`, else one.
pub(super) fn replicas(service: &Fields<'_>, deploy: Option<&Fields<'_>>, told: Option<u32>) -> u32 {
    const MOST: u32 = 1000;
    let count = |at: At<'_>| match at.int::<u32>() {
        Some(count) if count > MOST => {
            at.error(format!("{count} replicas are more than the {MOST} that one engine is trusted with"));
            None
        }
        count => count,
    };
    let scale = service.get("scale").and_then(count);
    let deployed = deploy.and_then(|deploy| deploy.get("replicas")).and_then(count);
    if let (Some(scale), Some(deployed), Some(at)) = (scale, deployed, service.get("scale"))
        && scale != deployed
    {
        at.error(format!("is {scale}, but deploy.replicas is {deployed}; give it once"));
    }
    told.or(scale).or(deployed).unwrap_or(1)
}

/// Everything about the rollout; the service's `x-pitstop` over the top level's over `deploy.update_config`.
pub(super) fn read(service: &Fields<'_>, deploy: Option<&Fields<'_>>, top: &Rollout) -> Rollout {
    let mut rollout = Rollout { pull: service.get("pull_policy").and_then(|at| at.parsed(pull)), ..Rollout::default() };
    if let Some(deploy) = deploy {
        if let Some(at) = deploy.get("mode").filter(|at| at.text().is_some_and(|mode| mode != "replicated")) {
            at.error("is not supported: only replicated is");
        }
        if let Some(fields) = deploy.get("update_config").and_then(|at| at.fields(&UPDATE)) {
            update_config(&fields, &mut rollout);
        }
    }
    over(&mut rollout, top.clone());
    over(&mut rollout, x_pitstop(service));
    rollout
}

/// Our own section, of a service or of the top level.
pub(super) fn x_pitstop(owner: &Fields<'_>) -> Rollout {
    let mut rollout = Rollout::default();
    let Some(fields) = owner.get("x-pitstop").and_then(|at| at.fields(&PITSTOP)) else { return rollout };
    rollout.probe = fields.get("probe").and_then(|at| at.parsed(str::parse));
    rollout.batch = fields.get("batch").and_then(|at| at.parsed(str::parse));
    rollout.canary = fields.get("canary").and_then(|at| at.parsed(str::parse));
    rollout.min_available = fields.get("min_available").and_then(|at| at.parsed(str::parse));
    rollout.gate = fields.get("gate").and_then(|at| at.parsed(gate));
    rollout.min_ready_ms = fields.get("min_ready").and_then(|at| at.duration_ms());
    rollout.on_failure = fields.get("on_failure").and_then(|at| at.parsed(on_failure));
    rollout.surge = fields.get("surge").and_then(|at| at.flag());
    rollout.hooks = fields.get("hooks").and_then(|at| hooks(&at)).unwrap_or_default();
    rollout.balancers = fields
        .get("balancer")
        .map(|at| at.items_or_one())
        .into_iter()
        .flatten()
        .filter_map(|at| balancer::read(&at))
        .collect();
    if let Some(at) = fields.get("balancer").filter(|_| rollout.balancers.len() > 1)
        && rollout.balancers.contains(&BalancerSpec::None)
    {
        at.error("has `none` beside others");
    }
    if let Some(drain) = fields.get("drain").and_then(|at| at.fields(&Keys::only(&["timeout", "on_timeout"]))) {
        rollout.drain_timeout_ms = drain.get("timeout").and_then(|at| at.duration_ms());
        rollout.on_drain_timeout = drain.get("on_timeout").and_then(|at| at.parsed(on_drain_timeout));
    }
    rollout.warm = fields.get("warm").and_then(|at| at.parsed(warm));
    rollout
}

/// `{pre_stop: [program, argument], post_ready: {command: [program], timeout: 10s}}`.
fn hooks(at: &At<'_>) -> Option<Hooks> {
    let fields = at.fields(&Keys::only(&["pre_drain", "pre_stop", "post_ready"]))?;
    let hook = |key: &str| fields.get(key).and_then(|at| hook(&at));
    Some(Hooks { pre_drain: hook("pre_drain"), pre_stop: hook("pre_stop"), post_ready: hook("post_ready") })
}

/// A list is the command alone; a map may say how long it may take.
fn hook(at: &At<'_>) -> Option<Hook> {
    if !matches!(at.node.value, Value::Map(_)) {
        return Some(Hook { command: argv(at)?, timeout_ms: DEFAULT_TIMEOUT_MS });
    }
    let fields = at.fields(&Keys::only(&["command", "timeout"]))?;
    let command = fields.need("command").and_then(|at| argv(&at))?;
    let timeout_ms = match fields.get("timeout") {
        None => DEFAULT_TIMEOUT_MS,
        Some(at) => {
            let ms = at.duration_ms()?;
            if !(1..=LONGEST_TIMEOUT_MS).contains(&ms) {
                at.error("must be longer than nothing and at most 1h");
                return None;
            }
            ms
        }
    };
    Some(Hook { command, timeout_ms })
}

/// A program and its arguments.
fn argv(at: &At<'_>) -> Option<Vec<String>> {
    if !matches!(at.node.value, Value::List(_)) {
        at.error("is not a list: write [program, argument, …]; no shell runs it (for one: [/bin/sh, -c, \"…\"])");
        return None;
    }
    let command = at.texts();
    if command.first().is_none_or(|program| program.trim().is_empty()) {
        at.error("names no program");
        return None;
    }
    Some(command)
}

fn update_config(fields: &Fields<'_>, rollout: &mut Rollout) {
    rollout.batch = fields.get("parallelism").and_then(|at| at.int()).map(|count| match count {
        0 => BatchSize::Percent(100),
        count => BatchSize::Count(count),
    });
    rollout.min_ready_ms = fields.get("monitor").and_then(|at| at.duration_ms());
    if let Some(at) = fields.get("failure_action") {
        match at.text().as_deref() {
            Some("continue") => at.warn("is passed over: the first failure always stops new batches"),
            Some(_) => rollout.on_failure = at.parsed(on_failure),
            None => {}
        }
    }
    if let Some(at) = fields.get("order") {
        match at.text().as_deref() {
            Some("stop-first") | None => {}
            Some("start-first") => at.warn(
                "is passed over: in place, the old version stops before the new one starts; \
                 `x-pitstop: {surge: true}` starts new instances first, at other addresses",
            ),
            Some(other) => at.error(format!("`{other}` is not an order; use stop-first")),
        }
    }
}

/// Lays what `later` says over `rollout`.
fn over(rollout: &mut Rollout, later: Rollout) {
    rollout.probe = later.probe.or(rollout.probe.take());
    rollout.batch = later.batch.or(rollout.batch);
    rollout.canary = later.canary.or(rollout.canary);
    rollout.min_available = later.min_available.or(rollout.min_available);
    rollout.gate = later.gate.or(rollout.gate);
    rollout.on_failure = later.on_failure.or(rollout.on_failure);
    rollout.surge = later.surge.or(rollout.surge);
    rollout.warm = later.warm.or(rollout.warm);
    rollout.min_ready_ms = later.min_ready_ms.or(rollout.min_ready_ms);
    rollout.pull = later.pull.or(rollout.pull);
    rollout.hooks.over(later.hooks);
    rollout.drain_timeout_ms = later.drain_timeout_ms.or(rollout.drain_timeout_ms);
    rollout.on_drain_timeout = later.on_drain_timeout.or(rollout.on_drain_timeout);
    if !later.balancers.is_empty() {
        rollout.balancers = later.balancers;
    }
}

fn warm(text: &str) -> Result<Warm, String> {
    match text {
        "off" => Ok(Warm::Off),
        "start" => Ok(Warm::Start),
        "bind" => Ok(Warm::Bind),
        "exclusive" => Ok(Warm::Exclusive),
        "auto" => Ok(Warm::Auto),
        _ => Err(format!("`{text}` is not a way to swap; use off, start, bind, exclusive or auto")),
    }
}

fn gate(text: &str) -> Result<Gate, String> {
    match text {
        "auto" => Ok(Gate::Auto),
        "first" => Ok(Gate::First),
        "every" => Ok(Gate::Every),
        _ => Err(format!("`{text}` is not a gate; use auto, first or every")),
    }
}

fn on_failure(text: &str) -> Result<OnFailure, String> {
    match text {
        "pause" => Ok(OnFailure::Pause),
        "rollback" => Ok(OnFailure::Rollback),
        _ => Err(format!("`{text}` is not an action on failure; use pause or rollback")),
    }
}

fn on_drain_timeout(text: &str) -> Result<OnDrainTimeout, String> {
    match text {
        "cut" => Ok(OnDrainTimeout::Cut),
        "abort" => Ok(OnDrainTimeout::Abort),
        _ => Err(format!("`{text}` is not what can happen to sessions; use cut or abort")),
    }
}

fn pull(text: &str) -> Result<PullPolicy, String> {
    match text {
        "missing" | "if_not_present" => Ok(PullPolicy::Missing),
        "always" => Ok(PullPolicy::Always),
        "never" => Ok(PullPolicy::Never),
        "build" => Err("`build` is not supported: images are built elsewhere; use missing, always or never".to_owned()),
        _ => Err(format!("`{text}` is not a pull policy; use missing, always or never")),
    }
}
