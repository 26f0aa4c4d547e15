//! Tokio's paused clock for tests that talk through sockets, exact to the millisecond.
//!
//! Tokio's own paused clock moves on as soon as no task is ready, and a task whose bytes are still in a socket is not
//! ready yet: a request that takes no time at all then seems to take until the next timer. Here tokio is kept from
//! moving the clock, and [`run`] moves it a millisecond at a time, each time only after nothing has happened for longer
//! than bytes can stay in a socket. What "something happened" means is counted by [`relay`], through which the bytes go.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Handle};

/// What every wait for something to happen is cut into: tokio's timers know no finer unit.
const STEP: Duration = Duration::from_millis(1);

/// Rounds of the runtime without a byte relayed after which none is under way. Between two counted bytes lie at most three
/// rounds: relay to server, server to relay, and the relay's own turn.
const QUIET: usize = 8;

/// Tasks that the runtime runs before it looks at the sockets again (tokio's default).
const TASKS_PER_ROUND: usize = 61;

/// Bytes and connections relayed so far.
#[derive(Clone, Default)]
pub struct Traffic(Arc<AtomicU64>);

impl Traffic {
    fn count(&self, what: usize) {
        self.0.fetch_add(1 + what as u64, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `test` to its end on a clock that stands still but for what its timers wait for.
///
/// Work handed to tokio's blocking threads is waited for before the clock moves, twice over (a file's reading may follow
/// another's): it takes no time either.
///
/// # Panics
/// When `test` does, and when it has not ended after `most` of the paused clock.
pub fn run<F: Future<Output = ()> + Send + 'static>(most: Duration, test: impl FnOnce(Traffic) -> F) {
    // Two blocking threads: one is parked, which keeps tokio from moving the clock; the other works in order of asking.
    let runtime =
        Builder::new_current_thread().enable_all().start_paused(true).max_blocking_threads(2).build().unwrap();
    let traffic = Traffic::default();
    let test = test(traffic.clone());
    runtime.block_on(async move {
        let (release, parked) = mpsc::channel::<()>();
        let (arrived, there) = tokio::sync::oneshot::channel();
        let inhibitor = tokio::task::spawn_blocking(move || {
            let _ = arrived.send(());
            let _ = parked.recv();
        });
        there.await.unwrap();
        let test = tokio::spawn(test);
        let mut passed = Duration::ZERO;
        loop {
            settle(&traffic).await;
            if test.is_finished() {
                break;
            }
            assert!(passed < most, "the test still runs after {passed:?} of the paused clock");
            tokio::time::advance(STEP).await;
            passed += STEP;
        }
        drop(release);
        inhibitor.await.unwrap();
        if let Err(error) = test.await {
            std::panic::resume_unwind(error.into_panic());
        }
    });
}

/// Returns when no task is ready, no byte is under way and no blocking work is left.
async fn settle(traffic: &Traffic) {
    let mut seen = traffic.so_far();
    let mut quiet = 0;
    while quiet < QUIET + Handle::current().metrics().num_alive_tasks() / TASKS_PER_ROUND {
        if quiet % 3 == 2 {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        // The runtime runs what is ready and looks at every socket before it comes back here.
        tokio::task::yield_now().await;
        let now = traffic.so_far();
        quiet = if now == seen { quiet + 1 } else { 0 };
        seen = now;
    }
}

/// Listens beside `server` and passes every byte on, counted; returns the socket to connect to.
///
/// # Panics
/// When it cannot listen.
pub fn relay(server: &Path, traffic: &Traffic) -> PathBuf {
    let front = server.with_extension("relay");
    let listener = UnixListener::bind(&front).unwrap();
    let (server, traffic) = (server.to_owned(), traffic.clone());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            traffic.count(0);
            let (server, traffic) = (server.clone(), traffic.clone());
            tokio::spawn(async move {
                // A server that is not there: the client sees its connection end.
                let Ok(engine) = UnixStream::connect(server).await else { return };
                let ((from_client, to_client), (from_engine, to_engine)) = (client.into_split(), engine.into_split());
                tokio::spawn(pass(from_client, to_engine, traffic.clone()));
                tokio::spawn(pass(from_engine, to_client, traffic));
            });
        }
    });
    front
}

/// Passes on what comes until it ends, and then its end.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, traffic: Traffic) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        traffic.count(count);
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// Answers each byte N after N milliseconds.
    fn slow_echo(socket: &Path) {
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(ms) = stream.read_u8().await {
                        if ms > 0 {
                            tokio::time::sleep(Duration::from_millis(ms.into())).await;
                        }
                        if stream.write_u8(ms).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    }

    async fn ask(socket: &Path, times: u32, ms: u8) -> Duration {
        let start = Instant::now();
        let mut stream = UnixStream::connect(socket).await.unwrap();
        for _ in 0..times {
            stream.write_u8(ms).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), ms);
        }
        start.elapsed()
    }

    #[test]
    fn time_passes_in_timers_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("echo");
        run(Duration::from_secs(60), |traffic| async move {
            slow_echo(&socket);
            let socket = relay(&socket, &traffic);
            // A timer that is always next, for a clock that jumps too early to jump to.
            let other = tokio::spawn(async {
                loop {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            });
            assert_eq!(ask(&socket, 200, 0).await, Duration::ZERO);
            assert_eq!(ask(&socket, 20, 7).await, Duration::from_millis(140));
            // As many as a small machine would run side by side, each unaware of the others.
            let many: Vec<_> = (0..100_u8)
                .map(|n| {
                    let socket = socket.clone();
                    tokio::spawn(async move { (n, ask(&socket, 3, n).await) })
                })
                .collect();
            for asked in many {
                let (n, took) = asked.await.unwrap();
                assert_eq!(took, Duration::from_millis(3 * u64::from(n)));
            }
            // Nor does what blocking threads do, however long the machine takes for it.
            let start = Instant::now();
            for _ in 0..50 {
                tokio::fs::read("/proc/self/status").await.unwrap();
                assert_eq!(ask(&socket, 1, 0).await, Duration::ZERO);
            }
            assert_eq!(start.elapsed(), Duration::ZERO);
            other.abort();
        });
    }

    #[test]
    #[should_panic(expected = "still runs after 50ms")]
    fn a_test_that_waits_for_ever_ends() {
        run(Duration::from_millis(50), |_| std::future::pending());
    }

    #[test]
    #[should_panic(expected = "what the test said")]
    fn a_test_s_panic_is_its_own() {
        run(Duration::from_secs(1), |_| async { panic!("what the test said") });
    }
}
