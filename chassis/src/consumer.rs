//! Receiving reliably: each event is applied exactly once, in order for each key, and none blocks the others.

mod inbox;
mod missed;
mod parked;
mod retry;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use missed::PAGE;
pub use missed::{Announced, Outboxes};
pub(crate) use parked::{PARKED, Parked, redrive, storable};

use crate::bus::Unavailable;
use crate::db::{self, Db};
use crate::event::{self, Envelope, Event};
use crate::failpoint;
use crate::time::Timestamp;

/// How long one handling may take before it counts as failed.
const HANDLING_MAX: Duration = Duration::from_secs(30);

/// Applies events of one type. Its effects and the note that the event was applied are one transaction.
pub trait Handle<E: Event>: Send + Sync + 'static {
    /// Applies the event. What is "already so" is a success; an error is tried again, and in the end parked.
    /// No network call belongs here, because a transaction is open.
    fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: E,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Applies events that came together, each of another aggregate. One after the other, unless the service says how all
    /// of them take fewer statements. An error undoes all, and each is then tried alone by [`Handle::handle`].
    fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(E, &Delivery)>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            for (event, delivery) in events {
                self.handle(tx, event, delivery).await?;
            }
            Ok(())
        }
    }
}

impl<E: Event, S: Handle<E>> Handle<E> for Arc<S> {
    async fn handle(&self, tx: &DatabaseTransaction, event: E, delivery: &Delivery) -> Result<(), Error> {
        S::handle(self, tx, event, delivery).await
    }

    async fn handle_all(&self, tx: &DatabaseTransaction, events: Vec<(E, &Delivery)>) -> Result<(), Error> {
        S::handle_all(self, tx, events).await
    }
}

/// What is known of an event besides its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The event's id: the same on every delivery.
    pub id: Uuid,
    /// When it was announced.
    pub time: Timestamp,
    /// The resource name of the aggregate it speaks of.
    pub key: String,
    /// The service that announced it.
    pub source: String,
}

/// Why an event was not applied. Made from any error by `?`; a database that cannot be reached is recognised in it.
pub struct Error(Why);

enum Why {
    Failed(String),
    Poison(String),
    Outage(String),
}

impl Error {
    /// Trying again cannot help: the message is parked at once.
    pub fn poison(reason: impl Into<String>) -> Error {
        Error(Why::Poison(reason.into()))
    }

    /// The event could not be applied now: it is tried again.
    pub fn failed(reason: impl Into<String>) -> Error {
        Error(Why::Failed(reason.into()))
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        let reason = crate::status::chain(&error);
        // A statement that is too slow would be too slow for ever: it counts as a try, and does not hold others up.
        let outage = db::is_outage(&error) && !db::is_too_slow(&error);
        Error(if outage { Why::Outage(reason) } else { Why::Failed(reason) })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Failed(reason) => write!(f, "Failed({reason})"),
            Why::Poison(reason) => write!(f, "Poison({reason})"),
            Why::Outage(reason) => write!(f, "Outage({reason})"),
        }
    }
}

type Handler = Arc<
    dyn for<'a> Fn(&'a DatabaseTransaction, &'a [(Bytes, Delivery)]) -> BoxFuture<'a, Result<(), Error>>
        + Send
        + Sync,
>;

/// A service's handlers, its inbox and its parked messages. Clones share them.
#[derive(Clone)]
pub struct Consumer {
    db: Db,
    noun: String,
    pause: Duration,
    handlers: Arc<BTreeMap<String, Handler>>,
    outboxes: Option<Arc<dyn Outboxes>>,
    history_days: u16,
    /// How long receiving waits for an announcer that does not answer.
    patience: Duration,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("noun", &self.noun).field("kinds", &self.kinds()).finish()
    }
}

impl Consumer {
    /// A consumer that handles nothing yet.
    pub fn new(db: &Db, noun: &str) -> Consumer {
        Consumer {
            db: db.clone(),
            noun: noun.to_owned(),
            pause: parked::PAUSE_MIN,
            handlers: Arc::default(),
            outboxes: None,
            history_days: 30,
            patience: Duration::from_secs(30),
        }
    }

    /// Where to read the events that a broker did not bring, and for how many days what was applied is known. The server
    /// says so for every service.
    #[must_use]
    pub fn reading(self, outboxes: Arc<dyn Outboxes>, history_days: u16) -> Consumer {
        Consumer { outboxes: Some(outboxes), history_days, ..self }
    }

    /// How long receiving waits for an announcer that does not answer. 30 seconds by default.
    pub fn patience(self, patience: Duration) -> Consumer {
        Consumer { patience, ..self }
    }

    /// Has events of type `E` handled by `service`: `.on::<OrderPlaced>(service.clone())`.
    pub fn on<E: Event>(mut self, service: impl Handle<E>) -> Consumer {
        let service = Arc::new(service);
        let handler: Handler = Arc::new(move |tx, payloads| {
            let service = service.clone();
            Box::pin(async move {
                let decode = |payload: &Bytes| {
                    E::decode(payload.clone())
                        .map_err(|error| Error::poison(format!("it cannot be decoded: {error}")))
                };
                if let [(payload, delivery)] = payloads {
                    return service.handle(tx, decode(payload)?, delivery).await;
                }
                let events = payloads.iter().map(|(payload, delivery)| Ok((decode(payload)?, delivery)));
                service.handle_all(tx, events.collect::<Result<_, Error>>()?).await
            })
        });
        Arc::make_mut(&mut self.handlers).insert(E::full_name(), handler);
        self
    }

