//! Inbox, retries and parked messages.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chassis::bus::{Bus, LocalBus};
use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::event::Envelope;
use chassis::testing::eventually;
use sea_orm::ConnectionTrait;

use crate::world::{Counted, Counter, databases, effects, number, serve};

fn event(name: &str, number: i64) -> Envelope {
    Envelope::new("test", name, &Counted { name: name.into(), number })
}

async fn retrying(db: &Db) -> i64 {
    number(db, "SELECT COUNT(*) FROM parked WHERE state = 'RETRYING'").await
}

async fn parked(db: &Db) -> i64 {
    number(db, "SELECT COUNT(*) FROM parked WHERE state = 'PARKED'").await
}

fn retries(consumer: &Consumer) -> tokio_util::sync::DropGuard {
    serve(&Bus::Local(LocalBus::new()), "counter", consumer.clone())
}

#[tokio::test]
async fn the_same_message_twice_is_applied_once() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        let message = event("a", 1);
        consumer.receive(&message).await.unwrap();
        consumer.receive(&message).await.unwrap();
        assert_eq!(effects(&db).await["a"], [1]);
        assert_eq!(counter.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_at_once_is_applied_once() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        let message = event("a", 1);
        let deliveries = (0..8).map(|_| {
            let (consumer, message) = (consumer.clone(), message.clone());
            tokio::spawn(async move { consumer.receive(&message).await })
        });
        for delivery in futures::future::join_all(deliveries).await {
            delivery.unwrap().unwrap();
        }
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test]
async fn a_known_id_with_another_content_is_parked_once_and_changes_nothing() {
    for db in databases().await {
        let consumer = Counter::new().consumer(&db);
        let message = event("a", 1);
        consumer.receive(&message).await.unwrap();
        let forged = Envelope { id: message.id, ..event("a", 2) };
        consumer.receive(&forged).await.unwrap();
        consumer.receive(&forged).await.unwrap();
        consumer.receive(&message).await.unwrap();
        assert_eq!(effects(&db).await["a"], [1]);
        assert_eq!(parked(&db).await, 1);
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_asked_for_is_parked_at_once() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        let garbage = Envelope { payload: vec![0xff; 7].into(), ..event("a", 1) };
        let unknown = Envelope { kind: "cartwright.test.v99.Counted".into(), ..event("b", 1) };
        for message in [&garbage, &unknown, &garbage, &unknown] {
            consumer.receive(message).await.unwrap();
        }
        assert_eq!(parked(&db).await, 2);
        assert_eq!(counter.calls(), 0);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM inbox").await, 0);
    }
}

#[tokio::test]
async fn a_failing_message_is_tried_again_until_it_succeeds() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.fail("a", 3);
        let _retries = retries(&consumer);
        consumer.receive(&event("a", 1)).await.unwrap();
        assert_eq!(retrying(&db).await, 1);
        eventually(async || (retrying(&db).await == 0).then_some(())).await;
        assert_eq!(counter.calls(), 4);
        assert_eq!(effects(&db).await["a"], [1]);
        assert_eq!(parked(&db).await, 0);
    }
}

#[tokio::test]
async fn a_message_that_always_fails_is_parked_once_and_blocks_nobody() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.fail("a", 1_000);
        let _retries = retries(&consumer);
        let bad = event("a", 1);
        consumer.receive(&bad).await.unwrap();
        consumer.receive(&event("b", 1)).await.unwrap();
        assert_eq!(effects(&db).await["b"], [1], "another key goes on at once");
        eventually(async || (parked(&db).await == 1).then_some(())).await;
        assert_eq!(counter.calls(), 8 + 1);
        consumer.receive(&bad).await.unwrap();
        assert_eq!((parked(&db).await, retrying(&db).await), (1, 0), "delivered again, it stays parked once");
        assert!(!effects(&db).await.contains_key("a"));
        let row = db
            .writer()
            .query_one_raw(sea_orm::Statement::from_string(
                db.backend(),
                "SELECT reason, attempts FROM parked",
            ))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.try_get_by_index::<i32>(1).unwrap(), 8);
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "not now");
    }
}

#[tokio::test]
async fn a_message_that_panics_is_parked_like_one_that_fails_and_blocks_nobody() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        let _retries = retries(&consumer);
        // The counter asserts that an event's key is the name in it.
        let bad = Envelope { key: "another".into(), ..event("a", 1) };
        consumer.receive_all(&[bad, event("b", 1)]).await.unwrap();
        assert_eq!(effects(&db).await["b"], [1]);
        eventually(async || (parked(&db).await == 1).then_some(())).await;
        assert!(!effects(&db).await.contains_key("a"), "what it had done is undone");
    }
}

#[tokio::test]
async fn a_message_that_killed_its_process_each_time_is_parked_untried() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.fail("a", 1);
        consumer.receive(&event("a", 1)).await.unwrap();
        // As often as it may be tried, nobody lived to tell how it went.
        db.writer().execute_unprepared("UPDATE parked SET attempts = 8").await.unwrap();
        let _retries = retries(&consumer);
        eventually(async || (parked(&db).await == 1).then_some(())).await;
        assert_eq!(counter.calls(), 1);
    }
}

#[tokio::test]
async fn poison_is_parked_at_once() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.fail("a", usize::MAX);
        consumer.receive(&event("a", 1)).await.unwrap();
        assert_eq!((parked(&db).await, counter.calls()), (1, 1));
        assert!(effects(&db).await.is_empty());
    }
}

#[tokio::test]
async fn events_of_one_key_keep_their_order_behind_a_retry() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.fail("a", 2);
        for number in 1..=5 {
            consumer.receive(&event("a", number)).await.unwrap();
            consumer.receive(&event("b", number)).await.unwrap();
        }
        assert_eq!(effects(&db).await["b"], [1, 2, 3, 4, 5]);
        assert_eq!(retrying(&db).await, 5);
        assert_eq!(counter.calls(), 6);
        let _retries = retries(&consumer);
        eventually(async || (retrying(&db).await == 0).then_some(())).await;
        assert_eq!(effects(&db).await["a"], [1, 2, 3, 4, 5]);
        consumer.receive(&event("a", 6)).await.unwrap();
        assert_eq!(effects(&db).await["a"], [1, 2, 3, 4, 5, 6]);
    }
}

#[tokio::test]
async fn without_help_the_first_retry_comes_after_about_a_second() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db).pause(Duration::from_secs(1));
        counter.fail("a", 1);
        let _retries = retries(&consumer);
        let start = std::time::Instant::now();
        consumer.receive(&event("a", 1)).await.unwrap();
        consumer.receive(&event("a", 2)).await.unwrap();
        eventually(async || (retrying(&db).await == 0).then_some(())).await;
        assert_eq!(effects(&db).await["a"], [1, 2]);
        assert!(
            (Duration::from_millis(900)..Duration::from_secs(4)).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_not_the_messages_fault() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        counter.down.store(true, Ordering::SeqCst);
        let message = event("a", 1);
        assert!(consumer.receive(&message).await.is_err());
        assert_eq!((parked(&db).await, retrying(&db).await), (0, 0));
        counter.down.store(false, Ordering::SeqCst);
        consumer.receive(&message).await.unwrap();
        assert_eq!(effects(&db).await["a"], [1]);
    }
}
