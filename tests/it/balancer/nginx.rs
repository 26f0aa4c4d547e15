//! nginx's driver against a real nginx.

use std::os::unix::fs::PermissionsExt;

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{self, Admin, BalancerSpec};

use super::{Backend, PATIENCE, hold, member, rest, runtime, server};
use crate::support::http;
use crate::support::nginx::Nginx;
use crate::support::wait::wait_until;

struct Site {
    nginx: Nginx,
    backends: [Backend; 2],
}

impl Site {
    fn new() -> Self {
        let backends = [Backend::start("one"), Backend::start("two")];
        let servers: Vec<String> = backends.iter().map(|backend| format!("{} max_fails=0", backend.address)).collect();
        Self { nginx: Nginx::start(&servers), backends }
    }

    fn driver_that(&self, test: &[&str], reload: &[&str]) -> Balancer {
        Balancer::of(&BalancerSpec::Nginx(balancer::Nginx {
            file: self.nginx.file().display().to_string(),
            upstream: None,
            test: Some(self.nginx.argv(test)),
            reload: Some(self.nginx.argv(reload)),
            settle_ms: 0,
        }))
    }

    fn driver(&self) -> Balancer {
        self.driver_that(&["-t", "-q"], &["-s", "reload"])
    }

    fn set(&self, number: usize, admin: Admin) {
        runtime().block_on(self.driver().set(&member(&self.backends[number].address), admin)).unwrap();
    }

    fn answers(&self) -> Vec<String> {
        (0..6).map(|_| http::get(&self.nginx.address, "/").unwrap().body).collect()
    }
}

#[test]
fn a_server_that_is_down_gets_nothing_new_and_ends_what_it_has() {
    let site = Site::new();
    let one = &site.backends[0].address;
    let before = site.nginx.text();
    std::fs::set_permissions(site.nginx.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(server(&site.driver(), one).serves());
    assert_eq!(server(&site.driver(), one).sessions(), None, "nginx does not count");
    let held = [hold(&site.nginx.address), hold(&site.nginx.address)];

    site.set(0, Admin::Drain);
    assert_eq!(site.nginx.text(), before.replace(&format!("{one} max_fails=0"), &format!("{one} max_fails=0 down")));
    assert_eq!(std::fs::metadata(site.nginx.file()).unwrap().permissions().mode() & 0o777, 0o640);
    let out = server(&site.driver(), one);
    assert!(out.is_out() && !out.serves());
    wait_until("only the other one", PATIENCE, || site.answers().iter().all(|body| body == "two"));
    site.backends.iter().for_each(Backend::release);
    for held in held {
        assert!(rest(held).ends_with("done"), "a reload cuts nobody off");
    }

    site.set(0, Admin::Ready);
    assert_eq!(site.nginx.text(), before, "byte by byte");
    wait_until("both", PATIENCE, || site.answers().iter().any(|body| body == "one"));
}

#[test]
fn a_configuration_that_fails_its_test_is_put_back_and_its_words_are_told() {
    let site = Site::new();
    let (one, before) = (&site.backends[0].address, site.nginx.text());
    let folder = site.nginx.file().parent().unwrap().to_owned();
    std::fs::write(folder.join("other.conf"), "server 127.0.0.1:1 sideways;\n").unwrap();
    let error = runtime().block_on(site.driver().set(&member(one), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("invalid parameter \"sideways\"") && error.contains("is as it was"), "{error}");
    assert_eq!(site.nginx.text(), before);
    std::fs::remove_file(folder.join("other.conf")).unwrap();

    let unread = site.driver_that(&["-t", "-q"], &["-s", "nonsense"]);
    let error = runtime().block_on(unread.set(&member(one), Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("nonsense") && error.contains("is as it was"), "{error}");
    assert_eq!(site.nginx.text(), before);

    let nobody = runtime().block_on(site.driver().set(&member("10.9.9.9:80"), Admin::Drain)).unwrap_err().to_string();
    assert!(nobody.contains("no such server"), "{nobody}");
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["web.conf"], "nothing is left beside it");
}

#[test]
fn many_at_once_lose_no_change() {
    let site = Site::new();
    let drivers: Vec<_> = (0..2).map(|number| (site.driver(), member(&site.backends[number].address))).collect();
    runtime().block_on(async {
        for admin in [Admin::Drain, Admin::Ready, Admin::Drain] {
            let both = drivers.iter().map(|(driver, member)| driver.set(member, admin));
            let done = futures_util::future::join_all(both).await;
            for one in done {
                one.unwrap();
            }
        }
    });
    assert_eq!(site.nginx.text().matches(" down;").count(), 2, "{}", site.nginx.text());
}

#[test]
fn what_cannot_work_is_told_with_what_to_do() {
    let spec = |file: &str| {
        Balancer::of(&BalancerSpec::Nginx(balancer::Nginx {
            file: file.to_owned(),
            upstream: None,
            test: None,
            reload: None,
            settle_ms: 0,
        }))
    };
    let error = runtime().block_on(spec("/nowhere/web.conf").servers(&[])).unwrap_err().to_string();
    assert!(error.contains("can't be found") && error.contains("`include`"), "{error}");
    let error = runtime().block_on(spec("/dev/zero").servers(&[])).unwrap_err().to_string();
    assert!(error.contains("no regular file"), "{error}");
}
