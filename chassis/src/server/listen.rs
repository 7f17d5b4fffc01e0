//! The listener: accepts connections, keeps them honest, and says goodbye before it closes them.
//!
//! It stands in for tonic's own, which answers a passed `grpc-timeout` by itself, with CANCELLED, and which cuts old
//! connections without telling the client first.
use std::{pin::pin, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::ServiceExt;

use super::around::Inner;

/// How often a quiet connection is asked whether it is still there, and how long it may take to say so.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_PATIENCE: Duration = Duration::from_secs(10);
/// How old a connection gets: then clients connect again, and find new replicas.
const AGE_MAX: Duration = Duration::from_secs(600);
/// After a failed accept, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// All that one peer has under way here shares its one connection: more than its own bounds let through must fit, or
/// its calls would wait behind streams that do not end.
const STREAMS_MAX: u32 = 1024 + 256;
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Serves until shutdown, then until the last connection has ended. Calls on a connection that closes have `grace` to
/// end.
pub(super) async fn serve<S: Inner>(
    listener: TcpListener,
    service: S,
    grace: Duration,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, service.clone(), grace, shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    // The port is free for a successor while the last calls end.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection<S: Inner>(stream: TcpStream, service: S, grace: Duration, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_PATIENCE)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = tokio::time::sleep(AGE_MAX) => None,
        () = shutdown.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(grace, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
