//! Colours by meaning: what a theme file says, read and checked, and turned into styles for this terminal.
//!
//! Nothing that draws names a colour: it names a [`Role`]. Built-in themes and users' themes are read by the same
//! code, and what is wrong in one is an error with its line, never a silent fallback. Reads no files itself.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

const DEFAULT: &str = include_str!("../../themes/default.toml");
const MONO: &str = include_str!("../../themes/mono.toml");
const DAYLIGHT: &str = include_str!("../../themes/daylight.toml");
const CONTRAST: &str = include_str!("../../themes/contrast.toml");
const FJORD: &str = include_str!("../../themes/fjord.toml");
const EMBER: &str = include_str!("../../themes/ember.toml");

/// The themes that are always there, by name.
pub const BUILT_IN: [(&str, &str); 6] = [
    ("default", DEFAULT),
    ("daylight", DAYLIGHT),
    ("contrast", CONTRAST),
    ("fjord", FJORD),
    ("ember", EMBER),
    ("mono", MONO),
];

macro_rules! roles {
    ($($role:ident = $name:literal),* $(,)?) => {
        /// What a piece of the screen means; a theme says how that looks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Role { $($role),* }

        impl Role {
            /// All of them, in the order of the theme file.
            pub const ALL: &'static [Self] = &[$(Self::$role),*];

            /// Its name in theme files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$role => $name),* }
            }
        }
    };
}

roles! {
    Base = "base", Text = "text", Title = "title", Dim = "dim", Rule = "rule", Focus = "focus", Brand = "brand",
    Key = "key", Selected = "selected", Idle = "idle", Mark = "mark", Surface = "surface", Input = "input",
    Good = "good", Busy = "busy", Warn = "warn", Bad = "bad", Loud = "loud", Stale = "stale",
    Gauge = "gauge", Rest = "rest",
    Fetch = "fetch", Make = "make", Drain = "drain", Stop = "stop", Start = "start", Ready = "ready",
    Check = "check", Undo = "undo", Failed = "failed", InkOn = "ink-on",
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    True,
    Indexed,
    Basic,
}

impl Depth {
    /// One of the 256, for this terminal.
    pub fn indexed(self, index: u8) -> Color {
        const BASIC: [Color; 16] = [
            Color::Black,
            Color::Red,
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::Magenta,
            Color::Cyan,
            Color::Gray,
            Color::DarkGray,
            Color::LightRed,
            Color::LightGreen,
            Color::LightYellow,
            Color::LightBlue,
            Color::LightMagenta,
            Color::LightCyan,
            Color::White,
        ];
        match (BASIC.get(usize::from(index)), self) {
            (Some(basic), _) => *basic,
            (None, Self::True | Self::Indexed) => Color::Indexed(index),
            (None, Self::Basic) => {
                let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
                let cube = index.saturating_sub(16);
                let grey = 8_u8.saturating_add(10_u8.saturating_mul(index.saturating_sub(232)));
                let (r, g, b) = if index >= 232 {
                    (grey, grey, grey)
                } else {
                    (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
                };
                nearest_basic(r, g, b)
            }
        }
    }

    /// The nearest this terminal has.
    pub fn rgb(self, r: u8, g: u8, b: u8) -> Color {
        match self {
            Self::True => Color::Rgb(r, g, b),
            Self::Indexed => Color::Indexed(nearest_indexed(r, g, b)),
            Self::Basic => nearest_basic(r, g, b),
        }
    }
}

/// A style for every role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    styles: Vec<Style>,
    /// For how many colours.
    pub depth: Depth,
    /// Whether any role has a colour of its own.
    pub colourful: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    palette: BTreeMap<String, Spanned<String>>,
    roles: BTreeMap<String, Spanned<String>>,
}

impl Theme {
    /// The default theme for a terminal of that many colours.
    pub fn standard(depth: Depth) -> Self {
        Self::built_in("default", DEFAULT, depth)
    }

    /// No colours, only modifiers.
    pub fn mono() -> Self {
        Self::built_in("mono", MONO, Depth::Basic)
    }

