//! What the engine driver really sends, and how it takes servers that are broken, slow, absent or something else.
//!
//! A recorder stands in for the other end of the socket where a real engine can't be made to misbehave; it speaks only
//! what a test tells it to.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use pitstop::docker::{AppCreation, Changes, Docker, DockerError, Failure, Location, SandboxCreation};
use pitstop::domain::ids::{ContainerId, ImageRef, ObjectName};
use pitstop::domain::project::{NetworkSpec, Subnet};
use pitstop::domain::spec::{ContainerSpec, NetworkAttach, SandboxSpec};
use serde_json::{Value, json};

/// A request as it came: `GET /v1.41/info`, and its body.
type Request = (String, String);

/// Listens on a socket of its own and answers each connection with whatever `answer` writes.
struct Recorder {
    _dir: tempfile::TempDir,
    socket: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    fn start(answer: impl Fn(&Request, &mut UnixStream) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), log, answer) = (stream, log.clone(), answer.clone()) else { return };
                std::thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        log.lock().unwrap().push(request.clone());
                        answer(&request, &mut stream);
                    }
                });
            }
        });
        Self { _dir: dir, socket, requests }
    }

    /// An engine of API 1.`minor` that answers other requests with `answer`.
    fn engine(minor: u32, answer: impl Fn(&Request, &mut UnixStream) + Send + Sync + 'static) -> Self {
        Self::start(move |request, stream| match request.0.split_once(' ').unwrap().1 {
            "/version" => {
                let version = json!({"ApiVersion": format!("1.{minor}"), "MinAPIVersion": "1.12", "Version": "x"});
                reply(stream, 200, &version);
            }
            path if path.ends_with("/info") => reply(stream, 200, &json!({"Name": "box\u{1b}[31m", "NCPU": 2})),
            _ => answer(request, stream),
        })
    }

    fn location(&self) -> Location {
        Location::at(format!("unix://{}", self.socket.display()))
    }

    async fn connect(&self) -> Changes {
        Changes::of(&Docker::connect(&self.location()).await.unwrap())
    }

    /// The request lines since the last look.
    fn lines(&self) -> Vec<String> {
        self.take().into_iter().map(|(line, _)| line).collect()
    }

    fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// `None` for a connection on which nothing was asked (the driver's look at the socket).
fn read(stream: &UnixStream) -> Option<Request> {
    let mut lines = BufReader::new(stream);
    let mut first = String::new();
    lines.read_line(&mut first).ok()?;
    let line = first.rsplit_once(" HTTP/")?.0.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        lines.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some((line, String::from_utf8(body).ok()?))
}

