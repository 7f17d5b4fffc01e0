//! Messages that are still to be handed to notification.
use std::time::Duration;

use chassis::{db::Db, id::Id, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{all, changed, count, execute, statement};
use crate::domain::{Outbound, User};

/// A message to hand over.
#[derive(FromQueryResult)]
pub(crate) struct Pending {
    pub(crate) id: Id<Outbound>,
    pub(crate) user_id: Id<User>,
    pub(crate) kind: String,
    pub(crate) sealed_code: Option<Vec<u8>>,
    pub(crate) attempts: i32,
    pub(crate) expire_time: Timestamp,
    pub(crate) email: Option<String>,
    pub(crate) locale: String,
}

/// Queues a message in place of one of the same kind to the same user that has not been sent.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    id: Id<Outbound>,
    user: Id<User>,
    kind: &str,
    sealed_code: Option<Vec<u8>>,
    now: Timestamp,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(tx, "DELETE FROM outbound WHERE user_id = $1 AND kind = $2", [user.into(), kind.into()]).await?;
    execute(
        tx,
        "INSERT INTO outbound (id, user_id, kind, sealed_code, attempts, next_time, expire_time) VALUES ($1, $2, $3, $4, 0, $5, $6)",
        [id.into(), user.into(), kind.into(), sealed_code.into(), now.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// What is due, with where it goes.
pub(crate) async fn due(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Pending>, DbErr> {
    all(
        connection,
        "SELECT outbound.id, user_id, kind, sealed_code, attempts, expire_time, email, locale
         FROM outbound JOIN users ON users.id = user_id WHERE next_time <= $1 ORDER BY next_time LIMIT 32",
        [now.into()],
    )
    .await
}

/// Takes a message for as long as the lease. False where another replica has it.
pub(crate) async fn claim(
    db: &Db,
    pending: &Pending,
    lease: Duration,
    now: Timestamp,
) -> Result<bool, DbErr> {
    db.write(async |tx| {
        changed(
            tx,
            "UPDATE outbound SET attempts = attempts + 1, next_time = $3 WHERE id = $1 AND attempts = $2 AND next_time <= $4",
            [pending.id.into(), pending.attempts.into(), now.plus(lease).into(), now.into()],
        )
        .await
    })
    .await
}

/// Tries again at that time.
pub(crate) async fn postpone(db: &Db, id: Id<Outbound>, next_time: Timestamp) -> Result<(), DbErr> {
    let sql = "UPDATE outbound SET next_time = $2 WHERE id = $1";
    db.execute(statement(db.writer(), sql, [id.into(), next_time.into()])).await?;
    Ok(())
}

/// Forgets a message, with its code.
pub(crate) async fn delete(db: &Db, id: Id<Outbound>) -> Result<(), DbErr> {
    db.execute(statement(db.writer(), "DELETE FROM outbound WHERE id = $1", [id.into()])).await?;
    Ok(())
}

/// How many wait.
pub(crate) async fn count_pending(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    count(connection, "SELECT COUNT(*) AS count FROM outbound", []).await
}