    fn built_in(name: &str, text: &str, depth: Depth) -> Self {
        let styles = vec![Style::new(); Role::ALL.len()];
        let blank = Self { name: name.to_owned(), styles, depth, colourful: false };
        // Built-in files are checked by a test; if one were wrong, the console would be plain but whole.
        blank.overlay(name, text, depth).unwrap_or(blank)
    }

    /// Reads a theme file; roles it leaves out are the default theme's.
    ///
    /// The errors are sentences, each with `name` and line.
    pub fn parse(name: &str, text: &str, depth: Depth) -> Result<Self, Vec<String>> {
        Self::standard(depth).overlay(name, text, depth)
    }

    fn overlay(&self, name: &str, text: &str, depth: Depth) -> Result<Self, Vec<String>> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!("{name}:{}: {}", line(at), error.message())]
        })?;
        let mut wrong = Vec::new();
        let mut palette = BTreeMap::new();
        for (entry, value) in &file.palette {
            match colour(value.get_ref(), depth) {
                Ok(colour) => drop(palette.insert(entry.as_str(), colour)),
                Err(what) => wrong.push(format!("{name}:{}: {entry}: {what}", line(value.span().start))),
            }
        }
        let mut theme = Self { name: name.to_owned(), depth, ..self.clone() };
        for (key, value) in &file.roles {
            let at = line(value.span().start);
            let Some(index) = Role::ALL.iter().position(|role| role.name() == key) else {
                let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
                wrong.push(format!("{name}:{at}: there is no role `{key}`; the roles are {}", names.join(", ")));
                continue;
            };
            match style(value.get_ref(), &palette, depth) {
                Ok(style) => theme.styles[index] = style,
                Err(what) => wrong.push(format!("{name}:{at}: {key}: {what}")),
            }
        }
        theme.colourful = theme
            .styles
            .iter()
            .any(|style| [style.fg, style.bg].into_iter().flatten().any(|colour| colour != Color::Reset));
        if wrong.is_empty() { Ok(theme) } else { Err(wrong) }
    }

    /// How `role` looks.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

