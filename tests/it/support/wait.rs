//! Waiting for a condition, with a deadline. The only place in the tests that sleeps.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(10);

/// Waits until `condition` gives a value and returns it.
///
/// # Panics
/// After `within`, naming `what` was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    match try_wait_for(within, &mut condition) {
        Some(value) => value,
        None => panic!("waited {within:?} in vain: {what}"),
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// After `within`, naming `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, within, || condition().then_some(()));
}

/// As [`wait_for`], but `None` after `within`; for guards, which must not panic.
pub fn try_wait_for<T>(within: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause();
    }
}

/// Waits until `then`: for what stands for a slow network, which has no condition.
#[allow(clippy::disallowed_methods)] // this file is the exception
pub fn until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

#[allow(clippy::disallowed_methods)] // this file is the exception
fn pause() {
    std::thread::sleep(EVERY);
}

#[test]
fn waits_as_long_as_needed_and_no_longer_than_told() {
    let mut looks = 0;
    wait_until("third look", Duration::from_secs(5), || {
        looks += 1;
        looks == 3
    });
    assert_eq!(looks, 3);
    assert_eq!(try_wait_for::<()>(Duration::from_millis(1), || None), None);
    let complaint = std::panic::catch_unwind(|| wait_until("the moon", Duration::ZERO, || false)).unwrap_err();
    assert!(complaint.downcast::<String>().unwrap().contains("the moon"));
}
