//! What each key of a service becomes: a table of snippets and values.

use pitstop::config::compose::{LoadOptions, load};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The app `web` of a file whose service has these lines, as JSON.
fn app(lines: &str) -> Result<Value, String> {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("compose.yaml");
    let indented = lines.replace('\n', "\n    ");
    let text = format!(
        "services:\n  web:\n    image: web:1\n    {indented}\n  db: {{ image: db:1 }}\nnetworks:\n  back:\n  pool: {{ ipam: {{ config: [{{ subnet: 10.0.0.0/16 }}, {{ subnet: 'fd00::/64' }}] }} }}\n  \
         other: {{ external: true }}\nvolumes: {{ data: , named: {{ name: real }} }}\nsecrets: {{ key: {{ file: key.txt }} }}\nconfigs: {{ conf: {{ file: /etc/conf }} }}\nx-pitstop: {{ gate: every, batch: 3 }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions {
        project: Some("p".to_owned()),
        project_dir: Some("/srv/p".into()),
        env: BTreeMap::from([("OUTER".to_owned(), "o".to_owned())]).into(),
        ..LoadOptions::default()
    };
    let project = load(&[file], &options).map_err(|errors| errors.to_string())?;
    Ok(serde_json::to_value(&project.apps["web"]).unwrap())
}

