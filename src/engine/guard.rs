//! Watches over instances that are out of their balancers: one that forgets it, because it was restarted or reloaded, is told
//! again before it sends requests to an instance that is being replaced.
//!
//! A guard lives from the end of a drain to the beginning of the attach, and no longer than its operation or its lock.

use super::traffic::{self, Patience};
use crate::domain::balancer::Place;
use crate::domain::ids::InstanceName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Those of one operation.
#[derive(Default)]
pub(super) struct Guards(Mutex<HashMap<InstanceName, Guard>>);

/// One instance's.
pub(super) struct Guard {
    places: Vec<Place>,
    patience: Patience,
    /// Requests that had failed there before.
    errors: u64,
    /// How often a balancer had to be told again.
    again: Arc<AtomicU64>,
    /// Ends the watching, between two looks.
    end: watch::Sender<bool>,
    watching: Vec<AbortOnDropHandle<()>>,
}

impl Guard {
    /// Begins to watch; `errors`: the requests that have failed at these places until now; `lost`: whether the lock is lost, and
    /// with it the right to change anything.
    pub fn over(places: &[Place], patience: Patience, errors: u64, lost: impl Fn() -> bool + Send + 'static) -> Self {
        let again = Arc::new(AtomicU64::new(0));
        let lost = Arc::new(Mutex::new(lost));
        let end = watch::channel(false).0;
        let watch = |place: &Place| {
            let (place, again, lost, mut ended) = (place.clone(), again.clone(), lost.clone(), end.subscribe());
            AbortOnDropHandle::new(tokio::spawn(async move {
                let mut absent = false;
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(traffic::pause(&place, absent)) => {}
                        _ = ended.changed() => return,
                    }
                    if lost.lock().unwrap_or_else(PoisonError::into_inner)() {
                        return;
                    }
                    let reminded = traffic::remind(&place).await;
                    if let Ok(true) = reminded {
                        again.fetch_add(1, Ordering::Relaxed);
                    }
                    absent = reminded.is_err();
                }
            }))
        };
        let watching = places.iter().map(watch).collect();
        Self { places: places.to_vec(), patience, errors, again, end, watching }
    }
}

impl Guards {
    /// From now on it is watched over.
    pub fn begin(&self, instance: &InstanceName, guard: Guard) {
        self.lock().insert(instance.clone(), guard);
    }

    /// Where an instance that is watched over was taken out, and how long its sessions may take.
    pub fn of(&self, instance: &InstanceName) -> Option<(Vec<Place>, Patience)> {
        self.lock().get(instance).map(|guard| (guard.places.clone(), guard.patience))
    }

    /// From now on it is not; the requests that had failed before, and how often a balancer had to be told again. What a guard
    /// is just telling a balancer is let finish, or it might come after what is told next.
    pub async fn end(&self, instance: &InstanceName) -> Option<(u64, u64)> {
        let guard = self.lock().remove(instance)?;
        guard.end.send_replace(true);
        for watching in guard.watching {
            // One that panicked tells nobody anything any more.
            let _ = watching.await;
        }
        Some((guard.errors, guard.again.load(Ordering::Relaxed)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceName, Guard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
