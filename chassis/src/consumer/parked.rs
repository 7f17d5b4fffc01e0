//! The messages that could not be handled: those in line to be tried again, and those that wait for an operator.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use uuid::Uuid;

use crate::db::Db;
use crate::event::Envelope;
use crate::id::Id;
use crate::once::fingerprint;
use crate::time::Timestamp;

pub(super) const RETRYING: &str = "RETRYING";
pub(crate) const PARKED: &str = "PARKED";

/// The first pause before a message is tried again; it doubles up to the longest.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often a message is tried, the first time included.
pub(super) const ATTEMPTS_MAX: i32 = 8;
/// The bytes of a reason: it is for reading, and a longer one is cut.
pub(super) const REASON_MAX: usize = 2_000;

/// A message that could not be handled.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Parked {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) source: String,
    pub(crate) event_time: i64,
    pub(crate) trace: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) attempts: i32,
    pub(crate) create_time: i64,
    pub(crate) next_attempt_at: Option<i64>,
}

impl Parked {
    pub(crate) const COLUMNS: &str = "seq, id, event_id, kind, key, source, event_time, trace, payload, state, \
                                      reason, attempts, create_time, next_attempt_at";

    pub(super) fn envelope(&self) -> Envelope {
        Envelope {
            id: self.event_id,
            kind: self.kind.clone(),
            key: self.key.clone(),
            source: self.source.clone(),
            time: Timestamp::from_micros(self.event_time),
            trace: self.trace.clone(),
            payload: self.payload.clone().into(),
        }
    }
}

/// What became of a message that could not be handled.
pub(super) struct Fault<'a> {
    state: &'static str,
    reason: &'a str,
    attempts: i32,
    pause: Duration,
}

impl Fault<'_> {
    /// It was not tried, because it may not overtake another.
    pub(super) fn behind() -> Fault<'static> {
        Fault {
            state: RETRYING,
            reason: "it waits behind an earlier event",
            attempts: 0,
            pause: Duration::ZERO,
        }
    }

    /// It failed for the first time.
    pub(super) fn failed(reason: &str, pause: Duration) -> Fault<'_> {
        Fault { state: RETRYING, reason, attempts: 1, pause }
    }

    /// An operator must look at it.
    pub(super) fn parked(reason: &str) -> Fault<'_> {
        Fault { state: PARKED, reason, attempts: 1, pause: Duration::ZERO }
    }
}

/// The pause after this many attempts.
pub(super) fn pause(first: Duration, attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    (first * 2_u32.pow(doublings)).min(PAUSE_MAX)
}

/// A text as every database keeps it: of so many bytes at most, and without U+0000, which PostgreSQL refuses.
pub(crate) fn storable(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].replace('\0', "\u{fffd}")
}

/// Keeps a message. Keeping it again changes nothing; a different message under a known id is kept beside it.
pub(super) async fn keep(db: &Db, envelope: &Envelope, fault: &Fault<'_>) -> Result<(), DbErr> {
    let now = Timestamp::now();
    let retry_at = (fault.state == RETRYING).then(|| now.plus(fault.pause).micros());
    let print = fingerprint(&envelope.payload);
    let insert = |id: Uuid| {
        Statement::from_sql_and_values(
            db.backend(),
            "INSERT INTO parked (id, event_id, kind, key, source, event_time, trace, payload, state, reason, attempts,
                 create_time, next_attempt_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING",
            [
                id.into(),
                envelope.id.into(),
                envelope.kind.as_str().into(),
                envelope.key.as_str().into(),
                envelope.source.as_str().into(),
                envelope.time.micros().into(),
                envelope.trace.clone().into(),
                envelope.payload.to_vec().into(),
                fault.state.into(),
                storable(fault.reason, REASON_MAX).into(),
                fault.attempts.into(),
                now.micros().into(),
                retry_at.into(),
            ],
        )
    };
    db.write::<_, DbErr, _>(async |tx| {
        if tx.execute_raw(insert(envelope.id)).await?.rows_affected() == 1 {
            return Ok(());
        }
        let kept = tx
            .query_one_raw(Statement::from_sql_and_values(
                db.backend(),
                "SELECT kind, payload FROM parked WHERE id = $1",
                [envelope.id.into()],
            ))
            .await?;
        let Some(kept) = kept else { return Ok(()) };
        let same = kept.try_get_by_index::<String>(0)? == envelope.kind
            && fingerprint(&kept.try_get_by_index::<Vec<u8>>(1)?) == print;
        if !same {
            let beside: Id<Parked> = Id::derived(&[&envelope.id.to_string(), &envelope.kind, &hex(&print)]);
            tx.execute_raw(insert(beside.uuid())).await?;
        }
        Ok(())
    })
    .await?;
    db.parked().notify_waiters();
    Ok(())
}

/// Puts a parked message back in line with its tries counted anew. None when there is no such message.
pub(crate) async fn redrive(db: &Db, id: Uuid) -> Result<Option<Parked>, DbErr> {
    let message = db
        .write::<_, DbErr, _>(async |tx| {
            tx.execute_raw(Statement::from_sql_and_values(
                db.backend(),
                "UPDATE parked SET state = 'RETRYING', attempts = 0, next_attempt_at = $2
                 WHERE id = $1 AND state = 'PARKED'",
                [id.into(), Timestamp::now().micros().into()],
            ))
            .await?;
            Parked::find_by_statement(Statement::from_sql_and_values(
                db.backend(),
                format!("SELECT {} FROM parked WHERE id = $1", Parked::COLUMNS),
                [id.into()],
            ))
            .one(tx)
            .await
        })
        .await?;
    db.parked().notify_waiters();
    Ok(message)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_loses_what_a_database_refuses() {
        assert_eq!(storable("orders/1", 500), "orders/1");
        assert_eq!(storable("a\0b", 500), "a\u{fffd}b");
        assert_eq!(storable("f\u{fc}r", 2), "f");
    }
}
