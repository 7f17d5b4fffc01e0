//! Events that no queue waited for are read from the outbox of their announcer.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chassis::bus::{AmqpBus, Bus, Unavailable};
use chassis::consumer::{Announced, Consumer, Outboxes};
use chassis::db::Db;
use chassis::event::Envelope;
use chassis::operations::Operations;
use chassis::testing::{Broker, TestDb, eventually};
use chassis::time::Timestamp;
use contract::operations::v1::ReadEventsRequest;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::world::{Counted, Counter, any_database, count, effects, number, relay, serve, unpublished};

/// The announcer's operations, called without a network between.
struct Announcer(Db);

#[async_trait]
impl Outboxes for Announcer {
    async fn read(&self, source: &str, kinds: &[String], after: i64) -> Result<Vec<Announced>, Unavailable> {
        assert_eq!(source, "test");
        let mut announcer = OperationsServiceClient::new(Operations::new(&self.0, "test", None, None, 30));
        let request = ReadEventsRequest { types: kinds.to_vec(), after_sequence: after, page_size: 7 };
        let events = announcer.read_events(request).await.unwrap().into_inner().events;
        let announced = events.into_iter().map(|event| Announced {
            sequence: event.sequence,
            envelope: Envelope {
                id: Uuid::parse_str(&event.event_id).unwrap(),
                kind: event.r#type,
                key: event.key,
                source: source.into(),
                time: Timestamp::try_from(&event.create_time.unwrap()).unwrap(),
                trace: None,
                payload: event.payload.into(),
            },
        });
        Ok(announced.collect())
    }
}

/// A counter that reads the announcer's outbox.
fn reading(counter: &Arc<Counter>, target: &Db, announcer: &Db) -> Consumer {
    counter.consumer(target).reading(Arc::new(Announcer(announcer.clone())), 30)
}

fn listen(broker: &Broker, consumer: Consumer) -> (AmqpBus, DropGuard) {
    let bus = broker.bus();
    let serving = serve(&Bus::Amqp(bus.clone()), "counter", consumer);
    (bus, serving)
}

async fn applied(target: &TestDb, events: i64) {
    eventually(async || (number(target, "SELECT COUNT(*) FROM inbox").await == events).then_some(())).await;
}

#[tokio::test]
async fn a_consumer_that_starts_late_is_told_everything_in_order() {
    let Some(broker) = Broker::find() else { return };
    let (db, target) = (any_database().await, any_database().await);
    let _relay = relay(&db, &Bus::Amqp(broker.bus()));
    for number in 0..60 {
        count(&db, &format!("key{}", number % 5), number).await.unwrap();
    }
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;

    let counter = Counter::new();
    let (_bus, _serving) = listen(&broker, reading(&counter, &target, &db));
    for number in 60..120 {
        count(&db, &format!("key{}", number % 5), number).await.unwrap();
    }
    applied(&target, 120).await;
    assert_eq!(effects(&target).await, effects(&db).await);
    assert_eq!(counter.calls(), 120, "each is applied once");
}

#[tokio::test]
async fn what_is_known_is_not_read_again() {
    let Some(broker) = Broker::find() else { return };
    let (db, target) = (any_database().await, any_database().await);
    for number in 0..20 {
        count(&db, "a", number).await.unwrap();
    }
    // As if they had been announced ten minutes ago, but for the last.
    let past = Timestamp::now().minus(Duration::from_secs(600)).micros();
    let sql = format!("UPDATE outbox SET create_time = {past}, published_at = {past} WHERE seq < 20");
    db.writer().execute_unprepared(&sql).await.unwrap();
    let counter = Counter::new();
    let (bus, serving) = listen(&broker, reading(&counter, &target, &db));
    applied(&target, 20).await;
    // How far it has heard is noted after what it heard is applied.
    eventually(async || {
        (number(&target, "SELECT COALESCE(MAX(sequence), 0) FROM heard WHERE source = 'test'").await == 19)
            .then_some(())
    })
    .await;
    drop((bus, serving));
    // What was heard stays heard, also where the inbox no longer says so.
    let forget = "DELETE FROM inbox WHERE key = 'a'";
    target.execute(Statement::from_string(target.backend(), forget)).await.unwrap();
    let again = Counter::new();
    let (_bus, _serving) = listen(&broker, reading(&again, &target, &db));
    applied(&target, 1).await;
    assert_eq!(again.calls(), 1, "only the young one was looked at again");
}

/// An outbox that grows faster than it is read: each page is dated a second after the one before.
struct Busy(AtomicI64);

#[async_trait]
impl Outboxes for Busy {
    async fn read(&self, source: &str, _: &[String], after: i64) -> Result<Vec<Announced>, Unavailable> {
        let page = self.0.fetch_add(1, Ordering::SeqCst);
        let time = Timestamp::now().plus(Duration::from_secs(page.unsigned_abs()));
        let announced = |sequence| {
            let event = Counted { name: "a".into(), number: sequence };
            let envelope = Envelope { time, ..Envelope::new(source, "a", &event) };
            Announced { sequence, envelope }
        };
        Ok((after + 1..=after + 7).map(announced).collect())
    }
}

#[tokio::test]
async fn what_is_announced_once_the_queue_is_bound_is_left_to_the_queue() {
    let target = any_database().await;
    let counter = Counter::new();
    let consumer = counter.consumer(&target).reading(Arc::new(Busy(AtomicI64::new(0))), 30);
    consumer.catch_up(&CancellationToken::new()).await;
    let read = effects(&target).await.remove("a").unwrap();
    assert!(read.len() > 7 && read.is_sorted(), "{read:?}");
}

/// Run alone, because every test of this run has the same broker.
mod faults {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_comes_back_empty_loses_and_doubles_nothing() {
        let (Some(broker), Some(control)) = (Broker::find(), Broker::control("rabbitmq")) else { return };
        let told = |action: &'static str| {
            let control = control.clone();
            tokio::task::spawn_blocking(move || Command::new(control).arg(action).output().unwrap())
        };
        let (db, target) = (any_database().await, any_database().await);
        let counter = Counter::new();
        let (bus, serving) = listen(&broker, reading(&counter, &target, &db));
        eventually(async || bus.connected().then_some(())).await;
        let _relay = relay(&db, &Bus::Amqp(bus.clone()));
        // The consumer is away: these wait at the broker, confirmed, and are lost with it.
        drop(serving);
        tokio::time::sleep(Duration::from_millis(300)).await;
        for number in 0..100 {
            count(&db, &format!("key{}", number % 7), number).await.unwrap();
        }
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        assert!(told("wipe").await.unwrap().status.success());
        let _serving = serve(&Bus::Amqp(bus.clone()), "counter", reading(&counter, &target, &db));
        let writer = tokio::spawn({
            let db = db.clone();
            async move {
                for number in 100..1_000 {
                    count(&db, &format!("key{}", number % 7), number).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
            }
        });
        assert!(told("start").await.unwrap().status.success());
        writer.await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), Bus::Amqp(bus).ready()).await.unwrap();
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        applied(&target, 1_000).await;
        let (announced, applied): (BTreeMap<_, _>, _) = (effects(&db).await, effects(&target).await);
        assert_eq!(applied, announced);
        assert_eq!(counter.calls(), 1_000);
        assert_eq!(number(&target, "SELECT COUNT(*) FROM parked").await, 0);
    }
}
