//! The bus through a real RabbitMQ, also while it is down.

use std::process::Command;
use std::time::Duration;

use chassis::bus::{AmqpBus, Bus};
use chassis::consumer::Consumer;
use chassis::testing::{Backend, Broker, TestDb, eventually};
use futures::StreamExt;
use lapin::options::{BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use prost::{Message, Name};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use crate::world::{
    Counted, Counter, any_database, count, database, effects, number, relay, serve, unpublished,
};

/// The counter, served, with a bus on which it listens already: what is sent before that is for nobody.
async fn listening(broker: &Broker, consumer: Consumer) -> (AmqpBus, DropGuard) {
    let bus = broker.bus();
    let serving = serve(&Bus::Amqp(bus.clone()), "counter", consumer);
    tokio::task::yield_now().await;
    eventually(async || bus.connected().then_some(())).await;
    (bus, serving)
}

/// How many messages wait in a queue; none where there is no such queue.
async fn messages(url: &str, queue: &str) -> Option<u32> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.ok()?;
    let channel = connection.create_channel().await.ok()?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let count = channel.queue_declare(queue.into(), passive, FieldTable::default()).await.ok();
    let _ = connection.close(200, "".into()).await;
    count.map(|queue| queue.message_count())
}

/// Puts a message of a stranger's making into the exchange.
async fn publish(broker: &Broker, kind: &str, payload: &[u8], properties: BasicProperties) {
    let connection = Connection::connect(&broker.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let exchange = format!("{}events", broker.prefix);
    channel
        .basic_publish(exchange.into(), kind.into(), BasicPublishOptions::default(), payload, properties)
        .await
        .unwrap()
        .await
        .unwrap();
    connection.close(200, "".into()).await.unwrap();
}

async fn sources() -> Vec<TestDb> {
    let mut databases = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        databases.extend(database(backend).await);
    }
    databases
}

#[tokio::test]
async fn events_travel_through_the_broker_in_order() {
    let Some(broker) = Broker::find() else { return };
    for (round, db) in sources().await.into_iter().enumerate() {
        let broker = Broker { prefix: format!("{}{round}.", broker.prefix), ..broker.clone() };
        let target = any_database().await;
        let counter = Counter::new();
        let (bus, _serving) = listening(&broker, counter.consumer(&target)).await;
        let bus = Bus::Amqp(bus);
        let _relay = relay(&db, &bus);
        for number in 0..300 {
            count(&db, &format!("key{}", number % 10), number).await.unwrap();
        }
        eventually(async || (number(&target, "SELECT COUNT(*) FROM inbox").await == 300).then_some(())).await;
        assert_eq!(effects(&target).await, effects(&db).await);
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        assert_eq!(counter.calls(), 300);
    }
}

#[tokio::test]
async fn nobody_asking_for_an_event_does_not_hold_the_others_up() {
    let Some(broker) = Broker::find() else { return };
    let db = any_database().await;
    let _relay = relay(&db, &Bus::Amqp(broker.bus()));
    count(&db, "a", 1).await.unwrap();
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
}

#[tokio::test]
async fn strangers_messages_are_parked_once_and_block_nobody() {
    let Some(broker) = Broker::find() else { return };
    let target = any_database().await;
    let counter = Counter::new();
    let (bus, _serving) = listening(&broker, counter.consumer(&target)).await;
    let bus = Bus::Amqp(bus);
    let kind = Counted::full_name();
    let good = Counted { name: String::new(), number: 1 }.encode_to_vec();
    let properties = |id: &str| BasicProperties::default().with_message_id(id.into());
    // No id at all, twice the same; an id that is none; an id and a body that cannot be read; a type of the future.
    publish(&broker, &kind, &good, BasicProperties::default()).await;
    publish(&broker, &kind, &good, BasicProperties::default()).await;
    publish(&broker, &kind, &good, properties("not-an-id").with_type("other".into())).await;
    publish(&broker, &kind, &[0xff; 9], properties(&Uuid::now_v7().to_string())).await;
    publish(
        &broker,
        &kind,
        &good,
        properties(&Uuid::now_v7().to_string()).with_type("cartwright.test.v99.Counted".into()),
    )
    .await;
    // Keys that no database keeps as they are, or finds again.
    for key in ["a\0b".to_owned(), "a".repeat(3_000)] {
        let mut headers = FieldTable::default();
        headers.insert("x-key".into(), AMQPValue::LongString(key.into()));
        let properties = properties(&Uuid::now_v7().to_string()).with_headers(headers);
        publish(&broker, &kind, &good, properties).await;
    }
    let db = any_database().await;
    let _relay = relay(&db, &bus);
    count(&db, "a", 1).await.unwrap();
    eventually(async || (effects(&target).await.get("a") == Some(&vec![1])).then_some(())).await;
    eventually(async || {
        (number(&target, "SELECT COUNT(*) FROM parked WHERE state = 'PARKED'").await == 6).then_some(())
    })
    .await;
    let queue = format!("{}counter", broker.prefix);
    eventually(async || (messages(&broker.url, &queue).await == Some(0)).then_some(())).await;
}

