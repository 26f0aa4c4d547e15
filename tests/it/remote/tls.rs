//! `tcp://` with TLS: what certificates are shown and asked for, and what is said when they are not right.

use std::path::Path;

use super::a_day;
use crate::support::certificates::Authority;
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::pitstop::{Output, Pitstop};
use crate::support::registry::Registry;

const HOST: &str = "tcp://127.0.0.1:2376";

fn with(certificates: &Path) -> Pitstop {
    Pitstop::without_engine()
        .env("DOCKER_HOST", HOST)
        .env("DOCKER_TLS_VERIFY", "1")
        .env("DOCKER_CERT_PATH", certificates.as_os_str())
}

/// A run that reaches no engine, and what it says.
#[track_caller]
fn said(out: Output) -> String {
    out.expect_code(3).stderr
}

#[test]
fn an_app_is_deployed_over_tls_and_every_wrong_certificate_has_its_own_words() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let (client, stranger) = (ours.client(), others.client());
    let daemon = PrivateDockerd::start(&Options { tls: Some(ours.engine()), ..Options::default() });
    let engine = daemon.engine();
    daemon.inside(|| {
        a_day(&with(&client), &engine, &engine.project());

        // As a Docker context has it.
        let home = with(&client);
        let docker = home.home().join(".docker/contexts");
        std::fs::create_dir_all(docker.join("meta/aa")).unwrap();
        std::fs::create_dir_all(docker.join("tls/aa/docker")).unwrap();
        let meta = serde_json::json!({"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": HOST}}});
        std::fs::write(docker.join("meta/aa/meta.json"), meta.to_string()).unwrap();
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            std::fs::copy(client.join(file), docker.join("tls/aa/docker").join(file)).unwrap();
        }
        let home = home.env("DOCKER_HOST", "").env("DOCKER_TLS_VERIFY", "");
        home.run(&["--context", "far", "ps"]).expect_code(0);
        home.env("DOCKER_CONTEXT", "far").run(&["ps"]).expect_code(0);

        // No client certificate, in a directory that has only the authority's.
        let bare = tempfile::tempdir().unwrap();
        std::fs::copy(client.join("ca.pem"), bare.path().join("ca.pem")).unwrap();
        let words = said(with(bare.path()).run(&["ps"]));
        assert!(words.contains("client certificate") && words.contains("cert.pem"), "{words}");
        assert!(words.contains("DOCKER_CERT_PATH"), "{words}");
        // Half of one.
        std::fs::copy(client.join("cert.pem"), bare.path().join("cert.pem")).unwrap();
        let out = with(bare.path()).run(&["ps"]);
        assert!(out.stderr.contains("no key.pem beside it"), "{}", out.stderr);
        // A file that is none.
        std::fs::write(bare.path().join("key.pem"), "x").unwrap();
        let out = with(bare.path()).run(&["ps"]);
        assert!(out.stderr.contains("there is no private key in"), "{}", out.stderr);

        // Signed by somebody whom the engine does not know.
        std::fs::copy(stranger.join("cert.pem"), bare.path().join("cert.pem")).unwrap();
        std::fs::copy(stranger.join("key.pem"), bare.path().join("key.pem")).unwrap();
        let words = said(with(bare.path()).run(&["ps"]));
        assert!(words.contains("does not accept the client certificate"), "{words}");
        // The engine is signed by somebody whom we do not know.
        let words = said(with(&stranger).run(&["ps"]));
        assert!(words.contains("vouched for by nobody in") && words.contains("ca.pem"), "{words}");
        // It is not called that.
        let words = said(with(&client).run(&["-H", "tcp://localhost:2376", "ps"]));
        assert!(words.contains("is not for this host"), "{words}");

        // Spoken to without TLS, and somebody else with it.
        let plain = with(&client).env("DOCKER_TLS_VERIFY", "");
        let words = said(plain.run(&["ps"]));
        assert!(words.contains("speaks TLS") && words.contains("DOCKER_TLS_VERIFY=1"), "{words}");
    });
    let registry = Registry::start_in(&daemon);
    let host = format!("tcp://{}", registry.address);
    let words = said(daemon.inside(|| with(&client).run(&["-H", &host, "ps"])));
    assert!(words.contains("does not speak TLS"), "{words}");
}
