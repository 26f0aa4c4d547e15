//! Field by field: what a container was asked to be comes out of its inspection again, and goes into the next one.

use super::super::create::AppCreation;
use super::super::write;
use super::*;
use crate::domain::ids::ObjectName;
use crate::domain::spec::{Mount, MountKind, PublishedPort};
use bollard::models::EndpointSettings;
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::json;

fn read(container: Value, image: Value) -> Original {
    let defaults = Defaults { log_driver: "json-file".into(), cgroupns: "host".into(), podman: false };
    original(serde_json::from_value(container).unwrap(), &serde_json::from_value(image).unwrap(), &defaults)
}

/// The request that makes the next container, from what was read.
fn written(original: &Original) -> Value {
    let creation = AppCreation {
        name: ObjectName::new("shop-web-1.r1").unwrap(),
        image: ImageRef::new("web:v1").unwrap(),
        labels: BTreeMap::new(),
        spec: original.spec.container.clone(),
        sandbox: ContainerId::new("ab".repeat(32)).unwrap(),
        carry: Vec::new(),
        gate: None,
    };
    serde_json::to_value(write::app(&creation)).unwrap()
}

/// An inspection that has this in `HostConfig`.
fn with(key: &str, value: &Value) -> Value {
    json!({"Id": "cd".repeat(32), "Name": "/web", "Image": "sha256:1", "Config": {"Image": "web:v1"},
           "HostConfig": {"NetworkMode": "front", key: value}})
}

/// The fields that the engine's answer can have, as far as the client library knows them.
fn fields<'de, T: serde::Deserialize<'de>>() -> &'static [&'static str] {
    #[derive(Debug)]
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> serde::Deserializer<'de> for Names<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("only names are asked for"))
        }

        fn deserialize_struct<V: serde::de::Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
            seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Names(&mut names));
    assert!(!names.is_empty(), "they are there");
    names
}

/// Each field of an inspection, and where it is seen to: a new one of the client library's has to get its place here.
#[test]
fn every_field_of_an_inspection_is_seen_to() {
    // Carried over, as the tests below show; named as lost; or nothing to carry over.
    let known: [(&[&str], &[&str]); 4] = [
        (
            fields::<ContainerInspectResponse>(),
            &[
                // Read.
                "Id",
                "Name",
                "Image",
                "Mounts",
                "Config",
                "HostConfig",
                "NetworkSettings",
                // What it is at the moment, and where the engine keeps it.
                "Created",
                "Path",
                "Args",
                "State",
                "ResolvConfPath",
                "HostnamePath",
                "HostsPath",
                "LogPath",
                "RestartCount",
                "Driver",
                "Platform",
                "ImageManifestDescriptor",
                "MountLabel",
                "ProcessLabel",
                "AppArmorProfile",
                "ExecIDs",
                "GraphDriver",
                "Storage",
                "SizeRw",
                "SizeRootFs",
            ],
        ),
        (
            fields::<ContainerConfig>(),
            &[
                "Hostname",
                "Domainname",
                "User",
                "Tty",
                "OpenStdin",
                "Env",
                "Cmd",
                "Healthcheck",
                "Image",
                "Volumes",
                "WorkingDir",
                "Entrypoint",
                "Labels",
                "StopSignal",
                "StopTimeout",
                // Of whoever ran it in a terminal, and of images alone.
                "AttachStdin",
                "AttachStdout",
                "AttachStderr",
                "StdinOnce",
                "ArgsEscaped",
                "OnBuild",
                "Shell",
                // It publishes nothing; a container without a network is refused.
                "ExposedPorts",
                "NetworkDisabled",
            ],
        ),
        (
            fields::<EndpointSettings>(),
            &[
                "IPAMConfig",
                "MacAddress",
                "Aliases",
                "IPAddress",
                "GlobalIPv6Address",
                // Named as lost.
                "Links",
                "DriverOpts",
                "GwPriority",
                // The network's, or made from the others.
                "NetworkID",
                "EndpointID",
                "Gateway",
                "IPPrefixLen",
                "IPv6Gateway",
                "GlobalIPv6PrefixLen",
                "DNSNames",
            ],
        ),
        (fields::<bollard::models::NetworkSettings>(), &["SandboxID", "SandboxKey", "Ports", "Networks"]),
    ];
    for (there, seen_to) in known {
        let new: Vec<_> = there.iter().filter(|field| !seen_to.contains(field)).collect();
        assert!(new.is_empty(), "{new:?}: nobody sees to them");
    }
    // What has a word in a spec is named; all others go along as they are, whatever they are called.
    let host = fields::<HostConfig>();
    let strange: Vec<_> = SAID.iter().filter(|field| !host.contains(field)).collect();
    assert!(strange.is_empty(), "{strange:?}: no such settings");
}

