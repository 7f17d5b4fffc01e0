//! The two ways through the edge: a request, read to its end before a service hears of it, and the answer on its way
//! back, which ends in words whatever happens to it.
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chassis::policy::MethodPolicy;
use chassis::status;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

/// The flag and the length before each message.
const PREFIX_BYTES: usize = 5;

/// The whole request, within the method's limit and in the time it has. A client that sends slowly, stops half-way or
/// sends what is not base64 takes no place among the calls to a service, and is not taken for a failure of it.
pub(crate) async fn whole(policy: &MethodPolicy, within: Duration, body: Body) -> Result<Body, Status> {
    if policy.client_streaming {
        return Ok(body);
    }
    match tokio::time::timeout(within, read(policy, body)).await {
        Ok(read) => Ok(Body::new(Full::new(read?))),
        Err(_) => Err(broken(Code::DeadlineExceeded, "the request did not end in time")),
    }
}

async fn read(policy: &MethodPolicy, mut body: Body) -> Result<Bytes, Status> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| broken(Code::Internal, "the request cannot be read"))?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > PREFIX_BYTES + policy.request_bytes_max {
            return Err(status::too_large(policy.request_bytes_max));
        }
        read.extend_from_slice(&data);
    }
    if has_trailers(&read) {
        return Err(broken(Code::Internal, "a request has no trailers"));
    }
    Ok(read.freeze())
}

/// Whether a frame of trailers, which grpc-web has in answers only, is among the messages.
fn has_trailers(mut frames: &[u8]) -> bool {
    while let Some(([flag, length @ ..], rest)) = frames.split_first_chunk::<PREFIX_BYTES>() {
        if flag & 0x80 != 0 {
            return true;
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        frames = rest.get(length..).unwrap_or_default();
    }
    false
}

fn broken(code: Code, message: &str) -> Status {
    status::plain(code, "REQUEST_BROKEN", status::DOMAIN, message, &[])
}

/// The body of an answer. A connection that breaks, and a stream that the stopping edge ends, become a status: a
/// client of grpc-web could not tell them from a network that failed.
pub(crate) struct Relayed {
    body: Body,
    /// Set for streams: they end when the edge stops.
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Relayed {
    pub(crate) fn new(policy: &MethodPolicy, body: Body, stop: &CancellationToken) -> Self {
        let stop = policy.server_streaming.then(|| Box::pin(stop.clone().cancelled_owned()));
        Relayed { body, stop, ended: false }
    }

    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            tracing::debug!("the end of an answer could not be told");
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl HttpBody for Relayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Err(status))) if status.code() == Code::DeadlineExceeded => self.end(&status),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer broke off");
                self.end(&status::unavailable(
                    "PEER_UNREACHABLE",
                    "the answer broke off",
                    Duration::from_millis(500),
                ))
            }
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => match self.stop.as_mut().map(|stop| stop.as_mut().poll(context)) {
                Some(Poll::Ready(())) => self.end(&status::unavailable(
                    "SERVER_STOPPING",
                    "the server is stopping; connect again",
                    Duration::from_secs(1),
                )),
                Some(Poll::Pending) | None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Trailers may follow whatever was announced.
        SizeHint::default()
    }
}
