//! The one way to write.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::db;
use chassis::testing::Backend;
use futures::FutureExt;
use sea_orm::{DbErr, Statement};
use tokio::sync::Notify;

use crate::world::{any_database, count, database, databases, effect, effects, number, unpublished};

#[tokio::test]
async fn what_fails_leaves_nothing() {
    for db in databases().await {
        let result: Result<(), DbErr> = db
            .write(async |tx| {
                effect(tx, "a", 1).await?;
                Err(DbErr::Custom("no".into()))
            })
            .await;
        assert!(result.is_err());
        assert!(effects(&db).await.is_empty());
    }
}

#[tokio::test]
async fn whoever_is_to_be_woken_is_woken_by_the_commit_and_not_without_it() {
    let whom = Arc::new(Notify::new());
    for db in databases().await {
        let work = async |tx: &_, works: bool| {
            db::wake(&whom);
            effect(tx, "a", 1).await?;
            assert!(whom.notified().now_or_never().is_none(), "it has not committed");
            if works { Ok(()) } else { Err(DbErr::Custom("no".into())) }
        };
        db.write(async |tx| work(tx, false).await).await.unwrap_err();
        assert!(whom.notified().now_or_never().is_none());
        db.write(async |tx| work(tx, true).await).await.unwrap();
        assert!(whom.notified().now_or_never().is_some());
    }
}

#[tokio::test]
async fn many_writers_take_turns() {
    for db in databases().await {
        let writers = (0..40).map(|number| {
            let db = db.clone();
            tokio::spawn(async move { count(&db, "a", number).await })
        });
        for writer in futures::future::join_all(writers).await {
            writer.unwrap().unwrap();
        }
        assert_eq!(effects(&db).await["a"].len(), 40);
        assert_eq!(unpublished(&db).await, 40);
    }
}

/// Drops a future after a while, as a disconnected caller would.
async fn abandon(round: u32, future: impl Future) {
    tokio::select! {
        biased;
        () = async {
            // Timers are too coarse: the moments that matter are microseconds apart.
            let start = Instant::now();
            while start.elapsed() < Duration::from_micros(15) * (round % 40) {
                tokio::task::yield_now().await;
            }
        } => {}
        _ = future => {}
    }
}

/// A single statement makes no transaction of its own: it shows whether the connection was left inside another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_costs_nobody_else_a_write() {
    for db in databases().await {
        let insert =
            Statement::from_string(db.backend(), "INSERT INTO effects (name, number) VALUES ('kept', 1)");
        for round in 0..400 {
            abandon(round, count(&db, "abandoned", 1)).await;
            db.execute(insert.clone()).await.unwrap();
        }
        // Seen from another connection, as after a crash.
        let other = db.again().await;
        assert_eq!(number(&other, "SELECT COUNT(*) FROM effects WHERE name = 'kept'").await, 400);
        assert_eq!(
            number(&other, "SELECT COUNT(*) FROM effects WHERE name = 'abandoned'").await,
            number(&other, "SELECT COUNT(*) FROM outbox").await
        );
    }
}

#[tokio::test]
async fn a_panic_inside_a_transaction_leaves_the_database_usable() {
    for db in databases().await {
        let failing = db.clone();
        let result = tokio::spawn(async move {
            failing
                .write::<(), DbErr, _>(async |tx| {
                    effect(tx, "a", 1).await?;
                    panic!("oh")
                })
                .await
        })
        .await;
        assert!(result.is_err());
        for number in 0..10 {
            count(&db, "b", number).await.unwrap();
        }
        assert_eq!(effects(&db).await.len(), 1);
    }
}

#[tokio::test]
async fn migrating_again_and_at_once_changes_nothing() {
    for db in databases().await {
        count(&db, "a", 1).await.unwrap();
        let other = db.again().await;
        if db.backend() == sea_orm::DatabaseBackend::Postgres {
            let (first, second) = tokio::join!(
                db.migrate::<chassis::migration::Nothing>(),
                other.migrate::<chassis::migration::Nothing>()
            );
            first.unwrap();
            second.unwrap();
        } else {
            db.migrate::<chassis::migration::Nothing>().await.unwrap();
        }
        assert_eq!(effects(&db).await["a"], [1]);
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_an_outage_and_a_broken_rule_is_not() {
    let db = any_database().await;
    let wrong = count_wrongly(&db).await;
    assert!(!chassis::db::is_outage(&wrong), "{wrong}");
    db.close().await.unwrap();
    let gone = count(&db, "a", 1).await.unwrap_err();
    assert!(chassis::db::is_outage(&gone), "{gone}");
}

async fn count_wrongly(db: &chassis::db::Db) -> DbErr {
    use sea_orm::ConnectionTrait;
    db.write::<_, DbErr, _>(async |tx| {
        tx.execute_unprepared("INSERT INTO effects (name) VALUES (NULL)").await
    })
    .await
    .unwrap_err()
}

#[tokio::test]
async fn a_locked_file_is_an_outage() {
    let db = database(Backend::Sqlite).await.unwrap();
    let other = db.again().await;
    let result = db
        .write::<_, DbErr, _>(async |tx| {
            effect(tx, "a", 1).await?;
            Ok(count(&other, "b", 1).await.unwrap_err())
        })
        .await
        .unwrap();
    assert!(chassis::db::is_outage(&result), "{result}");
}
