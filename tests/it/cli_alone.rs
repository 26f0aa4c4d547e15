//! The command line where no engine is needed, or none is there: usage, help, errors, exit codes.

use crate::support::pitstop::Pitstop;

/// Where no engine is.
const NOWHERE: &str = "unix:///nonexistent/docker.sock";

fn nowhere() -> Pitstop {
    Pitstop::without_engine().env("DOCKER_HOST", NOWHERE)
}

#[test]
fn help_and_version_go_to_standard_output() {
    let pitstop = nowhere();
    let help = pitstop.run(&["--help"]).expect_code(0);
    let verbs = "ps create deploy restart adopt rollback scale rm repair logs history show replay resume abort retry go pause continue doctor bench themes keys demo completions man";
    for verb in verbs.split(' ') {
        assert!(help.stdout.contains(&format!("\n  {verb} ")), "{verb}: {}", help.stdout);
        assert!(pitstop.run(&[verb, "--help"]).expect_code(0).stderr.is_empty());
    }
    assert!(help.stdout.contains("Exit codes:"));
    assert!(help.stderr.is_empty());
    let short = format!("pitstop {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(pitstop.run(&["-V"]).expect_code(0).stdout, short);
    let long = pitstop.run(&["--version"]).expect_code(0).stdout;
    assert!(long.starts_with(&short), "{long}");
    for fact in [std::env::consts::ARCH, "rustc 1.", pitstop::docker::sandbox_image::TAG] {
        assert!(long.contains(fact), "{fact}: {long}");
    }
}

#[test]
fn without_a_terminal_the_console_is_not_opened() {
    let output = nowhere().run(&[]).expect_code(2);
    assert!(output.stdout.is_empty());
    assert!(
        output.stderr.contains("Usage: pitstop")
            && output.stderr.contains("needs a terminal")
            && output.stderr.contains("`pitstop ps`"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_terminal_that_cannot_be_addressed_is_named_and_left_alone() {
    for term in ["dumb", ""] {
        let mut terminal = nowhere().env("TERM", term).terminal(100, 24, &[]);
        terminal.wait_for("TERM says it can't");
        terminal.wait_for("pitstop ps");
        assert_eq!((terminal.exit(), terminal.modes()), (Some(2), (false, true)));
    }
}

#[test]
fn a_reader_that_went_away_ends_a_verb_quietly() {
    for args in [&["--help"][..], &["--version"], &["completions", "bash"], &["man"]] {
        let output = nowhere().run_unread(args).expect_code(0);
        assert_eq!(output.stderr, "", "{args:?}");
    }
    let output = nowhere().run_unread(&["ps"]).expect_code(3);
    assert!(output.stderr.contains("error: ") && !output.stderr.contains("panicked"), "{}", output.stderr);
}

#[test]
fn usage_errors_name_what_is_wrong() {
    let cases: [(&[&str], &str); 8] = [
        (&["restart"], "<TARGET>"),
        (&["restart", "web", "--batch", "0"], "--batch"),
        (&["restart", "web", "--warm", "hot"], "--warm"),
        (&["scale", "web"], "NAME=N"),
        (&["create"], "name one with -f"),
        (&["ps", "--sandbox-image", "a b"], "sandbox image"),
        (&["ps", "--host", NOWHERE, "--context", "prod"], "--host and --context"),
        (&["restart", "web", "--events", "no/such/directory/events.jsonl"], "no/such/directory"),
    ];
    for (args, said) in cases {
        let output = nowhere().run(args).expect_code(2);
        assert!(output.stderr.contains("error: ") && output.stderr.contains(said), "{args:?}: {}", output.stderr);
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn an_engine_that_is_not_there_is_code_3() {
    let verbs: [&[&str]; 6] = [
        &["ps"],
        &["ps", "--json"],
        &["restart", "web"],
        &["deploy", "web", "--image", "x", "--json"],
        &["logs", "web"],
        &["rm", "web"],
    ];
    for args in verbs {
        let output = nowhere().run(args).expect_code(3);
        assert!(output.stderr.starts_with("error: ") && output.stderr.contains("/nonexistent"), "{}", output.stderr);
        assert!(output.stdout.is_empty(), "{args:?}: {}", output.stdout);
    }
    let doctor = nowhere().run(&["doctor"]).expect_code(3);
    assert!(doctor.stdout.contains("✗ fail  engine"), "{}", doctor.stdout);
}

#[test]
fn a_context_that_does_not_exist_is_code_2() {
    let output = Pitstop::without_engine().run(&["ps", "--context", "no-such-context"]).expect_code(2);
    assert!(output.stderr.contains("no-such-context"), "{}", output.stderr);
}

#[test]
fn read_only_refuses_before_anything_is_asked() {
    for verb in [&["restart", "web"][..], &["rm", "web"], &["scale", "web=2"], &["deploy", "web", "--image", "x"]] {
        let output = nowhere().run(&[verb, &["--read-only"]].concat()).expect_code(4);
        assert!(output.stderr.contains("read-only"), "{}", output.stderr);
    }
    nowhere().env("PITSTOP_READ_ONLY", "true").run(&["restart", "web"]).expect_code(4);
    nowhere().env("PITSTOP_READ_ONLY", "true").run(&["restart", "web", "--read-only=false"]).expect_code(3);
}

#[test]
fn flags_win_over_variables() {
    let pitstop = nowhere().env("PITSTOP_HOST", "unix:///from/variable.sock");
    assert!(pitstop.run(&["ps"]).expect_code(3).stderr.contains("/from/variable.sock"));
    let flag = pitstop.run(&["ps", "-H", "unix:///from/flag.sock"]).expect_code(3);
    assert!(flag.stderr.contains("/from/flag.sock"), "{}", flag.stderr);
    // A context on the command line is not in conflict with a host in a variable.
    let context = pitstop.run(&["ps", "--context", "no-such-context"]).expect_code(2);
    assert!(context.stderr.contains("no-such-context"), "{}", context.stderr);
    let pitstop = nowhere().env("PITSTOP_BATCH", "0");
    assert!(pitstop.run(&["restart", "web"]).expect_code(2).stderr.contains("--batch"));
    pitstop.run(&["restart", "web", "--batch", "1"]).expect_code(3);
}

#[test]
fn completions_are_scripts_of_their_shells() {
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef pitstop"), ("fish", "complete -c pitstop")] {
        let output = nowhere().run(&["completions", shell]).expect_code(0);
        assert!(output.stdout.contains(mark) && output.stdout.contains("rollback"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_one_a_verb() {
    let pitstop = nowhere();
    let page = pitstop.run(&["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH pitstop 1") && page.contains("Exit codes"), "{page}");
    let listed = pitstop.run(&["man", "--dir", "pages"]).expect_code(0).stdout;
    for name in ["pitstop.1", "pitstop-deploy.1", "pitstop-ps.1"] {
        assert!(listed.lines().any(|line| line == name), "{listed}");
        let page = std::fs::read_to_string(pitstop.home().join("pages").join(name)).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
}

#[test]
fn colours_come_only_when_wanted() {
    assert!(!nowhere().run(&["ps"]).stderr.contains('\u{1b}'));
    assert!(nowhere().run(&["ps", "--color", "always"]).stderr.contains('\u{1b}'));
    let colourful = |pitstop: Pitstop| {
        let mut terminal = pitstop.terminal(100, 24, &["ps"]);
        terminal.wait_for("error: ");
        let bold = terminal.look("error").bold;
        assert_eq!(terminal.exit(), Some(3));
        bold
    };
    assert!(colourful(nowhere()));
    assert!(!colourful(nowhere().env("NO_COLOR", "1")), "NO_COLOR is honoured");
}
