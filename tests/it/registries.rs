//! Registries that want a login, limit pulls or have a fault: what reaches them, and what is said.

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::{Output, Pitstop};
use crate::support::registry::{LOGIN, Registry, config_with};
use pitstop::docker::image_archive::{self, Image, Layer};
use pitstop::docker::sandbox_image::GUEST_PATH;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Creates an app of `image` with a Docker configuration of that text, if any, and takes it away again.
#[track_caller]
fn pull(engine: &Engine, image: &str, config: Option<&str>) -> Output {
    let project = engine.project();
    let pitstop = Pitstop::on(engine);
    let helpers = pitstop.home().join("bin");
    std::fs::create_dir(&helpers).unwrap();
    let (name, password) = LOGIN.split_once(':').unwrap();
    for (helper, answer) in [
        ("good", format!("echo '{{\"Username\": \"{name}\", \"Secret\": \"{password}\"}}'")),
        ("empty", "echo 'credentials not found in native keychain'; exit 1".to_owned()),
        ("locked", "echo 'the keychain is locked'; exit 1".to_owned()),
    ] {
        let path = helpers.join(format!("docker-credential-{helper}"));
        std::fs::write(&path, format!("#!/bin/sh\n{answer}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", helpers.display(), std::env::var("PATH").unwrap());
    let pitstop = pitstop.env("PATH", path);
    if let Some(config) = config {
        std::fs::create_dir(pitstop.home().join(".docker")).unwrap();
        std::fs::write(pitstop.home().join(".docker/config.json"), config).unwrap();
    }
    pitstop.file("compose.yaml", &format!("services:\n  web:\n    image: {image}\n"));
    let out = pitstop.run(&["create", "-p", &project.name]);
    let _ = engine.try_docker(&["rm", "-f", &format!("{}-web-1.r1", project.name)]);
    let _ = engine.try_docker(&["rmi", "-f", image]);
    assert!(!format!("{}{}", out.stdout, out.stderr).contains("s3cret"), "{}{}", out.stdout, out.stderr);
    out
}

#[track_caller]
fn says(out: Output, code: i32, all: &[&str]) {
    let out = out.expect_code(code);
    let words = format!("{}{}", out.stdout, out.stderr);
    for want in all {
        assert!(words.contains(want), "{want:?} is not in\n{words}");
    }
}

#[test]
fn right_wrong_and_missing_logins() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_closed_in(&daemon);
    let image = images::app(&engine, "v1");
    let pushed = registry.push(&engine, &image, "shop/web:1");
    engine.docker(&["rmi", &image]);
    let at = registry.address.as_str();

    says(pull(&engine, &pushed, Some(&config_with(at, LOGIN))), 0, &[]);
    let helper = |name: &str| format!(r#"{{"credHelpers": {{"{at}": "{name}"}}}}"#);
    says(pull(&engine, &pushed, Some(&helper("good"))), 0, &[]);
    says(pull(&engine, &pushed, Some(r#"{"credsStore": "good"}"#)), 0, &[]);

    let command = format!("`docker login {at}`");
    says(pull(&engine, &pushed, None), 1, &[&format!("there is no login for {at} in"), &command]);
    says(pull(&engine, &pushed, Some(&helper("empty"))), 1, &["there is no login for", &command]);
    let wrong = config_with(at, "ana:wrong");
    says(pull(&engine, &pushed, Some(&wrong)), 1, &["was shown the login of", "it is not accepted", &command]);
    says(pull(&engine, &pushed, Some(&helper("locked"))), 1, &["docker-credential-locked", "the keychain is locked"]);
    says(pull(&engine, &pushed, Some(&helper("gone"))), 1, &["docker-credential-gone", "can't be run"]);
    let missing = format!("{at}/shop/web:9");
    let out = pull(&engine, &missing, Some(&config_with(at, LOGIN)));
    assert!(!format!("{}{}", out.stdout, out.stderr).contains("docker login"), "{}{}", out.stdout, out.stderr);
    says(out, 1, &["manifest unknown"]);
}

/// In front of a registry: the first `count` requests get `answer`, the others are passed on. Where it listens.
fn in_front(registry: &str, answer: &'static str, count: usize, asked: &Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (registry, asked) = (registry.to_owned(), asked.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (registry, asked) = (registry.clone(), asked.clone());
            std::thread::spawn(move || pass(client, &registry, answer, count, &asked));
        }
    });
    address
}

fn pass(mut client: TcpStream, registry: &str, answer: &str, count: usize, asked: &AtomicUsize) -> Option<()> {
    let mut first = [0; 4096];
    let length = client.read(&mut first).ok()?;
    // The engine tries TLS first.
    if !first.starts_with(b"GET ") && !first.starts_with(b"HEAD ") {
        return None;
    }
    if asked.fetch_add(1, Ordering::SeqCst) < count {
        let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
        let body = if answer.starts_with("429") { body } else { "" };
        let head = format!("HTTP/1.1 {answer}\r\nContent-Type: application/json\r\nConnection: close\r\n");
        return client.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok();
    }
    let mut upstream = TcpStream::connect(registry).ok()?;
    upstream.write_all(&first[..length]).ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, upstream.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut upstream, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    Some(())
}

#[test]
fn a_registry_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_in(&daemon);
    let image = images::app(&engine, "v1");
    registry.push(&engine, &image, "shop/web:1");
    engine.docker(&["rmi", &image]);
    let through = |answer: &'static str, count: usize| {
        let asked = Arc::new(AtomicUsize::new(0));
        let address = daemon.inside(|| in_front(&registry.address, answer, count, &asked));
        let out = pull(&engine, &format!("{address}/shop/web:1"), None);
        (out, asked.load(Ordering::SeqCst))
    };
    for answer in ["503 Service Unavailable", "429 Too Many Requests"] {
        says(through(answer, 1).0, 0, &[]);
    }
    let (out, asked) = through("503 Service Unavailable", usize::MAX);
    assert!(asked >= 4, "{asked}");
    says(out, 1, &["503", "try again later"]);
    let (out, _) = through("429 Too Many Requests", usize::MAX);
    says(out, 1, &["limits pulls"]);
    let (out, asked) = through("403 Forbidden", usize::MAX);
    assert!(asked <= 4, "not asked again by us: {asked}");
    says(out, 1, &["there is no login for"]);
}

