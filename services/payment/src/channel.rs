//! Channels: those who move the money. Each is an adapter behind one trait, known by its name.

mod imported;
mod provider;
mod sandbox;
mod signature;
mod statement;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::db::Db;
use chassis::failpoint;
use chassis::money::Money;
use chassis::simulated::World;
use chassis::time::Timestamp;

use crate::config::Config;
use crate::domain::reconcile::{Day, Line};

pub(crate) use imported::IMPORTED;

/// Moves money. Every operation carries a key of ours, and does its work once however often it is asked under it.
#[async_trait]
pub(crate) trait Channel: Send + Sync {
    /// Promises the money of an order.
    async fn authorize(&self, key: &str, asked: &Authorization<'_>) -> Answer;
    /// Takes what was promised.
    async fn capture(&self, key: &str, charge: &Charge<'_>) -> Answer;
    /// Forgets a promise, or makes sure that it is never made: the authorization may not have arrived yet, or never will.
    async fn void(&self, key: &str, charge: &Charge<'_>) -> Answer;
    /// Gives back what was taken, or a part of it.
    async fn refund(&self, key: &str, charge: &Charge<'_>) -> Answer;
    /// Tells what became of the operation asked under the key; nothing where it never arrived.
    async fn query(&self, key: &str) -> Result<Option<Outcome>, Fault>;
    /// Tells what it took and gave back on a day, from where the page before says.
    async fn statement(&self, _: Day, _: &str) -> Result<Page, Fault> {
        Err(Fault::Unavailable("it has no statement".to_owned()))
    }
    /// Reads what the channel announced by itself, once it is certain that it did.
    fn read(&self, _: &Announcement<'_>) -> Result<Notice, Unread> {
        Err(Unread::Unannounced)
    }
}

/// A page of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) lines: Vec<Line>,
    /// Asks for the next page; nothing on the last.
    pub(crate) next: Option<String>,
}

/// What came over HTTP in a channel's name.
pub(crate) struct Announcement<'a> {
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
    /// When it arrived.
    pub(crate) now: Timestamp,
}

impl Announcement<'_> {
    /// A header that is there once.
    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_str())
    }
}

/// Why an announcement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("the channel announces nothing")]
    Unannounced,
    #[error("the signature is missing, wrong or too old")]
    Unsigned,
    #[error("it is signed, but makes no sense")]
    Senseless,
}

/// What a channel needs to promise money.
#[derive(Clone, Copy)]
pub(crate) struct Authorization<'a> {
    pub(crate) order: &'a str,
    /// What the channel's client library gave. No `Debug`: it must not be logged.
    pub(crate) token: &'a str,
    pub(crate) amount: Money,
}

/// Promised money, as the channel knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge<'a> {
    /// The key of its authorization.
    pub(crate) authorization: &'a str,
    /// What the channel called it; empty where it never answered.
    pub(crate) reference: &'a str,
    /// How much of it is meant.
    pub(crate) amount: Money,
}

/// What a channel says it did under a key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What it calls the announcement.
    pub(crate) event: String,
    pub(crate) movement: Movement,
    pub(crate) key: String,
    pub(crate) order: String,
    pub(crate) outcome: Outcome,
}

/// What is done with the money of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    Authorize,
    Capture,
    Void,
    Refund,
}

/// What the channel did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What it was asked to do.
    Accepted(Accepted),
    /// Nothing, for a stable reason such as `CARD_DECLINED`.
    Refused(String),
}

/// What a channel says of what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// What it calls the promised money.
    pub(crate) reference: String,
    /// What the customer recognises it by; empty unless it was an authorization.
    pub(crate) method_summary: String,
    /// How much it moved. It is compared with what was asked.
    pub(crate) amount: Money,
    /// How much of it the channel keeps, in minor units.
    pub(crate) fee: i64,
}

/// Why the channel did not say what it did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It did nothing, and may later.
    #[error("the channel does not work at present: {0}")]
    Unavailable(String),
    /// It did not answer in time: it may have done it or not.
    #[error("the channel did not answer in time")]
    Unknown,
}

impl From<failpoint::Lost> for Fault {
    fn from(_: failpoint::Lost) -> Fault {
        Fault::Unknown
    }
}

