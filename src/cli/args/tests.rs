//! What the command line accepts, and what it does not.

use super::*;
use clap::{CommandFactory, error::ErrorKind};
use std::time::Duration;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("pitstop").chain(line.split_whitespace()))
}

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn no_verb_is_the_console() {
    assert!(parse("").unwrap().verb.is_none());
    assert_eq!(parse("--theme mono").unwrap().global.theme.as_deref(), Some("mono"));
}

#[test]
fn options_alone_are_read_like_those_of_a_verb() {
    let options = [
        "--host=unix:///here",
        "--context=here",
        "--config=file",
        "--theme=night",
        "--read-only",
        "--color=never",
        "--sandbox-image=own",
        "--trust-commands=false",
        "--on-hangup=finish",
    ];
    assert_eq!(options.len(), Cli::command().get_arguments().count(), "an option is missing above");
    for option in options {
        let bare = Bare::try_parse_from(["pitstop", option]).unwrap().global;
        assert_eq!(format!("{bare:?}"), format!("{:?}", parse(option).unwrap().global));
        assert_ne!(format!("{bare:?}"), format!("{:?}", Global::default()));
    }
    for other in ["ps", "--help", "-V", "--no-such", "--color=sometimes"] {
        Bare::try_parse_from(["pitstop", other]).unwrap_err();
    }
}

#[test]
fn what_is_wrong_is_usage() {
    let cases = [
        ("show", ErrorKind::MissingRequiredArgument),
        ("abort 3f2a01 --all", ErrorKind::ArgumentConflict),
        ("replay x --speed fast", ErrorKind::ValueValidation),
        ("replay x --speed -1", ErrorKind::UnknownArgument),
        ("tunes", ErrorKind::InvalidSubcommand),
        ("deploy", ErrorKind::MissingRequiredArgument),
        ("restart", ErrorKind::MissingRequiredArgument),
        ("rm", ErrorKind::MissingRequiredArgument),
        ("rm --all", ErrorKind::UnknownArgument),
        ("scale web", ErrorKind::ValueValidation),
        ("scale web=x", ErrorKind::ValueValidation),
        ("scale web=-1", ErrorKind::ValueValidation),
        ("scale =2", ErrorKind::ValueValidation),
        ("create --scale web", ErrorKind::ValueValidation),
        ("rollback web --to 0", ErrorKind::ValueValidation),
        ("restart web --batch 0", ErrorKind::ValueValidation),
        ("restart web --batch 101%", ErrorKind::ValueValidation),
        ("restart web --parallel 0", ErrorKind::ValueValidation),
        ("restart web --gate never", ErrorKind::InvalidValue),
        ("restart web --on-failure ignore", ErrorKind::InvalidValue),
        ("restart web --pull sometimes", ErrorKind::InvalidValue),
        ("restart web --warm hot", ErrorKind::InvalidValue),
        ("restart web --ready-timeout soon", ErrorKind::ValueValidation),
        ("restart web --probe http:0/", ErrorKind::ValueValidation),
        ("ps --color purple", ErrorKind::InvalidValue),
        ("completions cmd", ErrorKind::InvalidValue),
    ];
    for (line, kind) in cases {
        let error = parse(line).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}: {error}");
    }
    for line in ["-h", "--help", "help", "deploy --help", "--version", "-V"] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 0, "{line}");
    }
}

#[test]
fn the_contracts_lines_are_understood() {
    for line in [
        "ps",
        "ps shop/web api --json",
        "create -f compose.yaml",
        "create -f a.yaml -f b.yaml -p shop web api --scale web=3 --scale api=0 --profile debug",
        "deploy shop/web --image web:v2 -f compose.yaml",
        "restart shop/web shop/api-1 redis --batch 25% --parallel 4 --gate every --on-failure rollback --warm off",
        "rollback web --to 3",
        "scale shop/web=5",
        "rm shop/web shop/api --volumes -y",
        "deploy web --drain-timeout 5s --stop-grace 1m --ready-timeout 90 --min-ready 500ms --probe http:8080/healthz",
        "deploy web --allow-recreate --dry-run --json --events out.jsonl -q --pull always --pull-timeout 5m",
        "deploy web --allow-recreate=false",
        "logs shop/web-1 -f --tail 10 --since 5m -t",
        "history",
        "history shop/web --json",
        "show 3f2a01 --json",
        "replay record.jsonl --speed 10 --json",
        "resume",
        "resume 3f2a01 --dry-run --batch 2",
        "abort --all",
        "abort 3f2a01 --on-hangup finish",
        "doctor",
        "completions fish",
        "man --dir out",
        "ps -H unix:///run/docker.sock --read-only --color never --config x.toml",
        "--context prod ps --sandbox-image mirror/pause:1",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn values_arrive_as_meant() {
    let cli = parse("deploy web --batch 25% --min-ready 1500ms --gate first --allow-recreate --read-only").unwrap();
    assert_eq!(cli.global.read_only, Some(true));
    let operation = cli.verb.as_ref().unwrap().operation().unwrap();
    assert_eq!(operation.batch, Some(crate::domain::options::BatchSize::Percent(25)));
    assert_eq!(operation.min_ready, Some(Duration::from_millis(1500)));
    assert_eq!(operation.gate, Some(operation::GateArg(crate::domain::options::Gate::First)));
    assert_eq!(operation.allow_recreate, Some(true));
    let Some(Verb::Scale(args)) = parse("scale shop/web=3").unwrap().verb else { panic!() };
    assert_eq!(args.target, ("shop/web".to_owned(), 3));
}
