//! What went wrong between us and a load balancer, in words for the person who has to act.

use crate::domain::clean::Clean;
use std::fmt;
use std::io;
use std::time::Duration;

/// A failed request to a balancer. Shown as `haproxy web at /run/x.sock: it said "Permission denied"; …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerError {
    /// `haproxy web at /run/x.sock`.
    pub balancer: Clean,
    /// The balancer's own words, or what happened on the way.
    pub message: Clean,
    /// What to do about it.
    pub hint: Option<&'static str>,
    /// Asking again may help: it was not there, or too slow.
    pub passing: bool,
}

impl BalancerError {
    /// It answered, but with a refusal.
    pub(super) fn said(balancer: &str, words: &str, hint: Option<&'static str>) -> Self {
        let message = Clean::new(&format!("it said \"{}\"", words.trim()));
        Self { balancer: Clean::new(balancer), message, hint, passing: false }
    }

    /// It could not be reached, or broke off.
    pub(super) fn of_io(balancer: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Some("is it running, and is this its admin socket?")
            }
            io::ErrorKind::PermissionDenied => {
                Some("the socket is not ours to open: see its `mode`, `user` and `group`")
            }
            _ => None,
        };
        Self { balancer: Clean::new(balancer), message: Clean::new(&error.to_string()), hint, passing: true }
    }

    /// It said nothing in time.
    pub(super) fn late(balancer: &str, deadline: Duration) -> Self {
        let message = Clean::new(&format!("no answer within {} s", deadline.as_secs()));
        Self { balancer: Clean::new(balancer), message, hint: None, passing: true }
    }

    /// It has no such server any more.
    pub fn gone(place: &str) -> Self {
        let message = Clean::new("there is no such server any more");
        Self { balancer: Clean::new(place), message, hint: None, passing: false }
    }

    /// Its answer makes no sense to us.
    pub(super) fn unreadable(balancer: &str, what: &str) -> Self {
        Self {
            balancer: Clean::new(balancer),
            message: Clean::new(&format!("its answer can't be read: {what}")),
            hint: None,
            passing: false,
        }
    }

    /// Something on this machine stands in the way.
    pub(super) fn here(balancer: &str, what: &str, hint: Option<&'static str>) -> Self {
        Self { balancer: Clean::new(balancer), message: Clean::new(what), hint, passing: false }
    }
}

impl fmt::Display for BalancerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.balancer, self.message)?;
        self.hint.map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for BalancerError {}