#[test]
fn every_setting_of_the_engine_goes_along() {
    let settings = [
        ("Memory", json!(1_048_576)),
        ("MemoryReservation", json!(4096)),
        ("MemorySwap", json!(-1)),
        ("MemorySwappiness", json!(10)),
        ("NanoCpus", json!(500_000_000)),
        ("CpuShares", json!(512)),
        ("CpuPeriod", json!(100_000)),
        ("CpuQuota", json!(50_000)),
        ("CpuRealtimePeriod", json!(1000)),
        ("CpuRealtimeRuntime", json!(900)),
        ("CpusetCpus", json!("0-1")),
        ("CpusetMems", json!("0")),
        ("BlkioWeight", json!(300)),
        ("BlkioDeviceReadBps", json!([{"Path": "/dev/sda", "Rate": 1024}])),
        ("PidsLimit", json!(100)),
        ("OomKillDisable", json!(true)),
        ("OomScoreAdj", json!(-500)),
        ("Init", json!(true)),
        ("Ulimits", json!([{"Name": "nofile", "Soft": 1024, "Hard": 2048}])),
        ("CgroupParent", json!("/workers")),
        ("CgroupnsMode", json!("private")),
        ("Devices", json!([{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}])),
        ("DeviceCgroupRules", json!(["c 13:* rwm"])),
        ("DeviceRequests", json!([{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}])),
        ("CapAdd", json!(["NET_ADMIN"])),
        ("CapDrop", json!(["MKNOD"])),
        ("GroupAdd", json!(["audio"])),
        ("SecurityOpt", json!(["no-new-privileges"])),
        ("Privileged", json!(true)),
        ("ReadonlyRootfs", json!(true)),
        ("MaskedPaths", json!([])),
        ("ReadonlyPaths", json!([])),
        ("IpcMode", json!("host")),
        ("PidMode", json!("host")),
        ("UsernsMode", json!("host")),
        ("Runtime", json!("runsc")),
        ("StorageOpt", json!({"size": "10G"})),
        ("Tmpfs", json!({"/run": "size=64m,uid=1000"})),
        ("ShmSize", json!(1_048_576)),
        ("Sysctls", json!({"kernel.msgmax": "65536"})),
        ("Annotations", json!({"team": "shop"})),
        ("LogConfig", json!({"Type": "json-file", "Config": {"max-size": "10m"}})),
        ("RestartPolicy", json!({"Name": "on-failure", "MaximumRetryCount": 3})),
    ];
    for (key, value) in settings {
        let original = read(with(key, &value), json!({}));
        assert_eq!(written(&original)["HostConfig"][key], value, "{key}");
        assert_eq!(original.losses, Vec::<String>::new(), "{key}");
    }
}

