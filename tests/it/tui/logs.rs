//! Logs on screen: what keys do, what is kept, what is read on, what a terminal gets to see.

use super::screens::look;
use super::{clock, heard, press, sample, showing, text};
use jiff::{SignedDuration, Timestamp};
use pitstop::domain::fleet::FleetState;
use pitstop::domain::painted::Painted;
use pitstop::engine::LogLine;
use pitstop::tui::logs::{KEPT, Wanted};
use pitstop::tui::message::{Command, Msg, News};
use pitstop::tui::model::{Model, Screen};
use pitstop::tui::update::update;
use std::sync::Arc;

/// Milliseconds after the sample's moment.
fn at(ms: i64) -> Timestamp {
    sample::now() + SignedDuration::from_millis(ms)
}

fn written(ms: i64, raw: &str) -> LogLine {
    let Painted { text, paints } = Painted::new(raw);
    LogLine { stderr: raw.contains("ERROR"), at: Some(at(ms)), text, paints }
}

/// Lines come from that source.
fn come(model: &mut Model, source: usize, lines: Vec<LogLine>) {
    let ticket = model.logs.as_ref().unwrap().ticket;
    update(model, Msg::LogLines { ticket, source, lines });
}

fn wanted(commands: &[Command]) -> Vec<&Wanted> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Log { wanted, .. } => Some(wanted),
            _ => None,
        })
        .collect()
}

/// The log of one instance, with a hundred lines.
fn one(size: (u16, u16)) -> Model {
    let mut model = showing(size, FleetState::live(sample::fleet()));
    press(&mut model, if size.0 >= 110 { "jjj<tab>l" } else { "jjjjjjjjj" });
    if size.0 < 110 {
        press(&mut model, "l");
    }
    assert_eq!(model.screen, Screen::Logs);
    come(&mut model, 0, (0..100).map(|n| written(n, &format!("line {n}"))).collect());
    model
}

/// The log of an app of four instances, coloured.
fn mixed(size: (u16, u16)) -> Model {
    let mut model = showing(size, FleetState::live(sample::fleet()));
    press(&mut model, if size.0 >= 110 { "jjjl" } else { "jjjjjjjjl" });
    for source in 0..4_usize {
        let own = i64::try_from(source).unwrap() * 70;
        let lines = (0..12).map(|n| {
            let ms = own + n * 190;
            match (n + own) % 5 {
                0 => written(ms, &format!("\u{1b}[32mINFO\u{1b}[0m  GET /items/{n} \u{1b}[1m200\u{1b}[0m in {} ms", 3 + n)),
                1 => written(ms, &format!("\u{1b}[33mWARN\u{1b}[0m  slow query: select * from carts where id = {n}")),
                2 => written(ms, "\u{1b}[31mERROR\u{1b}[0m upstream timed out after 5000 ms, and this line goes on so long that no screen of eighty columns has room for it"),
                3 => written(ms, "INFO  \u{1b}]0;PWNED\u{7}\u{1b}[2J\u{1b}[?1049lhealth ok"),
                _ => written(ms, "{\"level\":\"info\",\"msg\":\"checkout\",\"took_ms\":41}"),
            }
        });
        come(&mut model, source, lines.collect());
    }
    model
}

#[test]
fn the_screens() {
    look("logs", mixed);
    look("logs_held", |size| {
        let mut model = mixed(size);
        press(&mut model, "tw/timed<enter>");
        model
    });
    look("logs_filter", |size| {
        let mut model = mixed(size);
        press(&mut model, "&error|warn<enter>&(");
        press(&mut model, "<enter>");
        model
    });
}

#[test]
fn what_is_read_is_what_the_rows_mean() {
    let mut model = showing((120, 36), FleetState::live(sample::fleet()));
    let commands = press(&mut model, "jjjl");
    assert!(matches!(commands[0], Command::EndLogs));
    assert_eq!(wanted(&commands).len(), 4);
    assert!(wanted(&commands).iter().all(|wanted| wanted.tail == Some(500) && wanted.since.is_none()), "never all");
    let commands = press(&mut model, "<esc>jj");
    assert!(matches!(commands[..], [Command::EndLogs]) && model.logs.is_none(), "{commands:?}");
    // Marks of several apps, each container once.
    press(&mut model, "kk<space>k<right><space>");
    let commands = press(&mut model, "l");
    assert_eq!(wanted(&commands).len(), 4, "{:?}", model.list.marks);
    assert!(text(&model).contains("log of 2 marked"), "{}", text(&model));
}

