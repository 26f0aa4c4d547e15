//! HTTP on a socket: each connection a task, each change carried through even when whoever asked for it is gone.

use super::answer::{Body, Refusal, Reply};
use super::ask::{self, Ask};
use super::clock::Clock;
use super::engine::Engine;
use super::fault::Fault;
use super::routes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// Serves until it is dropped; an engine that dies is back on the same socket after a while.
pub async fn serve(socket: PathBuf, mut listener: UnixListener, engine: Arc<Engine>) {
    loop {
        let life = engine.life();
        tokio::select! {
            () = life.cancelled() => {}
            () = accept(&listener, &engine) => {}
        }
        drop(listener);
        tokio::time::sleep(engine.fall()).await;
        // Nobody listens there since: who comes is refused, as by a socket that a dead engine left.
        let _ = std::fs::remove_file(&socket);
        engine.rise();
        listener = match UnixListener::bind(&socket) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the simulated engine can't come back");
                return;
            }
        };
    }
}

/// Takes connections for ever.
async fn accept(listener: &UnixListener, engine: &Arc<Engine>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            engine.spawn(connection(stream, Arc::clone(engine)));
        }
    }
}

async fn connection(stream: UnixStream, engine: Arc<Engine>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&engine)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // A client that goes away is no failure of ours.
    if let Err(error) = served.await {
        tracing::trace!(%error, "a connection to the simulated engine ended early");
    }
}

async fn answer(mut request: Request<Incoming>, engine: Arc<Engine>) -> io::Result<Response<Body>> {
    let wants = request.headers().contains_key(header::UPGRADE);
    let upgrade = wants.then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let newest = ask::newest(engine.scenario.newer);
    let reply = match Ask::new(head.method.as_str(), &head.uri, body, upgrade, newest) {
        Err(refusal) => Reply::from(refusal),
        Ok(ask) => {
            let (number, fault) = engine.ledger.note(Clock::instant(), &ask.method, &ask.path);
            let reply = disturbed(&engine, ask, fault).await?;
            engine.ledger.answered(number, reply.status.as_u16());
            reply
        }
    };
    let mut response = Response::builder().status(reply.status);
    response = response.header("Api-Version", format!("{}.{}", newest.0, newest.1)).header("Ostype", "linux");
    response = response.header("Server", format!("Docker/{} (linux)", routes::release(&engine)));
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body).map_err(io::Error::other)
}

/// Does what is asked, unless a fault says otherwise. An error closes the connection.
async fn disturbed(engine: &Arc<Engine>, ask: Ask, fault: Option<Fault>) -> io::Result<Reply> {
    let eof = || Err(io::ErrorKind::ConnectionReset.into());
    match fault {
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::EofBefore) => return eof(),
        Some(Fault::RefuseBefore(status)) => return Ok(refused(status)),
        Some(Fault::Hold) => engine.ledger.released.notified().await,
        Some(Fault::DieBefore(down)) => {
            engine.die(down);
            return eof();
        }
        _ => {}
    }
    let reply = done(engine, ask).await;
    match fault {
        Some(Fault::EofAfter) => eof(),
        Some(Fault::RefuseAfter(status)) => Ok(refused(status)),
        Some(Fault::Garbled) => {
            Ok(Reply::bytes(reply.status.as_u16().max(200), "application/json", "{\"Id\": \u{7}".into()))
        }
        Some(Fault::StallHead) => std::future::pending().await,
        Some(Fault::StallBody) => {
            let (half, reader) = mpsc::channel(1);
            engine.spawn(async move {
                // Held open, and nothing follows.
                let _ = half.send(Ok("{\"".into())).await;
                std::future::pending::<()>().await;
            });
            Ok(Reply::stream("application/json", reader))
        }
        Some(Fault::DieAfter(down)) => {
            engine.die(down);
            eof()
        }
        _ => Ok(reply),
    }
}

/// Carries a request through even when whoever asked is gone, as the engine does.
async fn done(engine: &Arc<Engine>, ask: Ask) -> Reply {
    let (tell, told) = oneshot::channel();
    let work = Arc::clone(engine);
    engine.spawn(async move {
        // The asker is gone: nobody has to be told.
        let _ = tell.send(routes::answer(&work, ask).await);
    });
    match told.await {
        Ok(answer) => answer.unwrap_or_else(Reply::from),
        Err(_) => refused(500),
    }
}

fn refused(status: u16) -> Reply {
    Reply::from(Refusal { status, message: "the simulated engine was told to fail".into() })
}
