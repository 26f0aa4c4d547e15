//! The gate in front of a program, and the arbiter that holds it back: on this machine's own network, each under a name of its own.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::super::support::wait::wait_until;
use super::commands::Commanded;
use super::{Guest, PATIENCE, PROGRAM, free_port, get};

/// A sandbox's first process, and its name for gates.
struct Sandbox {
    first: Commanded,
    name: String,
}

impl Sandbox {
    fn start(options: &[&str]) -> Self {
        // Free ports are given once.
        let name = format!("pitstop-test-{}-{}", std::process::id(), free_port());
        let mut first = Commanded::start(&[&["--gate", &name], options].concat());
        // Who reads commands listens for gates already.
        first.say("keep ready");
        assert_eq!(first.line_of("ready"), "error no such watch");
        Self { first, name }
    }

    /// Says it, and gives the answer.
    #[track_caller]
    fn hold(&mut self, rest: &str) -> String {
        self.first.say(&format!("hold a {rest}"));
        self.line()
    }

    /// The next line, times left out.
    #[track_caller]
    fn line(&self) -> String {
        let line = self.first.line_of("a");
        let mut words: Vec<&str> = line.split(' ').collect();
        if matches!(words[0], "begun" | "held" | "other" | "free" | "served" | "apart" | "gone") {
            words.remove(1);
        }
        words.join(" ")
    }

    fn gate(&self, token: &str, command: &[&str]) -> Command {
        let mut gate = Command::new(PROGRAM);
        gate.args(["gate", "--at", &self.name, token]).args(command);
        gate
    }

    fn serving(&self, token: &str, port: u16, text: &str) -> Guest {
        Guest::spawn(&mut self.gate(token, &[PROGRAM, "serve", &port.to_string(), text, "--boot-ms", "50"]))
    }

    fn perl(&self, token: &str, script: &str) -> Guest {
        Guest::spawn(&mut self.gate(token, &["perl", "-MSocket", "-e", &format!("$| = 1; {script}")]))
    }
}

/// Perl that binds and listens, and says so.
fn listens(port: u16) -> String {
    format!(
        "socket(my $s{port}, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s{port}, SOL_SOCKET, SO_REUSEADDR, 1); \
         bind($s{port}, pack_sockaddr_in({port}, INADDR_ANY)) or die \"{port}: $!\"; listen($s{port}, 9) or die; \
         print \"on {port}\\n\";"
    )
}

fn says(port: u16) -> String {
    get(port, "/").map_or_else(|error| error.to_string(), |answer| answer.body.trim().to_owned())
}

#[test]
fn who_is_not_held_passes_and_is_the_program_itself() {
    let mut sandbox = Sandbox::start(&[]);
    assert_eq!(sandbox.hold("other start"), "waiting");
    let nobody = Sandbox { first: Commanded::start(&["--gate", "elsewhere"]), name: "pitstop-test-nobody".into() };
    for sandbox in [&sandbox, &nobody] {
        for (command, code, out, err) in [
            (&["sh", "-c", "echo $WORD $0 $1; exit 7", "zero", "a b"][..], 7, "word zero a b\n", ""),
            (&["/bin/sh", "-c", "kill -9 $$"], -9, "", ""),
            (&[PROGRAM, "version"], 0, "pitstop-guest 1 ", ""),
            (&["no-such-program"], 127, "", "no-such-program: executable file not found in $PATH"),
            (&["/no/such"], 127, "", "/no/such: no such file or directory"),
            (&["/etc"], 126, "", "/etc: permission denied"),
            (&["/etc/passwd"], 126, "", "permission denied"),
        ] {
            let mut gate = sandbox.gate("mine", command);
            let done = gate.env("WORD", "word").stdin(Stdio::null()).output().unwrap();
            let ended = done.status.code().unwrap_or_else(|| -done.status.signal().unwrap_or(0));
            let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            assert_eq!(ended, code, "{command:?}: {complained}");
            assert!(said.starts_with(out) && complained.contains(err), "{command:?}: {said} {complained}");
        }
    }
}

#[test]
fn what_is_held_has_its_own_input() {
    let mut sandbox = Sandbox::start(&[]);
    assert_eq!(sandbox.hold("t start"), "waiting");
    let mut gate = sandbox.gate("t", &["cat"]);
    let mut held = gate.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(sandbox.line(), "held start");
    std::io::Write::write_all(&mut held.stdin.take().unwrap(), b"said before\n").unwrap();
    sandbox.first.say("go a t");
    assert_eq!(held.wait_with_output().unwrap().stdout, b"said before\n");
}

