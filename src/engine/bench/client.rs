//! Clients of the instances that are measured: each asks without a break and writes down what it was answered.
//!
//! They run on this machine and ask at the instances' own addresses, as a neighbour would.

use super::super::clock;
use crate::domain::probe::ProbeSpec;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two questions of one client.
const PAUSE: Duration = Duration::from_millis(4);
/// How long the last good answer is waited for when all is over.
const LAST: Duration = Duration::from_secs(2);

/// What one client has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub asked: u64,
    pub failed: u64,
    pub gap_ms: f64,
}

/// Clients that ask until they are told to end.
pub(super) struct Clients {
    over: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
}

impl Clients {
    /// One at each address, which may change meanwhile.
    pub fn begin(probe: &ProbeSpec, addresses: &[watch::Receiver<SocketAddr>]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let begin = |address: &watch::Receiver<SocketAddr>| {
            tokio::spawn(go_on_asking(probe.clone(), address.clone(), over.clone()))
        };
        Self { tasks: addresses.iter().map(begin).collect(), over }
    }

    /// What each has seen until now.
    pub async fn end(mut self) -> Vec<Seen> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in std::mem::take(&mut self.tasks) {
            all.push(task.await.unwrap_or_default());
        }
        all
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn go_on_asking(probe: ProbeSpec, address: watch::Receiver<SocketAddr>, over: Arc<AtomicBool>) -> Seen {
    let (mut seen, mut last, mut since_over) = (Seen::default(), None::<Instant>, None::<Instant>);
    loop {
        let done = over.load(Ordering::Relaxed);
        let at = *address.borrow();
        let good = ask(&probe, at).await.is_ok();
        let now = clock::instant();
        if good {
            let gap = last.map_or(0.0, |last| (now - last).as_secs_f64() * 1000.0);
            seen.gap_ms = seen.gap_ms.max(gap);
            last = Some(now);
        }
        if done {
            // What is asked from here on only ends the last gap.
            let since = *since_over.get_or_insert(now);
            if good || now - since > LAST {
                return seen;
            }
        } else {
            seen.asked += 1;
            seen.failed += u64::from(!good);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One question over a new connection.
pub(super) async fn ask(probe: &ProbeSpec, at: SocketAddr) -> io::Result<()> {
    let question = async {
        let mut stream = TcpStream::connect(at).await?;
        if let ProbeSpec::Http { path, .. } = probe {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut head = [0; 12];
            stream.read_exact(&mut head).await?;
            if !matches!(&head[9..10], b"2" | b"3") {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, question).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
