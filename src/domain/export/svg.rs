//! As a picture: the waterfall, with real text and no other file. Each bar tells more when it is pointed at.

use super::super::duration::human;
use super::super::event::Outcome;
use super::super::progress::{InstanceProgress, Progress, StepProgressed};
use super::{Palette, Tone, addresses, began, elapsed, outcome, title, verdict};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

const WIDTH: u64 = 1200;
const MARGIN: u64 = 24;
/// Of a character, at the size of most text.
const CELL: u64 = 8;
const ROW: u64 = 30;
/// Where the bars begin and end.
const LEFT: u64 = 380;
const RIGHT: u64 = 960;
const HEAD: u64 = 118;

struct Picture<'a> {
    out: String,
    palette: &'a Palette,
    /// Milliseconds that the bars' room stands for.
    span: u64,
}

pub fn write(progress: &Progress, palette: &Palette) -> String {
    let shared = progress.steps.iter().any(|step| step.plan.instance.is_none() && step.started_ms.is_some());
    let rows = u64::try_from(progress.instances.len()).unwrap_or(0) + u64::from(shared);
    let mut tail = Vec::new();
    if let Some(finished) = &progress.finished {
        tail.extend(finished.error.iter().map(|error| (format!("error: {error}"), &palette.bad)));
        tail.extend(finished.state.iter().map(|line| (line.clone(), &palette.text)));
    }
    let lines = tail.iter().flat_map(|(line, colour)| folded(line).into_iter().map(move |line| (line, *colour)));
    let lines: Vec<_> = lines.take(16).collect();
    let legend = HEAD + rows * ROW + 26;
    let height = legend + 34 + u64::try_from(lines.len()).unwrap_or(0) * 20 + MARGIN;
    let mut picture = Picture { out: String::new(), palette, span: elapsed(progress).max(1) };
    // Writing to a text can't fail.
    let _ = picture.open(progress, height);
    picture.head(progress);
    picture.axis(HEAD + rows * ROW);
    let mut y = HEAD;
    if shared {
        picture.lane("all", None, progress, y);
        y += ROW;
    }
    for instance in &progress.instances {
        picture.lane(instance.name.short(), Some(instance), progress, y);
        y += ROW;
    }
    picture.legend(progress, legend);
    for (i, (line, colour)) in (0..).zip(lines) {
        picture.text(MARGIN, legend + 34 + i * 20, colour, "", &line);
    }
    picture.out + "</svg>\n"
}

