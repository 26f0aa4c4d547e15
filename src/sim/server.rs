//! HTTP on a socket: each connection a task, each change carried through even when whoever asked for it is gone.

use super::answer::{Body, Refusal, Reply};
use super::ask::Ask;
use super::engine::Engine;
use super::routes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// Takes connections until it is dropped, and all of them with it.
pub async fn accept(listener: UnixListener, engine: Arc<Engine>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(stream, Arc::clone(&engine)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection.
pub async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, engine: Arc<Engine>) {
    let service = service_fn(move |request| serve(request, Arc::clone(&engine)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // A client that goes away is no failure of ours.
    if let Err(error) = served.await {
        tracing::trace!(%error, "a connection to the simulated engine ended early");
    }
}

async fn serve(mut request: Request<Incoming>, engine: Arc<Engine>) -> io::Result<Response<Body>> {
    let wants = request.headers().contains_key(header::UPGRADE);
    let upgrade = wants.then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let reply = match Ask::new(head.method.as_str(), &head.uri, body, upgrade) {
        Err(refusal) => Reply::from(refusal),
        Ok(ask) => {
            // A change goes on without its asker, as the engine's do.
            let work = tokio::spawn(async move { routes::answer(&engine, ask).await });
            let broken = |error: tokio::task::JoinError| Err(Refusal { status: 500, message: error.to_string() });
            work.await.unwrap_or_else(broken).unwrap_or_else(Reply::from)
        }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in [("Api-Version", "1.41"), ("Ostype", "linux"), ("Server", "Docker/20.10.24 (linux)")] {
        response = response.header(name, value);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body).map_err(io::Error::other)
}