#[test]
fn a_start_is_held_until_it_is_told_to_go() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    assert_eq!(sandbox.hold("t start"), "waiting");
    let mut held = sandbox.serving("t", port, "v2");
    assert_eq!(sandbox.line(), "held start");
    assert!(get(port, "/").is_err());
    sandbox.first.say("swap a t");
    assert_eq!(sandbox.line(), "error no port is known");
    // Asked to end, it ends; and one that comes again is held again.
    held.signal(Signal::TERM);
    assert_eq!(held.exit_code(), Some(143));
    assert_eq!(sandbox.line(), "gone");
    let mut held = sandbox.serving("t", port, "v2");
    assert_eq!(sandbox.line(), "held start");
    assert_eq!(sandbox.hold("t start"), "held start");
    sandbox.first.say("go a t");
    assert!(sandbox.line().starts_with("free "));
    wait_until("the program to serve", PATIENCE, || says(port) == "v2");
    let status = std::fs::read_to_string(format!("/proc/{}/status", held.child.id())).unwrap();
    assert!(!status.contains("Seccomp:\t2") || status.contains("Seccomp_filters:\t0"), "no filter: {status}");
    // Started again, as by its restart policy, it is held no more.
    held.signal(Signal::TERM);
    assert_eq!(held.exit_code(), Some(0));
    let _again = sandbox.serving("t", port, "v2");
    wait_until("it to serve at once", PATIENCE, || says(port) == "v2");
}

#[test]
fn a_bind_is_held_until_the_old_version_has_left_the_port() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    let mut old = Guest::serving(port, &["v1"]);
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let mut new = sandbox.serving("t", port, "v2");
    assert_eq!(sandbox.line(), "begun");
    assert_eq!(sandbox.line(), format!("held {port}"));
    assert_eq!(says(port), "v1");
    sandbox.first.say("swap a t");
    assert_eq!(says(port), "v1", "the old one has not left");
    old.signal(Signal::TERM);
    assert!(sandbox.line().starts_with("free "));
    assert!(sandbox.line().starts_with("served "));
    assert_eq!(says(port), "v2");
    assert_eq!(new.line(), format!("serving v2 on {port}"));
    assert_eq!(old.exit_code(), Some(0));
    new.signal(Signal::TERM);
    assert_eq!(new.exit_code(), Some(0));
    let _again = sandbox.serving("t", port, "v2");
    wait_until("it to serve at once", PATIENCE, || says(port) == "v2");
}

#[test]
fn only_the_port_is_held_and_whoever_binds_it() {
    let mut sandbox = Sandbox::start(&[]);
    let (port, free) = (free_port(), free_port());
    let socket = tempfile::tempdir().unwrap();
    let file = socket.path().join("a-socket-file-with-a-long-name");
    let old = Guest::serving(port, &["v1"]);
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    // UDP of the same number, a socket file, another port in both families; then, in a child, its own in both.
    let script = format!(
        "socket(my $u, PF_INET, SOCK_DGRAM, 0); bind($u, pack_sockaddr_in({port}, INADDR_ANY)) or die \"udp $!\"; \
         socket(my $f, PF_UNIX, SOCK_STREAM, 0); bind($f, pack_sockaddr_un('{}')) or die \"file $!\"; \
         sub six {{ my $p = shift; socket(my $s, PF_INET6, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); \
         setsockopt($s, 41, 26, 1); bind($s, pack_sockaddr_in6($p, Socket::IN6ADDR_ANY)) or die \"v6 $!\"; listen($s, 9); \
         print \"v6 $p\\n\"; $s }} {} my $keep = six({free}); \
         if (fork) {{ wait; exit 0 }} \
         {} my $last = six({port});",
        file.display(),
        listens(free),
        listens(port)
    );
    let new = sandbox.perl("t", &script);
    assert_eq!(sandbox.line(), "begun");
    assert_eq!(sandbox.line(), format!("other {free}"));
    assert_eq!((new.line(), new.line()), (format!("on {free}"), format!("v6 {free}")));
    // Who stands is told together with what it has bound.
    assert_eq!((sandbox.line(), sandbox.line()), (format!("other {free}"), format!("held {port}")));
    sandbox.first.say("swap a t");
    drop(old);
    assert_eq!((new.line(), new.line()), (format!("on {port}"), format!("v6 {port}")));
}