#[test]
fn lines_of_several_stand_in_the_order_of_their_time() {
    let mut model = mixed((120, 36));
    let log = model.logs.as_ref().unwrap();
    let times: Vec<_> = log.lines.iter().map(|entry| entry.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    // Held, a line that comes late above it moves nothing on screen.
    press(&mut model, "f");
    let before = text(&model);
    come(&mut model, 1, vec![written(5, "late")]);
    let after = text(&model);
    let last = |text: &str| text.lines().rev().nth(2).unwrap().to_owned();
    assert_eq!(last(&before), last(&after));
}

#[test]
fn a_log_that_is_held_stands_still_whatever_comes() {
    let mut model = one((120, 36));
    assert!(text(&model).contains("line 99") && text(&model).contains("following"));
    press(&mut model, "kkk");
    let held = text(&model);
    assert!(held.contains("line 96") && !held.contains("line 97") && held.contains("held, 3 lines below"), "{held}");
    // Far more than is kept: what is on screen stays, what could not be kept is counted.
    for n in 0..300_i64 {
        come(&mut model, 0, (0..100).map(|i| written(1000 + n * 100 + i, "flood")).collect());
    }
    let body = |text: &str| text.lines().skip(2).take(30).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(body(&text(&model)), body(&held));
    let log = model.logs.as_ref().unwrap();
    assert!(log.lines.len() <= KEPT.0 && log.missed > 10_000, "{} {}", log.lines.len(), log.missed);
    press(&mut model, "G");
    assert!(text(&model).contains("lines came while this was held and are not kept"), "{}", text(&model));
    come(&mut model, 0, vec![written(900_000, "the newest")]);
    assert!(text(&model).contains("the newest"));
}

#[test]
fn a_flood_is_bounded_by_lines_and_by_bytes() {
    let mut model = one((120, 36));
    let long = "x".repeat(4000);
    for n in 0..60 {
        come(&mut model, 0, (0..100).map(|i| written(1000 + n * 100 + i, &long)).collect());
    }
    let kept: usize = model.logs.as_ref().unwrap().lines.iter().map(|entry| entry.text.len()).sum();
    assert!(kept <= KEPT.1, "{kept}");
}

#[test]
fn the_ends_are_reached_and_left() {
    let mut model = one((120, 36));
    press(&mut model, "g");
    let top = text(&model);
    assert!(top.contains("line 0\n") || top.contains("line 0 "), "{top}");
    press(&mut model, "kkkk<pageup>");
    assert_eq!(text(&model), top);
    press(&mut model, "<pagedown>");
    assert!(text(&model).contains("line 63"), "{}", text(&model));
    press(&mut model, "<pagedown><pagedown>");
    assert!(model.logs.as_ref().unwrap().held.is_none());
}

#[test]
fn what_is_searched_is_found_and_what_is_filtered_goes() {
    let mut model = one((120, 36));
    press(&mut model, "/LINE<enter>");
    assert!(text(&model).contains("not found"), "capitals matter where there are any");
    press(&mut model, "/<backspace><backspace><backspace><backspace>line 1.<enter>");
    let found = |model: &Model| {
        let log = model.logs.as_ref().unwrap();
        log.found.map(|number| log.lines[usize::try_from(number).unwrap()].text.clone())
    };
    assert_eq!(found(&model).as_deref(), Some("line 19"));
    press(&mut model, "NN");
    assert_eq!(found(&model).as_deref(), Some("line 17"));
    press(&mut model, "n");
    assert_eq!(found(&model).as_deref(), Some("line 18"));
    press(&mut model, "<esc>&!line [0-8]<enter>");
    assert_eq!(model.logs.as_ref().unwrap().passing(), 11, "9 and 90 to 99");
    come(&mut model, 0, vec![written(500, "line 5 again"), written(501, "another")]);
    assert_eq!(model.logs.as_ref().unwrap().passing(), 12);
    press(&mut model, "&(<enter>");
    assert!(text(&model).contains("not a regular expression"), "{}", text(&model));
    press(&mut model, "<esc><esc>");
    assert_eq!((model.logs.as_ref().unwrap().passing(), &model.screen), (102, &Screen::Logs));
}

#[test]
fn a_file_gets_what_passes_the_filter() {
    let mut model = mixed((120, 36));
    press(&mut model, "&timed<enter>");
    let commands = press(&mut model, "s");
    let [Command::Save { path, text }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(path, "pitstop-log-shop-web-20261122-120431.log");
    assert!(text.lines().count() >= 8 && text.lines().all(|line| line.contains("timed out")), "{text}");
    assert!(text.starts_with("2026-11-22T12:04:31") && text.contains("Z web-") && !text.contains('\u{1b}'), "{text}");
    update(&mut model, Msg::Saved(Ok("pitstop-log-shop-web.log".into())));
    assert!(super::text(&model).contains("saved to pitstop-log-shop-web.log"));
}

#[test]
fn it_is_read_again_from_another_time_on() {
    let mut model = one((120, 36));
    assert!(press(&mut model, "Tsoon<enter>").is_empty());
    assert!(text(&model).contains("not a duration"), "{}", text(&model));
    let commands = press(&mut model, "<esc>T10m<enter>");
    let read = wanted(&commands);
    assert_eq!((read.len(), read[0].tail, read[0].since), (1, None, Some(at(-600_000))));
}

#[test]
fn a_log_goes_on_in_what_replaces_its_container() {
    let mut model = one((120, 36));
    let old = model.logs.as_ref().unwrap().sources[0].container.clone();
    let ticket = model.logs.as_ref().unwrap().ticket;
    update(&mut model, Msg::LogEnded { ticket, source: 0, why: None });
    assert!(text(&model).contains("web-1 has ended"), "{}", text(&model));
    // The same container, started again: from right after its last line.
    clock(&mut model, 500);
    let commands = {
        let now = std::time::Duration::from_secs(5);
        update(&mut model, Msg::Clock { wall: sample::now(), now })
    };
    let read = wanted(&commands);
    assert_eq!((read.len(), read[0].since), (1, Some(at(99) + SignedDuration::from_nanos(1))));
    // Another one.
    let mut fleet = sample::fleet();
    let web = fleet.apps.iter_mut().find(|app| app.id.app == "web").unwrap();
    let app = Arc::make_mut(web.instances[0].app.as_mut().unwrap());
    app.id = sample::id("another");
    app.name = "shop-web-1.r8".into();
    let commands = heard(&mut model, News::Fleet(FleetState::live(fleet)));
    let read = wanted(&commands);
    assert_eq!(read.len(), 1);
    assert!(read[0].container != old && read[0].tail.is_none() && read[0].since.is_none(), "from its beginning");
    assert!(text(&model).contains("web-1 goes on in shop-web-1.r8"), "{}", text(&model));
    // Lines of a log that is no longer on screen are for nobody.
    update(&mut model, Msg::LogLines { ticket: ticket + 7, source: 0, lines: vec![written(1, "stray")] });
    assert!(!text(&model).contains("stray"));
}
