//! How much of the past is kept: answered requests, published events and applied ones, and sagas that have ended, are
//! forgotten after some days.
//!
//! An applied event is remembered a day longer than the event itself, so that whatever can still be delivered is known.

use std::time::Duration;

use sea_orm::{DbErr, Statement, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::Db;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3600);
const EVERY: Duration = Duration::from_secs(3600);
/// Rows forgotten by one statement: few enough that nobody waits long behind it.
const BATCH: i64 = 500;

/// Since when everything is still known: the beginning of a day, so that all services mean the same.
pub(crate) fn start(days: u16) -> Timestamp {
    let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
    let today = Timestamp::now().micros().div_euclid(day);
    Timestamp::from_micros((today - i64::from(days)) * day)
}

/// The first id that an event announced at that time can have: ids are `UUIDv7`.
pub(crate) fn first_id(time: Timestamp) -> Uuid {
    let millis = u64::try_from(time.micros().div_euclid(1000)).unwrap_or(0);
    Uuid::from_u64_pair((millis << 16) | 0x7000, 0)
}

/// When the event with that id was announced.
pub(crate) fn time_of(id: Uuid) -> Timestamp {
    let millis = i64::try_from(id.as_u64_pair().0 >> 16).unwrap_or(i64::MAX);
    Timestamp::from_micros(millis.saturating_mul(1000))
}

/// Forgets what is old, now and every hour.
pub(crate) async fn forget_always(db: Db, days: u16, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match forget(&db, start(days), &shutdown).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, days, "forgot what is older than what is kept"),
            Err(error) => {
                tracing::warn!(%error, "what is old could not be forgotten; trying again in an hour")
            }
        }
        let _ = shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

