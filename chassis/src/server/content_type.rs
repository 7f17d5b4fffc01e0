//! Turns away what is not gRPC: tonic would try to read it.
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use tonic::body::Body;

use super::around::{Answer, Around, Call, Inner, proceed};

/// Answers HTTP 415 to anything but `application/grpc`, as the gRPC specification asks.
#[derive(Clone)]
pub(crate) struct ContentType;

impl Around for ContentType {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        if is_grpc(call.headers()) {
            return proceed(inner, call).await;
        }
        let mut answer = Answer::new(Body::empty());
        *answer.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        answer
    }
}

fn is_grpc(headers: &HeaderMap<HeaderValue>) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(kind.as_str(), "application/grpc" | "application/grpc+proto")
}
