//! The listener: HTTP/1.1 and HTTP/2 on one port, bounded in time and size, drained at the end.
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::edge::Edge;

/// A client that sends its headers more slowly than this is cut off, and one that connects and then asks nothing.
const HEADERS_MAX: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: u16 = 16 * 1024;
const STREAMS_MAX: u32 = 200;
const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEPALIVE_PATIENCE: Duration = Duration::from_secs(10);
/// When the system has no more sockets to give, trying again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until `stop`, then lets the calls on them end, for as long as `drain`.
pub(crate) async fn serve(listener: TcpListener, edge: Edge, drain: Duration, stop: CancellationToken) {
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        // Small answers leave at once; a socket that cannot be told so still works.
        let _ = stream.set_nodelay(true);
        let asked = Arc::new(Notify::new());
        let service = hyper::service::service_fn({
            let (edge, asked) = (edge.clone(), asked.clone());
            move |request| {
                asked.notify_one();
                let edge = edge.clone();
                async move { Ok::<_, Infallible>(edge.answer(request).await) }
            }
        });
        let connection = builder().serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        chassis::task::spawn("connection", async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                asked = tokio::time::timeout(HEADERS_MAX, asked.notified()) => match asked {
                    Ok(()) => connection.await,
                    Err(_) => return,
                },
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended badly");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, connections.shutdown()).await.is_err() {
        tracing::warn!("stopping although some calls have not ended");
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX.into())
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_EVERY)
        .keep_alive_timeout(KEEPALIVE_PATIENCE)
        .max_header_list_size(HEADER_BYTES_MAX.into())
        .max_concurrent_streams(STREAMS_MAX);
    builder
}
