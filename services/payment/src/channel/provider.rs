//! A provider behind HTTP that speaks the sandbox's protocol: see the crate `provider-simulator`.
//!
//! What an answer means decides what may be done next. Only where it is certain that nothing was done (no connection, or
//! refused before any work) is the provider *unavailable*; silence, a broken connection and every 5xx leave the outcome
//! *unknown*, and the key is asked about.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chassis::config::Secret;
use chassis::simulated::{Lost, Network, World};
use chassis::time::Timestamp;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::signature::Secrets;
use super::{
    Accepted, Announcement, Answer, Authorization, Channel, Charge, Fault, Movement, Notice, Outcome, Page,
    Unread,
};
use crate::config::Config;
use crate::domain::reconcile::{Day, Line, Moved};
use crate::store::money;

const CONNECT_MAX: Duration = Duration::from_secs(1);
/// No answer of the protocol is larger.
const BODY_BYTES_MAX: usize = 1024 * 1024;

pub(super) struct Provider {
    way: Way,
    url: Url,
    api_key: Secret,
    /// Without them nothing that comes in its name is believed.
    secrets: Option<Secrets>,
}

/// How it is reached.
enum Way {
    Http(Client),
    Simulated(Arc<dyn Network>),
}

/// What the provider says it did.
#[derive(Debug, Deserialize)]
struct Operation {
    key: String,
    kind: Kind,
    order: String,
    status: Done,
    reason: String,
    reference: String,
    amount_minor: i64,
    currency: String,
    fee_minor: i64,
    method_summary: String,
    /// In microseconds since 1970.
    time: i64,
}

/// What the provider announces by itself.
#[derive(Debug, Deserialize)]
struct Event {
    data: Operation,
}

/// A page of what it took and gave back on a day.
#[derive(Debug, Deserialize)]
struct Statement {
    lines: Vec<Operation>,
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Authorize,
    Capture,
    Void,
    Refund,
}