/// In front of a registry: how many bytes it sent for each path, and where it is to break off, once.
#[derive(Default)]
struct Meter {
    sent: BTreeMap<String, Vec<usize>>,
    cut: Option<(String, usize)>,
}

/// One request a connection, so that each is seen.
fn metered(registry: &str, meter: &Arc<Mutex<Meter>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (registry, meter) = (registry.to_owned(), meter.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let (registry, meter) = (registry.clone(), meter.clone());
            std::thread::spawn(move || measure(client, &registry, &meter));
        }
    });
    address
}

fn measure(mut client: TcpStream, registry: &str, meter: &Mutex<Meter>) -> Option<()> {
    let mut first = [0; 8192];
    let length = client.read(&mut first).ok()?;
    let request = String::from_utf8_lossy(&first[..length]).into_owned();
    let path = request.strip_prefix("GET ").or(request.strip_prefix("HEAD "))?.split(' ').next()?.to_owned();
    let mut upstream = TcpStream::connect(registry).ok()?;
    let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    upstream.write_all(request.as_bytes()).ok()?;
    let (mut sent, mut bytes) = (0, [0; 65536]);
    loop {
        let read = upstream.read(&mut bytes).ok().filter(|read| *read > 0);
        let cut = read.is_some() && {
            let cut = &mut meter.lock().unwrap().cut;
            cut.take_if(|(blob, most)| path.ends_with(blob.as_str()) && sent + bytes.len() > *most).is_some()
        };
        let Some(read) = read.filter(|_| !cut) else { break };
        if client.write_all(&bytes[..read]).is_err() {
            break;
        }
        sent += read;
    }
    meter.lock().unwrap().sent.entry(path).or_default().push(sent);
    let _ = client.shutdown(Shutdown::Both);
    Some(())
}

