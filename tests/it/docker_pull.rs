//! The engine driver where the engine is disturbed or pulls: on a dockerd and a registry of its own.

use std::time::Duration;

use pitstop::docker::{Changes, Docker, Failure, Location, PullProgress};
use pitstop::domain::fleet::{FleetState, State};
use pitstop::domain::ids::ImageRef;
use tokio::time::timeout;

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::images;
use crate::support::registry::Registry;

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_tells_its_progress_and_its_refusals() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let docker = Changes::of(&Docker::connect(&Location::at(engine.host())).await.unwrap());
    let registry = Registry::start_in(&daemon);
    let image = images::big(&engine, "v1", 20);
    let pushed = registry.push(&engine, &image, "shop/app:1");
    let wanted = engine.inspect(&image)["Id"].clone();
    engine.docker(&["rmi", &image]);

    let reference = ImageRef::new(pushed.as_str()).unwrap();
    let mut seen: Vec<PullProgress> = Vec::new();
    timeout(PATIENCE, docker.pull(&reference, |progress| seen.push(progress))).await.unwrap().unwrap();
    let found = docker.image(&reference).await.unwrap().unwrap();
    assert_eq!(wanted, found.id.as_str());
    assert!(found.digests[0].contains("/shop/app@sha256:"), "{found:?}");
    let last = seen.last().unwrap();
    assert!(last.total > 19 << 20 && last.done == last.total, "{last:?}");
    assert!(seen.iter().any(|progress| progress.done > 0 && progress.done < progress.total), "{seen:?}");
    assert!(last.note.ends_with("layers") && seen.windows(2).all(|pair| pair[0].done <= pair[1].done), "{seen:?}");

    // By digest, and again: nothing to do.
    let digest = ImageRef::new(found.digests[0].as_str()).unwrap();
    docker.pull(&digest, |_| ()).await.unwrap();
    docker.pull(&reference, |_| ()).await.unwrap();

    let missing = ImageRef::new(format!("{}/shop/app:2", registry.address)).unwrap();
    let error = docker.pull(&missing, |_| ()).await.unwrap_err();
    assert_eq!(error.failure, Failure::NotFound, "{error}");
    assert!(error.to_string().starts_with(&format!("pull {missing}: the engine said")), "{error}");

    drop(registry);
    let error = docker.pull(&missing, |_| ()).await.unwrap_err();
    assert_eq!(error.failure, Failure::Server, "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.hint().unwrap().contains("registry"), "{error:?}");
    let by_id = ImageRef::new(found.id.as_str()).unwrap();
    assert_eq!(docker.pull(&by_id, |_| ()).await.unwrap_err().failure, Failure::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_fleet_goes_stale_with_the_engine_and_comes_back() {
    let mut daemon = PrivateDockerd::start(&Options { live_restore: true, ..Options::default() });
    let engine = daemon.engine();
    let docker = Changes::of(&Docker::connect(&Location::at(engine.host())).await.unwrap());
    assert!(docker.info().live_restore);
    engine.docker(&["run", "-d", "--name", "web", &images::app(&engine, "v1")]);
    let mut live = docker.live(jiff::Timestamp::now);
    let running = |state: &FleetState| match state {
        FleetState::Live(fleet) => fleet.find_instance("web").is_some_and(|(_, web)| web.state() == State::Running),
        _ => false,
    };
    timeout(PATIENCE, live.wait_for(running)).await.expect("the first list").unwrap();

    tokio::task::block_in_place(|| daemon.stop());
    let stale = live.wait_for(|state| matches!(state, FleetState::Stale { .. }));
    match &*timeout(PATIENCE, stale).await.expect("it goes stale").unwrap() {
        FleetState::Stale { fleet: Some(fleet), error, .. } => {
            assert!(fleet.find_instance("web").is_some(), "the last list stays");
            assert!(!error.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let error = docker.list().await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");

    tokio::task::block_in_place(|| daemon.start_again());
    timeout(PATIENCE, live.wait_for(running)).await.expect("it comes back").unwrap();
}
