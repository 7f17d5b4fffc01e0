//! Receiving from the broker: what is there together, in order, acknowledged after the commit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::topology;
use super::{ANSWER_MAX, Inner, KEY, LOOK, PAUSE_MAX, PAUSE_MIN, TIME, TRACEPARENT};
use crate::bus::Unavailable;
use crate::consumer::{Consumer, storable};
use crate::event::Envelope;
use crate::id::Id;
use crate::pace::Pace;
use crate::time::Timestamp;

/// Messages taken from the broker and not yet acknowledged: also how many are applied together.
const PREFETCH: u16 = 50;
/// A larger message is no event of ours, and is not kept.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// So is one that says more than this of itself in one header: keys are found by index, which has a limit of its own.
const HEADER_BYTES_MAX: usize = 500;

/// Why receiving stopped.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Amqp(#[from] lapin::Error),
    #[error("the broker does not answer")]
    Silent,
    #[error("the connection to the broker is lost")]
    Lost,
}

/// Receives until told to stop, over one connection after the other.
pub(super) async fn serve(bus: &Inner, noun: &str, consumer: &Consumer, shutdown: CancellationToken) {
    let mut pause = PAUSE_MIN;
    while !shutdown.is_cancelled() {
        let deaf = Deaf::new(&bus.deaf);
        match receive(bus, noun, consumer, &shutdown, &mut pause, deaf).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(error = %error, "receiving from the broker broke; trying again"),
        }
        let _deaf = Deaf::new(&bus.deaf);
        let _ = shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Counts among those who do not receive for as long as it lives.
struct Deaf<'a>(&'a AtomicUsize);

impl Deaf<'_> {
    fn new(count: &AtomicUsize) -> Deaf<'_> {
        count.fetch_add(1, Ordering::SeqCst);
        Deaf(count)
    }
}

impl Drop for Deaf<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn receive(
    bus: &Inner,
    noun: &str,
    consumer: &Consumer,
    shutdown: &CancellationToken,
    pause: &mut Duration,
    deaf: Deaf<'_>,
) -> Result<(), Broken> {
    let names = &bus.names;
    let opening = async {
        let connection = Connection::connect(&bus.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        topology::queues(&channel, names, noun, &consumer.kinds()).await?;
        Ok::<_, lapin::Error>((connection, channel))
    };
    let (connection, channel) =
        tokio::time::timeout(ANSWER_MAX, opening).await.map_err(|_| Broken::Silent)??;
    *pause = PAUSE_MIN;
    // Bound: whatever is announced from now on waits in the queue.
    drop(deaf);
    consumer.catch_up(shutdown).await;
    let consume = async |channel: &Channel, queue: String| {
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        channel.basic_consume(queue.into(), "".into(), options, arguments).await
    };
    let consuming = async {
        // A channel of its own: acknowledging many at once speaks of a channel.
        let of_dead = connection.create_channel().await?;
        let dead = consume(&of_dead, names.dead(noun)).await?;
        Ok::<_, lapin::Error>((dead, consume(&channel, names.queue(noun)).await?))
    };
    let (mut dead, mut live) =
        tokio::time::timeout(ANSWER_MAX, consuming).await.map_err(|_| Broken::Silent)??;
    tracing::info!(messaging.destination.name = names.queue(noun), "receiving");

    let mut pace = Pace::default();
    let received = loop {
        let took = tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            delivery = live.next() => match taken(delivery) {
                Ok(first) => take(&mut live, first, &mut pace, consumer, shutdown).await,
                Err(broken) => Err(broken),
            },
            delivery = dead.next() => match taken(delivery) {
                Ok(dead) => bury(dead, consumer, shutdown).await,
                Err(broken) => Err(broken),
            },
            () = tokio::time::sleep(LOOK) => match connection.status().connected() {
                true => Ok(()),
                false => Err(Broken::Lost),
            },
        };
        if let Err(broken) = took {
            break Err(broken);
        }
    };
    // What was not acknowledged comes again, and is known.
    let _ = tokio::time::timeout(ANSWER_MAX, connection.close(200, "goodbye".into())).await;
    received
}

fn taken(delivery: Option<Result<Delivery, lapin::Error>>) -> Result<Message, Broken> {
    Ok(Message::from(delivery.ok_or(Broken::Lost)??))
}

