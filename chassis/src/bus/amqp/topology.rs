//! What the bus declares at the broker: one exchange, and for each service a queue and one for what it gives up on.

use std::collections::BTreeSet;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Error, ExchangeKind};

/// The broker gives a message up after this many deliveries without an answer. Failing handlers are not counted here,
/// because those are retried from the database: only crashes and lost connections are.
const DELIVERIES_MAX: i64 = 20;
/// Beyond this the broker refuses, and events wait in the outboxes.
const LENGTH_MAX: i64 = 1_000_000;

/// The names of everything at the broker.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Names {
        Names { prefix: prefix.to_owned() }
    }

    pub(super) fn exchange(&self) -> String {
        format!("{}events", self.prefix)
    }

    pub(super) fn queue(&self, noun: &str) -> String {
        format!("{}{noun}", self.prefix)
    }

    pub(super) fn dead(&self, noun: &str) -> String {
        format!("{}{noun}.dead", self.prefix)
    }
}

/// Declares the exchange. Publishers and consumers both do, because either may come first.
pub(super) async fn exchange(channel: &Channel, names: &Names) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(names.exchange().into(), ExchangeKind::Topic, options, FieldTable::default())
        .await
}

/// Declares a service's queues and binds them to the events it asks for.
pub(super) async fn queues(
    channel: &Channel,
    names: &Names,
    noun: &str,
    kinds: &BTreeSet<String>,
) -> Result<(), Error> {
    exchange(channel, names).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };

    let mut dead = FieldTable::default();
    dead.insert("x-queue-type".into(), text("quorum"));
    channel.queue_declare(names.dead(noun).into(), durable, dead).await?;

    let mut queue = FieldTable::default();
    queue.insert("x-queue-type".into(), text("quorum"));
    queue.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERIES_MAX));
    queue.insert("x-dead-letter-exchange".into(), text(""));
    queue.insert("x-dead-letter-routing-key".into(), text(&names.dead(noun)));
    // Without these two a message that is given up may be lost on its way to the other queue.
    queue.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    queue.insert("x-overflow".into(), text("reject-publish"));
    queue.insert("x-max-length".into(), AMQPValue::LongLongInt(LENGTH_MAX));
    // Of several replicas one receives and the others stand by: two would overtake each other within a key.
    queue.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    channel.queue_declare(names.queue(noun).into(), durable, queue).await?;

    for kind in kinds {
        channel
            .queue_bind(
                names.queue(noun).into(),
                names.exchange().into(),
                kind.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(())
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