#[tokio::test]
async fn what_the_broker_gives_up_is_parked() {
    let Some(broker) = Broker::find() else { return };
    let target = any_database().await;
    let queue = format!("{}counter", broker.prefix);
    let (bus, first) = listening(&broker, Counter::new().consumer(&target)).await;
    let bus = Bus::Amqp(bus);
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let db = any_database().await;
    let _relay = relay(&db, &bus);
    count(&db, "a", 1).await.unwrap();
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
    // A consumer that dies each time it gets the message.
    let dead = format!("{queue}.dead");
    let connection = Connection::connect(&broker.url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let consume = channel.basic_consume(queue.into(), "".into(), Default::default(), FieldTable::default());
    let mut deliveries = consume.await.unwrap();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::from_secs(1), deliveries.next()).await {
        delivery.unwrap().nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
    }
    connection.close(200, "".into()).await.unwrap();
    eventually(async || (messages(&broker.url, &dead).await == Some(1)).then_some(())).await;
    let counter = Counter::new();
    let _serving = serve(&bus, "counter", counter.consumer(&target));
    eventually(async || {
        (number(&target, "SELECT COUNT(*) FROM parked WHERE state = 'PARKED'").await == 1).then_some(())
    })
    .await;
    eventually(async || (messages(&broker.url, &dead).await == Some(0)).then_some(())).await;
    assert_eq!(counter.calls(), 0);
}

/// Run alone, because every test of this run has the same broker: `.config/nextest.toml` knows it by its module.
mod faults {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_database_that_crashes_loses_and_doubles_nothing() {
        let (Some(broker), Some(control)) = (Broker::find(), Broker::control("postgres")) else { return };
        let (db, target) = (any_database().await, any_database().await);
        let counter = Counter::new();
        let (bus, _serving) = listening(&broker, counter.consumer(&target)).await;
        let bus = Bus::Amqp(bus);
        let _relay = relay(&db, &bus);
        let writer = tokio::spawn({
            let db = db.clone();
            async move {
                let mut acknowledged = Vec::new();
                for number in 0..1_000 {
                    if count(&db, &format!("key{}", number % 13), number).await.is_ok() {
                        acknowledged.push(number);
                    }
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
                acknowledged
            }
        });
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(800)).await;
            for action in ["crash", "start"] {
                let command = control.clone();
                let done =
                    tokio::task::spawn_blocking(move || Command::new(command).arg(action).output().unwrap());
                assert!(done.await.unwrap().status.success());
            }
        }
        let acknowledged = writer.await.unwrap();
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        let sent = number(&db, "SELECT COUNT(*) FROM outbox").await;
        eventually(async || (number(&target, "SELECT COUNT(*) FROM inbox").await == sent).then_some(()))
            .await;
        let applied = effects(&target).await;
        assert_eq!(applied, effects(&db).await);
        assert_eq!(number(&target, "SELECT COUNT(*) FROM parked").await, 0);
        let applied: Vec<i64> = applied.into_values().flatten().collect();
        assert!(acknowledged.iter().all(|number| applied.contains(number)));
        assert!(acknowledged.len() < 1_000, "the crash was not noticed");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_stops_and_starts_loses_and_doubles_nothing() {
        let (Some(broker), Some(control)) = (Broker::find(), Broker::control("rabbitmq")) else { return };
        let (db, target) = (any_database().await, any_database().await);
        let counter = Counter::new();
        let (amqp, _serving) = listening(&broker, counter.consumer(&target)).await;
        let bus = Bus::Amqp(amqp.clone());
        let _relay = relay(&db, &bus);
        let writer = tokio::spawn({
            let db = db.clone();
            async move {
                for number in 0..1_500 {
                    count(&db, &format!("key{}", number % 13), number).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
            }
        });
        eventually(async || (number(&target, "SELECT COUNT(*) FROM inbox").await > 50).then_some(())).await;
        let told = |action: &'static str| {
            let control = control.clone();
            tokio::task::spawn_blocking(move || Command::new(control).arg(action).output().unwrap())
        };
        assert!(told("stop").await.unwrap().status.success());
        eventually(async || (!amqp.connected()).then_some(())).await;
        assert!(unpublished(&db).await > 0);
        assert!(told("start").await.unwrap().status.success());
        writer.await.unwrap();
        // The node takes its time to come up; after that it must be quick.
        tokio::time::timeout(Duration::from_secs(60), bus.ready()).await.unwrap();
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        eventually(async || (number(&target, "SELECT COUNT(*) FROM inbox").await == 1_500).then_some(()))
            .await;
        assert_eq!(effects(&target).await, effects(&db).await);
        assert_eq!(number(&target, "SELECT COUNT(*) FROM parked").await, 0);
    }
}