fn reply(stream: &mut UnixStream, status: u16, body: &Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    raw(stream, &format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
}

/// The client may have hung up already.
fn raw(stream: &mut UnixStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

fn id() -> ContainerId {
    ContainerId::new("ab".repeat(32)).unwrap()
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).unwrap()
}

fn inspection(state: &str) -> Value {
    json!({"Id": id(), "Name": "/web", "State": {"Status": state, "ExitCode": 7}, "Config": {}, "HostConfig": {}})
}

#[tokio::test]
async fn the_agreed_version_is_in_every_path_and_nothing_is_asked_twice() {
    let recorder = Recorder::engine(41, |request, stream| match request.0.as_str() {
        line if line.contains("/containers/json") => reply(stream, 200, &json!([])),
        line if line.ends_with("/json") => reply(stream, 200, &inspection("running")),
        line if line.ends_with("/wait") => reply(stream, 200, &json!({"StatusCode": 7})),
        _ => reply(stream, 204, &Value::Null),
    });
    let docker = recorder.connect().await;
    assert_eq!(docker.info().api_version, "1.41");
    assert_eq!(docker.info().name, "box");
    assert_eq!(recorder.lines(), ["GET /version", "GET /v1.41/info"]);

    docker.list().await.unwrap();
    docker.start(&id()).await.unwrap();
    let stopped = docker.stop(&id(), Some(Duration::from_millis(1500))).await.unwrap();
    assert_eq!((stopped.exit_code, stopped.already), (7, false));
    docker.remove(&id(), true).await.unwrap();
    let id = id();
    let want = [
        "GET /v1.41/containers/json?all=true".to_owned(),
        format!("POST /v1.41/containers/{id}/start"),
        format!("GET /v1.41/containers/{id}/json"),
        format!("POST /v1.41/containers/{id}/stop?t=2"),
        format!("POST /v1.41/containers/{id}/wait"),
        format!("DELETE /v1.41/containers/{id}?v=true&force=true&link=false"),
    ];
    let mut asked = recorder.lines();
    // These two are side by side: the exit code costs no way there and back.
    asked[3..5].sort();
    assert_eq!(asked, want);
}

#[tokio::test]
async fn the_version_asked_for_is_spoken_and_the_newest_common_one_otherwise() {
    let recorder = Recorder::engine(99, |_, stream| reply(stream, 200, &json!([])));
    let docker = recorder.connect().await;
    docker.list().await.unwrap();
    assert_eq!(recorder.lines()[2], "GET /v1.53/containers/json?all=true");
    let location = Location { api_version: Some("1.44".into()), ..recorder.location() };
    Docker::connect(&location).await.unwrap().list().await.unwrap();
    assert_eq!(recorder.lines()[2], "GET /v1.44/containers/json?all=true");
    let old = Recorder::engine(40, |_, _| ());
    let error = Docker::connect(&old.location()).await.unwrap_err();
    assert_eq!(error.failure, Failure::UnsupportedApi);
    assert!(error.to_string().contains("1.40") && error.is_unreachable(), "{error}");
}

#[tokio::test]
async fn old_engines_get_the_fields_that_new_models_have_lost() {
    let created = |_: &Request, stream: &mut UnixStream| {
        reply(stream, 201, &json!({"Id": id(), "Warnings": null, "Warning": ""}));
    };
    for (minor, old) in [(41, true), (44, false)] {
        let recorder = Recorder::engine(minor, move |request, stream| match request.0.as_str() {
            line if line.starts_with("GET") => reply(stream, 404, &json!({"message": "no such network"})),
            _ => created(request, stream),
        });
        let docker = recorder.connect().await;
        let network = NetworkSpec {
            name: "net".into(),
            ipam: vec![Subnet { subnet: "10.9.0.0/24".into(), ..Subnet::default() }],
            ..NetworkSpec::default()
        };
        docker.create_network(&network, "shop").await.unwrap();
        let attach =
            NetworkAttach { network: "net".into(), mac: Some("02:42:0a:09:00:05".into()), ..NetworkAttach::default() };
        let sandbox = SandboxCreation {
            name: name("shop-web-1"),
            image: ImageRef::new("pitstop-sandbox:1").unwrap(),
            labels: [].into(),
            hostname: "shop-web-1".into(),
            aliases: Vec::new(),
            spec: SandboxSpec { networks: vec![attach], ..SandboxSpec::default() },
            addresses: [].into(),
            sysctls: [].into(),
        };
        docker.create_sandbox(&sandbox).await.unwrap();
        let bodies: Vec<Value> =
            recorder.take().iter().filter_map(|(_, body)| serde_json::from_str(body).ok()).collect();
        assert_eq!(bodies[0]["CheckDuplicate"] == true, old);
        assert_eq!(bodies[0]["Labels"]["io.pitstop.project"], "shop");
        assert_eq!(bodies[1]["MacAddress"] == "02:42:0a:09:00:05", old);
        assert_eq!(bodies[1]["NetworkingConfig"]["EndpointsConfig"]["net"]["MacAddress"], "02:42:0a:09:00:05");
    }
}

#[tokio::test]
async fn a_joined_container_says_nothing_that_its_sandbox_owns() {
    let recorder = Recorder::engine(41, |_, stream| reply(stream, 201, &json!({"Id": id(), "Warnings": []})));
    let docker = recorder.connect().await;
    let app = AppCreation {
        name: name("shop-web-1.r1"),
        image: ImageRef::new(format!("sha256:{}", "0f".repeat(32))).unwrap(),
        labels: [].into(),
        spec: ContainerSpec::default(),
        sandbox: id(),
        carry: Vec::new(),
        gate: None,
    };
    docker.create_app(&app).await.unwrap();
    let (line, body) = recorder.take().pop().unwrap();
    assert!(line.starts_with("POST /v1.41/containers/create?name=shop-web-1.r1"), "{line}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["HostConfig"]["NetworkMode"], format!("container:{}", id()));
    for owned in ["Hostname", "Domainname", "ExposedPorts", "MacAddress", "NetworkingConfig"] {
        assert_eq!(body[owned], Value::Null, "{owned}");
    }
    for owned in ["PortBindings", "Dns", "DnsSearch", "DnsOptions", "ExtraHosts", "Links", "PublishAllPorts"] {
        assert_eq!(body["HostConfig"][owned], Value::Null, "{owned}");
    }
}

#[tokio::test]
async fn what_answers_but_is_no_engine_is_called_that() {
    for answer in [
        "HTTP/1.1 404 x\r\nContent-Length: 9\r\n\r\n<html>hi\n",
        "HTTP/1.1 200 x\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 x\r\nContent-Length: 7\r\n\r\nwelcome",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "",
    ] {
        let recorder = Recorder::start(move |_, stream| raw(stream, answer));
        let error = Docker::connect(&recorder.location()).await.unwrap_err();
        assert_eq!(error.failure, Failure::NotAnEngine, "{answer:?}: {error}");
        assert!(error.is_unreachable() && error.hint().is_some());
    }
}

#[tokio::test]
async fn a_broken_answer_to_a_change_is_an_unknown_outcome() {
    for answer in [
        "HTTP/1.1 500 x\r\nContent-Length: 99\r\n\r\n{\"message\": \"cut",
        "HTTP/1.1 500 x\r\nContent-Length: 16\r\n\r\n{\"message\": \"cut",
        "HTTP/1.1 500 x\r\nContent-Length: 20\r\n\r\n{\"message\": \"b\\u0007\"}",
        "rubbish\r\n\r\n",
        "",
    ] {
        let recorder = Recorder::engine(41, move |_, stream| raw(stream, answer));
        let error = recorder.connect().await.start(&id()).await.unwrap_err();
        assert!(error.is_unknown_outcome() && !error.is_unreachable(), "{answer:?}: {error:?}");
        assert!(!error.to_string().contains('\u{7}'));
    }
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_not_waited_for() {
    // The library's own timeout ends with the head.
    let recorder = Recorder::engine(41, |_, stream| {
        raw(stream, "HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{\"Id\":");
        let _ = stream.read(&mut [0]);
    });
    let docker = recorder.connect().await;
    tokio::time::pause(); // now time passes as soon as there is nothing to do but wait
    let error = docker.inspect(&id()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout, "{error}");
    assert!(error.to_string().contains("within 10 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_never_answers_is_unreachable() {
    let recorder = Recorder::start(|_, stream| drop(stream.read(&mut [0])));
    let error = Docker::connect(&recorder.location()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Timeout, "{error}");
    assert!(error.is_unreachable() && error.hint().unwrap().contains("systemctl status docker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_sixteen_requests_at_once() {
    let (active, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (barrier, seen) = (Barrier::new(16), most.clone());
    let recorder = Recorder::engine(41, move |_, stream| {
        seen.fetch_max(active.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        barrier.wait();
        active.fetch_sub(1, Ordering::SeqCst);
        reply(stream, 404, &json!({"message": "No such container"}));
    });
    let docker = recorder.connect().await;
    let looks = (0..48).map(|_| async { docker.inspect(&id()).await.unwrap() });
    let found = futures_util::future::join_all(looks).await;
    assert!(found.iter().all(Option::is_none));
    assert_eq!(most.load(Ordering::SeqCst), 16);
}

fn refused(host: &str) -> DockerError {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Docker::connect(&Location::at(host))).unwrap_err();
    assert!(error.is_unreachable() && error.to_string().starts_with(&format!("connect to {host}: ")), "{error}");
    error
}

/// As an ordinary user: the tests' own rights open everything.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let nobody = rustix::process::Uid::from_raw(65534);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                // Of this thread alone.
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn the_ways_a_socket_can_fail_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let host = |path: &Path| format!("unix://{}", path.display());
    let path = |name: &str| dir.path().join(name);
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();

    let error = refused(&host(&path("missing")));
    assert_eq!(error.failure, Failure::NoSocket);
    assert!(error.hint().unwrap().contains("systemctl start docker"));

    std::fs::write(path("file"), "").unwrap();
    assert_eq!(refused(&host(&path("file"))).failure, Failure::NotAnEngine);

    drop(UnixListener::bind(path("stale")).unwrap());
    let error = refused(&host(&path("stale")));
    assert_eq!(error.failure, Failure::Refused);
    assert!(error.to_string().contains("nobody listens") && error.hint().unwrap().contains("systemctl"), "{error}");

    let _listener = UnixListener::bind(path("private")).unwrap();
    std::fs::set_permissions(path("private"), Permissions::from_mode(0o600)).unwrap();
    let error = as_nobody(|| refused(&host(&path("private"))));
    assert_eq!(error.failure, Failure::Permission);
    assert!(error.hint().unwrap().contains("sudo"), "{error:?}");

    std::fs::create_dir(path("closed")).unwrap();
    let _listener = UnixListener::bind(path("closed/s")).unwrap();
    std::fs::set_permissions(path("closed"), Permissions::from_mode(0o700)).unwrap();
    let error = as_nobody(|| refused(&host(&path("closed/s"))));
    assert_eq!(error.failure, Failure::Permission);
    assert!(error.to_string().contains("directory"), "{error}");

    assert_eq!(refused("tcp://127.0.0.1:1").failure, Failure::Refused);
}
