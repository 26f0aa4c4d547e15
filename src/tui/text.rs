//! Texts measured and cut in terminal cells, and short words for values.
//!
//! Pure. Lengths are display widths, not bytes or characters.

use jiff::Timestamp;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `cells`, its end replaced by `dots` when it does not fit.
pub fn head(text: &str, cells: usize, dots: &str) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(dots.width());
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > room {
            break;
        }
        used += w;
        out.push(c);
    }
    if dots.width() <= cells {
        out.push_str(dots);
    }
    out
}

/// `text` in at most `cells`, its beginning replaced by `dots` when it does not fit: for images and paths, whose end tells most.
pub fn tail(text: &str, cells: usize, dots: &str) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(dots.width());
    let mut kept: Vec<char> = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        let w = c.width().unwrap_or(0);
        if used + w > room {
            break;
        }
        used += w;
        kept.push(c);
    }
    let dots = if dots.width() <= cells { dots } else { "" };
    dots.chars().chain(kept.into_iter().rev()).collect()
}

/// Words folded into lines of at most `cells`; a longer word is cut into pieces. Never empty.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line_width = lines.last().map_or(0, |line| line.width());
        let space = usize::from(line_width > 0);
        if line_width + space + word.width() <= cells {
            if let Some(line) = lines.last_mut() {
                if space > 0 {
                    line.push(' ');
                }
                line.push_str(word);
            }
            continue;
        }
        if line_width > 0 {
            lines.push(String::new());
        }
        for c in word.chars() {
            let full = lines.last().is_some_and(|line| line.width() + c.width().unwrap_or(0) > cells);
            if full && lines.last().is_some_and(|line| !line.is_empty()) {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    lines
}

/// An image reference as people say it: without registry and directories when `cells` are few, digests shortened.
pub fn image(reference: &str, cells: usize, dots: &str) -> String {
    let reference = reference.strip_prefix("sha256:").map_or_else(
        || match reference.split_once("@sha256:") {
            Some((name, digest)) => format!("{name}@{}", digest.get(..8).unwrap_or(digest)),
            None => reference.to_owned(),
        },
        |digest| digest.get(..12).unwrap_or(digest).to_owned(),
    );
    if reference.width() <= cells {
        return reference;
    }
    tail(reference.rsplit('/').next().unwrap_or(&reference), cells, dots)
}

/// How long ago, in two or three characters: `<1m`, `3m`, `5h`, `12d`. Coarse, so that idle screens stay still.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    match now.as_second().saturating_sub(since.as_second()) {
        ..60 => "<1m".to_owned(),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// `12 s`, `3 m 05 s`: whole seconds.
pub fn seconds(n: u64) -> String {
    if n < 60 { format!("{n} s") } else { crate::domain::duration::human(n * 1000) }
}

/// `1 app`, `4 apps`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Bytes in three figures: `812 B`, `95.3 MB` (powers of ten, as image sizes are given).
pub fn bytes(n: u64) -> String {
    let (of, unit) = unit(n, (1, 1000), &["B", "kB", "MB", "GB", "TB"]);
    let tenths = rounded(n, of, 10);
    if unit == "B" || tenths >= 1000 {
        format!("{} {unit}", rounded(n, of, 1))
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// Memory in few cells, as `docker stats` reckons: `812K`, `24M`, `1.2G`.
pub fn memory(n: u64) -> String {
    let (of, unit) = unit(n, (1024, 1024), &["K", "M", "G", "T"]);
    let tenths = rounded(n, of, 10);
    if tenths < 100 && unit != "K" {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    } else {
        format!("{}{unit}", rounded(n, of, 1))
    }
}

/// The first unit of which there are less than a thousand, how large it is and its name: the first is so large, and each that
/// follows so many times as large.
fn unit(n: u64, (first, step): (u64, u64), names: &[&'static str]) -> (u64, &'static str) {
    let mut size = first;
    for name in &names[..names.len() - 1] {
        if n / size < 1000 {
            return (size, name);
        }
        size *= step;
    }
    (size, names[names.len() - 1])
}

/// How many parts of `of`, of which one has so many, `n` are, to the nearest.
fn rounded(n: u64, of: u64, parts: u64) -> u64 {
    n / of * parts + (n % of * parts + of / 2) / of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fit_and_keep_the_telling_end() {
        for (text, cells, want_head, want_tail) in [
            ("shop/web", 8, "shop/web", "shop/web"),
            ("shop/web", 5, "shop…", "…/web"),
            ("日本語", 5, "日本…", "…本語"),
            ("日本語", 4, "日…", "…語"),
            ("ab", 1, "…", "…"),
            ("ab", 0, "", ""),
        ] {
            assert_eq!(head(text, cells, "…"), want_head, "{text} {cells}");
            assert_eq!(tail(text, cells, "…"), want_tail, "{text} {cells}");
        }
    }

    #[test]
    fn words_wrap() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn values_are_short() {
        assert_eq!(image("127.0.0.1:5000/shop/web:v2", 10, "…"), "web:v2");
        assert_eq!(image("127.0.0.1:5000/shop/web:v2", 40, "…"), "127.0.0.1:5000/shop/web:v2");
        assert_eq!(image("sha256:0123456789abcdef", 20, "…"), "0123456789ab");
        let at = |s| Timestamp::from_second(s).unwrap();
        assert_eq!(["<1m", "3m", "5h", "12d"], [59, 200, 18_100, 1_040_000].map(|s| age(at(0), at(s))));
        assert_eq!([bytes(812), bytes(95_300_000), bytes(250_000_000)], ["812 B", "95.3 MB", "250 MB"]);
        assert_eq!(bytes(u64::MAX), "18446744 TB");
        let ki = |n: u64| memory(n * 1024);
        assert_eq!([ki(812), ki(24 << 10), ki(12 << 17), ki(999), ki(1000)], ["812K", "24M", "1.5G", "999K", "1.0M"]);
        assert_eq!([memory(0), memory(256 << 10), memory((24 << 20) + 470_000)], ["0K", "256K", "24M"]);
    }
}