    /// The pause after a first failure, which doubles with each further one. 1 second by default.
    pub fn pause(mut self, pause: Duration) -> Consumer {
        self.pause = pause;
        self
    }

    /// The full names of the events it handles.
    pub fn kinds(&self) -> BTreeSet<String> {
        self.handlers.keys().cloned().collect()
    }

    /// Takes an event over. `Ok` means that it is applied, was applied before, or is kept here to be tried again or
    /// looked at; an error means that nothing is kept and that it must be offered again.
    pub async fn receive(&self, envelope: &Envelope) -> Result<(), Unavailable> {
        let span = self.span(envelope);
        async {
            match self.apply(envelope).await {
                Ok(inbox::Claim::New | inbox::Claim::Applied | inbox::Claim::Kept) => {
                    Ok(failpoint::at("applied", &[&self.noun, &envelope.kind]).await?)
                }
                Ok(inbox::Claim::Behind) => {
                    parked::keep(&self.db, envelope, &parked::Fault::behind()).await.map_err(unavailable)
                }
                Ok(inbox::Claim::Differs) => {
                    self.park(envelope, "its id is known with a different content").await
                }
                Err(Error(Why::Poison(reason))) => self.park(envelope, &reason).await,
                Err(Error(Why::Failed(reason))) => {
                    tracing::warn!(reason, "an event could not be applied and will be tried again");
                    metrics::counter!("consumer_failures_total", "kind" => envelope.kind.clone())
                        .increment(1);
                    parked::keep(&self.db, envelope, &parked::Fault::failed(&reason, self.pause))
                        .await
                        .map_err(unavailable)
                }
                Err(Error(Why::Outage(reason))) => Err(Unavailable(reason)),
            }
        }
        .instrument(span)
        .await
    }

    /// Keeps a message that cannot be handled for an operator. The same message is kept once.
    pub(crate) async fn park(&self, envelope: &Envelope, reason: &str) -> Result<(), Unavailable> {
        parked::keep(&self.db, envelope, &parked::Fault::parked(reason)).await.map_err(unavailable)?;
        report_parked(envelope, reason);
        Ok(())
    }

    async fn apply(&self, envelope: &Envelope) -> Result<inbox::Claim, Error> {
        let handler = self.handler(envelope)?;
        let claim = self.db.write(async |tx| {
            let claim = inbox::claim(tx, envelope).await?;
            if claim == inbox::Claim::New {
                run(&handler, tx, &[envelope]).await?;
            }
            Ok::<_, Error>(claim)
        });
        let claim = claim.await?;
        if claim == inbox::Claim::New {
            self.applied(envelope);
        }
        Ok(claim)
    }

    /// Measures how far what is made of events here lags behind them.
    fn applied(&self, envelope: &Envelope) {
        let lag = Timestamp::now().since(envelope.time);
        metrics::histogram!("consumer_lag_seconds", "service" => self.noun.clone(), "kind" => envelope.kind.clone())
            .record(lag.as_secs_f64());
    }

    fn handler(&self, envelope: &Envelope) -> Result<Handler, Error> {
        let unknown = || Error::poison(format!("{} does not handle {}", self.noun, envelope.kind));
        self.handlers.get(&envelope.kind).cloned().ok_or_else(unknown)
    }

    fn span(&self, envelope: &Envelope) -> tracing::Span {
        let span = tracing::info_span!(
            "receive event",
            otel.kind = "consumer",
            messaging.destination.name = self.noun,
            event.id = %envelope.id,
            event.kind = envelope.kind,
            event.key = envelope.key,
        );
        if let Some(trace) = &envelope.trace {
            event::continue_trace(&span, trace);
        }
        span
    }
}

async fn run(handler: &Handler, tx: &DatabaseTransaction, envelopes: &[&Envelope]) -> Result<(), Error> {
    let payload = |envelope: &&Envelope| {
        let delivery = Delivery {
            id: envelope.id,
            time: envelope.time,
            key: envelope.key.clone(),
            source: envelope.source.clone(),
        };
        (envelope.payload.clone(), delivery)
    };
    let payloads: Vec<_> = envelopes.iter().map(payload).collect();
    // A panic over one event is undone with its transaction, and must not end the receiving of all others.
    let handling = AssertUnwindSafe(handler(tx, &payloads)).catch_unwind();
    match tokio::time::timeout(HANDLING_MAX, handling).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Error::failed("handling it panicked")),
        Err(_) => Err(Error::failed(format!("it took longer than {} s", HANDLING_MAX.as_secs()))),
    }
}

fn report_parked(envelope: &Envelope, reason: &str) {
    metrics::counter!("consumer_parked_total", "kind" => envelope.kind.clone()).increment(1);
    tracing::error!(
        event.id = %envelope.id,
        event.kind = envelope.kind,
        event.key = envelope.key,
        reason,
        "a message is parked: an operator must look at it"
    );
}

fn unavailable(error: DbErr) -> Unavailable {
    Unavailable(crate::status::chain(&error))
}
