//! What runs in the app container and how the engine watches over it: command, healthcheck, restart policy, logging.

use super::read::{At, Fields, Keys};
use super::tree::Value;
use crate::domain::spec::{Healthcheck, Logging, RestartPolicy};

/// `command` and `entrypoint`: a list, or a text split as a shell would split it (without running one).
pub(super) fn command(at: &At<'_>) -> Option<Vec<String>> {
    match &at.node.value {
        Value::List(_) => Some(at.items().iter().filter_map(At::text).collect()),
        _ => at.parsed(words),
    }
}

/// Splits a command line at blanks; quotes and backslashes keep them.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') if chars.peek().is_some_and(|next| "\"\\$`".contains(*next)) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("`{text}` has a quote that is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// `healthcheck`.
pub(super) fn healthcheck(at: &At<'_>) -> Option<Healthcheck> {
    const KEYS: Keys = Keys {
        read: &["test", "interval", "timeout", "retries", "start_period", "disable"],
        refused: &[],
        passed: &[("start_interval", "engines before 25 do not know it")],
    };
    let fields = at.fields(&KEYS)?;
    if fields.flag("disable") {
        return Some(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() });
    }
    let test = match fields.get("test") {
        None => Vec::new(),
        Some(at) if matches!(at.node.value, Value::List(_)) => {
            let test = at.texts();
            match test.first().map(String::as_str) {
                Some("NONE") | None => {}
                Some("CMD" | "CMD-SHELL") if test.len() > 1 => {}
                Some("CMD" | "CMD-SHELL") => at.error("has no command after its first item"),
                Some(other) => at.error(format!("begins with `{other}`; begin with CMD, CMD-SHELL or NONE")),
            }
            test
        }
        Some(at) => vec!["CMD-SHELL".to_owned(), at.word()?],
    };
    let duration = |key: &str| fields.get(key).and_then(|at| at.duration_ms());
    Some(Healthcheck {
        test,
        interval_ms: duration("interval"),
        timeout_ms: duration("timeout"),
        retries: fields.get("retries").and_then(|at| at.int()),
        start_period_ms: duration("start_period"),
    })
}

/// `restart`, or else `deploy.restart_policy`.
pub(super) fn restart(service: &Fields<'_>, deploy: Option<&Fields<'_>>) -> RestartPolicy {
    const POLICY: Keys = Keys {
        read: &["condition", "max_attempts"],
        refused: &[],
        passed: &[
            ("delay", "the engine spaces its restarts itself"),
            ("window", "the engine judges a restart by itself"),
        ],
    };
    let policy = deploy.and_then(|deploy| deploy.get("restart_policy")).and_then(|at| at.fields(&POLICY));
    if let Some(at) = service.get("restart") {
        // YAML reads a bare `no` as text here, but `false` is what older tools made of it.
        if at.node.value == Value::Bool(false) {
            return RestartPolicy::No;
        }
        return at.parsed(restart_policy).unwrap_or_default();
    }
    let Some(policy) = policy else { return RestartPolicy::No };
    let most = policy.get("max_attempts").and_then(|at| at.int());
    match policy.get("condition") {
        None => RestartPolicy::Always,
        Some(at) => at
            .parsed(|text| match text {
                "none" => Ok(RestartPolicy::No),
                "any" => Ok(RestartPolicy::Always),
                "on-failure" => Ok(RestartPolicy::OnFailure(most)),
                _ => Err(format!("`{text}` is not a condition; use none, on-failure or any")),
            })
            .unwrap_or_default(),
    }
}

fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    let wrong = || format!("`{text}` is not a restart policy; use no, always, unless-stopped or on-failure[:N]");
    Ok(match text.split_once(':') {
        None => match text {
            "no" => RestartPolicy::No,
            "always" => RestartPolicy::Always,
            "unless-stopped" => RestartPolicy::UnlessStopped,
            "on-failure" => RestartPolicy::OnFailure(None),
            _ => return Err(wrong()),
        },
        Some(("on-failure", most)) => RestartPolicy::OnFailure(Some(most.parse().map_err(|_| wrong())?)),
        Some(_) => return Err(wrong()),
    })
}

/// `logging`.
pub(super) fn logging(at: &At<'_>) -> Option<Logging> {
    let fields = at.fields(&Keys::only(&["driver", "options"]))?;
    let options = fields.get("options").map(|at| at.pairs()).unwrap_or_default();
    Some(Logging {
        driver: fields.text("driver").unwrap_or_default(),
        options: options.into_iter().map(|(key, value, _)| (key, value.unwrap_or_default())).collect(),
    })
}

/// `stop_signal`: a name with or without SIG, or a number.
pub(super) fn signal(text: &str) -> Result<String, String> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = name.strip_prefix("RTMIN").or_else(|| name.strip_prefix("RTMAX"));
    let known = NAMES.contains(&name)
        || real_time.is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(['+', '-']).is_some_and(|number| number.parse::<u8>().is_ok())
        })
        || text.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
    if known { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a signal; use e.g. SIGTERM, SIGQUIT or 15")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_a_shells() {
        for (text, want) in [
            ("a b  c", vec!["a", "b", "c"]),
            ("sh -c 'a \"b\" $c'", vec!["sh", "-c", "a \"b\" $c"]),
            (r#"say "a \"q\" \n" b\ c"#, vec!["say", "a \"q\" \\n", "b c"]),
            ("'' x", vec!["", "x"]),
            ("", vec![]),
            ("a'b'\"c\"", vec!["abc"]),
        ] {
            assert_eq!(words(text), Ok(want.into_iter().map(str::to_owned).collect()), "{text}");
        }
        assert!(words("sh -c 'x").is_err());
    }

    #[test]
    fn policies_and_signals() {
        assert_eq!(restart_policy("on-failure:3"), Ok(RestartPolicy::OnFailure(Some(3))));
        for text in ["sometimes", "on-failure:x", "always:3", ""] {
            assert!(restart_policy(text).is_err(), "{text}");
        }
        for text in ["SIGTERM", "term", "15", "SIGRTMIN+3", "RTMAX"] {
            assert!(signal(text).is_ok(), "{text}");
        }
        for text in ["", "SIG", "SIGNOPE", "0", "65", "RTMIN3", "RTMINé"] {
            assert!(signal(text).is_err(), "{text}");
        }
    }
}
