//! Faults: which requests go wrong, and how. Chosen by tests through [`Control`](super::Control); without any, nothing does.

use std::time::Duration;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done, later.
    Delay(Duration),
    /// The connection closes, and nothing is done.
    EofBefore,
    /// It is done, and the connection closes without an answer.
    EofAfter,
    /// It is done, and the answer is no JSON.
    Garbled,
    /// This status, and nothing is done.
    RefuseBefore(u16),
    /// It is done, and this status all the same.
    RefuseAfter(u16),
    /// It is done, and no answer ever comes.
    StallHead,
    /// It is done, and the answer stops in the middle.
    StallBody,
    /// Nothing is done until [`Control::release`](super::Control::release).
    Hold,
    /// The engine dies before doing it, and is back after so long.
    DieBefore(Duration),
    /// The engine dies when it is done, before it answers, and is back after so long.
    DieAfter(Duration),
}

/// Which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    method: Option<String>,
    path: Vec<String>,
    mutating: bool,
    nth: u32,
    every: bool,
}

impl When {
    /// The first request like this; `*` stands for any part of the path, as in `/containers/*/start`.
    pub fn request(method: &str, path: &str) -> Self {
        let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { method: Some(method.to_owned()), path, mutating: false, nth: 1, every: false }
    }

    /// The n-th request that changes something, from 1, counted from now on.
    pub fn mutating(nth: u32) -> Self {
        Self { method: None, path: Vec::new(), mutating: true, nth, every: false }
    }

    /// The n-th request of all, from 1, counted from now on.
    pub fn any(nth: u32) -> Self {
        Self { method: None, path: vec!["**".into()], mutating: false, nth, every: false }
    }

    /// Not the first but the n-th.
    #[must_use]
    pub fn nth(self, nth: u32) -> Self {
        Self { nth, ..self }
    }

    /// Each of them.
    #[must_use]
    pub fn every(self) -> Self {
        Self { every: true, ..self }
    }

    fn fits(&self, method: &str, path: &[String]) -> bool {
        if self.mutating {
            return mutates(method, path);
        }
        if self.path == ["**"] {
            return true;
        }
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.len() == path.len()
            && self.path.iter().zip(path).all(|(wanted, part)| wanted == "*" || wanted == part)
    }
}

/// Does a request change what the engine has? Attaching, executing and waiting do not.
pub fn mutates(method: &str, path: &[String]) -> bool {
    let last = path.last().map_or("", String::as_str);
    let exec = path.first().is_some_and(|first| first == "exec");
    !matches!(method, "GET" | "HEAD") && !exec && !matches!(last, "attach" | "exec" | "wait")
}

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub struct Faults(Vec<(When, Fault, u32)>);

impl Faults {
    pub fn add(&mut self, when: When, fault: Fault) {
        self.0.push((when, fault, 0));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this request, the first that fits; one that has happened is forgotten.
    pub fn take(&mut self, method: &str, path: &[String]) -> Option<Fault> {
        let mut found = None;
        for (at, (when, fault, seen)) in self.0.iter_mut().enumerate() {
            if when.fits(method, path) {
                *seen += 1;
                if found.is_none() && (when.every || *seen == when.nth) {
                    found = Some((at, *fault, when.every));
                }
            }
        }
        let (at, fault, every) = found?;
        if !every {
            self.0.remove(at);
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_its_request_and_no_other() {
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let (start, list) = (path("containers/a/start"), path("containers/json"));
        let mut faults = Faults::default();
        faults.add(When::request("POST", "/containers/*/start").nth(2), Fault::EofAfter);
        faults.add(When::mutating(1), Fault::StallHead);
        faults.add(When::request("GET", "/containers/json").every(), Fault::EofBefore);
        assert_eq!(faults.take("POST", &path("containers/a/attach")), None);
        assert_eq!(faults.take("POST", &start), Some(Fault::StallHead));
        assert_eq!(faults.take("POST", &start), Some(Fault::EofAfter));
        assert_eq!(faults.take("POST", &start), None);
        assert_eq!([(); 2].map(|()| faults.take("GET", &list)), [Some(Fault::EofBefore); 2]);
    }
}
