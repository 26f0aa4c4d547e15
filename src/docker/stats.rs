//! What containers take of the machine, as long as somebody looks.
//!
//! One stream for each; the engine measures only while it is read, so none is kept open that nobody sees.

use super::client::Docker;
use super::error::DockerError;
use super::lines::{Framing, Lines};
use crate::domain::ids::ContainerId;
use crate::domain::load::{CpuTime, Load};
use futures_util::stream::{self, BoxStream, StreamExt};
use serde::Deserialize;

/// A reading a second; the first error is the last item. Dropping it closes the connection.
pub type LoadStream = BoxStream<'static, Result<Load, DockerError>>;

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the engine's names")]
struct Reading {
    cpu_stats: Cpu,
    precpu_stats: Cpu,
    memory_stats: Memory,
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the engine's names")]
struct Cpu {
    cpu_usage: Usage,
    system_cpu_usage: u64,
    online_cpus: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Usage {
    total_usage: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    limit: u64,
    stats: MemoryParts,
}

/// By cgroup version: one of them is there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MemoryParts {
    inactive_file: u64,
    total_inactive_file: u64,
}

impl Cpu {
    fn time(&self) -> CpuTime {
        CpuTime { used: self.cpu_usage.total_usage, system: self.system_cpu_usage, cpus: self.online_cpus }
    }
}

impl Docker {
    /// Readings of a running container.
    pub fn load(&self, id: &ContainerId) -> LoadStream {
        let name = self.name(id);
        let bytes = self.raw(&format!("/containers/{id}/stats?stream=true")).boxed();
        let lines = Lines::new(Framing::Plain);
        let readings = stream::unfold((bytes, lines, false), move |(mut bytes, mut lines, ended)| {
            let name = name.clone();
            async move {
                loop {
                    if let Some((_, line)) = lines.pop() {
                        let load = serde_json::from_slice(&line).unwrap_or_default();
                        return Some((Ok(read(&load)), (bytes, lines, ended)));
                    }
                    if ended {
                        return None;
                    }
                    match bytes.next().await? {
                        // Plain text has no frames that could be wrong.
                        Ok(chunk) => drop(lines.feed(&chunk)),
                        Err(error) => {
                            let error = DockerError::of_client("stats of", &name, &error);
                            return Some((Err(error), (bytes, lines, true)));
                        }
                    }
                }
            }
        });
        readings.boxed()
    }
}

fn read(reading: &Reading) -> Load {
    let Memory { usage, limit, stats } = &reading.memory_stats;
    let idle = stats.inactive_file.max(stats.total_inactive_file);
    Load {
        cpu: reading.cpu_stats.time().since(reading.precpu_stats.time()),
        memory: usage.saturating_sub(idle),
        limit: *limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cgroup_versions_are_read_and_nulls_and_holes_do_no_harm() {
        let cpu = |used, system| {
            format!(r#"{{"cpu_usage":{{"total_usage":{used}}},"system_cpu_usage":{system},"online_cpus":2}}"#)
        };
        for (memory, want) in [
            (r#"{"usage":1000,"limit":5000,"stats":{"inactive_file":400}}"#, 600),
            (r#"{"usage":1000,"limit":5000,"stats":{"total_inactive_file":100}}"#, 900),
        ] {
            let text =
                format!(r#"{{"cpu_stats":{},"precpu_stats":{},"memory_stats":{memory}}}"#, cpu(60, 300), cpu(10, 100));
            let load = read(&serde_json::from_str(&text).unwrap());
            assert_eq!(load, Load { cpu: Some(500), memory: want, limit: 5000 });
        }
        assert_eq!(read(&serde_json::from_str(r#"{"cpu_stats":{},"memory_stats":{}}"#).unwrap()), Load::default());
    }
}
