//! Going to a row by some letters of its name, in their order: `sw2` is `shop/web-2`.
//!
//! Pure. Nothing is hidden, unlike with a filter.

use super::filter::Filter;
use super::model::Model;
use super::rows::{AppKey, RowId};

/// How badly it fits, the parts in the order of their weight; `None`: not at all.
type Misfit = (u8, usize, usize);

/// Rows whose names fit, the best first; all of them where nothing is typed.
pub fn fitting(model: &Model, typed: &str) -> Vec<RowId> {
    let filter = Filter::read(&model.list.shown.filter);
    let wide = model.is_wide();
    let apps = model.engines.iter().filter_map(|engine| Some((engine, engine.fleet()?)));
    let apps = apps.flat_map(|(engine, fleet)| fleet.apps.iter().map(move |app| (engine, app)));
    let rows = apps.filter(|(_, app)| filter.is_empty() || filter.passes_app(app)).flat_map(|(engine, app)| {
        let key = AppKey::of(engine, app);
        let several = if wide || app.instances.len() > 1 { &app.instances[..] } else { &[] };
        let instances = several.iter().filter(|one| filter.is_empty() || filter.passes(app, one));
        let of = key.clone();
        std::iter::once(RowId::App(key)).chain(instances.map(move |one| RowId::Instance(of.clone(), one.name.clone())))
    });
    let mut all: Vec<(Misfit, RowId)> = rows.filter_map(|row| Some((misfit(typed, &row.target()?)?, row))).collect();
    all.sort_by_key(|(misfit, _)| *misfit);
    all.into_iter().map(|(_, row)| row).collect()
}

/// The beginning of a part, then anywhere, then letter by letter, beginnings of parts first; shorter names before longer ones.
fn misfit(typed: &str, name: &str) -> Option<Misfit> {
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    let begins = |at: usize| at == 0 || !name.as_bytes().get(at - 1).is_some_and(u8::is_ascii_alphanumeric);
    if let Some(at) = name.match_indices(&typed).map(|(at, _)| at).find(|at| begins(*at)) {
        return Some((0, name.len() - at - typed.len(), at));
    }
    if let Some(at) = name.find(&typed) {
        return Some((1, name.len(), at));
    }
    let (mut from, mut inside, mut first) = (0, 0, None);
    for letter in typed.chars().filter(|letter| !letter.is_whitespace()) {
        let places = || name[from..].match_indices(letter).map(|(at, _)| from + at);
        let at = places().find(|at| begins(*at)).or_else(|| places().next())?;
        inside += usize::from(!begins(at));
        first.get_or_insert(at);
        from = at + letter.len_utf8();
    }
    Some((2, inside, from - first.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_find_the_name_that_is_meant() {
        let names = ["shop/web", "shop/web-1", "shop/web-2", "shop/worker", "crm/db", "show/bwe", "redis"];
        for (typed, want) in [
            ("web", "shop/web"),
            ("sw2", "shop/web-2"),
            ("swo", "shop/worker"),
            ("b-1", "shop/web-1"),
            ("db", "crm/db"),
            ("EDI", "redis"),
            ("s w", "shop/web"),
        ] {
            let best = names.iter().filter_map(|name| Some((misfit(typed, name)?, *name))).min();
            assert_eq!(best.map(|(_, name)| name), Some(want), "{typed}");
        }
        assert_eq!(misfit("xyz", "shop/web"), None);
        assert_eq!(misfit("bew", "shop/web"), None);
    }
}
