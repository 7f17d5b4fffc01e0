//! The outbox and its relay, delivering in process.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chassis::bus::{Bus, LocalBus};
use chassis::outbox::{self, Relay};
use chassis::testing::{Backend, eventually};
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::world::{
    Counted, Counter, any_database, count, database, databases, effect, effects, relay, serve, unpublished,
};

#[tokio::test]
async fn an_event_reaches_every_consumer_once() {
    for db in databases().await {
        let (first, second) = (any_database().await, any_database().await);
        let bus = Bus::Local(LocalBus::new());
        let (one, two) = (Counter::new(), Counter::new());
        let _serving = (serve(&bus, "one", one.consumer(&first)), serve(&bus, "two", two.consumer(&second)));
        tokio::task::yield_now().await;
        let _relay = relay(&db, &bus);
        count(&db, "a", 1).await.unwrap();
        count(&db, "a", 2).await.unwrap();
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        assert_eq!(effects(&first).await["a"], [1, 2]);
        assert_eq!(effects(&second).await["a"], [1, 2]);
        assert_eq!((one.calls(), two.calls()), (2, 2));
    }
}

#[tokio::test]
async fn a_commit_wakes_the_relay() {
    for db in databases().await {
        let bus = Bus::Local(LocalBus::new());
        let _relay = relay(&db, &bus);
        // The first round: the relay has gone to sleep.
        count(&db, "a", 1).await.unwrap();
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let start = Instant::now();
        for number in 0..5 {
            count(&db, "a", number).await.unwrap();
            eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        }
        assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn what_was_committed_before_a_crash_is_sent_after_it() {
    for db in databases().await {
        let bus = Bus::Local(LocalBus::new());
        for number in 0..600 {
            count(&db, &format!("key{}", number % 7), number).await.unwrap();
        }
        let rolled_back: Result<(), DbErr> = db
            .write(async |tx| {
                outbox::append(tx, "never", &Counted { name: "never".into(), number: 0 }).await?;
                Err(DbErr::Custom("crash".into()))
            })
            .await;
        assert!(rolled_back.is_err());
        let target = any_database().await;
        let counter = Counter::new();
        let _serving = serve(&bus, "counter", counter.consumer(&target));
        tokio::task::yield_now().await;
        // Relays are killed while they send: what they had not marked is sent again, and known.
        let after = db.again().await;
        for _ in 0..5 {
            let relay = Relay::new(&after, "test", bus.clone()).lease(Duration::from_millis(50));
            let killed = tokio::spawn(relay.run(CancellationToken::new()));
            tokio::time::sleep(Duration::from_millis(60)).await;
            killed.abort();
        }
        let _relay = relay(&after, &bus);
        eventually(async || (unpublished(&after).await == 0).then_some(())).await;
        let effects = effects(&target).await;
        assert_eq!(effects.len(), 7);
        for (key, numbers) in effects {
            let expected: Vec<i64> = (0..600).filter(|number| format!("key{}", number % 7) == key).collect();
            assert_eq!(numbers, expected, "{key}");
        }
    }
}

#[tokio::test]
async fn one_of_two_relays_is_active_and_the_other_takes_over() {
    let Some(db) = database(Backend::Postgres).await else { return };
    let bus = Bus::Local(LocalBus::new());
    let target = any_database().await;
    let counter = Counter::new();
    let _serving = serve(&bus, "counter", counter.consumer(&target));
    tokio::task::yield_now().await;
    let start =
        |lease| tokio::spawn(Relay::new(&db, "test", bus.clone()).lease(lease).run(CancellationToken::new()));
    let first = start(Duration::from_secs(1));
    count(&db, "a", 1).await.unwrap();
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
    let second = start(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.abort();
    count(&db, "a", 2).await.unwrap();
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
    assert_eq!(effects(&target).await["a"], [1, 2]);
    assert_eq!(counter.calls(), 2);
    second.abort();
}

#[tokio::test]
async fn events_wait_for_a_consumer_whose_database_is_away_and_keep_their_order() {
    for db in databases().await {
        let bus = Bus::Local(LocalBus::new());
        let target = any_database().await;
        let counter = Counter::new();
        counter.down.store(true, Ordering::SeqCst);
        let _serving = serve(&bus, "counter", counter.consumer(&target));
        tokio::task::yield_now().await;
        let _relay = relay(&db, &bus);
        for number in 0..10 {
            count(&db, "a", number).await.unwrap();
        }
        eventually(async || (counter.calls() >= 2).then_some(())).await;
        assert_eq!(unpublished(&db).await, 10);
        counter.down.store(false, Ordering::SeqCst);
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        assert_eq!(effects(&target).await["a"], (0..10).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn events_wait_until_everybody_expected_has_joined_and_while_one_is_away() {
    let db = any_database().await;
    let bus = Bus::Local(LocalBus::expecting(["one", "two"]));
    let (first, second) = (any_database().await, any_database().await);
    let (one, two) = (Counter::new(), Counter::new());
    let _relay = relay(&db, &bus);
    let _one = serve(&bus, "one", one.consumer(&first));
    count(&db, "a", 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(unpublished(&db).await, 1);
    let away = serve(&bus, "two", two.consumer(&second));
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
    drop(away);
    tokio::time::sleep(Duration::from_millis(50)).await;
    count(&db, "a", 2).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(unpublished(&db).await, 1);
    let _two = serve(&bus, "two", two.consumer(&second));
    eventually(async || (unpublished(&db).await == 0).then_some(())).await;
    assert_eq!(effects(&first).await["a"], [1, 2]);
    assert_eq!(effects(&second).await["a"], [1, 2]);
}

#[tokio::test]
async fn many_events_are_appended_at_once_and_in_order() {
    for db in databases().await {
        let events: Vec<Counted> = (0..1201).map(|number| Counted { name: "a".into(), number }).collect();
        db.write::<_, DbErr, _>(async |tx| {
            effect(tx, "a", 0).await?;
            outbox::append_many(tx, events.iter().map(|event| ("a", event)).collect()).await
        })
        .await
        .unwrap();
        let bus = Bus::Local(LocalBus::new());
        let target = any_database().await;
        let _serving = serve(&bus, "counter", Counter::new().consumer(&target));
        tokio::task::yield_now().await;
        let _relay = relay(&db, &bus);
        eventually(async || (unpublished(&db).await == 0).then_some(())).await;
        assert_eq!(effects(&target).await["a"], (0..1201).collect::<Vec<_>>());
    }
}