/// Applies a message with all that has come in behind it by its turn, and acknowledges them together. What is in hand is
/// finished when the consumer is told to stop.
async fn take(
    live: &mut lapin::Consumer,
    first: Message,
    pace: &mut Pace,
    consumer: &Consumer,
    stop: &CancellationToken,
) -> Result<(), Broken> {
    pace.turn().await;
    let (mut envelopes, mut faulty) = (Vec::new(), Vec::new());
    let mut last = None;
    let mut next = Some(first);
    while let Some(Message { delivery, envelope, fault }) = next.take() {
        match fault {
            None => envelopes.push(envelope),
            Some(fault) => faulty.push((envelope, fault)),
        }
        last = Some(delivery);
        if envelopes.len() + faulty.len() < usize::from(PREFETCH) {
            next = live.next().now_or_never().map(taken).transpose()?;
        }
    }
    if envelopes.len() + faulty.len() == usize::from(PREFETCH) {
        pace.hurry();
    }
    let kept = kept(stop, consumer, &faulty, &envelopes).await;
    if let (true, Some(last)) = (kept, last) {
        ack(&last, BasicAckOptions { multiple: true }).await?;
    }
    Ok(())
}

/// Acknowledges a message. A broker that dies meanwhile need not say so.
async fn ack(delivery: &Delivery, options: BasicAckOptions) -> Result<(), Broken> {
    tokio::time::timeout(ANSWER_MAX, delivery.ack(options)).await.map_err(|_| Broken::Silent)??;
    Ok(())
}

/// Keeps for an operator what the broker gave up.
async fn bury(message: Message, consumer: &Consumer, stop: &CancellationToken) -> Result<(), Broken> {
    let Message { delivery, envelope, fault } = message;
    let fault = fault.unwrap_or_else(|| "the broker gave it up".to_owned());
    if kept(stop, consumer, &[(envelope, fault)], &[]).await {
        ack(&delivery, BasicAckOptions::default()).await?;
    }
    Ok(())
}

/// Parks what is no event of ours and applies the others; false where it is told to stop before that succeeds. Messages
/// are kept in hand meanwhile instead of returned: the broker would count a delivery, and give them up in the end.
async fn kept(
    stop: &CancellationToken,
    consumer: &Consumer,
    faulty: &[(Envelope, String)],
    envelopes: &[Envelope],
) -> bool {
    let mut pause = PAUSE_MIN;
    while let Err(error) = keep(consumer, faulty, envelopes).await {
        tracing::warn!(error = %error, "events cannot be taken now; trying again");
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return false;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    true
}

async fn keep(
    consumer: &Consumer,
    faulty: &[(Envelope, String)],
    envelopes: &[Envelope],
) -> Result<(), Unavailable> {
    for (envelope, fault) in faulty {
        consumer.park(envelope, fault).await?;
    }
    consumer.receive_all(envelopes).await
}

/// A message from the broker, read as an event.
struct Message {
    delivery: Delivery,
    envelope: Envelope,
    /// Why it cannot be one of ours.
    fault: Option<String>,
}

impl From<Delivery> for Message {
    fn from(mut delivery: Delivery) -> Message {
        let mut payload = std::mem::take(&mut delivery.data);
        let properties = &delivery.properties;
        let kind = match properties.kind() {
            Some(kind) => kind.to_string(),
            None => delivery.routing_key.to_string(),
        };
        let header = |name: &str| properties.headers().as_ref().and_then(|headers| headers.inner().get(name));
        let text = |name: &str| match header(name) {
            Some(AMQPValue::LongString(text)) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
            _ => None,
        };
        let time = match header(TIME) {
            Some(AMQPValue::LongLongInt(micros)) => Timestamp::from_micros(*micros),
            _ => Timestamp::now(),
        };
        let id = properties.message_id().as_ref().and_then(|id| Uuid::parse_str(id.as_str()).ok());
        let mut fault = id.is_none().then(|| "it has no message id".to_owned());
        // The same stray message gets the same id, and so is parked once however often it comes.
        let stray = || {
            let print = crate::once::fingerprint(&payload);
            let print: String = print.iter().map(|byte| format!("{byte:02x}")).collect();
            Id::<Message>::derived(&["stray", &kind, &print]).uuid()
        };
        let id = id.unwrap_or_else(stray);
        if payload.len() > EVENT_BYTES_MAX {
            fault =
                Some(format!("its {} bytes are more than an event has; they are not kept", payload.len()));
            payload = Vec::new();
        }
        let mut kept = |text: String| {
            let storable = storable(&text, HEADER_BYTES_MAX);
            if storable != text {
                fault.get_or_insert_with(|| "its headers are not those of an event".to_owned());
            }
            storable
        };
        let envelope = Envelope {
            id,
            key: text(KEY).map(&mut kept).unwrap_or_default(),
            source: properties.app_id().as_ref().map(ToString::to_string).map(&mut kept).unwrap_or_default(),
            time,
            trace: text(TRACEPARENT).map(&mut kept),
            kind: kept(kind),
            payload: payload.into(),
        };
        Message { delivery, envelope, fault }
    }
}