#[test]
fn a_pull_that_is_cut_in_the_middle_of_a_layer_goes_on_there() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_closed_in(&daemon);
    let image = images::big(&engine, "v1", 24);
    registry.push(&engine, &image, "shop/web:1");
    engine.docker(&["rmi", &image]);
    let meter = Arc::new(Mutex::new(Meter::default()));
    let address = daemon.inside(|| metered(&registry.address, &meter));
    let layer = 8 << 20;
    let pulled = || pull(&engine, &format!("{address}/shop/web:1"), Some(&config_with(&address, LOGIN)));
    let layers = || -> Vec<(String, Vec<usize>)> {
        let sent = std::mem::take(&mut meter.lock().unwrap().sent);
        let sizes = |sent: &[usize]| sent.iter().filter(|one| **one > 1 << 20).copied().collect::<Vec<_>>();
        let blobs = sent.into_iter().filter(|(path, _)| path.contains("/blobs/"));
        blobs.map(|(path, sent)| (path, sizes(&sent))).filter(|(_, sent)| !sent.is_empty()).collect()
    };
    says(pulled(), 0, &[]);
    let whole = layers();
    assert!(whole.len() == 3 && whole.iter().all(|(_, sent)| sent.len() == 1 && sent[0] > layer), "{whole:?}");

    // Broken off at its half: the rest of that layer is asked for, and nothing else again.
    let (blob, _) = &whole[1];
    meter.lock().unwrap().cut = Some((blob.clone(), layer / 2));
    says(pulled(), 0, &[]);
    assert!(meter.lock().unwrap().cut.is_none(), "it was broken off");
    for ((path, before), (_, now)) in whole.iter().zip(layers()) {
        let (once, again): (usize, usize) = (before.iter().sum(), now.iter().sum());
        let parts = if path == blob { 2 } else { 1 };
        assert!(now.len() == parts && again < once + (256 << 10), "{path}: {before:?}, then {now:?}");
    }
}

/// An image for another CPU, loaded.
fn foreign(engine: &Engine, tag: &str) {
    let arch = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    let layers = [Layer::of_file(GUEST_PATH, 0o755, b"\x7fELF of some other kind").unwrap()];
    let config = Image { arch, cmd: &["serve"], ..Image::default() }.config(&layers);
    engine.feed(&["load"], &image_archive::archive(tag, &config, &layers).unwrap()).unwrap();
}

#[test]
fn an_image_for_another_cpu_is_named() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_in(&daemon);
    let pitstop = Pitstop::on(&engine);
    let image = format!("{}/shop/far:1", registry.address);
    foreign(&engine, &image);
    pitstop.file("compose.yaml", &format!("services:\n  web:\n    image: {image}\n"));
    says(pitstop.run(&["create", "-p", "shop"]), 1, &["is built for a", "this engine is a"]);

    // A list of versions that has none for this machine.
    engine.docker(&["push", "-q", &image]);
    let found = engine.inspect(&image);
    let digest = found["RepoDigests"][0].as_str().unwrap().rsplit('@').next().unwrap().to_owned();
    let kind = "application/vnd.docker.distribution.manifest";
    let manifest = daemon.inside(|| {
        ask(&registry.address, &format!("GET /v2/shop/far/manifests/{digest} HTTP/1.1\r\nAccept: {kind}.v2+json"), "")
    });
    let size = manifest.split("\r\n\r\n").nth(1).unwrap().len();
    let list = format!(
        r#"{{"schemaVersion": 2, "mediaType": "{kind}.list.v2+json", "manifests": [{{"mediaType": "{kind}.v2+json", "size": {size}, "digest": "{digest}", "platform": {{"architecture": "s390x", "os": "linux"}}}}]}}"#
    );
    let head = format!(
        "PUT /v2/shop/far/manifests/list HTTP/1.1\r\nContent-Type: {kind}.list.v2+json\r\nContent-Length: {}",
        list.len()
    );
    let answer = daemon.inside(|| ask(&registry.address, &head, &list));
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let listed = format!("{}/shop/far:list", registry.address);
    says(pull(&engine, &listed, None), 1, &["no matching manifest", "no version for the CPU"]);
}

fn ask(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