#[test]
fn what_every_container_has_is_no_wish() {
    let plain = json!({
        "Id": "cd".repeat(32), "Name": "/web", "Image": "sha256:1",
        "Config": {"Image": "web:v1", "Hostname": "cdcdcdcdcdcd", "Cmd": ["serve"], "Env": ["PATH=/bin"],
                   "Labels": {"com.docker.compose.project": "shop", "made": "here"}},
        "HostConfig": {
            "NetworkMode": "default", "ShmSize": 67_108_864, "IpcMode": "private", "CgroupnsMode": "host",
            "Runtime": "runc", "PidsLimit": null, "MemorySwappiness": null, "OomKillDisable": false, "Isolation": "",
            "MaskedPaths": ["/proc/kcore"], "ReadonlyPaths": ["/proc/sys"], "ConsoleSize": [0, 0],
            "LogConfig": {"Type": "json-file", "Config": {}}, "Memory": 1024, "MemorySwap": 2048,
        },
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2", "MacAddress": "02:42:ac:11:00:02"}}},
    });
    let original = read(plain, json!({"Cmd": ["serve"], "Env": ["PATH=/bin"], "Labels": {"made": "here"}}));
    let wanted = ContainerSpec {
        resources: Resources { memory: Some(1024), ..Resources::default() },
        ..ContainerSpec::default()
    };
    assert_eq!(original.spec.container, wanted);
    assert_eq!(original.spec.sandbox.hostname, None);
    assert_eq!(original.sandbox.hostname.as_deref(), Some("cdcdcdcdcdcd"));
    assert_eq!(original.chosen, BTreeMap::from([("bridge".to_owned(), "172.17.0.2".to_owned())]));
    assert_eq!((original.losses, original.obstacles), (Vec::new(), Vec::new()));
}

#[test]
fn the_network_side_is_kept_as_it_is() {
    let seen = json!({
        "Id": "cd".repeat(32), "Name": "/shop_web_1", "Config": {"Image": "web", "Hostname": "www", "Domainname": "d"},
        "HostConfig": {
            "NetworkMode": "front", "Dns": ["10.0.0.1"], "ExtraHosts": ["db:10.0.0.9"], "DnsSearch": ["x"],
            "Sysctls": {"net.core.somaxconn": "4096"},
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}]},
        },
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "49153"}, {"HostIp": "::", "HostPort": "49153"}],
                      "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "5353"}], "9/tcp": null},
            "Networks": {
                "back": {"IPAddress": "10.2.0.3", "MacAddress": "aa:bb:cc:00:00:01", "Aliases": ["shop_web_1", "web"]},
                "front": {"IPAddress": "10.1.0.3", "IPAMConfig": {"IPv4Address": "10.1.0.3"},
                          "MacAddress": "02:42:0a:01:00:03", "Aliases": ["web", "cdcdcdcdcdcd"]},
            },
        },
    });
    let original = read(seen, json!({}));
    let names: Vec<&str> = original.sandbox.networks.iter().map(|attach| attach.network.as_str()).collect();
    assert_eq!(names, ["front", "back"], "the one it was created on comes first");
    let front = &original.sandbox.networks[0];
    assert_eq!((front.ipv4.as_deref(), front.mac.as_deref()), (Some("10.1.0.3"), None));
    assert_eq!(front.aliases, ["web", "shop_web_1"]);
    assert_eq!(original.sandbox.networks[1].mac.as_deref(), Some("aa:bb:cc:00:00:01"));
    for end in &original.spec.sandbox.networks {
        assert_eq!(end.aliases, ["web"], "its name is no wish of a file, also where Compose v2 has made it an alias");
    }
    assert_eq!(original.chosen, BTreeMap::from([("back".to_owned(), "10.2.0.3".to_owned())]));
    let port = |host_ip: Option<&str>, host, container, protocol: &str| PublishedPort {
        host_ip: host_ip.map(Into::into),
        host,
        container,
        protocol: protocol.into(),
    };
    let dns = port(Some("127.0.0.1"), Some((5353, 5353)), 53, "udp");
    assert_eq!(original.spec.sandbox.ports, [port(None, None, 80, "tcp"), dns.clone()]);
    assert_eq!(original.sandbox.ports, [port(None, Some((49153, 49153)), 80, "tcp"), dns]);
    let sandbox = &original.sandbox;
    assert_eq!((sandbox.hostname.as_deref(), sandbox.domainname.as_deref()), (Some("www"), Some("d")));
    assert_eq!(
        (&sandbox.dns[..], &sandbox.extra_hosts[..]),
        (&["10.0.0.1".to_owned()][..], &["db:10.0.0.9".to_owned()][..])
    );
    assert_eq!(sandbox.sysctls, BTreeMap::from([("net.core.somaxconn".to_owned(), "4096".to_owned())]));
}