#[test]
fn other_ports_of_the_old_version_are_waited_for_as_well() {
    let mut sandbox = Sandbox::start(&[]);
    let (port, admin) = (free_port(), free_port());
    let both = format!("{} {} sleep;", listens(admin), listens(port));
    let old = Guest::spawn(Command::new("perl").args(["-MSocket", "-e", &format!("$| = 1; {both}")]));
    old.line();
    old.line();
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let new = sandbox.perl("t", &both);
    assert_eq!(sandbox.line(), "begun");
    assert_eq!(sandbox.line(), format!("held {admin}"));
    sandbox.first.say("swap a t");
    drop(old);
    assert_eq!((new.line(), new.line()), (format!("on {admin}"), format!("on {port}")));
}

#[test]
fn a_port_is_shared_with_the_old_version_until_it_has_gone() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    // Each is the old one of the next, and the first came by a gate that held nothing.
    let mut old = sandbox.serving("v0", port, "v0");
    assert_eq!(old.line(), format!("serving v0 on {port}"));
    for round in 1..=3 {
        let (token, before) = (format!("v{round}"), format!("v{}", round - 1));
        assert_eq!(sandbox.hold(&format!("{token} bind {port}")), "waiting");
        let new = sandbox.serving(&token, port, &token);
        assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
        assert_eq!(says(port), before);
        sandbox.first.say(&format!("beside a {token}"));
        assert_eq!((sandbox.line(), sandbox.line()), ("free 0".into(), "served 0".into()));
        let answers: Vec<String> = (0..200).map(|_| says(port)).collect();
        assert!(answers.contains(&token) && answers.contains(&before), "both answer: {answers:?}");
        assert!(answers.iter().all(|answer| [&token, &before].contains(&answer)), "{answers:?}");
        old.signal(Signal::TERM);
        assert_eq!(old.exit_code(), Some(0));
        assert!((0..50).all(|_| says(port) == token));
        old = new;
    }
    // A server that takes the port without asking for company is refused it, as before.
    let taken = sandbox.perl("other", &listens(port)).exit_code();
    assert_ne!(taken, Some(0));
}

#[test]
fn every_port_in_every_family_is_shared() {
    let mut sandbox = Sandbox::start(&[]);
    let (port, admin) = (free_port(), free_port());
    let script = |name: &str| {
        format!(
            "sub six {{ my $p = shift; socket(my $s, PF_INET6, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); \
             setsockopt($s, 41, 26, 1); bind($s, pack_sockaddr_in6($p, Socket::IN6ADDR_ANY)) or die \"v6 $!\"; \
             listen($s, 9); print \"v6 $p\\n\"; $s }} {} {} my $keep = six({port}); print \"{name}\\n\"; sleep 60;",
            listens(admin),
            listens(port)
        )
    };
    let said = [format!("on {admin}"), format!("on {port}"), format!("v6 {port}")];
    let old = sandbox.perl("old", &script("old"));
    assert_eq!([old.line(), old.line(), old.line()], said);
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let new = sandbox.perl("t", &script("new"));
    assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {admin}")));
    sandbox.first.say("beside a t");
    assert_eq!(sandbox.line(), "free 0");
    assert_eq!([new.line(), new.line(), new.line()], said);
}

#[test]
fn one_that_listens_and_does_not_accept_yet_does_not_serve() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    let old = sandbox.serving("old", port, "v1");
    assert_eq!(old.line(), format!("serving v1 on {port}"));
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let accepts = format!(
        "{} my $r = \"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nv2\"; \
         my $go = <STDIN>; while (accept(my $c, $s{port})) {{ sysread($c, my $b, 999); syswrite($c, $r); close $c }}",
        listens(port)
    );
    let mut gate =
        sandbox.gate("t", &["perl", "-MSocket", "-e", &format!("$| = 1; $SIG{{PIPE}} = 'IGNORE'; {accepts}")]);
    let new = Guest::spawn(gate.stdin(Stdio::piped()));
    assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
    sandbox.first.say("beside a t");
    assert_eq!(sandbox.line(), "free 0");
    assert_eq!(new.line(), format!("on {port}"));
    // Asked again, it tells what is: not that it serves.
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "free 0");
    let mut new = new;
    drop(new.child.stdin.take());
    assert_eq!(sandbox.line(), "served 0");
    drop(old);
    wait_until("the new one alone", PATIENCE, || says(port) == "v2");
}

