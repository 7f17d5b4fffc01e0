//! What verifiers need: the version, the keys, the revocations.
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{all, execute, one};

/// A key that signs or has signed access tokens. The secret half is sealed.
#[derive(FromQueryResult, Clone)]
pub(crate) struct SigningRow {
    pub(crate) kid: String,
    pub(crate) public_key: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) active_time: Timestamp,
    pub(crate) expire_time: Option<Timestamp>,
}

/// Tokens of a subject or session that have ended.
#[derive(FromQueryResult)]
pub(crate) struct Revoked {
    pub(crate) subject: String,
    pub(crate) not_before: Timestamp,
}

#[derive(FromQueryResult)]
struct Version {
    version: i64,
}

/// The version of what verifiers need.
pub(crate) async fn version(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let row = one::<Version>(connection, "SELECT version FROM access_policy WHERE id = 1", []).await?;
    Ok(row.map_or(0, |row| row.version))
}

/// Tells verifiers that something has changed. Versions are times, so that they go on growing after a database was put
/// back to an older state. It also makes transactions that change the policy wait for each other.
pub(crate) async fn bump(tx: &DatabaseTransaction, now: Timestamp) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE access_policy SET version = CASE WHEN version < $1 THEN $1 ELSE version + 1 END WHERE id = 1",
        [now.into()],
    )
    .await?;
    Ok(())
}

/// Refuses tokens of a subject or session issued before `not_before`, and remembers it until `expire_time`.
pub(crate) async fn revoke(
    tx: &DatabaseTransaction,
    subject: &str,
    not_before: Timestamp,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO revocations (subject, not_before, expire_time) VALUES ($1, $2, $3)
         ON CONFLICT (subject) DO UPDATE SET not_before = excluded.not_before, expire_time = excluded.expire_time",
        [subject.into(), not_before.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// Takes a revocation back.
pub(crate) async fn forget_revocation(tx: &DatabaseTransaction, subject: &str) -> Result<(), DbErr> {
    execute(tx, "DELETE FROM revocations WHERE subject = $1", [subject.into()]).await?;
    Ok(())
}

/// The revocations that still matter.
pub(crate) async fn revocations(
    connection: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<Vec<Revoked>, DbErr> {
    all(connection, "SELECT subject, not_before FROM revocations WHERE expire_time > $1", [now.into()]).await
}

/// The signing keys that still verify, oldest first.
pub(crate) async fn keys(
    connection: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<Vec<SigningRow>, DbErr> {
    all(
        connection,
        "SELECT kid, public_key, sealed, active_time, expire_time FROM signing_keys
         WHERE expire_time IS NULL OR expire_time > $1 ORDER BY active_time, kid",
        [now.into()],
    )
    .await
}

/// Keeps a key.
pub(crate) async fn insert_key(tx: &DatabaseTransaction, key: &SigningRow) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO signing_keys (kid, public_key, sealed, active_time, expire_time) VALUES ($1, $2, $3, $4, $5)",
        [
            key.kid.as_str().into(),
            key.public_key.clone().into(),
            key.sealed.clone().into(),
            key.active_time.into(),
            key.expire_time.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Lets every key but one end when its last token has.
pub(crate) async fn retire_keys(
    tx: &DatabaseTransaction,
    but: &str,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE signing_keys SET expire_time = $2 WHERE kid <> $1 AND expire_time IS NULL",
        [but.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// Forgets the keys that verify nothing any more.
pub(crate) async fn sweep_keys(tx: &DatabaseTransaction, now: Timestamp) -> Result<(), DbErr> {
    execute(tx, "DELETE FROM signing_keys WHERE expire_time < $1", [now.into()]).await?;
    Ok(())
}