#[test]
fn podman_s_own_words_are_no_wishes() {
    let seen = json!({"Id": "cd".repeat(32), "Name": "/web", "Image": "sha256:1", "Config": {"Image": "web:v1"},
        "HostConfig": {"NetworkMode": "front", "Runtime": "oci", "PidMode": "private", "IpcMode": "shareable",
                       "Ulimits": [{"Name": "RLIMIT_NOFILE", "Soft": 1024, "Hard": 2048}]}});
    let container = read(seen, json!({})).spec.container;
    assert_eq!(container.ulimits, BTreeMap::from([("nofile".to_owned(), (1024, 2048))]));
    assert_eq!(container.verbatim, BTreeMap::new());
}

#[test]
fn the_files_that_compose_made_it_from_are_told() {
    let of = |labels: Value| {
        let mut seen = with("Init", &Value::Null);
        seen["Config"]["Labels"] = labels;
        read(seen, json!({})).files
    };
    let v2 = json!({COMPOSE_FILES: "/srv/shop/compose.yaml,/srv/shop/prod.yaml", COMPOSE_DIRECTORY: "/srv/shop"});
    assert_eq!(of(v2), ["/srv/shop/compose.yaml", "/srv/shop/prod.yaml"]);
    assert_eq!(
        of(json!({COMPOSE_FILES: "docker-compose.yml", COMPOSE_DIRECTORY: "/srv/x"})),
        ["/srv/x/docker-compose.yml"]
    );
    assert_eq!(of(json!({COMPOSE_FILES: "-"})), Vec::<String>::new(), "from standard input");
}

#[test]
fn arguments_are_the_image_s_unless_they_are_its_own() {
    let image = json!({"Entrypoint": ["/entry"], "Cmd": ["serve"]});
    for (config, entrypoint, command) in [
        (json!({"Entrypoint": ["/entry"], "Cmd": ["serve"]}), None, None),
        (json!({"Entrypoint": ["/entry"], "Cmd": ["other"]}), None, Some(vec!["other"])),
        (json!({"Entrypoint": ["/mine"], "Cmd": null}), Some(vec!["/mine"]), None),
        (json!({"Entrypoint": ["/mine"], "Cmd": ["serve"]}), Some(vec!["/mine"]), Some(vec!["serve"])),
        (json!({"Entrypoint": ["/entry"], "Cmd": null}), Some(vec!["/entry"]), None),
        (json!({"Entrypoint": null, "Cmd": ["sh"]}), Some(vec![""]), Some(vec!["sh"])),
    ] {
        let mut seen = with("Init", &Value::Null);
        seen["Config"] = config.clone();
        let container = read(seen, image.clone()).spec.container;
        let words = |list: Option<Vec<&str>>| list.map(|list| list.into_iter().map(String::from).collect::<Vec<_>>());
        assert_eq!((container.entrypoint, container.command), (words(entrypoint), words(command)), "{config}");
    }
}

