//! The small HTTP server for operators and probes: /metrics, /livez, /readyz, /health.
use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Board;
use crate::{task, telemetry};

/// Serves until shutdown.
pub async fn serve(listener: TcpListener, board: Board, shutdown: CancellationToken) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: give them a moment to come back.
                    tracing::warn!(%error, "no connection for probes could be accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => return,
        };
        let (board, shutdown) = (board.clone(), shutdown.clone());
        task::spawn("probe", async move {
            let answer =
                service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &board))));
            let mut server = auto::Builder::new(TokioExecutor::new());
            // A timer makes hyper give up on a client that never finishes its headers.
            server.http1().timer(TokioTimer::new());
            tokio::select! {
                _ = server.serve_connection(TokioIo::new(stream), answer) => {}
                () = shutdown.cancelled() => {}
            }
        });
    }
}

fn answer<B>(request: &Request<B>, board: &Board) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned(), "text/plain");
    }
    let ready = if board.serving() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "alive\n".to_owned(), "text/plain"),
        "/readyz" => {
            text(ready, if board.serving() { "ready\n" } else { "not ready\n" }.to_owned(), "text/plain")
        }
        "/health" => {
            let services = serde_json::json!({ "serving": board.serving(), "services": board.services() });
            text(ready, services.to_string(), "application/json")
        }
        "/metrics" => text(StatusCode::OK, telemetry::metrics().render(), "text/plain; version=0.0.4"),
        _ => {
            text(StatusCode::NOT_FOUND, "try /metrics, /livez, /readyz or /health\n".to_owned(), "text/plain")
        }
    }
}

fn text(status: StatusCode, text: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