/// The answer to an operation.
pub(crate) type Answer = Result<Outcome, Fault>;

/// The channels by name.
#[derive(Clone)]
pub(crate) struct Channels {
    by_name: Arc<BTreeMap<String, Arc<dyn Channel>>>,
    /// How long any of them may take.
    pub(crate) timeout: Duration,
}

impl Channels {
    /// The channels that the settings name, and the one for what was paid elsewhere.
    pub(crate) fn open(config: &Config, db: &Db, world: Option<&World>) -> Result<Channels, chassis::Error> {
        let mut by_name: BTreeMap<String, Arc<dyn Channel>> = BTreeMap::new();
        by_name.insert(IMPORTED.to_owned(), Arc::new(imported::Imported));
        for name in &config.payment_channels {
            let channel: Arc<dyn Channel> = match name.as_str() {
                SANDBOX => match config.sandbox_url.as_deref().filter(|url| !url.is_empty()) {
                    Some(url) => Arc::new(provider::Provider::open(url, config, world)?),
                    None if config.sandbox_webhook_secrets.is_some() => {
                        return Err(chassis::Error::Settings(
                            "SANDBOX_WEBHOOK_SECRETS is set and SANDBOX_URL is not: nobody is there to announce anything"
                                .to_owned(),
                        ));
                    }
                    None => Arc::new(sandbox::Sandbox::new(db)),
                },
                other => {
                    return Err(chassis::Error::Settings(format!(
                        "PAYMENT_CHANNELS names {other}, which is no channel"
                    )));
                }
            };
            by_name.insert(name.clone(), channel);
        }
        let timeout = Duration::from_millis(config.payment_channel_timeout_ms);
        Ok(Channels { by_name: Arc::new(by_name), timeout })
    }

    /// Whether customers may pay through it.
    pub(crate) fn offers(&self, name: &str) -> bool {
        name != IMPORTED && self.by_name.contains_key(name)
    }

    /// Those that customers may pay through.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str).filter(|name| *name != IMPORTED)
    }

    /// Reads what came over HTTP in the name of a channel.
    pub(crate) fn read(&self, name: &str, announcement: &Announcement<'_>) -> Result<Notice, Unread> {
        self.by_name.get(name).map_or(Err(Unread::Unannounced), |channel| channel.read(announcement))
    }

    /// The channel of that name, bounded in time. One that is no longer set up is unavailable, not forgotten.
    pub(crate) fn get(&self, name: &str) -> Bounded {
        Bounded { channel: self.by_name.get(name).cloned(), timeout: self.timeout }
    }
}

/// The sandbox: the provider that the settings name, or one of our own.
const SANDBOX: &str = "sandbox";

/// A channel whose silence is an unknown outcome.
pub(crate) struct Bounded {
    channel: Option<Arc<dyn Channel>>,
    timeout: Duration,
}

impl Bounded {
    async fn ask<'a, T, W>(&'a self, work: impl FnOnce(&'a dyn Channel) -> W) -> Result<T, Fault>
    where
        W: Future<Output = Result<T, Fault>> + 'a,
    {
        let Some(channel) = &self.channel else {
            return Err(Fault::Unavailable("it is not set up".to_owned()));
        };
        tokio::time::timeout(self.timeout, work(channel.as_ref())).await.unwrap_or(Err(Fault::Unknown))
    }
}

#[async_trait]
impl Channel for Bounded {
    async fn authorize(&self, key: &str, asked: &Authorization<'_>) -> Answer {
        failpoint::at("asking", &["authorize"]).await?;
        let answer = self.ask(|channel| channel.authorize(key, asked)).await;
        failpoint::at("asked", &["authorize"]).await?;
        answer
    }

    async fn capture(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.ask(|channel| channel.capture(key, charge)).await
    }

    async fn void(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.ask(|channel| channel.void(key, charge)).await
    }

    async fn refund(&self, key: &str, charge: &Charge<'_>) -> Answer {
        self.ask(|channel| channel.refund(key, charge)).await
    }

    async fn query(&self, key: &str) -> Result<Option<Outcome>, Fault> {
        self.ask(|channel| channel.query(key)).await
    }

    async fn statement(&self, day: Day, after: &str) -> Result<Page, Fault> {
        self.ask(|channel| channel.statement(day, after)).await
    }
}