#[test]
fn what_stands_in_the_way_is_said() {
    let said = |change: &dyn Fn(&mut Value)| {
        let mut seen = with("Init", &Value::Null);
        change(&mut seen);
        read(seen, json!({}))
    };
    for (mode, word) in [("host", "host's network"), ("none", "no network"), ("container:x", "another container")] {
        let found = said(&|seen| seen["HostConfig"]["NetworkMode"] = json!(mode)).obstacles;
        assert!(found.len() == 1 && found[0].contains(word), "{found:?}");
    }
    let label = |key: &str| said(&|seen| seen["Config"]["Labels"] = json!({key: "True"})).obstacles;
    assert!(label("com.docker.swarm.service.id")[0].contains("Swarm"));
    assert!(label("com.docker.compose.oneoff")[0].contains("one-off"));
    let part = json!([{"Type": "volume", "Source": "data", "Target": "/d", "VolumeOptions": {"Subpath": "a"}}]);
    assert!(said(&|seen| seen["HostConfig"]["Mounts"] = part.clone()).obstacles[0].contains("volume-subpath"));
    assert!(said(&|seen| seen["HostConfig"]["AutoRemove"] = json!(true)).obstacles[0].contains("--rm"));
    let mounted = |bind: &str| {
        said(&|seen| {
            seen["HostConfig"]["Binds"] = json!([bind]);
            seen["Mounts"] =
                json!([{"Type": "bind", "Source": "/srv", "Destination": "/data", "Mode": "z", "RW": true}]);
        })
        .losses
    };
    assert_eq!(mounted("/srv:/data"), Vec::<String>::new(), "a mode that the engine made up");
    assert!(mounted("/srv:/data:ro,Z")[0].contains("SELinux"));
    assert!(said(&|seen| seen["HostConfig"]["Links"] = json!(["/db:/web/db"])).losses[0].contains("links"));
    assert!(said(&|seen| seen["HostConfig"]["UTSMode"] = json!("host")).losses[0].contains("hostname"));
}

fn word() -> impl Strategy<Value = String> {
    "[a-z]{1,8}"
}

fn list() -> impl Strategy<Value = Vec<String>> {
    vec(word(), 0..3)
}

fn mount() -> impl Strategy<Value = Mount> {
    (word(), any::<bool>(), any::<bool>(), any::<bool>(), 0..3_u8).prop_map(|(name, read_only, nocopy, path, kind)| {
        let target = format!("/{name}");
        match kind {
            0 => Mount { source: name, target, read_only, nocopy, ..Mount::default() },
            1 => Mount {
                kind: MountKind::Bind,
                source: format!("/srv{target}"),
                target,
                read_only,
                create_host_path: path,
                ..Mount::default()
            },
            _ => Mount {
                kind: MountKind::Tmpfs,
                target,
                tmpfs_size: Some(1024),
                tmpfs_mode: Some(0o700),
                ..Mount::default()
            },
        }
    })
}

prop_compose! {
    fn process()(
        entrypoint in of(vec(word(), 1..3)),
        command in of(vec(word(), 1..3)),
        environment in btree_map(word(), word(), 0..4),
        user in of(word()),
        working_dir in of(word()),
        labels in btree_map(word(), word(), 0..3),
        mounts in vec(mount(), 0..4),
        stop in (of(word()), of(1..100_u64)),
    ) -> ContainerSpec {
        let mut mounts = mounts;
        mounts.sort_by(|a, b| a.target.cmp(&b.target));
        mounts.dedup_by(|a, b| a.target == b.target);
        ContainerSpec {
            entrypoint, command, environment: environment.into(), user, working_dir, labels, mounts,
            stop_signal: stop.0, stop_grace_ms: stop.1.map(|s| s * 1000), ..ContainerSpec::default()
        }
    }
}

