//! A container's variables: names for everybody, values for the container.
//!
//! Values may be secrets, so nothing that is printed for a look (`{:?}` of a spec, a plan, an error) shows them. What
//! writes them on purpose, into a container or a private record, does so through serde or by name.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Name to value, by name.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, format_args!("…")))).finish()
    }
}

impl Deref for Environment {
    type Target = BTreeMap<String, String>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Environment {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl From<BTreeMap<String, String>> for Environment {
    fn from(variables: BTreeMap<String, String>) -> Self {
        Self(variables)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl IntoIterator for Environment {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::AppSpec;

    #[test]
    fn a_look_at_it_shows_names_and_no_values() {
        let mut spec = AppSpec::default();
        spec.container.environment = [("TOKEN".to_owned(), "hush".to_owned())].into_iter().collect();
        let shown = format!("{spec:?} {spec:#?}");
        assert!(shown.contains("TOKEN") && !shown.contains("hush"), "{shown}");
        let json = serde_json::to_string(&spec.container.environment).unwrap();
        assert_eq!(json, r#"{"TOKEN":"hush"}"#);
        assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), spec.container.environment);
    }
}