/// Forgets what is older than `start`, and says how many rows that were.
pub(crate) async fn forget(db: &Db, start: Timestamp, shutdown: &CancellationToken) -> Result<u64, DbErr> {
    let old: [(&str, Vec<Value>); 5] = [
        // What has not been answered belongs to work that has not ended.
        (
            "DELETE FROM requests WHERE (caller, method, request_id) IN (
                 SELECT caller, method, request_id FROM requests
                 WHERE create_time < $1 AND reply IS NOT NULL ORDER BY create_time LIMIT $2)",
            vec![start.micros().into(), BATCH.into()],
        ),
        (
            "DELETE FROM outbox WHERE id IN (
                 SELECT id FROM outbox WHERE id < $1 AND published_at IS NOT NULL ORDER BY id LIMIT $2)",
            vec![first_id(start).into(), BATCH.into()],
        ),
        (
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE id < $1 ORDER BY id LIMIT $2)",
            vec![first_id(start.minus(DAY)).into(), BATCH.into()],
        ),
        // What waits for an operator stays. A saga goes after its log, so that a crash in between leaves no log of nothing.
        (
            "DELETE FROM saga_steps WHERE (saga_id, seq) IN (
                 SELECT saga_id, seq FROM saga_steps JOIN saga ON saga.id = saga_id
                 WHERE saga_id < $1 AND state IN ('COMPLETED', 'COMPENSATED') AND saga.end_time < $3
                 ORDER BY saga_id, seq LIMIT $2)",
            vec![first_id(start).into(), BATCH.into(), start.micros().into()],
        ),
        (
            "DELETE FROM saga WHERE id IN (
                 SELECT id FROM saga WHERE id < $1 AND state IN ('COMPLETED', 'COMPENSATED') AND end_time < $3
                 ORDER BY id LIMIT $2)",
            vec![first_id(start).into(), BATCH.into(), start.micros().into()],
        ),
    ];
    let mut forgotten = 0;
    for (sql, values) in old {
        while !shutdown.is_cancelled() {
            let statement = Statement::from_sql_and_values(db.backend(), sql, values.clone());
            let rows = db.execute(statement).await?.rows_affected();
            forgotten += rows;
            if rows < BATCH.unsigned_abs() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::migration::Nothing;
    use crate::testing::TestDb;

    async fn number(db: &Db, sql: &str) -> i64 {
        let row =
            db.writer().query_one_raw(Statement::from_string(db.backend(), sql)).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    #[tokio::test]
    async fn what_is_old_and_done_is_forgotten_and_nothing_else() {
        let db = TestDb::new::<Nothing>().await;
        let start = start(30);
        let execute = async |sql: &str, values: Vec<Value>| {
            db.execute(Statement::from_sql_and_values(db.backend(), sql, values)).await.unwrap();
        };
        let hour = Duration::from_secs(3600);
        let saga = async |id: Uuid, state: &str, end: Timestamp| {
            execute(
                "INSERT INTO saga (id, kind, subject, version, state, step, data, owner, fence, lease_until, attempts,
                     next_attempt_at, deadline_at, create_time, update_time, end_time)
                 VALUES ($1, 'k', 'a', 1, $2, 's', '', '', 0, 0, 0, 0, 0, 0, 0, $3)",
                vec![id.into(), state.into(), end.micros().into()],
            )
            .await;
            execute(
                "INSERT INTO saga_steps (saga_id, seq, step, direction, attempt, outcome, start_time)
                 VALUES ($1, 1, 's', 'RUN', 1, 'DONE', 0)",
                vec![id.into()],
            )
            .await;
        };
        // One that began long ago and has just ended.
        saga(Uuid::nil(), "COMPENSATED", start.plus(hour)).await;
        // Just old enough, a day older than that, and just too young.
        for (place, time) in
            [start.minus(hour), start.minus(DAY + hour), start.plus(hour)].into_iter().enumerate()
        {
            let time_of = i64::try_from(place).unwrap();
            for (copy, published) in [(0, Some(1_i64)), (1, None)] {
                let id = Uuid::from_u128(first_id(time).as_u128() + copy);
                execute(
                    "INSERT INTO outbox (id, kind, key, payload, create_time, published_at) VALUES ($1, 'k', 'a', $2, $3, $4)",
                    vec![id.into(), Vec::<u8>::new().into(), time.micros().into(), published.into()],
                )
                .await;
                execute(
                    "INSERT INTO inbox (id, kind, key, fingerprint, create_time) VALUES ($1, 'k', 'a', $2, $3)",
                    vec![id.into(), Vec::<u8>::new().into(), time.micros().into()],
                )
                .await;
                let state = if published.is_some() { "COMPLETED" } else { "NEEDS_ATTENTION" };
                saga(id, state, time).await;
                execute(
                    "INSERT INTO requests (caller, method, request_id, fingerprint, reply, create_time)
                     VALUES ($1, 'm', $2, $3, $4, $5)",
                    vec![
                        copy.to_string().into(),
                        time_of.to_string().into(),
                        Vec::<u8>::new().into(),
                        published.map(|_| Vec::<u8>::new()).into(),
                        time.micros().into(),
                    ],
                )
                .await;
            }
        }
        let forgotten = forget(&db, start, &CancellationToken::new()).await.unwrap();
        assert_eq!(forgotten, 2 + 2 + 2 + (2 + 2));
        let left = async |sql: &str| number(&db, sql).await;
        assert_eq!(left("SELECT COUNT(*) FROM outbox WHERE published_at IS NULL").await, 3);
        assert_eq!(left("SELECT COUNT(*) FROM outbox WHERE published_at IS NOT NULL").await, 1);
        assert_eq!(left("SELECT COUNT(*) FROM inbox").await, 4);
        assert_eq!(left("SELECT COUNT(*) FROM requests WHERE reply IS NULL").await, 3);
        assert_eq!(left("SELECT COUNT(*) FROM requests WHERE reply IS NOT NULL").await, 1);
        assert_eq!(left("SELECT COUNT(*) FROM saga WHERE state = 'NEEDS_ATTENTION'").await, 3);
        assert_eq!(left("SELECT COUNT(*) FROM saga").await, 5);
        assert_eq!(left("SELECT COUNT(*) FROM saga_steps JOIN saga ON id = saga_id").await, 5);
        assert_eq!(left("SELECT COUNT(*) FROM saga_steps").await, 5);
        assert_eq!(forget(&db, start, &CancellationToken::new()).await.unwrap(), 0);
    }

    #[test]
    fn an_id_is_as_old_as_its_event() {
        let before = first_id(Timestamp::now().minus(Duration::from_millis(2)));
        let id = Uuid::now_v7();
        assert!(before < id && id < first_id(Timestamp::now().plus(Duration::from_millis(2))));
    }
}
