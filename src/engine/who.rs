//! Who sits at this console, for people to read: `anna@ops1`.

use crate::domain::clean::clean;

/// User and machine; never decides anything.
pub fn am_i() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| match rustix::process::getuid().as_raw() {
        0 => "root".to_owned(),
        other => format!("uid {other}"),
    });
    let machine = rustix::system::uname();
    clean(&format!("{user}@{}", machine.nodename().to_string_lossy()))
}
