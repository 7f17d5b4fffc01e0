//! Sessions and the refresh tokens that keep them going.
use std::time::Duration;

use chassis::{auth::token, id::Id, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{access, all, changed, execute, one};
use crate::domain::Session;

/// Longer than any access token counts anywhere.
const TOKENS_OUTLIVED: Duration =
    Duration::from_secs(token::ACCESS_LIFETIME.as_secs() + 2 * token::LEEWAY.as_secs());

/// A refresh token as it is kept: its digest only.
#[derive(FromQueryResult)]
pub(crate) struct Kept {
    pub(crate) session_id: Id<Session>,
    pub(crate) expire_time: Timestamp,
    pub(crate) use_time: Option<Timestamp>,
    pub(crate) salt: Option<Vec<u8>>,
    pub(crate) subject: String,
    pub(crate) session_expire_time: Timestamp,
    pub(crate) end_time: Option<Timestamp>,
}

/// Begins a session.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    id: Id<Session>,
    subject: &str,
    now: Timestamp,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO sessions (id, subject, create_time, refresh_time, expire_time) VALUES ($1, $2, $3, $3, $4)",
        [id.into(), subject.into(), now.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// Keeps a refresh token's digest. The database admits one unused token a session.
pub(crate) async fn insert_token(
    tx: &DatabaseTransaction,
    digest: Vec<u8>,
    session: Id<Session>,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO refresh_tokens (digest, session_id, expire_time) VALUES ($1, $2, $3)",
        [digest.into(), session.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// The token of that digest, with its session.
pub(crate) async fn find_token(
    connection: &impl ConnectionTrait,
    digest: &[u8],
) -> Result<Option<Kept>, DbErr> {
    one(
        connection,
        "SELECT session_id, refresh_tokens.expire_time, use_time, salt, subject, sessions.expire_time AS session_expire_time, end_time
         FROM refresh_tokens JOIN sessions ON sessions.id = session_id WHERE digest = $1",
        [digest.to_vec().into()],
    )
    .await
}

/// Marks a token as traded. False where it was already: of two that trade at once, one finds out.
pub(crate) async fn use_token(
    tx: &DatabaseTransaction,
    digest: &[u8],
    salt: &[u8],
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE refresh_tokens SET use_time = $2, salt = $3 WHERE digest = $1 AND use_time IS NULL",
        [digest.to_vec().into(), now.into(), salt.to_vec().into()],
    )
    .await
}

/// Notes that a session goes on, and holds its row. False where it has ended.
pub(crate) async fn go_on(tx: &DatabaseTransaction, id: Id<Session>, now: Timestamp) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE sessions SET refresh_time = $2 WHERE id = $1 AND end_time IS NULL AND expire_time > $2",
        [id.into(), now.into()],
    )
    .await
}

/// Ends one session: its refresh tokens are gone, its access tokens are refused everywhere soon.
pub(crate) async fn end(tx: &DatabaseTransaction, id: Id<Session>, now: Timestamp) -> Result<(), DbErr> {
    let ended = changed(
        tx,
        "UPDATE sessions SET end_time = $2 WHERE id = $1 AND end_time IS NULL",
        [id.into(), now.into()],
    )
    .await?;
    if ended {
        execute(tx, "DELETE FROM refresh_tokens WHERE session_id = $1", [id.into()]).await?;
        // A token may be signed this very moment: the whole session is over, whenever its tokens were issued.
        let until = now.plus(TOKENS_OUTLIVED);
        access::revoke(tx, &id.name(), until, until).await?;
        access::bump(tx, now).await?;
    }
    Ok(())
}

/// Ends all sessions of a user or guest but, where one is named, that one.
pub(crate) async fn end_all(
    tx: &DatabaseTransaction,
    subject: &str,
    but: Option<Id<Session>>,
    now: Timestamp,
) -> Result<(), DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Id<Session>,
    }
    let rows =
        all::<Row>(tx, "SELECT id FROM sessions WHERE subject = $1 AND end_time IS NULL", [subject.into()])
            .await?;
    for row in rows {
        if Some(row.id) != but {
            end(tx, row.id, now).await?;
        }
    }
    Ok(())
}

/// Forgets what nobody can use any more.
pub(crate) async fn sweep(tx: &DatabaseTransaction, now: Timestamp) -> Result<(), DbErr> {
    // A day longer than needed: a client that comes late learns that its session is over, not that it never was.
    let long_ago = now.minus(Duration::from_secs(24 * 3600));
    execute(
        tx,
        "DELETE FROM refresh_tokens WHERE expire_time < $1
         OR session_id IN (SELECT id FROM sessions WHERE expire_time < $1 OR end_time < $1)",
        [long_ago.into()],
    )
    .await?;
    execute(
        tx,
        "DELETE FROM sessions WHERE (expire_time < $1 OR end_time < $1)
         AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE session_id = sessions.id)",
        [long_ago.into()],
    )
    .await?;
    execute(tx, "DELETE FROM revocations WHERE expire_time < $1", [now.into()]).await?;
    execute(tx, "DELETE FROM verifications WHERE expire_time < $1", [long_ago.into()]).await?;
    execute(tx, "DELETE FROM password_resets WHERE expire_time < $1 AND window_time < $1", [long_ago.into()])
        .await?;
    execute(
        tx,
        "DELETE FROM sign_in_failures WHERE locked_until < $1 AND window_time < $1",
        [long_ago.into()],
    )
    .await?;
    Ok(())
}
