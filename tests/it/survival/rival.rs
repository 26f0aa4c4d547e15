//! A program that is none of the instance's answers its probe: nobody takes it for what was started.

use pitstop::domain::event::Outcome;

use super::life::{End, Life};
use super::oracle::{is, serving};
use super::scene::{Play, deploy};

/// What the engine has forgotten when it was killed goes on in the sandbox; here a stranger does.
fn with_a_rival() -> Life {
    let life = Life::new(Play::Deploy.scenario(1, true));
    let world = life.control().world();
    let of = |role: &str| world.values().find(|seen| is(seen, role)).expect(role).id.clone();
    let body = format!("{{\"Image\":\"web:1\",\"HostConfig\":{{\"NetworkMode\":\"container:{}\"}}}}", of("sandbox"));
    life.hand("stop", &of("app"));
    life.plainly("POST /v1.41/containers/create?name=rival", &body);
    life.hand("start", "rival");
    life.pass(std::time::Duration::from_secs(1));
    life
}

#[test]
fn what_answers_before_the_start_is_not_what_was_started() {
    for request in [Play::Restart.request(1), deploy("web:2")] {
        let life = with_a_rival();
        let ran = life.ask(request, |_| false);
        let End::Finished(end) = &ran.end else { panic!("it ran to no end") };
        assert_ne!(end.outcome, Outcome::Succeeded, "{:?}", life.control().world());
        let said = end.error.clone().unwrap_or_default();
        assert!(said.contains("something answers tcp:8080 in sandbox shop-web-1"), "{said}");
        assert_eq!(serving(&life.control().world(), 1).len(), 0, "nothing was started beside it");

        // Once it is gone, all goes on.
        life.hand("remove", "rival");
        let again = life.ask(deploy("web:2"), |_| false);
        assert!(super::single::succeeded(&again), "{:?}", again.events.last());
    }
}