#[test]
#[rustfmt::skip]
fn every_key_becomes_what_docker_calls_it() {
    let mount = |value: Value| {
        let mut mount = json!({ "kind": "volume", "source": "", "target": "", "read_only": false, "propagation": null,
            "create_host_path": false, "nocopy": false, "tmpfs_size": null, "tmpfs_mode": null });
        mount.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        json!([mount])
    };
    let bind = |value: Value| {
        let mut value = value;
        value["kind"] = "bind".into();
        mount(value)
    };
    for (lines, pointer, want) in [
        ("command: [a, 1, true]", "/spec/container/command", json!(["a", "1", "true"])),
        ("command: []", "/spec/container/command", json!([])),
        ("command:", "/spec/container/command", Value::Null),
        ("entrypoint: sh -c 'x y'", "/spec/container/entrypoint", json!(["sh", "-c", "x y"])),
        ("environment: [A=1=2, OUTER, GONE, x-y=z]", "/spec/container/environment", json!({"A": "1=2", "OUTER": "o", "x-y": "z"})),
        ("environment: { A: 1, x-y: z, OUTER: , N: 'null' }", "/spec/container/environment", json!({"A": "1", "N": "null", "OUTER": "o", "x-y": "z"})),
        ("labels: [a, b=c]", "/spec/container/labels", json!({"a": "", "b": "c"})),
        ("user: 1000", "/spec/container/user", json!("1000")),
        ("restart: no", "/spec/container/restart", json!("no")),
        ("restart: false", "/spec/container/restart", json!("no")),
        ("restart: on-failure", "/spec/container/restart", json!({"on-failure": null})),
        ("restart: on-failure:2", "/spec/container/restart", json!({"on-failure": 2})),
        ("deploy: { restart_policy: { condition: any } }", "/spec/container/restart", json!("always")),
        ("deploy: { restart_policy: { condition: on-failure, max_attempts: 4 } }", "/spec/container/restart", json!({"on-failure": 4})),
        ("stop_grace_period: 1m30s", "/spec/container/stop_grace_ms", json!(90_000)),
        ("stop_grace_period: 5", "/spec/container/stop_grace_ms", json!(5_000)),
        ("init: true", "/spec/container/init", json!(true)),
        ("cap_add: [SYS_TIME, SYS_TIME]", "/spec/container/cap_add", json!(["SYS_TIME"])),
        ("group_add: [100, audio]", "/spec/container/group_add", json!(["100", "audio"])),
        ("ulimits: { nofile: 10, core: { soft: 0, hard: -1 } }", "/spec/container/ulimits", json!({"nofile": [10, 10], "core": [0, -1]})),
        ("sysctls: [net.core.somaxconn=1, kernel.shmmax=2]", "/spec/container/sysctls", json!({"kernel.shmmax": "2"})),
        ("sysctls: [net.core.somaxconn=1, kernel.shmmax=2]", "/spec/sandbox/sysctls", json!({"net.core.somaxconn": "1"})),
        ("shm_size: 64m", "/spec/container/shm_size", json!(67_108_864)),
        ("mem_limit: 1gb", "/spec/container/resources/memory", json!(1_073_741_824)),
        ("mem_limit: 64m\nmemswap_limit: -1", "/spec/container/resources/memory_swap", json!(-1)),
        ("deploy: { resources: { limits: { cpus: '0.25', pids: 9 } } }", "/spec/container/resources/nano_cpus", json!(250_000_000)),
        ("cpuset: 0-3,5", "/spec/container/resources/cpuset", json!("0-3,5")),
        ("pids_limit: -1", "/spec/container/resources/pids", json!(-1)),
        ("logging: { options: { max-file: 3 } }", "/spec/container/logging", json!({"driver": "", "options": {"max-file": "3"}})),
        ("healthcheck: { disable: true }", "/spec/container/healthcheck/test", json!(["NONE"])),
        ("healthcheck: { test: [CMD, x], timeout: 500ms }", "/spec/container/healthcheck/timeout_ms", json!(500)),
        ("healthcheck: { interval: 2s }", "/spec/container/healthcheck/test", json!([])),
        ("volumes: ['data:/d/:nocopy']", "/spec/container/mounts", mount(json!({"source": "p_data", "target": "/d", "nocopy": true}))),
        ("volumes: ['named:/d:ro']", "/spec/container/mounts", mount(json!({"source": "real", "target": "/d", "read_only": true}))),
        ("volumes: [/d]", "/spec/container/mounts", mount(json!({"target": "/d"}))),
        ("volumes: ['./a/../b:/d:rslave']", "/spec/container/mounts", bind(json!({"source": "/srv/p/b", "target": "/d", "propagation": "rslave", "create_host_path": true}))),
        ("volumes: [{ type: bind, source: ../c, target: /d, bind: { create_host_path: false } }]", "/spec/container/mounts", bind(json!({"source": "/srv/c", "target": "/d"}))),
        ("volumes: [{ type: tmpfs, target: /d, tmpfs: { size: 1k, mode: '755' } }]", "/spec/container/mounts", mount(json!({"kind": "tmpfs", "target": "/d", "tmpfs_size": 1024, "tmpfs_mode": 0o755}))),
        ("tmpfs: '/d:ro,size=1m'", "/spec/container/mounts", mount(json!({"kind": "tmpfs", "target": "/d", "tmpfs_size": 1_048_576, "read_only": true}))),
        ("secrets: [key]", "/spec/container/mounts", bind(json!({"source": "/srv/p/key.txt", "target": "/run/secrets/key", "read_only": true}))),
        ("configs: [conf]", "/spec/container/mounts", bind(json!({"source": "/etc/conf", "target": "/conf", "read_only": true}))),
        ("configs: [{ source: conf, target: /x/y }]", "/spec/container/mounts", bind(json!({"source": "/etc/conf", "target": "/x/y", "read_only": true}))),
        ("hostname: h", "/spec/sandbox/hostname", json!("h")),
        ("dns: [1.1.1.1, '2001:DB8::1']", "/spec/sandbox/dns", json!(["1.1.1.1", "2001:db8::1"])),
        ("dns_opt: [ndots:1]", "/spec/sandbox/dns_options", json!(["ndots:1"])),
        ("extra_hosts: { a: 1.2.3.4, b: [host-gateway, '::1'] }", "/spec/sandbox/extra_hosts", json!(["a:1.2.3.4", "b:host-gateway", "b:::1"])),
        ("extra_hosts: ['a=1.2.3.4', 'b:[::1]']", "/spec/sandbox/extra_hosts", json!(["a:1.2.3.4", "b:::1"])),
        ("scale: 2", "/replicas", json!(2)),
        ("deploy: { replicas: 3 }", "/replicas", json!(3)),
        ("depends_on: [db]", "/depends_on", json!([{"app": "db", "condition": "service_started", "required": true}])),
        ("depends_on: { db: { condition: service_healthy } }", "/depends_on/0/condition", json!("service_healthy")),
        ("scale: 1", "/spec/rollout/gate", json!("every")),
        ("x-pitstop: { gate: first }", "/spec/rollout/gate", json!("first")),
        ("x-pitstop: { gate: first, warm: off }", "/spec/rollout/batch", json!("3")),
        ("deploy: { update_config: { parallelism: 9, monitor: 5s } }", "/spec/rollout/batch", json!("3")),
        ("deploy: { update_config: { parallelism: 9, monitor: 5s } }", "/spec/rollout/min_ready_ms", json!(5000)),
        ("x-pitstop: { probe: 'exec:true', min_ready: 1, on_failure: rollback }", "/spec/rollout/probe", json!("exec:true")),
        ("pull_policy: if_not_present", "/spec/rollout/pull", json!("missing")),
        ("networks: { back: { priority: 1 }, other: { priority: 2, aliases: [x] } }", "/spec/sandbox/networks/0/network", json!("other")),
        ("networks: { pool: { ipv4_address: 10.0.9.9, ipv6_address: 'fd00::9', mac_address: 02-42-AC-11-00-0A } }", "/spec/sandbox/networks/0",
            json!({"network": "p_pool", "aliases": [], "ipv4": "10.0.9.9", "ipv6": "fd00::9", "mac": "02:42:ac:11:00:0a"})),
        ("networks: [back]\nmac_address: 02:42:ac:11:00:0a", "/spec/sandbox/networks/0/mac", json!("02:42:ac:11:00:0a")),
        ("scale: 1", "/spec/sandbox/networks/0/network", json!("p_default")),
        ("ports: [80, 81:81, '82:82/udp']", "/spec/sandbox/ports/1/host", json!([81, 81])),
        ("ports: [{ target: 80, published: 8000-8009, host_ip: '::1', protocol: udp }]", "/spec/sandbox/ports/0",
            json!({"host_ip": "::1", "host": [8000, 8009], "container": 80, "protocol": "udp"})),
    ] {
        let app = app(lines).unwrap_or_else(|errors| panic!("{lines}\n{errors}"));
        assert_eq!(app.pointer(pointer), Some(&want), "{lines}");
    }
}
