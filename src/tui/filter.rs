//! What is typed to narrow the fleet: words that all have to fit.
//!
//! ```text
//! web         in the name, image, address or state
//! !web        the opposite, of any word
//! label:k=v   a label's value; label:k that it is there      -l k=v  the same
//! state:bad   in the state's word; also name: image: held: address:
//! ```
//!
//! Pure.

use super::words;
use crate::domain::fleet::{App, Instance};

/// Words of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<Term>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    not: bool,
    of: Field,
    /// In small letters.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Any,
    Name,
    Image,
    State,
    Held,
    Address,
    Label,
}

const FIELDS: [(&str, Field); 6] = [
    ("name:", Field::Name),
    ("image:", Field::Image),
    ("state:", Field::State),
    ("held:", Field::Held),
    ("address:", Field::Address),
    ("label:", Field::Label),
];

impl Filter {
    /// Reads what was typed.
    pub fn read(text: &str) -> Self {
        let text = text.to_lowercase();
        let mut words = text.split_whitespace();
        let mut terms = Vec::new();
        while let Some(word) = words.next() {
            let (word, not) = word.strip_prefix('!').map_or((word, false), |word| (word, true));
            let (of, text) = match word {
                "-l" => (Field::Label, words.next().unwrap_or_default()),
                word => FIELDS
                    .iter()
                    .find_map(|(prefix, field)| Some((*field, word.strip_prefix(prefix)?)))
                    .unwrap_or((Field::Any, word)),
            };
            if !text.is_empty() {
                terms.push(Term { not, of, text: text.to_owned() });
            }
        }
        Self(terms)
    }

    /// Nothing is narrowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an instance of that app passes.
    pub fn passes(&self, app: &App, instance: &Instance) -> bool {
        self.0.iter().all(|term| term.fits(app, Some(instance)) != term.not)
    }

    /// Whether the app has a row: an instance of it passes, or it has none and passes itself.
    pub fn passes_app(&self, app: &App) -> bool {
        if app.instances.is_empty() {
            return self.0.iter().all(|term| term.fits(app, None) != term.not);
        }
        app.instances.iter().any(|instance| self.passes(app, instance))
    }
}

impl Term {
    fn fits(&self, app: &App, instance: Option<&Instance>) -> bool {
        let found = |text: &str| contains(text, &self.text);
        let of = |field: Field| self.of == field || self.of == Field::Any;
        let image = || {
            instance
                .and_then(|instance| instance.app.as_deref())
                .map(super::super::domain::fleet::Container::image_name)
        };
        of(Field::Name) && (found(&app.id.to_string()) || instance.is_some_and(|one| found(&one.name.0)))
            || of(Field::Image) && (app.image().is_some_and(found) || image().is_some_and(found))
            || of(Field::State) && instance.is_some_and(|one| found(words::state(one).word))
            || of(Field::Address) && instance.and_then(Instance::address).is_some_and(found)
            || self.of == Field::Held && instance.is_some_and(|one| found(words::held(one).word))
            || self.of == Field::Label && instance.is_some_and(|one| self.labelled(one))
    }

    fn labelled(&self, instance: &Instance) -> bool {
        let labels = instance.app.iter().chain(&instance.sandbox).flat_map(|container| &container.labels);
        let (key, value) = self.text.split_once('=').map_or((self.text.as_str(), None), |(k, v)| (k, Some(v)));
        labels
            .into_iter()
            .any(|(name, has)| name.to_lowercase() == key && value.is_none_or(|value| contains(has, value)))
    }
}

/// `part` is in small letters.
fn contains(text: &str, part: &str) -> bool {
    if text.is_ascii() && part.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        return part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    text.to_lowercase().contains(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read() {
        let read = |text: &str| {
            Filter::read(text).0.into_iter().map(|term| (term.not, term.of, term.text)).collect::<Vec<_>>()
        };
        let term = |not, of, text: &str| (not, of, text.to_owned());
        assert_eq!(read("Web !v2"), [term(false, Field::Any, "web"), term(true, Field::Any, "v2")]);
        assert_eq!(
            read("-l tier=Gold state:fail"),
            [term(false, Field::Label, "tier=gold"), term(false, Field::State, "fail")]
        );
        assert!(Filter::read(" ! label: -l ").is_empty());
        assert!(contains("Grüße", "grüß") && contains("ABC", "bc") && !contains("ab", "abc"));
    }
}