/// `COLOUR`, `on COLOUR`, and modifiers, in that order of freedom: any words, each once.
fn style(text: &str, palette: &BTreeMap<&str, Color>, depth: Depth) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let modifier = match word {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            "on" => {
                let word = words.next().ok_or("a colour must follow `on`")?;
                style.bg = Some(named(word, palette, depth)?);
                continue;
            }
            _ => {
                style.fg = Some(named(word, palette, depth)?);
                continue;
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

fn named(word: &str, palette: &BTreeMap<&str, Color>, depth: Depth) -> Result<Color, String> {
    palette.get(word).copied().map_or_else(|| colour(word, depth), Ok)
}

/// `#rrggbb`, a name of the sixteen, an index, or `reset`; optionally `/` and what a terminal of sixteen colours takes.
fn colour(text: &str, depth: Depth) -> Result<Color, String> {
    let (many, few) = text.split_once('/').map_or((text, None), |(many, few)| (many.trim(), Some(few.trim())));
    let parse = |text: &str| {
        text.parse::<Color>().map_err(|_| {
            format!("`{text}` is neither in the palette nor a colour (#rrggbb, a name like bright-blue, 0-255, reset)")
        })
    };
    let (many, few) = (parse(many.trim())?, few.map(parse).transpose()?);
    Ok(match (depth, many, few) {
        (Depth::Basic, _, Some(few)) => few,
        (_, Color::Rgb(r, g, b), _) => depth.rgb(r, g, b),
        (_, many, _) => many,
    })
}

/// The nearest of xterm's 6×6×6 cube and grey ramp.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |v: u8| (0_u8..6).min_by_key(|i| v.abs_diff(LEVELS[*i as usize])).unwrap_or(0);
    let (cr, cg, cb) = (level(r), level(g), level(b));
    let cube = (LEVELS[cr as usize], LEVELS[cg as usize], LEVELS[cb as usize]);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey = u8::try_from((mean.saturating_sub(3) / 10).min(23)).unwrap_or(23);
    let ramp = 8 + 10 * grey;
    let far = |(x, y, z): (u8, u8, u8)| {
        let square = |p: u8, q: u8| u32::from(p.abs_diff(q)).pow(2);
        square(x, r) + square(y, g) + square(z, b)
    };
    if far((ramp, ramp, ramp)) < far(cube) { 232 + grey } else { 16 + 36 * cr + 6 * cg + cb }
}

/// One of the sixteen by hue, for colours that give no alternative.
fn nearest_basic(r: u8, g: u8, b: u8) -> Color {
    let bright = r.max(g).max(b);
    let spread = bright - r.min(g).min(b);
    if spread < 24 {
        return match bright {
            0..64 => Color::Black,
            64..128 => Color::DarkGray,
            128..208 => Color::Gray,
            _ => Color::White,
        };
    }
    let on = |v: u8| v > bright - spread / 2;
    match (on(r), on(g), on(b)) {
        (true, true, false) => Color::Yellow,
        (true, false, true) => Color::Magenta,
        (false, true, true) => Color::Cyan,
        (true, false, false) => Color::Red,
        (false, true, false) => Color::Green,
        _ => Color::Blue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_are_right_and_complete() {
        for (name, text) in BUILT_IN {
            for depth in [Depth::True, Depth::Indexed, Depth::Basic] {
                Theme::parse(name, text, depth).unwrap();
            }
            let file: File = toml::from_str(text).unwrap();
            for role in Role::ALL {
                assert!(file.roles.contains_key(role.name()), "{name} has no `{}`", role.name());
            }
        }
        assert!(Theme::standard(Depth::True).colourful && !Theme::mono().colourful);
    }

    /// Relative luminance, as WCAG reckons it.
    fn light(colour: Option<Color>) -> Option<f64> {
        let Some(Color::Rgb(r, g, b)) = colour else { return None };
        let part = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        Some(0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b))
    }

    #[test]
    fn what_is_said_can_be_read_on_every_ground() {
        let words = [Role::Text, Role::Title, Role::Key, Role::Good, Role::Busy, Role::Warn, Role::Bad];
        for (name, text) in BUILT_IN {
            let theme = Theme::parse(name, text, Depth::True).unwrap();
            for ground in [Role::Base, Role::Selected, Role::Idle, Role::Surface] {
                for word in words {
                    let Some((a, b)) = light(theme.style(word).fg).zip(light(theme.style(ground).bg)) else { continue };
                    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(contrast >= 3.0, "{name}: {word:?} on {ground:?} has a contrast of {contrast:.1}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let text = "[palette]\nred = \"#ff00\"\n[roles]\ngood = \"sage\"\nselcted = \"bold\"\nbad = \"on\"\n";
        let wrong = Theme::parse("mine.toml", text, Depth::True).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(wrong[0].starts_with("mine.toml:2: red: `#ff00` is neither"), "{wrong:?}");
        assert!(wrong.iter().any(|w| w.starts_with("mine.toml:5: there is no role `selcted`")), "{wrong:?}");
        let wrong = Theme::parse("mine.toml", "[roles]\ngood = 3\n", Depth::True).unwrap_err();
        assert!(wrong[0].starts_with("mine.toml:2: "), "{wrong:?}");
        let wrong = Theme::parse("mine.toml", "[rolls]\n", Depth::True).unwrap_err();
        assert!(wrong[0].contains("unknown field `rolls`"), "{wrong:?}");
    }

    #[test]
    fn a_theme_of_ones_own_changes_only_what_it_names() {
        let mine = Theme::parse("mine", "[roles]\ngood = \"#00ff00 bold\"\n", Depth::Indexed).unwrap();
        assert_eq!(mine.style(Role::Good), Style::new().fg(Color::Indexed(46)).add_modifier(Modifier::BOLD));
        assert_eq!(mine.style(Role::Bad), Theme::standard(Depth::Indexed).style(Role::Bad));
    }

    #[test]
    fn sixteen_colours_use_the_alternative() {
        assert_eq!(Theme::standard(Depth::Basic).style(Role::Good).fg, Some(Color::Green));
        assert_eq!(Theme::standard(Depth::Basic).style(Role::Base).bg, Some(Color::Reset));
    }
}
