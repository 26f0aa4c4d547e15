//! The line that is typed behind `:`, and what may come next in it.
//!
//! Pure. What the verbs are and how a line is read comes from outside; here is only what the console knows: apps,
//! instances, images, operations, files, themes.

use super::input::Line;
use super::model::Model;
use crate::domain::fleet::App;
use crate::domain::record::Summary;
use crate::engine::Listed;
use crate::engine::line::{Value, Verb};
use std::collections::BTreeSet;

/// A line being typed.
#[derive(Debug, Default)]
pub struct Prompt {
    pub line: Line,
    /// What is wrong with what was entered.
    pub wrong: Option<String>,
    /// Of the line that is being read.
    pub ticket: u64,
    /// Going through what may come next: the line before, and which one stands in it.
    pub cycling: Option<(String, usize)>,
    /// Going through earlier lines: how far back, and what had been typed.
    pub back: Option<(usize, String)>,
    /// App files near here.
    pub files: Vec<String>,
    /// Docker contexts here.
    pub contexts: Vec<String>,
    /// Operations on record, once they are read.
    pub known: Vec<Listed>,
}

/// What may come next.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Of which kind it is.
    pub title: String,
    /// Where in the line the word begins that is typed.
    pub start: usize,
    pub words: Vec<Word>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    pub text: String,
    pub about: String,
}

impl Prompt {
    /// What may come next; while it is gone through, what could have come.
    pub fn offer(&self, model: &Model) -> Offer {
        offer(model, self, self.cycling.as_ref().map_or_else(|| self.line.text(), |(before, _)| before))
    }

    /// Puts in what may come next: all of it where there is one, as far as all agree, else one after the other.
    pub fn complete(&mut self, model: &Model, forward: bool) {
        let offer = self.offer(model);
        let count = offer.words.len();
        let before = self.cycling.as_ref().map_or_else(|| self.line.text(), |(before, _)| before).to_owned();
        let head = &before[..offer.start];
        let put = |text: &str| Line::new(&format!("{head}{text}"));
        let typed = &before[offer.start..];
        match (&self.cycling, count) {
            (_, 0) => {}
            (Some((_, at)), _) => {
                let at = if forward { (at + 1) % count } else { (at + count - 1) % count };
                self.line = put(&offer.words[at].text);
                self.cycling = Some((before, at));
            }
            (None, 1) => {
                let text = &offer.words[0].text;
                let space = if text.ends_with('=') { "" } else { " " };
                self.line = put(&format!("{text}{space}"));
            }
            (None, _) => {
                let common = common(&offer.words);
                if common.len() > typed.len() && common.starts_with(typed) {
                    self.line = put(&common);
                } else {
                    let at = if forward { 0 } else { count - 1 };
                    self.line = put(&offer.words[at].text);
                    self.cycling = Some((before, at));
                }
            }
        }
        (self.wrong, self.back) = (None, None);
    }

    /// An earlier line that begins as what was typed, or a later one.
    pub fn recall(&mut self, lines: &[String], back: bool) {
        let (at, typed) = self.back.clone().unwrap_or_else(|| (0, self.line.text().to_owned()));
        let fit: Vec<&String> = lines.iter().rev().filter(|line| line.starts_with(&typed)).collect();
        let at = if back { (at + 1).min(fit.len()) } else { at.saturating_sub(1) };
        self.line = Line::new(if at == 0 { &typed } else { fit[at - 1] });
        self.back = (at > 0).then_some((at, typed));
        (self.wrong, self.cycling) = (None, None);
    }

    /// What may be known of an operation, this console's own first.
    pub fn operations(&self, model: &Model) -> Vec<Summary> {
        let own = model.operations.iter().rev().map(|own| Summary::of(&own.id, &own.progress));
        let known = self.known.iter().filter_map(|one| one.read.as_ref().ok()).cloned();
        let known = known.filter(|one| !model.operations.iter().any(|own| own.id == one.op));
        own.chain(known).collect()
    }
}

