//! Reads the one message of a unary request, within the contract's limit, and answers what tonic answers otherwise
//! than the gRPC specification.
use std::io::Read;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderValue, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, Full};
use tonic::{Code, Status, body::Body};

use super::around::{Answer, Around, Call, Inner, proceed, refuse};
use crate::{
    deadline,
    policy::{self, MethodPolicy},
    status::{self, DOMAIN},
};

/// The flag and the length before each message.
const PREFIX_BYTES: usize = 5;
const ENCODING: &str = "grpc-encoding";

/// Hands on exactly one message that is within its method's limit.
#[derive(Clone)]
pub(crate) struct Framing;

impl Around for Framing {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        let policy = match policy::of(call.uri().path()) {
            Some(policy) if !policy.client_streaming => policy,
            // What is sent as a stream is bounded message by message, by tonic and by the handler.
            _ => return proceed(inner, call).await,
        };
        let (mut parts, body) = call.into_parts();
        let encoding = parts.headers.remove(ENCODING);
        let read = read_message(policy, encoding.as_ref(), body);
        // The work outlives the answer, so a caller who never ends their request is cut here.
        let message = match deadline::remaining() {
            Some(left) => tokio::time::timeout(left, read)
                .await
                .unwrap_or_else(|_| Err(broken(Code::DeadlineExceeded, "the request did not end in time"))),
            None => read.await,
        };
        match message {
            Ok(message) => {
                parts.headers.remove(CONTENT_LENGTH);
                proceed(inner, Call::from_parts(parts, Body::new(Full::new(message)))).await
            }
            Err(status) => refuse(status),
        }
    }
}

/// The message with its prefix, uncompressed.
async fn read_message(
    policy: &MethodPolicy,
    encoding: Option<&HeaderValue>,
    mut body: Body,
) -> Result<Bytes, Status> {
    let mut read = BytesMut::new();
    let mut announced = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| broken(Code::Cancelled, "the request was not sent to its end"))?;
        let Ok(data) = frame.into_data() else { continue };
        read.extend_from_slice(&data);
        if announced.is_none() && read.len() >= PREFIX_BYTES {
            announced = Some(announced_bytes(policy, &read)?);
        }
        if announced.is_some_and(|length| read.len() > PREFIX_BYTES + length) {
            return Err(broken(Code::Unimplemented, "the method takes one message"));
        }
    }
    match announced {
        None if read.is_empty() => Err(broken(Code::Internal, "the request has no message")),
        Some(length) if read.len() == PREFIX_BYTES + length => uncompressed(policy, encoding, read.freeze()),
        _ => Err(broken(Code::Internal, "the message is shorter than announced")),
    }
}

/// The length the prefix announces. Checked before anything is kept for it.
fn announced_bytes(policy: &MethodPolicy, mut prefix: &[u8]) -> Result<usize, Status> {
    if prefix.get_u8() > 1 {
        return Err(broken(Code::Internal, "the message has an unknown flag"));
    }
    let length = usize::try_from(prefix.get_u32()).unwrap_or(usize::MAX);
    if length > policy.request_bytes_max {
        Err(status::too_large(policy.request_bytes_max))
    } else {
        Ok(length)
    }
}

fn uncompressed(
    policy: &MethodPolicy,
    encoding: Option<&HeaderValue>,
    message: Bytes,
) -> Result<Bytes, Status> {
    let encoding = encoding.map_or("identity".as_bytes(), HeaderValue::as_bytes);
    let compressed = message.first() == Some(&1);
    match (encoding, compressed) {
        (b"identity" | b"gzip", false) => Ok(message),
        (b"identity", true) => Err(broken(Code::Internal, "the message is compressed, but how is not said")),
        (b"gzip", true) => inflate(policy, &message[PREFIX_BYTES..]),
        _ => Err(broken(Code::Unimplemented, "the message encoding is not supported; use identity or gzip")),
    }
}

/// Inflates within the same limit, so that a small request cannot become a large one.
fn inflate(policy: &MethodPolicy, compressed: &[u8]) -> Result<Bytes, Status> {
    let limit = u64::try_from(policy.request_bytes_max).unwrap_or(u64::MAX);
    let mut message = vec![0; PREFIX_BYTES];
    flate2::read::GzDecoder::new(compressed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut message)
        .map_err(|_| broken(Code::Internal, "the message is not gzip"))?;
    let length = message.len() - PREFIX_BYTES;
    if length > policy.request_bytes_max {
        return Err(status::too_large(policy.request_bytes_max));
    }
    let announced = u32::try_from(length).map_err(|_| status::too_large(policy.request_bytes_max))?;
    message[1..PREFIX_BYTES].copy_from_slice(&announced.to_be_bytes());
    Ok(message.into())
}

fn broken(code: Code, message: &str) -> Status {
    status::plain(code, "REQUEST_BROKEN", DOMAIN, message, &[])
}
