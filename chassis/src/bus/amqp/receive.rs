//! Receiving from the broker: several keys at once, each in order, acknowledged after the commit.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::topology;
use super::{ANSWER_MAX, Inner, KEY, LOOK, PAUSE_MAX, PAUSE_MIN, TIME, TRACEPARENT};
use crate::consumer::Consumer;
use crate::event::Envelope;
use crate::id::Id;
use crate::time::Timestamp;

/// Messages taken from the broker and not yet acknowledged.
const PREFETCH: u16 = 50;
/// A larger message is no event of ours, and is not kept.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Keys handled at the same time.
const LANES: usize = 8;

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
    let consume = |queue: String| {
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
    };
    let consuming = async {
        Ok::<_, lapin::Error>((consume(names.dead(noun)).await?, consume(names.queue(noun)).await?))
    };
    let (mut dead, mut live) =
        tokio::time::timeout(ANSWER_MAX, consuming).await.map_err(|_| Broken::Silent)??;
    tracing::info!(messaging.destination.name = names.queue(noun), "receiving");

    // When this ends, however it ends, the lanes end too.
    let stop = shutdown.child_token();
    let _guard = stop.clone().drop_guard();
    let (senders, lanes): (Vec<_>, Vec<_>) = (0..=LANES)
        .map(|lane| {
            let (sender, receiver) = mpsc::channel(usize::from(PREFETCH));
            (sender, work(receiver, consumer, lane == LANES, stop.clone()))
        })
        .unzip();
    let dispatch = async {
        // Owned here, so that the lanes run dry and end when this does.
        let senders = senders;
        loop {
            let (lane, delivery) = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                delivery = live.next() => (None, delivery),
                delivery = dead.next() => (Some(LANES), delivery),
                () = tokio::time::sleep(LOOK) => {
                    if connection.status().connected() {
                        continue;
                    }
                    return Err(Broken::Lost);
                }
            };
            let message = Message::from(delivery.ok_or(Broken::Lost)??);
            let lane = lane.unwrap_or_else(|| message.lane());
            if senders[lane].send(message).await.is_err() {
                return Err(Broken::Lost);
            }
        }
    };
    let run = async {
        let dispatched = dispatch.await;
        stop.cancel();
        dispatched
    };
    let (dispatched, worked) = futures::join!(run, join_all(lanes));
    // What was not acknowledged comes again, and is known.
    let _ = tokio::time::timeout(ANSWER_MAX, connection.close(200, "goodbye".into())).await;
    dispatched.and(worked.into_iter().collect())
}

/// Handles the messages of one lane, one after the other. The message in hand is finished when it is told to stop.
async fn work(
    mut messages: mpsc::Receiver<Message>,
    consumer: &Consumer,
    dead: bool,
    stop: CancellationToken,
) -> Result<(), Broken> {
    while let Some(Some(message)) = stop.run_until_cancelled(messages.recv()).await {
        let mut pause = PAUSE_MIN;
        loop {
            let taken = match &message.fault {
                Some(fault) => consumer.park(&message.envelope, fault).await,
                None if dead => consumer.park(&message.envelope, "the broker gave it up").await,
                None => consumer.receive(&message.envelope).await,
            };
            match taken {
                Ok(()) => break,
                // Kept in hand instead of returned: the broker would count a delivery and give it up in the end.
                Err(error) => tracing::warn!(error = %error, "an event cannot be taken now; trying again"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if let Err(error) = message.delivery.ack(BasicAckOptions::default()).await {
            stop.cancel();
            return Err(error.into());
        }
    }
    Ok(())
}

/// A message from the broker, read as an event.
struct Message {
    delivery: Delivery,
    envelope: Envelope,
    /// Why it cannot be one of ours.
    fault: Option<String>,
}

impl Message {
    fn lane(&self) -> usize {
        let mut hasher = DefaultHasher::new();
        self.envelope.key.hash(&mut hasher);
        usize::try_from(hasher.finish()).unwrap_or_default() % LANES
    }
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
        let envelope = Envelope {
            id,
            key: text(KEY).unwrap_or_default(),
            source: properties.app_id().as_ref().map(ToString::to_string).unwrap_or_default(),
            time,
            trace: text(TRACEPARENT),
            kind,
            payload: payload.into(),
        };
        Message { delivery, envelope, fault }
    }
}
