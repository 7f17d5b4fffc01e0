//! Announcing operations, signed in the style of [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! The body is `{id, type, time, data}`: `type` is such as `capture.succeeded`, and `data` the operation. The headers are
//! `webhook-id`, `webhook-timestamp` in seconds, and `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 of
//! `id.timestamp.body`, once for each secret, separated by spaces. What is not answered with success is sent again.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use ring::hmac;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::api::{Provider, now};
use crate::book::{Kind, Operation, Status};
use crate::script::Webhooks;

const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How many are sent at once.
const AT_ONCE: usize = 32;

/// An operation that is to be announced.
pub(crate) struct Due {
    pub(crate) key: String,
    pub(crate) delay: Duration,
    /// Who waits until it was tried for the first time.
    pub(crate) tried: Option<oneshot::Sender<()>>,
}

/// A body and the headers it is sent with.
#[derive(Clone, Debug)]
pub struct Signed {
    /// `webhook-id`: the same each time the same is announced.
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: String,
    /// The body, byte for byte as it was signed.
    pub body: Vec<u8>,
}

/// The announcement of an operation, signed with each of the secrets.
pub fn announcement(operation: &Operation, secrets: &[String]) -> Signed {
    let kind = match operation.kind {
        Kind::Authorize => "authorize",
        Kind::Capture => "capture",
        Kind::Void => "void",
        Kind::Refund => "refund",
    };
    let status = match operation.status {
        Status::Succeeded => "succeeded",
        Status::Declined => "declined",
    };
    let id = format!("evt_{}", operation.key.replace('-', ""));
    let body =
        json!({ "id": id, "type": format!("{kind}.{status}"), "time": operation.time, "data": operation });
    sign(&id, now() / 1_000_000, body.to_string().into_bytes(), secrets)
}

/// Signs a body as it is.
pub fn sign(id: &str, timestamp: i64, body: Vec<u8>, secrets: &[String]) -> Signed {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(&body);
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
            let key = STANDARD.decode(encoded).unwrap_or_else(|_| encoded.as_bytes().to_vec());
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
            format!("v1,{}", STANDARD.encode(tag))
        })
        .collect();
    Signed { id: id.to_owned(), timestamp, signature: signatures.join(" "), body }
}

/// Announces what is due until nobody is left to say what that is.
pub(crate) async fn deliver(provider: Arc<Provider>, mut due: mpsc::UnboundedReceiver<Due>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut sending = JoinSet::new();
    while let Some(due) = due.recv().await {
        while sending.try_join_next().is_some() {}
        sending.spawn(until_taken(provider.clone(), places.clone(), due));
    }
}

async fn until_taken(provider: Arc<Provider>, places: Arc<Semaphore>, mut due: Due) {
    tokio::time::sleep(due.delay).await;
    // What a crash may still undo is announced to nobody.
    if !provider.kept().await {
        return;
    }
    let Some(operation) = provider.find(&due.key) else { return };
    let mut pause = PAUSE_MIN;
    loop {
        let webhooks = provider.script().webhooks;
        if webhooks.url.is_empty() {
            return;
        }
        let taken = {
            let _place = places.acquire().await;
            send(&webhooks, &operation).await
        };
        if let Some(tried) = due.tried.take() {
            // The caller may have gone.
            let _ = tried.send(());
        }
        if taken {
            return provider.delivered(&due.key);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Sends an announcement once, and tells whether it was taken.
async fn send(webhooks: &Webhooks, operation: &Operation) -> bool {
    let signed = announcement(operation, &webhooks.secrets);
    match tokio::time::timeout(PATIENCE, post(&webhooks.url, signed)).await {
        Ok(Ok(taken)) => taken,
        Ok(Err(error)) => {
            tracing::debug!(error, url = webhooks.url, "an announcement could not be sent");
            false
        }
        Err(_) => false,
    }
}

async fn post(url: &str, signed: Signed) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let url: Uri = url.parse()?;
    let authority = url.authority().ok_or("the URL names no host")?.clone();
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, authority.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header("webhook-id", signed.id)
        .header("webhook-timestamp", signed.timestamp)
        .header("webhook-signature", signed.signature)
        .body(Full::new(Bytes::from(signed.body)))?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let taken = answer.status().is_success();
        answer.into_body().collect().await?;
        Ok::<_, hyper::Error>(taken)
    };
    // The connection moves the bytes; it ends with the exchange.
    tokio::select! {
        taken = exchange => Ok(taken?),
        ended = connection => {
            ended?;
            Err("the connection was closed".into())
        }
    }
}
