//! Caddy's driver against a real Caddy.

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{Admin, BalancerSpec};

use super::{Backend, PATIENCE, hold, member, rest, runtime, server};
use crate::support::caddy::Caddy;
use crate::support::http;
use crate::support::wait::wait_until;

struct Site {
    caddy: Caddy,
    backends: [Backend; 2],
}

impl Site {
    fn new() -> Self {
        let backends = [Backend::start("one"), Backend::start("two")];
        let servers: Vec<String> = backends.iter().map(|backend| backend.address.clone()).collect();
        Self { caddy: Caddy::start(&servers), backends }
    }

    fn driver(&self) -> Balancer {
        Balancer::of(&BalancerSpec::Caddy { admin: self.caddy.socket() })
    }

    fn set(&self, number: usize, admin: Admin) {
        runtime().block_on(self.driver().set(&member(&self.backends[number].address), admin)).unwrap();
    }

    fn answers(&self) -> Vec<String> {
        (0..6).map(|_| http::get(&self.caddy.address, "/").unwrap().body).collect()
    }
}

#[test]
fn sessions_of_an_upstream_that_is_out_are_counted_to_their_end() {
    let site = Site::new();
    let one = &site.backends[0].address;
    assert!(server(&site.driver(), one).serves());
    let held = [hold(&site.caddy.address), hold(&site.caddy.address)];
    assert_eq!(server(&site.driver(), one).sessions(), Some(1));

    site.set(0, Admin::Drain);
    let out = server(&site.driver(), one);
    assert_eq!((out.is_out(), out.sessions()), (true, Some(1)), "Caddy goes on counting");
    assert!(site.answers().iter().all(|body| body == "two"), "nothing new reaches it");
    site.backends.iter().for_each(Backend::release);
    for held in held {
        assert!(rest(held).ends_with("done"), "nobody is cut off");
    }
    wait_until("the last session to end", PATIENCE, || server(&site.driver(), one).sessions() == Some(0));

    site.set(0, Admin::Ready);
    assert!(server(&site.driver(), one).serves());
    wait_until("both", PATIENCE, || site.answers().iter().any(|body| body == "one"));
}

#[test]
fn many_at_once_lose_no_change_and_a_restart_forgets_all() {
    let mut site = Site::new();
    let drivers: Vec<_> = (0..2).map(|number| (site.driver(), member(&site.backends[number].address))).collect();
    runtime().block_on(async {
        for admin in [Admin::Maint, Admin::Ready, Admin::Maint] {
            let both = drivers.iter().map(|(driver, member)| driver.set(member, admin));
            let done = futures_util::future::join_all(both).await;
            for one in done {
                one.unwrap();
            }
        }
    });
    let states =
        |site: &Site| site.backends.each_ref().map(|backend| server(&site.driver(), &backend.address).serves());
    assert_eq!(states(&site), [false, false]);
    let nobody = http::get_within(&site.caddy.address, "/", PATIENCE).unwrap();
    assert_eq!(nobody.status, 503, "nobody is left to ask");
    site.caddy.restart();
    assert_eq!(states(&site), [true, true]);
}

#[test]
fn what_cannot_work_is_told_with_what_to_do() {
    let mut site = Site::new();
    let error = runtime().block_on(site.driver().set(&member("10.9.9.9:80"), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("no such server"), "{error}");
    let wrong = Balancer::of(&BalancerSpec::Caddy { admin: site.caddy.address.clone() });
    let error = runtime().block_on(wrong.servers(&[])).unwrap_err().to_string();
    assert!(error.contains("can't be read") || error.contains("it said"), "not an admin API: {error}");
    site.caddy.stop();
    let error = runtime().block_on(site.driver().servers(&[])).unwrap_err();
    assert!(error.passing && error.to_string().contains("is it running"), "{error}");
}
