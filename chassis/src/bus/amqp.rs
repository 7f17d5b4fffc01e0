//! The bus through a broker: confirmed publishing, quorum queues, and connections that are rebuilt when they break.

mod receive;
mod topology;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::topology::Names;
use super::Unavailable;
use crate::consumer::Consumer;
use crate::event::Envelope;

/// How long the broker may take to answer before the connection is given up.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a connection is looked at; its heartbeat finds a silent peer.
const LOOK: Duration = Duration::from_millis(200);
const PERSISTENT: u8 = 2;

/// The headers an event travels with besides the standard properties.
const TRACEPARENT: &str = "traceparent";
const KEY: &str = "x-key";
const TIME: &str = "x-time";

/// A broker. Clones share the publishing connection; each consumer has one of its own, so that a broker that holds
/// publishers back does not hold back the acks.
#[derive(Clone)]
pub struct AmqpBus {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    names: Names,
    publisher: watch::Sender<Option<Channel>>,
    /// Services whose queue is not declared, bound and listened to now.
    deaf: AtomicUsize,
    broken: Notify,
}

impl std::fmt::Debug for AmqpBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address carries the password.
        f.debug_struct("AmqpBus")
            .field("names", &self.inner.names)
            .field("connected", &self.connected())
            .finish()
    }
}

impl AmqpBus {
    /// Connects in the background, now and whenever the connection breaks. All names at the broker begin with the
    /// prefix: `cartwright.` in production.
    pub fn connect(url: &str, prefix: &str) -> AmqpBus {
        let inner = Arc::new(Inner {
            url: with_heartbeat(url),
            names: Names::new(prefix),
            publisher: watch::Sender::new(None),
            deaf: AtomicUsize::new(0),
            broken: Notify::new(),
        });
        supervise(Arc::downgrade(&inner));
        AmqpBus { inner }
    }

    /// Whether events can be sent, and everybody served here receives. A service that is not yet bound misses what is
    /// sent, so it should not count as ready before.
    pub fn connected(&self) -> bool {
        self.inner.deaf.load(Ordering::SeqCst) == 0
            && self.inner.publisher.borrow().as_ref().is_some_and(|channel| channel.status().connected())
    }

    pub(super) async fn ready(&self) {
        // The sender lives as long as this bus, so waiting cannot fail.
        let _ = self.inner.publisher.subscribe().wait_for(Option::is_some).await;
    }

    #[allow(clippy::disallowed_methods, reason = "this is where the outbox is sent from")]
    pub(super) async fn publish(&self, envelope: &Envelope) -> Result<(), Unavailable> {
        let channel = self.inner.publisher.borrow().clone();
        let channel = channel.ok_or_else(|| Unavailable("the broker cannot be reached".to_owned()))?;
        let confirm = async {
            channel
                .basic_publish(
                    self.inner.names.exchange().into(),
                    envelope.kind.as_str().into(),
                    BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
                    &envelope.payload,
                    properties(envelope),
                )
                .await?
                .await
        };
        match tokio::time::timeout(ANSWER_MAX, confirm).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => {
                // No queue is bound to its type: nobody has ever asked for it.
                metrics::counter!("outbox_unroutable_total", "kind" => envelope.kind.clone()).increment(1);
                Ok(())
            }
            Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => {
                Err(Unavailable("the broker did not accept the event".to_owned()))
            }
            Ok(Err(error)) => {
                self.inner.broken.notify_one();
                Err(Unavailable(error.to_string()))
            }
            Err(_) => {
                // A confirm that does not come will not come: the connection is rebuilt.
                self.inner.broken.notify_one();
                Err(Unavailable(format!("the broker did not confirm within {} s", ANSWER_MAX.as_secs())))
            }
        }
    }

    pub(super) async fn serve(&self, noun: &str, consumer: &Consumer, shutdown: CancellationToken) {
        receive::serve(&self.inner, noun, consumer, shutdown).await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Wakes the supervisor, which then finds that it watches over nothing.
        self.broken.notify_one();
    }
}

/// Keeps a publishing channel open for as long as the bus exists.
#[allow(clippy::disallowed_methods, reason = "it ends with the bus, not with the work in progress")]
fn supervise(inner: Weak<Inner>) {
    tokio::spawn(async move {
        let mut pause = PAUSE_MIN;
        while let Some(bus) = inner.upgrade() {
            let opened = tokio::time::timeout(ANSWER_MAX, open(&bus)).await;
            let connection = match opened {
                Ok(Ok((connection, channel))) => {
                    bus.publisher.send_replace(Some(channel));
                    pause = PAUSE_MIN;
                    connection
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "the broker cannot be reached for publishing; trying again");
                    drop(bus);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
                Err(_) => continue,
            };
            drop(bus);
            while let Some(bus) = inner.upgrade() {
                let healthy = connection.status().connected()
                    && bus.publisher.borrow().as_ref().is_some_and(|channel| channel.status().connected());
                if !healthy {
                    break;
                }
                let broken = tokio::time::timeout(LOOK, bus.broken.notified()).await.is_ok();
                if broken {
                    break;
                }
            }
            if let Some(bus) = inner.upgrade() {
                tracing::warn!("the publishing connection to the broker broke; rebuilding it");
                bus.publisher.send_replace(None);
            }
            let _ = tokio::time::timeout(ANSWER_MAX, connection.close(200, "goodbye".into())).await;
        }
    });
}

async fn open(bus: &Inner) -> Result<(Connection, Channel), lapin::Error> {
    let connection = Connection::connect(&bus.url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    topology::exchange(&channel, &bus.names).await?;
    Ok((connection, channel))
}

fn properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(KEY.into(), AMQPValue::LongString(envelope.key.as_str().into()));
    headers.insert(TIME.into(), AMQPValue::LongLongInt(envelope.time.micros()));
    if let Some(trace) = &envelope.trace {
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(trace.as_str().into()));
    }
    let seconds = u64::try_from(envelope.time.micros() / 1_000_000).unwrap_or_default();
    BasicProperties::default()
        .with_message_id(envelope.id.to_string().into())
        .with_type(envelope.kind.as_str().into())
        .with_app_id(envelope.source.as_str().into())
        .with_content_type("application/x-protobuf".into())
        .with_timestamp(seconds)
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// A silent peer is found within 20 seconds, whatever the broker proposes.
fn with_heartbeat(url: &str) -> String {
    if url.contains("heartbeat=") {
        return url.to_owned();
    }
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}heartbeat=10")
}
