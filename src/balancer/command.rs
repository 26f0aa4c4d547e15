//! Any balancer, by commands of the user's own: `drain`, `attach`, and `status` where there is one.
//!
//! `{instance}` and `{address}` in an argument stand for the instance's short name and its own address; the variables
//! `PITSTOP_INSTANCE` and `PITSTOP_ADDRESS` say the same. Both are validated values, put into one argument each, and no shell
//! reads them. `status` prints one line: `serving`, `draining`, `drained` or `down`, and the number of sessions where
//! it knows it.

use super::BalancerError;
use super::program;
use crate::domain::balancer::{Admin, Hooks, Member, Server, Traffic};
use crate::domain::clean::Clean;
use futures_util::future::try_join_all;
use std::time::Duration;

/// The commands of one balancer.
#[derive(Clone, Debug)]
pub struct Command {
    hooks: Hooks,
    shown: String,
}

impl Command {
    pub(super) fn new(hooks: &Hooks, shown: String) -> Self {
        Self { hooks: hooks.clone(), shown }
    }

    /// What `status` says of each; without one, that nobody tells.
    pub(super) async fn servers(&self, members: &[Member]) -> Result<Vec<Server>, BalancerError> {
        let Some(status) = &self.hooks.status else {
            let untold = |member: &Member| server(member, None, true, None, "not told");
            return Ok(members.iter().map(untold).collect());
        };
        try_join_all(members.iter().map(async |member| {
            let said = self.run(status, member).await?;
            read(member, &said).ok_or_else(|| {
                let line = said.lines().next().unwrap_or_default();
                let what = format!("`{}` said \"{line}\"", status.first().map_or("", String::as_str));
                let hint = "one line is expected: serving, draining, drained or down, then the number of sessions if it is known";
                BalancerError::here(&self.shown, &what, Some(hint))
            })
        }))
        .await
    }

    pub(super) async fn set(&self, member: &Member, admin: Admin) -> Result<(), BalancerError> {
        let argv = if admin == Admin::Ready { &self.hooks.attach } else { &self.hooks.drain };
        self.run(argv, member).await.map(drop)
    }

    async fn run(&self, argv: &[String], member: &Member) -> Result<String, BalancerError> {
        let address = member.address.map_or_else(String::new, |address| address.to_string());
        let filled = argv.iter().enumerate().map(|(place, word)| match place {
            // What is run does not depend on what is run for.
            0 => word.clone(),
            _ => word.replace("{instance}", member.name.as_str()).replace("{address}", &address),
        });
        let variables = [("PITSTOP_INSTANCE", member.name.to_string()), ("PITSTOP_ADDRESS", address.clone())];
        let deadline = Duration::from_millis(self.hooks.timeout_ms);
        let said = program::run(&self.shown, &filled.collect::<Vec<_>>(), &variables, deadline).await?;
        Ok(said.stdout)
    }
}

fn server(member: &Member, admin: Option<Admin>, up: bool, traffic: Option<Traffic>, words: &str) -> Server {
    Server { name: member.name.clone(), address: None, admin, up, traffic, words: Clean::new(words) }
}

/// `draining 3`: a word of `ps`, and the sessions where they are counted.
fn read(member: &Member, said: &str) -> Option<Server> {
    let line = said.lines().next()?.trim();
    let mut words = line.split_whitespace();
    let (admin, up) = match words.next()? {
        "serving" => (Admin::Ready, true),
        "draining" => (Admin::Drain, true),
        "drained" => (Admin::Maint, false),
        "down" => (Admin::Ready, false),
        _ => return None,
    };
    let sessions = words.next().map(str::parse).transpose().ok()?;
    let traffic = sessions.map(|sessions| Traffic { sessions, ..Traffic::default() });
    words.next().is_none().then(|| server(member, Some(admin), up, traffic, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ServerName;

    #[test]
    fn a_status_is_a_word_and_a_number() {
        let member = Member { name: ServerName::new("web-1").unwrap(), address: None };
        for (said, want) in [
            ("serving\n", Some((Admin::Ready, true, None))),
            ("serving 3\nmore", Some((Admin::Ready, true, Some(3)))),
            ("draining 2", Some((Admin::Drain, true, Some(2)))),
            ("drained 0", Some((Admin::Maint, false, Some(0)))),
            ("down", Some((Admin::Ready, false, None))),
            ("", None),
            ("up", None),
            ("draining many", None),
            ("draining -1", None),
            ("drained 0 0", None),
        ] {
            let read = read(&member, said).map(|one| (one.admin.unwrap(), one.up, one.sessions()));
            assert_eq!(read, want, "{said}");
        }
    }
}
