//! The inbox: which events were applied, so that each is applied once.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement, Value};
use uuid::Uuid;

use crate::event::Envelope;
use crate::failpoint;
use crate::once::fingerprint;
use crate::rows::{self, Column, Rows};
use crate::time::Timestamp;

/// What the inbox says of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is new, and noted as applied by this transaction.
    New,
    /// It was applied before.
    Applied,
    /// Its id belongs to another event.
    Differs,
    /// It is kept already, to be tried again or looked at.
    Kept,
    /// An earlier event of its key waits to be tried again: it must wait behind it.
    Behind,
}

/// What has an event applied once: its id in the inbox is taken.
fn once() -> &'static str {
    if failpoint::mutated("inbox") { "" } else { "ON CONFLICT (id) DO NOTHING" }
}

/// Claims an event for this transaction. One statement where all is well, since every event pays for it.
pub(super) async fn claim(tx: &DatabaseTransaction, envelope: &Envelope) -> Result<Claim, DbErr> {
    let claimed = tx
        .execute_raw(Statement::from_sql_and_values(
            tx.get_database_backend(),
            format!(
                "INSERT INTO inbox (id, kind, key, fingerprint, create_time)
                 SELECT $1, $2, $3, $4, $5
                 WHERE NOT EXISTS (SELECT 1 FROM parked WHERE id = $1)
                   AND NOT EXISTS (SELECT 1 FROM parked WHERE key = $3 AND key <> '' AND state = 'RETRYING')
                 {}",
                once()
            ),
            [
                envelope.id.into(),
                envelope.kind.as_str().into(),
                envelope.key.as_str().into(),
                fingerprint(&envelope.payload).into(),
                Timestamp::now().micros().into(),
            ],
        ))
        .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::New);
    }
    if let Some(known) = known(tx, envelope).await? {
        return Ok(known);
    }
    let kept = tx
        .query_one_raw(Statement::from_sql_and_values(
            tx.get_database_backend(),
            "SELECT 1 FROM parked WHERE id = $1",
            [envelope.id.into()],
        ))
        .await?;
    Ok(if kept.is_some() { Claim::Kept } else { Claim::Behind })
}

const COLUMNS: [Column; 4] =
    [rows::uuid("id"), rows::text("kind"), rows::text("key"), rows::bytes("fingerprint")];

/// Claims many events for this transaction in one statement. The answer has the ids of those that are new: each of the
/// others was applied before, is kept, or waits behind another, which [`claim`] tells.
pub(super) async fn claim_all(tx: &DatabaseTransaction, envelopes: &[Envelope]) -> Result<Vec<Uuid>, DbErr> {
    let row = |envelope: &Envelope| -> [Value; 4] {
        [
            envelope.id.into(),
            envelope.kind.as_str().into(),
            envelope.key.as_str().into(),
            fingerprint(&envelope.payload).into(),
        ]
    };
    let sql = format!(
        "INSERT INTO inbox (id, kind, key, fingerprint, create_time)
         SELECT id, kind, key, fingerprint, $1 FROM {{rows}} AS new
         WHERE NOT EXISTS (SELECT 1 FROM parked WHERE parked.id = new.id)
           AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.key = new.key AND new.key <> '' AND state = 'RETRYING')
         {} RETURNING id",
        once()
    );
    Rows::new(&COLUMNS, envelopes.iter().map(row))
        .query(tx, &sql, &[Timestamp::now().micros().into()], |row| row.try_get_by_index(0))
        .await
}

/// Claims an event that is being tried again: its own place in the line is no obstacle.
pub(super) async fn claim_again(tx: &DatabaseTransaction, envelope: &Envelope) -> Result<Claim, DbErr> {
    let claimed = tx
        .execute_raw(Statement::from_sql_and_values(
            tx.get_database_backend(),
            format!(
                "INSERT INTO inbox (id, kind, key, fingerprint, create_time) VALUES ($1, $2, $3, $4, $5) {}",
                once()
            ),
            [
                envelope.id.into(),
                envelope.kind.as_str().into(),
                envelope.key.as_str().into(),
                fingerprint(&envelope.payload).into(),
                Timestamp::now().micros().into(),
            ],
        ))
        .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::New);
    }
    Ok(known(tx, envelope).await?.unwrap_or(Claim::New))
}

async fn known(tx: &DatabaseTransaction, envelope: &Envelope) -> Result<Option<Claim>, DbErr> {
    let row = tx
        .query_one_raw(Statement::from_sql_and_values(
            tx.get_database_backend(),
            "SELECT kind, fingerprint FROM inbox WHERE id = $1",
            [envelope.id.into()],
        ))
        .await?;
    let Some(row) = row else { return Ok(None) };
    let same = row.try_get_by_index::<String>(0)? == envelope.kind
        && row.try_get_by_index::<Vec<u8>>(1)? == fingerprint(&envelope.payload);
    Ok(Some(if same { Claim::Applied } else { Claim::Differs }))
}
