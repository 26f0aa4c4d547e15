//! HAProxy's driver against a real HAProxy.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{Admin, BalancerSpec, Server};
use pitstop::domain::ids::ServerName;

use super::{Backend, PATIENCE, hold, member};
use crate::support::haproxy::Haproxy;
use crate::support::http;
use crate::support::wait::wait_for;

fn driver(socket: &str) -> Balancer {
    Balancer::of(&BalancerSpec::Haproxy { socket: socket.to_owned(), backend: ServerName::new("web").unwrap() })
}

struct Site {
    haproxy: Haproxy,
    runtime: tokio::runtime::Runtime,
    backends: [Backend; 2],
}

impl Site {
    fn new() -> Self {
        let backends = [Backend::start("one"), Backend::start("two")];
        let servers: Vec<String> =
            backends.iter().zip(["web-1", "web-2"]).map(|(b, name)| format!("{name} {}", b.address)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { haproxy: Haproxy::start(&servers), runtime, backends }
    }

    fn driver(&self) -> Balancer {
        driver(&self.haproxy.socket())
    }

    fn server(&self, name: &str) -> Server {
        let servers = self.runtime.block_on(self.driver().servers(&[])).unwrap();
        servers.into_iter().find(|server| server.name.as_str() == name).unwrap()
    }

    fn set(&self, name: &str, admin: Admin) {
        self.runtime.block_on(self.driver().set(&member(name), admin)).unwrap();
    }

    fn get(&self) -> String {
        http::get(&self.haproxy.address, "/").unwrap().body
    }

    fn hold(&self) -> TcpStream {
        hold(&self.haproxy.address)
    }
}

#[test]
fn sessions_of_a_drained_server_are_seen_to_end_while_the_other_serves() {
    let site = Site::new();
    assert!(site.server("web-1").serves() && site.server("web-2").serves());
    let held = [site.hold(), site.hold()];
    assert_eq!(site.server("web-1").sessions(), Some(1));

    site.set("web-1", Admin::Drain);
    let draining = site.server("web-1");
    assert_eq!((draining.admin, draining.sessions()), (Some(Admin::Drain), Some(1)));
    assert_eq!([site.get(), site.get(), site.get()], ["two", "two", "two"], "no new session reaches it");

    site.backends.iter().for_each(Backend::release);
    for mut client in held {
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("done"), "no client was cut off: {rest}");
    }
    let drained = wait_for("the last session to end", PATIENCE, || {
        let server = site.server("web-1");
        (server.sessions() == Some(0)).then_some(server)
    });
    assert_eq!(drained.admin, Some(Admin::Drain));

    site.set("web-1", Admin::Ready);
    assert!(site.server("web-1").serves());
    wait_for("its turn", PATIENCE, || (site.get() == "one").then_some(()));
}

#[test]
fn a_session_that_never_ends_can_be_cut() {
    let site = Site::new();
    let mut held = [site.hold(), site.hold()];
    site.set("web-1", Admin::Drain);
    assert!(site.runtime.block_on(site.driver().cut(&member("web-1"))).unwrap());
    wait_for("the cut", PATIENCE, || (site.server("web-1").sessions() == Some(0)).then_some(()));
    let cut_off = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // Silence means that the session goes on; an end or a reset that it was cut.
        let said = stream.read_to_end(&mut Vec::new());
        !said.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    };
    let cut = held.iter_mut().map(cut_off).filter(|cut| *cut).count();
    assert_eq!(cut, 1, "only the drained server's client is cut off");
}

#[test]
fn what_a_person_set_is_seen_until_a_restart() {
    let mut site = Site::new();
    site.set("web-2", Admin::Maint);
    let maint = site.server("web-2");
    assert_eq!((maint.admin, maint.up), (Some(Admin::Maint), false));
    site.haproxy.restart();
    assert_eq!(site.server("web-2").admin, Some(Admin::Ready), "a restarted balancer has forgotten it");
}

#[test]
fn what_cannot_work_is_told_with_what_to_do() {
    let mut site = Site::new();
    let name = member("web-1");
    let operator = driver(&site.haproxy.operator_socket());
    site.runtime.block_on(operator.servers(&[])).unwrap();
    let error = site.runtime.block_on(operator.set(&name, Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("Permission denied") && error.contains("level admin"), "{error}");

    let nobody = member("web-9");
    let error = site.runtime.block_on(site.driver().set(&nobody, Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("No such server"), "{error}");

    let spec = BalancerSpec::Haproxy { socket: site.haproxy.socket(), backend: ServerName::new("shop").unwrap() };
    let error = site.runtime.block_on(Balancer::of(&spec).servers(&[])).unwrap_err().to_string();
    assert!(error.contains("haproxy shop at") && error.contains("show backend"), "{error}");

    site.haproxy.stop();
    let error = site.runtime.block_on(site.driver().servers(&[])).unwrap_err().to_string();
    assert!(error.contains("is it running"), "{error}");
}
