//! What payment channels announce by themselves, handed to payment as it came: who sent it, the signature says.
use std::time::Duration;

use bytes::Bytes;
use chassis::client::Channel;
use contract::payment::v1::payment_service_client::PaymentServiceClient;
use contract::payment::v1::{ReceiveWebhookRequest, WebhookHeader};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::files::plain;

const BODY_BYTES_MAX: usize = 1024 * 1024;
/// A sender whose body does not end in this time is cut off.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
const HEADERS_MAX: usize = 32;

/// Hands an announcement on, and answers as its sender expects: with success once it is stored.
pub(crate) async fn receive(payment: Channel, channel: &str, request: Request<Body>) -> Response<Body> {
    if request.method() != Method::POST {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "announcements are POSTs");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return answer;
    }
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "at most 1 MiB");
        }
        Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the body cannot be read"),
        Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body did not end in time"),
    };
    let request = announcement(channel, &parts.headers, body);
    match PaymentServiceClient::new(payment).receive_webhook(request).await {
        Ok(_) => plain(StatusCode::OK, "taken"),
        Err(status) => refused(&status),
    }
}

fn announcement(channel: &str, headers: &HeaderMap, body: Bytes) -> ReceiveWebhookRequest {
    // What signs an announcement, by whichever channel's custom. Nothing else of its sender's is payment's business.
    let signs = |name: &str| name.starts_with("webhook-") || name.contains("signature");
    let headers = headers
        .iter()
        .filter(|(name, _)| signs(name.as_str()))
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?.to_owned();
            Some(WebhookHeader { name: name.as_str().to_owned(), value })
        })
        .take(HEADERS_MAX)
        .collect();
    ReceiveWebhookRequest { channel: channel.to_owned(), headers, body: body.into() }
}

fn refused(status: &Status) -> Response<Body> {
    let (code, message) = [
        (Code::Unauthenticated, StatusCode::UNAUTHORIZED, "the signature is missing, wrong or too old"),
        (Code::InvalidArgument, StatusCode::BAD_REQUEST, "the announcement makes no sense"),
        (Code::NotFound, StatusCode::NOT_FOUND, "not found"),
    ]
    .into_iter()
    .find_map(|(code, http, message)| (code == status.code()).then_some((http, message)))
    .unwrap_or((StatusCode::SERVICE_UNAVAILABLE, "try again later"));
    plain(code, message)
}
