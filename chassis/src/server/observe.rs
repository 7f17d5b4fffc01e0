//! The span and the metrics of each call, and the end of streams when the server stops.
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};
use tracing::{Instrument, Span, field::Empty};

use super::around::{Answer, Around, Call, Inner, proceed};
use crate::{policy, status, telemetry};

/// Watches every call from its first byte to its last.
#[derive(Clone)]
pub(crate) struct Observe {
    pub(crate) shutdown: CancellationToken,
}

impl Around for Observe {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        let seen = Seen::begin(&call);
        let span = seen.span.clone();
        // Unary answers are whole; a stream goes on until somebody ends it, and here that is the stopping server.
        let endless = policy::of(call.uri().path()).is_none_or(|policy| policy.server_streaming);
        let answer = proceed(inner, call).instrument(span).await;
        let stop = endless.then(|| Box::pin(self.shutdown.cancelled_owned()));
        let (parts, body) = answer.into_parts();
        let mut watched = Watched { body, seen: Some(seen), stop };
        if let Some(code) = code(&parts.headers) {
            watched.end(code);
        } else if !parts.status.is_success() {
            watched.end(Code::Unknown);
        }
        Answer::from_parts(parts, Body::new(watched))
    }
}

/// One call, while it lasts.
struct Seen {
    span: Span,
    began: Instant,
    service: &'static str,
    method: &'static str,
}

impl Seen {
    fn begin(call: &Call) -> Self {
        // Names come from the contract, so that a caller cannot invent metrics.
        let (service, method) = policy::of(call.uri().path())
            .map_or(("other", "other"), |policy| (policy.service(), policy.method()));
        let span = tracing::info_span!(
            "rpc",
            otel.name = %format_args!("{service}/{method}"),
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system = "grpc",
            rpc.service = service,
            rpc.method = method,
            rpc.grpc.status_code = Empty,
            trace_id = Empty,
        );
        let traceparent = call.headers().get(telemetry::TRACEPARENT).and_then(|value| value.to_str().ok());
        telemetry::set_parent(&span, traceparent.unwrap_or_default());
        Self { span, began: Instant::now(), service, method }
    }

    fn end(self, code: Code) {
        let took = self.began.elapsed();
        self.span.record("rpc.grpc.status_code", code as i32);
        // What a client did wrong is no error of the server's trace.
        if matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ) {
            self.span.record("otel.status_code", "ERROR");
        }
        self.span.in_scope(|| tracing::debug!(rpc.code = ?code, took_us = took.as_micros(), "answered"));
        self.measure(code, took);
    }

    fn measure(&self, code: Code, took: Duration) {
        let labels = [("service", self.service), ("method", self.method)];
        metrics::histogram!("rpc_server_duration_seconds", &labels).record(took);
        metrics::counter!("rpc_server_requests_total", "service" => self.service, "method" => self.method, "code" => name(code)).increment(1);
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}

fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A body that notices how it ends.
struct Watched {
    body: Body,
    seen: Option<Seen>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Watched {
    fn end(&mut self, code: Code) {
        if let Some(seen) = self.seen.take() {
            seen.end(code);
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(cx).is_ready()) && self.seen.is_some() {
            self.stop = None;
            self.body = Body::empty();
            self.end(Code::Unavailable);
            return Poll::Ready(Some(Ok(Frame::trailers(stopping()))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    self.end(code);
                }
            }
            Some(Err(status)) => {
                let code = status.code();
                self.end(code);
            }
            None => self.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Dropped before its end: the caller went away.
        self.end(Code::Cancelled);
    }
}

fn stopping() -> HeaderMap {
    let status = status::unavailable(
        "SERVER_STOPPING",
        "the server is stopping; connect again",
        Duration::from_secs(1),
    );
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        tracing::debug!("the end of a stream could not be told");
    }
    trailers
}
