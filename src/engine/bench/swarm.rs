//! The same by a Swarm service: each task is stopped before the next one starts, which is Swarm's own default.
//!
//! Only where the engine is a manager already: making a Swarm is not a benchmark's business.

use super::ways::marked;
use super::{ANSWERS, Bench, Error, PROJECT, failed};
use crate::domain::bench::Way;
use crate::domain::fleet::Container;
use std::collections::BTreeMap;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(5);

impl Bench {
    /// A service with as many tasks as there are instances; left out where there is no Swarm.
    pub(super) async fn set_up_swarm(&mut self) -> Result<(), Error> {
        let docker = self.operator.changes();
        if !docker.is_swarm_manager().await? {
            let why = "this engine manages no Swarm; `docker swarm init` makes it one, `docker swarm leave --force` ends that";
            self.left_out.insert(Way::Swarm, why.into());
            return Ok(());
        }
        docker.create_service(&name(), &self.wish.image, &marked(), &version(0), self.wish.instances).await?;
        self.until_tasks_answer(false).await
    }

    /// The other version.
    pub(super) async fn swarm(&mut self) -> Result<(), Error> {
        let wanted = version(self.other_version("swarm"));
        self.operator.changes().update_service(&name(), &wanted).await?;
        self.until_tasks_answer(true).await
    }

    /// Until the update is complete, where there is one, and every task answers.
    async fn until_tasks_answer(&self, updated: bool) -> Result<(), Error> {
        let done = async {
            let docker = self.operator.changes();
            while updated && !docker.service_is_updated(&name()).await? {
                tokio::time::sleep(PAUSE).await;
            }
            loop {
                let tasks = docker.labelled(&format!("com.docker.swarm.service.name={}", name())).await?;
                let running: Vec<_> = tasks.into_iter().filter(Container::is_running).collect();
                if running.len() == self.wish.instances as usize {
                    for task in running {
                        self.answers(self.address(&task.id).await?).await?;
                    }
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(ANSWERS, done)
            .await
            .unwrap_or_else(|_| Err(failed("the Swarm service does not get ready")))
    }
}

fn name() -> String {
    format!("{PROJECT}-swarm")
}

fn version(number: usize) -> BTreeMap<String, String> {
    BTreeMap::from([("PITSTOP_BENCH".to_owned(), number.to_string())])
}