impl From<Kind> for Movement {
    fn from(kind: Kind) -> Movement {
        match kind {
            Kind::Authorize => Movement::Authorize,
            Kind::Capture => Movement::Capture,
            Kind::Void => Movement::Void,
            Kind::Refund => Movement::Refund,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Succeeded,
    Declined,
}

impl Operation {
    /// It as a line of a statement; nothing where it moved no money.
    fn line(self) -> Result<Option<Line>, Fault> {
        let moved = match (self.kind, self.status) {
            (Kind::Capture, Done::Succeeded) => Moved::Captured,
            (Kind::Refund, Done::Succeeded) => Moved::Refunded,
            (
                Kind::Authorize | Kind::Capture | Kind::Void | Kind::Refund,
                Done::Succeeded | Done::Declined,
            ) => {
                return Ok(None);
            }
        };
        Ok(Some(Line {
            moved,
            amount: money(self.amount_minor, &self.currency).map_err(unreadable)?,
            key: self.key,
            order: self.order,
            reference: self.reference,
            time: Timestamp::from_micros(self.time),
        }))
    }

    fn outcome(self) -> Answer {
        Ok(match self.status {
            Done::Declined => Outcome::Refused(self.reason),
            Done::Succeeded => Outcome::Accepted(Accepted {
                amount: money(self.amount_minor, &self.currency).map_err(unreadable)?,
                reference: self.reference,
                method_summary: self.method_summary,
                fee: self.fee_minor,
            }),
        })
    }
}

impl Provider {
    pub(super) fn open(
        url: &str,
        config: &Config,
        world: Option<&World>,
    ) -> Result<Provider, chassis::Error> {
        let wrong = |error: &dyn Display| chassis::Error::Settings(format!("SANDBOX_URL: {error}"));
        let url: Url = url.parse().map_err(|error| wrong(&error))?;
        if url.cannot_be_a_base() {
            return Err(wrong(&"it is no address such as http://127.0.0.1:8089"));
        }
        let api_key = config.sandbox_api_key.clone();
        let api_key = api_key.ok_or_else(|| wrong(&"it needs SANDBOX_API_KEY as well"))?;
        let secrets = config.sandbox_webhook_secrets.as_ref().map(Secrets::read).transpose()?;
        let way = match world {
            Some(world) => Way::Simulated(world.network.clone()),
            None => Way::Http(client().map_err(|error| wrong(&error))?),
        };
        Ok(Provider { way, url, api_key, secrets })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    fn request(&self, method: Method, url: &Url) -> Builder {
        let shown = format!("Bearer {}", self.api_key.expose());
        http::Request::builder().method(method).uri(url.as_str()).header(AUTHORIZATION, shown)
    }

    async fn act(&self, collection: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, &self.url(&[collection])).header("idempotency-key", key);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string().into());
        match self.answer::<Operation>(request).await? {
            Some(operation) => operation.outcome(),
            None => Err(Fault::Unavailable("it knows no such call".to_owned())),
        }
    }

    async fn get<T: for<'a> Deserialize<'a>>(&self, url: &Url) -> Result<Option<T>, Fault> {
        self.answer(self.request(Method::GET, url).body(Bytes::new())).await
    }

    /// The answer of a success; nothing where there is no such thing.
    async fn answer<T: for<'a> Deserialize<'a>>(
        &self,
        request: http::Result<http::Request<Bytes>>,
    ) -> Result<Option<T>, Fault> {
        let request = request.map_err(unreached)?;
        let (status, body) = match &self.way {
            Way::Http(client) => fetch(client, request).await?,
            Way::Simulated(network) => {
                let answer = network.fetch(request).await.map_err(|Lost| Fault::Unknown)?;
                (answer.status(), answer.into_body().into())
            }
        };
        match status {
            StatusCode::OK => serde_json::from_slice(&body).map(Some).map_err(unreadable),
            StatusCode::NOT_FOUND => Ok(None),
            // The key stands for something else: what that was, asking will tell.
            StatusCode::CONFLICT => Err(Fault::Unknown),
            refused if refused.is_client_error() => Err(Fault::Unavailable(format!("it answered {refused}"))),
            _ => Err(Fault::Unknown),
        }
    }
}

fn client() -> reqwest::Result<Client> {
    chassis::host::install_crypto();
    Client::builder()
        .connect_timeout(CONNECT_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// The status of an answer, and the body of a success.
async fn fetch(client: &Client, request: http::Request<Bytes>) -> Result<(StatusCode, Vec<u8>), Fault> {
    let request = request.try_into().map_err(unreached)?;
    let mut response =
        client.execute(request).await.map_err(|error| match error.is_connect() || error.is_builder() {
            true => unreached(error),
            false => Fault::Unknown,
        })?;
    let mut body = Vec::new();
    if response.status() != StatusCode::OK {
        return Ok((response.status(), body));
    }
    while let Some(part) = response.chunk().await.map_err(unreadable)? {
        body.extend_from_slice(&part);
        if body.len() > BODY_BYTES_MAX {
            return Err(unreadable("it is too large"));
        }
    }
    Ok((StatusCode::OK, body))
}

fn unreached(error: impl Display) -> Fault {
    Fault::Unavailable(format!("it cannot be reached: {error}"))
}

/// An answer that makes no sense says nothing about what was done.
fn unreadable(error: impl Display) -> Fault {
    tracing::warn!(%error, "the provider's answer cannot be read");
    Fault::Unknown
}

fn movement(charge: &Charge<'_>) -> Value {
    json!({
        "authorization": charge.authorization,
        "amount_minor": charge.amount.minor,
        "currency": charge.amount.currency.as_str(),
    })
}

#[async_trait]
impl Channel for Provider {
    async fn authorize(&self, key: &str, asked: &Authorization<'_>) -> Answer {
        let body = json!({
            "order": asked.order,
            "token": asked.token,
            "amount_minor": asked.amount.minor,
            "currency": asked.amount.currency.as_str(),
        });
        self.act("authorizations", key, &body).await
    }

    async fn capture(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.act("captures", key, &movement(charge)).await
    }

    async fn void(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.act("voids", key, &movement(charge)).await
    }

    async fn refund(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.act("refunds", key, &movement(charge)).await
    }

    async fn query(&self, key: &str) -> Result<Option<Outcome>, Fault> {
        let operation = self.get::<Operation>(&self.url(&["operations", key])).await?;
        operation.map(Operation::outcome).transpose()
    }

    async fn statement(&self, day: Day, after: &str) -> Result<Page, Fault> {
        let mut url = self.url(&["statements", &day.to_string()]);
        url.query_pairs_mut().append_pair("after", after);
        let page = self.get::<Statement>(&url).await?;
        let Statement { lines, next } =
            page.ok_or_else(|| Fault::Unavailable("it has no statement of that day".to_owned()))?;
        let lines = lines.into_iter().filter_map(|line| line.line().transpose()).collect::<Result<_, _>>()?;
        Ok(Page { lines, next })
    }

    fn read(&self, announcement: &Announcement<'_>) -> Result<Notice, Unread> {
        let secrets = self.secrets.as_ref().ok_or(Unread::Unannounced)?;
        let event = secrets.verify(announcement)?.to_owned();
        let Event { data } = serde_json::from_slice(announcement.body).map_err(|_| Unread::Senseless)?;
        let (movement, key, order) = (data.kind.into(), data.key.clone(), data.order.clone());
        let outcome = data.outcome().map_err(|_| Unread::Senseless)?;
        Ok(Notice { event, movement, key, order, outcome })
    }
}