prop_compose! {
    fn container_spec()(
        spec in process(),
        flags in any::<[bool; 4]>(),
        init in of(any::<bool>()),
        lists in (list(), list(), list(), list()),
        sysctls in btree_map("kernel\\.[a-z]{1,5}", word(), 0..2),
        ulimits in btree_map(word(), (1..9_i64, 1..9_i64), 0..2),
        restart in prop_oneof![
            Just(RestartPolicy::No), Just(RestartPolicy::Always), Just(RestartPolicy::UnlessStopped),
            of(1..9_u32).prop_map(RestartPolicy::OnFailure),
        ],
        check in of((vec(word(), 2..3), of(1..9_u64), of(1..9_u32))),
        memory in of(1..1000_i64),
        others in (of(1..1000_i64), of(1..1000_i64), of(word()), of(1..1000_i64), of(1..1000_i64)),
        logging in of((word(), btree_map(word(), word(), 0..2))),
    ) -> ContainerSpec {
        ContainerSpec {
            tty: flags[0], stdin_open: flags[1], privileged: flags[2], read_only: flags[3], init,
            cap_add: lists.0, cap_drop: lists.1, security_opt: lists.2, group_add: lists.3,
            sysctls, ulimits, restart,
            healthcheck: check.map(|(test, interval_ms, retries)| Healthcheck { test, interval_ms, retries, ..Healthcheck::default() }),
            resources: Resources {
                memory, memory_reservation: others.0, nano_cpus: others.1, cpuset: others.2, pids: others.3, cpu_shares: others.4,
                memory_swap: None,
            },
            logging: logging.map(|(driver, options)| Logging { driver, options }),
            ..spec
        }
    }
}

/// As the engine shows what is mounted.
fn shown(mount: &Mount) -> Value {
    let kind = match mount.kind {
        MountKind::Volume => "volume",
        MountKind::Bind => "bind",
        MountKind::Tmpfs => "tmpfs",
    };
    let (name, source) = if mount.kind == MountKind::Volume {
        (json!(mount.source), json!("/var/lib"))
    } else {
        (Value::Null, json!(mount.source))
    };
    json!({"Type": kind, "Name": name, "Source": source, "Destination": mount.target, "RW": !mount.read_only,
           "Propagation": if mount.kind == MountKind::Bind { "rprivate" } else { "" }, "Mode": ""})
}

proptest! {
    #[test]
    fn what_a_container_is_made_from_is_read_from_it_again(spec in container_spec()) {
        let made = written(&Original {
            spec: AppSpec { container: spec.clone(), ..AppSpec::default() },
            ..Original::default()
        });
        let mut host = made["HostConfig"].clone();
        host["NetworkMode"] = json!("front");
        let mut config = made.clone();
        config["Image"] = json!("web:v1");
        let seen = json!({
            "Id": "cd".repeat(32), "Name": "/web", "Config": config, "HostConfig": host,
            "Mounts": spec.mounts.iter().map(shown).collect::<Vec<_>>(),
        });
        let original = read(seen, json!({}));
        prop_assert_eq!(&original.losses, &Vec::<String>::new());
        prop_assert_eq!(&original.spec.container, &spec);
        prop_assert_eq!(original.spec.image, "web:v1");
    }
}

#[test]
fn a_port_that_is_another_one_for_each_family_stays_so() {
    let ports = |bindings: Value| bound(&serde_json::from_value(json!({"80/tcp": bindings})).unwrap());
    let seen = |ip: &str, port: &str| json!({"HostIp": ip, "HostPort": port});
    let port = |ip: Option<&str>, host: u16| PublishedPort {
        host_ip: ip.map(str::to_owned),
        host: Some((host, host)),
        container: 80,
        protocol: "tcp".into(),
    };
    assert_eq!(ports(json!([seen("0.0.0.0", "32768"), seen("::", "32768")])), [port(None, 32768)]);
    assert_eq!(ports(json!([seen("0.0.0.0", "32768")])), [port(None, 32768)], "an engine without IPv6");
    assert_eq!(
        ports(json!([seen("0.0.0.0", "32775"), seen("::", "32774"), seen("10.0.0.1", "80")])),
        [port(Some("0.0.0.0"), 32775), port(Some("10.0.0.1"), 80), port(Some("::"), 32774)]
    );
}