#[test]
fn who_can_t_share_its_port_is_held_as_before() {
    let mut sandbox = Sandbox::start(&[]);
    // What the sandbox does not know can't be made to share; nor does one of another user.
    let (unknown, other) = (free_port(), free_port());
    let stranger = Guest::serving(unknown, &["v1"]);
    let user = "use POSIX; POSIX::setuid(65534); socket(my $s, PF_INET, SOCK_STREAM, 0);";
    let of_user = sandbox.perl("user", &format!("{user} {} sleep 60;", listens(other)));
    assert_eq!(of_user.line(), format!("on {other}"));
    for (token, port, errno, old) in [("t", unknown, 2, stranger), ("u", other, 98, of_user)] {
        assert_eq!(sandbox.hold(&format!("{token} bind {port}")), "waiting");
        let _new = sandbox.serving(token, port, "v2");
        assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
        sandbox.first.say(&format!("beside a {token}"));
        assert_eq!(sandbox.line(), format!("apart {errno}"));
        assert_ne!(says(port), "v2");
        sandbox.first.say(&format!("swap a {token}"));
        drop(old);
        assert!(sandbox.line().starts_with("free "));
        assert!(sandbox.line().starts_with("served "));
        assert_eq!(says(port), "v2");
    }
}

#[test]
fn one_that_ends_before_it_listens_beside_the_old_version_is_told() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    let old = sandbox.serving("old", port, "v1");
    assert_eq!(old.line(), format!("serving v1 on {port}"));
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let script = format!(
        "socket(my $s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); \
         bind($s, pack_sockaddr_in({port}, INADDR_ANY)) or die; exit 3;"
    );
    let mut new = sandbox.perl("t", &script);
    assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
    sandbox.first.say("beside a t");
    assert_eq!((sandbox.line(), sandbox.line()), ("free 0".into(), "gone".into()));
    assert_eq!(new.exit_code(), Some(3));
    assert!((0..50).all(|_| says(port) == "v1"));
}

#[test]
fn what_is_held_takes_over_when_the_old_version_goes_and_no_console_speaks() {
    let mut sandbox = Sandbox::start(&["--lease-ms", "100"]);
    let port = free_port();
    let old = Guest::serving(port, &["v1"]);
    assert_eq!(sandbox.hold(&format!("t bind {port}")), "waiting");
    let _new = sandbox.serving("t", port, "v2");
    assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
    assert_eq!(says(port), "v1");
    drop(old);
    wait_until("the new one to serve", PATIENCE, || says(port) == "v2");
}

#[test]
fn a_first_process_that_ends_holds_nobody() {
    let mut sandbox = Sandbox::start(&[]);
    let port = free_port();
    assert_eq!(sandbox.hold(&format!("t start {port}")), "waiting");
    let _held = sandbox.serving("t", port, "v2");
    assert_eq!(sandbox.line(), "held start");
    sandbox.first.guest.signal(Signal::KILL);
    wait_until("it to serve", PATIENCE, || says(port) == "v2");
}

#[test]
fn no_word_of_a_stranger_disturbs_it() {
    let mut sandbox = Sandbox::start(&[]);
    let script = format!(
        "srand(7); for my $n (1..400) {{ socket(my $s, PF_UNIX, SOCK_SEQPACKET, 0); \
         connect($s, pack_sockaddr_un(\"\\0{}\")) or next; \
         for (1..int(rand 4)) {{ my $t = int(rand 3) ? join('', map {{ chr(int(rand 256)) }} 1..int(rand 200)) : \
         ('gate 1 ' . 'x' x int(rand 99)); send($s, $t, 0x4000); }} \
         send($s, ('filter', 'unfiltered 1', 'gate 1 t', '')[int(rand 4)], 0x4000); }}",
        sandbox.name
    );
    for command in [
        "hold",
        "hold a",
        "hold a t",
        "hold a t bind",
        "hold a t bind 0",
        "hold a t bind 70000",
        "hold a t stand 80",
        "swap a nobody",
        "beside a nobody",
        "go a nobody",
        "go a",
    ] {
        sandbox.first.say(command);
        assert!(sandbox.first.guest.line().contains("error "), "{command}");
    }
    let long = format!("hold a {} start", "x".repeat(65));
    sandbox.first.say(&long);
    assert_eq!(sandbox.line(), "error needs a token");
    for n in 0..20 {
        sandbox.first.say(&format!("hold b t{n} start"));
    }
    let hostile = Command::new("perl").args(["-MSocket", "-e", &script]).output().unwrap();
    assert!(hostile.status.success(), "{hostile:?}");
    let port = free_port();
    let _old = Guest::serving(port, &["v1"]);
    assert_eq!(sandbox.hold(&format!("mine bind {port}")), "waiting");
    let _new = sandbox.serving("mine", port, "v2");
    assert_eq!((sandbox.line(), sandbox.line()), ("begun".into(), format!("held {port}")));
}
