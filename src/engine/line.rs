//! What a person may say to the console in one line, as values: the verbs there are, and what a line asks for.
//!
//! One front end reads command lines, the other one has a line to type them into; neither knows the other. Shapes only:
//! nothing here reads a line or does what it says.

use super::request::Request;
use crate::domain::control::Order;
use crate::domain::options::Options;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Reads a line. May open the files that it names. The error is a sentence.
pub type Read = Arc<dyn Fn(&str) -> Result<Said, String> + Send + Sync>;

/// The verbs, made when they are asked for first.
type Verbs = LazyLock<Vec<Verb>, Box<dyn FnOnce() -> Vec<Verb> + Send>>;

/// The verbs, and who reads them.
#[derive(Clone)]
pub struct Grammar {
    verbs: Arc<Verbs>,
    pub read: Read,
}

impl Grammar {
    pub fn new(verbs: impl FnOnce() -> Vec<Verb> + Send + 'static, read: Read) -> Self {
        Self { verbs: Arc::new(LazyLock::new(Box::new(verbs))), read }
    }

    pub fn verbs(&self) -> &[Verb] {
        &self.verbs
    }
}

impl Default for Grammar {
    /// Understands nothing.
    fn default() -> Self {
        Self::new(Vec::new, Arc::new(|_| Err("there is no verb here".to_owned())))
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").finish_non_exhaustive()
    }
}

/// One verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verb {
    pub name: String,
    /// A sentence.
    pub about: String,
    pub options: Vec<Choice>,
    /// What stands behind it, in this order.
    pub values: Vec<Value>,
}

/// An option of a verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// `--image`.
    pub name: String,
    pub about: String,
    /// What follows it.
    pub value: Option<Value>,
}

/// A place where something has to be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Of which kind: `APP`, `REF`, `OP`.
    pub name: String,
    pub about: String,
    /// The words there are, where there are no others.
    pub words: Vec<String>,
    /// Several may follow.
    pub many: bool,
}

/// What a line asks for.
#[derive(Clone, Debug)]
pub enum Said {
    Ask(Box<Request>),
    /// Services of a file that has to be chosen first.
    Create,
    /// Go on with what was left half-done.
    Resume {
        op: Option<String>,
        options: Box<Options>,
    },
    /// Take it back.
    TakeBack {
        op: Option<String>,
        options: Box<Options>,
    },
    Retry {
        op: String,
        options: Box<Options>,
    },
    /// To an operation that runs; `None`: the only one.
    Order {
        op: Option<String>,
        order: Order,
    },
    Logs {
        target: String,
        since: Option<Duration>,
    },
    /// Only what is about that app.
    History {
        app: Option<String>,
    },
    /// One operation from its record; played at so many times its speed.
    Record {
        op: String,
        speed: Option<f64>,
    },
    /// The fleet; an app to go to.
    Fleet {
        app: Option<String>,
    },
    Doctor,
    /// Something to read.
    Text {
        title: String,
        text: String,
    },
    /// A theme to wear, or all to choose from.
    Theme {
        name: Option<String>,
    },
    /// Other engines, by their contexts.
    Context {
        names: Vec<String>,
    },
    Filter {
        text: String,
    },
    Log,
    Keys,
    Quit,
}