impl Picture<'_> {
    fn open(&mut self, progress: &Progress, height: u64) -> std::fmt::Result {
        let ground = &self.palette.ground;
        writeln!(
            self.out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="13">"#
        )?;
        writeln!(self.out, "<title>{}</title>", escaped(&title(progress).0))?;
        writeln!(self.out, "<desc>{}</desc>", escaped(&progress.summary()))?;
        writeln!(self.out, r#"<rect width="100%" height="100%" fill="{ground}"/>"#)
    }

    fn text(&mut self, x: u64, y: u64, colour: &str, extra: &str, content: &str) {
        let content = escaped(content);
        let _ =
            writeln!(self.out, r#"<text x="{x}" y="{y}" fill="{colour}" xml:space="preserve"{extra}>{content}</text>"#);
    }

    fn head(&mut self, progress: &Progress) {
        let palette = self.palette;
        let (title, change) = title(progress);
        self.text(MARGIN, 40, &palette.title, r#" font-size="20" font-weight="bold""#, &title);
        if let Some(change) = change {
            let x = MARGIN + cells(&title) * 12 + 20;
            let room = usize::try_from((WIDTH - MARGIN).saturating_sub(x) / CELL).unwrap_or(0);
            self.text(x, 40, &palette.dim, "", &cut(&change, room));
        }
        let colour = match progress.finished.as_ref().map(|finished| finished.outcome) {
            Some(Outcome::Succeeded) => &palette.good,
            Some(Outcome::Failed | Outcome::Interrupted) => &palette.bad,
            _ => &palette.warn,
        };
        self.text(MARGIN, 66, colour, r#" font-weight="bold""#, outcome(progress));
        let op = progress.op.as_ref().map_or("", |op| op.as_str());
        let mut facts = vec![human(elapsed(progress))];
        facts.extend(progress.longest_gap().map(|gap| format!("longest gap {gap:.0} ms")));
        facts.extend([began(progress), op.to_owned()]);
        let x = MARGIN + (cells(outcome(progress)) + 2) * CELL;
        self.text(x, 66, &palette.text, "", &facts.join("  ·  "));
    }

    /// Where a moment lies, in tenths of a pixel.
    fn x(&self, ms: u64) -> u64 {
        LEFT * 10 + ms.min(self.span) * (RIGHT - LEFT) * 10 / self.span
    }

    fn axis(&mut self, bottom: u64) {
        let palette = self.palette;
        let tick = (0..15)
            .flat_map(|power| [1, 2, 5].map(|n| n * 10_u64.pow(power)))
            .find(|tick| *tick * 8 >= self.span)
            .unwrap_or(self.span);
        for n in 0..=self.span / tick {
            let x = self.x(n * tick) / 10;
            let (rule, top) = (&palette.rule, HEAD - 8);
            let _ = writeln!(self.out, r#"<path d="M{x} {top}V{bottom}" stroke="{rule}" stroke-dasharray="2 4"/>"#);
            self.text(x + 4, HEAD - 14, &palette.dim, r#" font-size="11""#, &human(n * tick));
        }
        self.text(RIGHT + 20, HEAD - 14, &palette.dim, r#" font-size="11""#, "TOTAL");
        self.text(RIGHT + 110, HEAD - 14, &palette.dim, r#" font-size="11""#, "GAP");
    }

    fn lane(&mut self, name: &str, instance: Option<&InstanceProgress>, progress: &Progress, y: u64) {
        let palette = self.palette;
        let base = y + 18;
        self.text(MARGIN, base, &palette.title, "", &cut(name, 13));
        let mine = |step: &&StepProgressed| step.plan.instance.as_ref() == instance.map(|one| &one.name);
        let mut steps: Vec<&StepProgressed> =
            progress.steps.iter().filter(mine).filter(|step| step.started_ms.is_some()).collect();
        steps.sort_by_key(|step| step.started_ms);
        if let Some(one) = instance {
            let word = verdict(progress, one);
            let colour = match word {
                "kept" | "new" => &palette.good,
                "" | "unprotected" => &palette.warn,
                _ => &palette.bad,
            };
            let address = addresses(one);
            self.text(MARGIN + 14 * CELL, base, colour, r#" font-size="12""#, &cut(&format!("{word} {address}"), 32));
        }
        let span = self.span;
        let end = |step: &StepProgressed| step.ended_ms().unwrap_or(span).max(step.started_ms.unwrap_or(0));
        if let (Some(first), Some(last)) =
            (steps.iter().filter_map(|step| step.started_ms).min(), steps.iter().map(|step| end(step)).max())
        {
            let (from, to, middle) = (self.x(first) / 10, self.x(last) / 10, y + 13);
            let rule = &palette.rule;
            let _ = writeln!(self.out, r#"<path d="M{from} {middle}H{to}" stroke="{rule}"/>"#);
            self.text(RIGHT + 20, base, &palette.text, "", &human(last.saturating_sub(first)));
        }
        for (i, step) in steps.iter().enumerate() {
            // The next one lies over it: a name has the room until there.
            let seen = steps.get(i + 1).and_then(|next| next.started_ms).unwrap_or(span);
            self.bar(step, end(step), seen, y);
        }
        if let Some((gap, _)) = instance.and_then(|one| one.gap.as_ref()) {
            self.text(RIGHT + 110, base, &palette.text, "", &format!("{gap:.0} ms"));
        }
    }

    /// A step: its name inside where it fits, all about it when it is pointed at.
    fn bar(&mut self, step: &StepProgressed, end: u64, seen: u64, y: u64) {
        let palette = self.palette;
        let began = step.started_ms.unwrap_or(0);
        let (from, to) = (self.x(began), self.x(end));
        // Something that happened is seen, however short it was.
        let width = to.saturating_sub(from).max(15);
        let (fill, top) = (palette.tone(Tone::of(step)), y + 2);
        let (px, wide) = (tenths(from), tenths(width));
        let took = human(end.saturating_sub(began));
        let name = step.plan.action.as_str();
        let mut about = format!("{name} {}, {took} from {}", step.word(), human(began));
        for more in [step.detail.as_ref(), step.error.as_ref()].into_iter().flatten() {
            let _ = write!(about, ": {more}");
        }
        let _ = writeln!(
            self.out,
            r#"<g><title>{}</title><rect x="{px}" y="{top}" width="{wide}" height="22" rx="2" fill="{fill}" stroke="{}"/>"#,
            escaped(&about),
            palette.ground
        );
        let room = width.min(self.x(seen).saturating_sub(from));
        let fits = |text: &str| cells(text) * 7 * 10 + 80 <= room;
        if let Some(label) = [format!("{name} {took}"), name.to_owned()].into_iter().find(|label| fits(label)) {
            self.text(from / 10 + 5, y + 17, &palette.ink, r#" font-size="11" font-weight="bold""#, &label);
        }
        self.out.push_str("</g>\n");
    }

    /// The colours that were used.
    fn legend(&mut self, progress: &Progress, y: u64) {
        let mut x = LEFT;
        let used: Vec<Tone> = progress.steps.iter().filter(|step| step.started_ms.is_some()).map(Tone::of).collect();
        for tone in Tone::ALL.into_iter().filter(|tone| used.contains(tone)) {
            let (fill, top) = (self.palette.tone(tone), y - 10);
            let _ = writeln!(self.out, r#"<rect x="{x}" y="{top}" width="12" height="12" rx="2" fill="{fill}"/>"#);
            let word = word(tone);
            self.text(x + 17, y, &self.palette.dim.clone(), r#" font-size="11""#, word);
            x += 17 + (cells(word) + 2) * 7;
        }
        self.text(MARGIN, y, &self.palette.dim.clone(), r#" font-size="11""#, "pitstop");
    }
}

fn word(tone: Tone) -> &'static str {
    match tone {
        Tone::Fetch => "fetch",
        Tone::Make => "make",
        Tone::Drain => "drain, attach",
        Tone::Stop => "stop",
        Tone::Start => "start",
        Tone::Ready => "ready",
        Tone::Check => "check",
        Tone::Undo => "put back",
        Tone::Failed => "failed",
    }
}

fn tenths(n: u64) -> String {
    format!("{}.{}", n / 10, n % 10)
}

fn cells(text: &str) -> u64 {
    u64::try_from(text.width()).unwrap_or(0)
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// In lines as wide as the picture.
fn folded(text: &str) -> Vec<String> {
    let room = usize::try_from((WIDTH - 2 * MARGIN) / CELL).unwrap_or(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = cut(word, room);
        if let Some(line) = lines.last_mut()
            && (line.is_empty() || line.chars().count() + 1 + word.chars().count() <= room)
        {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines
}

/// Fit to stand between tags and in attributes.
pub(in crate::domain) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
