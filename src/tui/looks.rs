//! What the containers on screen take of the machine: one stream for each of them, none for any other.
//!
//! Told together, so that the screen is drawn for all of them at once and not for each.

use super::engine::EngineId;
use super::message::{Msg, News};
use super::rows::Loads;
use crate::domain::ids::ContainerId;
use crate::engine::Session;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// A row has to stay on screen so long: who scrolls by opens no streams.
const REST: Duration = Duration::from_millis(300);
/// Between two tellings.
const EVERY: Duration = Duration::from_millis(1700);

/// The streams of one engine that are open. Dropping it closes them.
pub struct Looks {
    engine: EngineId,
    tell: mpsc::Sender<Msg>,
    streams: BTreeMap<ContainerId, JoinHandle<()>>,
    seen: Arc<Mutex<Loads>>,
    news: Arc<Notify>,
    teller: Option<JoinHandle<()>>,
}

impl Looks {
    /// None yet.
    pub fn new(engine: EngineId, tell: mpsc::Sender<Msg>) -> Self {
        Self { engine, tell, streams: BTreeMap::new(), seen: Arc::default(), news: Arc::default(), teller: None }
    }

    /// Looks at these and at no others.
    pub fn at(&mut self, session: &Session, containers: Vec<ContainerId>) {
        self.streams.retain(|id, stream| {
            let wanted = containers.contains(id);
            if !wanted {
                stream.abort();
                lock(&self.seen).remove(id);
            }
            // One that has ended is begun anew when its container is wanted and runs.
            wanted && !stream.is_finished()
        });
        if containers.is_empty() {
            return;
        }
        for id in containers {
            let (session, seen, news) = (session.clone(), self.seen.clone(), self.news.clone());
            self.streams.entry(id.clone()).or_insert_with(|| {
                tokio::spawn(async move {
                    tokio::time::sleep(REST).await;
                    let mut loads = session.load_of(&id);
                    while let Some(Ok(load)) = loads.next().await {
                        let before = lock(&seen).insert(id.clone(), load);
                        if before != Some(load) {
                            news.notify_one();
                        }
                    }
                    // Old figures are no news.
                    lock(&seen).remove(&id);
                    news.notify_one();
                    tokio::time::sleep(EVERY).await;
                })
            });
        }
        if self.teller.is_none() {
            let (seen, news, tell, engine) = (self.seen.clone(), self.news.clone(), self.tell.clone(), self.engine);
            self.teller = Some(tokio::spawn(async move {
                loop {
                    news.notified().await;
                    // Streams that begin together are told together.
                    tokio::time::sleep(REST).await;
                    let loads = lock(&seen).clone();
                    if tell.send(Msg::Engine(engine, News::Loads(loads))).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(EVERY).await;
                }
            }));
        }
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.streams.values().chain(&self.teller).for_each(JoinHandle::abort);
    }
}

fn lock(seen: &Mutex<Loads>) -> std::sync::MutexGuard<'_, Loads> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
