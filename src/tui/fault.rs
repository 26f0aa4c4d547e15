//! A fault of pitstop itself: kept until the terminal is given back, then told.
//!
//! A panic anywhere ends the console: on its own thread at once, elsewhere as soon as the loop hears of it. What runs is
//! brought to a safe point first, as after a signal. A panic's text may quote strangers, so it is cleaned.

use super::terminal;
use crate::domain::clean::clean;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::Notify;

/// What the first one said.
static FIRST: Mutex<Option<String>> = Mutex::new(None);
static HAPPENED: Notify = Notify::const_new();

/// From now on, panics are kept instead of printed; the calling thread is the console's.
pub fn install() {
    let console = std::thread::current().id();
    set_hook(Box::new(move |info| {
        let said = said(info);
        tracing::error!("a fault in pitstop itself {said}");
        FIRST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
        HAPPENED.notify_one();
        if std::thread::current().id() == console {
            terminal::restore();
        }
    }));
}

/// Where it was and what it said.
fn said(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!("at {}:{}: ", at.file(), at.line()));
    clean(&format!("{place}{}", info.payload_as_str().unwrap_or("no words")))
}

/// Waits for one.
pub async fn happened() {
    HAPPENED.notified().await;
}

/// The first one, if there was any.
pub fn first() -> Option<String> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What `future` gives; `None` when it panicked.
pub async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// In debug builds, the fault that `PITSTOP_REHEARSE_FAULT` names: the tests see a real one end well.
#[cfg(debug_assertions)]
pub fn rehearse() {
    const WORDS: &str = "a rehearsal \u{1b}]0;owned\u{7}\u{202e}of a fault\u{9b}2J";
    match std::env::var("PITSTOP_REHEARSE_FAULT").as_deref() {
        Ok("console") => panic!("{WORDS}"),
        Ok("task") if first().is_none() => drop(tokio::spawn(async { panic!("{WORDS}") })),
        _ => {}
    }
}