/// What all of them begin with.
fn common(words: &[Word]) -> String {
    let mut common = words.first().map_or("", |word| word.text.as_str());
    for word in words {
        while !word.text.starts_with(common) {
            common = &common[..common.char_indices().next_back().map_or(0, |(at, _)| at)];
        }
    }
    common.to_owned()
}

/// What may come next in that line.
fn offer(model: &Model, prompt: &Prompt, line: &str) -> Offer {
    let start =
        line.rfind(char::is_whitespace).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let before: Vec<&str> = line[..start].split_whitespace().collect();
    let verbs = model.grammar.verbs();
    let Some((name, behind)) = before.split_first() else {
        let words = verbs.iter().map(|verb| Word { text: verb.name.clone(), about: verb.about.clone() });
        return Offer { title: "verbs".to_owned(), start, words: fitting(words.collect(), &line[start..]) };
    };
    let Some(verb) = verbs.iter().find(|verb| verb.name == *name) else {
        return Offer { title: "no verb of that name".to_owned(), start, ..Offer::default() };
    };
    let option = |name: &str| verb.options.iter().find(|option| option.name == name);
    let mut current = &line[start..];
    let mut start = start;
    // `--gate=f` is completed as `--gate f` is.
    let expected = match current.split_once('=') {
        Some((name, value)) if option(name).is_some() => {
            start = line.len() - value.len();
            current = value;
            option(name)
        }
        _ => behind.last().and_then(|last| option(last)),
    };
    if let Some((option, value)) = expected.and_then(|option| Some((option, option.value.as_ref()?))) {
        let about = Some(&option.about).filter(|about| !about.is_empty());
        let title =
            about.map_or_else(|| option.name.clone(), |about| format!("{} {}: {about}", option.name, value.name));
        return Offer { title, start, words: fitting(words_of(model, prompt, verb, value, behind), current) };
    }
    let place = places(verb, behind);
    let value = verb.values.get(place).or_else(|| verb.values.last().filter(|value| value.many));
    let wants_option = current.starts_with('-') || value.is_none();
    if let (Some(value), false) = (value, wants_option) {
        let about = if value.about.is_empty() { &verb.about } else { &value.about };
        let title = format!("{}: {about}", value.name);
        return Offer { title, start, words: fitting(words_of(model, prompt, verb, value, behind), current) };
    }
    let unused = verb.options.iter().filter(|option| {
        !behind.contains(&option.name.as_str()) || option.value.as_ref().is_some_and(|value| value.many)
    });
    let words = unused.map(|option| Word { text: option.name.clone(), about: option.about.clone() }).collect();
    Offer { title: format!("{}: {}", verb.name, verb.about), start, words: fitting(words, current) }
}

/// How many of the words behind a verb stand for themselves: neither options nor their values.
fn places(verb: &Verb, behind: &[&str]) -> usize {
    let takes = |word: &str| verb.options.iter().any(|option| option.name == word && option.value.is_some());
    let mut count = 0;
    let mut words = behind.iter();
    while let Some(word) = words.next() {
        if takes(word) {
            words.next();
        } else if !word.starts_with('-') {
            count += 1;
        }
    }
    count
}

/// Those that begin with what is typed, then those whose last part does.
fn fitting(words: Vec<Word>, typed: &str) -> Vec<Word> {
    let typed = typed.to_lowercase();
    let (first, rest): (Vec<Word>, Vec<Word>) =
        words.into_iter().partition(|word| word.text.to_lowercase().starts_with(&typed));
    let inside = rest.into_iter().filter(|word| {
        !typed.is_empty() && word.text.to_lowercase().rsplit('/').next().is_some_and(|part| part.starts_with(&typed))
    });
    first.into_iter().chain(inside).collect()
}

