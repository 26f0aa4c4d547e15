//! What the families play on: an app of some instances, a stranger beside it, and what is asked for.

use std::time::Duration;

use pitstop::config::compose::{LoadOptions, load_text};
use pitstop::domain::options::Options;
use pitstop::domain::project::ProjectSpec;
use pitstop::domain::warm::Warm;
use pitstop::engine::Request;
use pitstop::sim::Scenario;

/// What is asked for, each leading to one wanted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    Create,
    Deploy,
    Restart,
    /// The new version boots beside the old one, and waits until that has left the port.
    Warm,
    /// The same, and both have the port for a moment: the old one was deployed that way, too.
    Beside,
    /// Back to revision 1, after a deployment without faults.
    Rollback,
}

pub const PLAYS: [Play; 6] = [Play::Create, Play::Deploy, Play::Restart, Play::Rollback, Play::Warm, Play::Beside];

impl Play {
    pub fn request(self, instances: u32) -> Request {
        match self {
            Self::Create => {
                let project = project(instances);
                Request::Create { project, services: Vec::new(), scale: Vec::new(), options: patient() }
            }
            Self::Deploy => deploy("web:2"),
            Self::Warm | Self::Beside => warm("web:2"),
            Self::Restart => Request::Restart { targets: vec!["shop/web".into()], options: patient() },
            Self::Rollback => Request::Rollback { app: "shop/web".into(), to: Some(1), options: patient() },
        }
    }

    /// The image that runs in the end.
    pub fn wanted(self) -> &'static str {
        if matches!(self, Self::Deploy | Self::Warm | Self::Beside) { "web:2" } else { "web:1" }
    }

    pub fn scenario(self, instances: u32, live_restore: bool) -> Scenario {
        let app = if self == Self::Create { String::new() } else { app(instances) };
        Scenario::parse(&format!("live_restore = {live_restore}\n{WORLD}{app}")).expect("a scenario")
    }
}

pub fn deploy(image: &str) -> Request {
    Request::Deploy { app: "shop/web".into(), image: Some(image.into()), project: None, options: patient() }
}

/// A warm one.
pub fn warm(image: &str) -> Request {
    let options = Options { warm: Some(Warm::Bind), ..patient() };
    Request::Deploy { app: "shop/web".into(), image: Some(image.into()), project: None, options }
}

/// A deployment that a file describes.
pub fn redeploy(image: &str) -> Request {
    Request::Deploy { app: "shop/web".into(), image: Some(image.into()), project: Some(project(1)), options: patient() }
}

fn project(instances: u32) -> ProjectSpec {
    let text = format!(
        "services:\n  web:\n    image: web:1\n    scale: {instances}\n    networks: [net]\n    x-pitstop: {{probe: 'tcp:8080'}}\n\
         networks:\n  net: {{name: net, external: true}}\n"
    );
    let options = LoadOptions { project: Some("shop".into()), ..LoadOptions::default() };
    load_text("compose.yaml", &text, &options).expect("a Compose file")
}

/// Waits for the lock of a console that has just died.
pub fn patient() -> Options {
    Options { wait_lock: Duration::from_secs(60), ..Options::default() }
}

fn app(instances: u32) -> String {
    format!(
        "[[apps]]\nproject = \"shop\"\napp = \"web\"\nimage = \"web:1\"\ninstances = {instances}\nnetwork = \"net\"\n\
         address = \"10.9.0.200\"\nprobe = \"tcp:8080\"\nrevision = 1\nup_s = 60\n"
    )
}

const WORLD: &str = r#"
[latency]
start_joined = 100

[[images]]
name = "web:1"
behaviour = { port = 8080, ready_ms = 100, stop_ms = 40 }
[[images]]
name = "web:2"
behaviour = { port = 8080, ready_ms = 100, stop_ms = 40 }

[[images]]
name = "web:3"
behaviour = { port = 8080, ready_ms = 100, stop_ms = 40 }

[[networks]]
name = "net"
subnet = "10.9.0.0/24"
[[networks]]
name = "elsewhere"
subnet = "10.8.0.0/24"

[[containers]]
name = "stranger"
image = "web:1"
network = "net"
restart = "always"
"#;