/// What the console knows that can stand there.
fn words_of(model: &Model, prompt: &Prompt, verb: &Verb, value: &Value, behind: &[&str]) -> Vec<Word> {
    let word = |text: &str, about: String| Word { text: text.to_owned(), about };
    if !value.words.is_empty() {
        return value.words.iter().map(|text| word(text, String::new())).collect();
    }
    let apps = || model.fleet().into_iter().flat_map(|fleet| &fleet.apps);
    let of_app = |app: &App| {
        let image = app.image().unwrap_or_default();
        word(&app.id.to_string(), format!("{}/{} ready  {image}", app.ready(), app.instances.len()))
    };
    let named = |op: &Summary| {
        let short = op.op.as_str().rsplit('-').next().unwrap_or_default();
        word(short, format!("{}, {}", op.title(), super::history::outcome(op)))
    };
    let mut words: Vec<Word> = match value.name.as_str() {
        "APP" if matches!(verb.name.as_str(), "history" | "ps") => apps().map(of_app).collect(),
        "APP" => apps().filter(|app| app.managed).map(of_app).collect(),
        "APP=N" => apps()
            .filter(|app| app.managed)
            .map(|app| word(&format!("{}=", app.id), format!("{} now", app.instances.len())))
            .collect(),
        "APP|CONTAINER" => apps().filter(|app| !app.managed).map(of_app).collect(),
        "TARGET" => apps().flat_map(|app| std::iter::once(of_app(app)).chain(instances(app))).collect(),
        "REF" => images(model, prompt, behind),
        "REV" => revisions(model, behind),
        "OP" | "OP|APP" | "FILE|OP" => {
            let running = matches!(verb.name.as_str(), "go" | "pause" | "continue");
            let open = verb.name == "resume";
            let fits = |op: &&Summary| (!running || op.running) && (!open || op.is_open());
            prompt.operations(model).iter().filter(fits).map(named).collect()
        }
        "FILE" => prompt.files.iter().map(|file| word(file, String::new())).collect(),
        "CONTEXT" => prompt.contexts.iter().map(|name| word(name, String::new())).collect(),
        "THEME" => model.all_themes().iter().map(|(name, _)| word(name, String::new())).collect(),
        "VERB" => model.grammar.verbs().iter().map(|verb| word(&verb.name, verb.about.clone())).collect(),
        _ => Vec::new(),
    };
    // What stands there already is not named a second time.
    words.retain(|word| !value.many || !behind.contains(&word.text.as_str()));
    words
}

fn instances(app: &App) -> impl Iterator<Item = Word> {
    let several = app.managed || app.instances.len() > 1;
    app.instances.iter().filter(move |_| several).map(|instance| {
        let state = super::words::state(instance).word;
        Word { text: instance.name.0.clone(), about: state.to_owned() }
    })
}

/// Images seen: first those that the app has or had, then all others.
fn images(model: &Model, prompt: &Prompt, behind: &[&str]) -> Vec<Word> {
    let operations = prompt.operations(model);
    let is_meant = |app: &str| behind.iter().any(|word| app == *word || app.rsplit('/').next() == Some(word));
    let mut seen = BTreeSet::new();
    let mut words = Vec::new();
    for mine in [true, false] {
        let apps = model.fleet().into_iter().flat_map(|fleet| &fleet.apps);
        let runs = apps.filter_map(|app| Some((app.id.to_string(), app.image()?.to_owned(), "runs now")));
        let was =
            operations.iter().flat_map(|op| [(&op.to, "deployed before"), (&op.from, "ran before")].map(|it| (op, it)));
        let was = was.filter_map(|(op, (image, about))| Some((op.app.clone(), image.clone()?, about)));
        for (app, image, about) in runs.chain(was).filter(|(app, ..)| is_meant(app) == mine) {
            if seen.insert(image.clone()) {
                words.push(Word { text: image, about: format!("{app} {about}") });
            }
        }
    }
    words
}

/// Revisions before the one that the app named has now: its sandboxes remember ten.
fn revisions(model: &Model, behind: &[&str]) -> Vec<Word> {
    let apps = || model.fleet().into_iter().flat_map(|fleet| &fleet.apps);
    let named = apps().find(|app| behind.iter().any(|word| app.id.to_string() == *word || app.id.app == *word));
    let Some(now) = named.and_then(App::revision) else { return Vec::new() };
    let about = |back: u32| if back == 1 { "the one before".to_owned() } else { format!("{back} before") };
    (1..=now.saturating_sub(1).min(10))
        .map(|back| Word { text: (now - back).to_string(), about: about(back) })
        .collect()
}
