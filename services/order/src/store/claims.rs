//! What users asked for of guests' orders, and the tries their codes have left.

use std::time::Duration;

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, ExecResult, QueryResult, Statement, Value};

use crate::domain::{Number, Order};

/// How long it is kept what was asked, to count by.
pub(crate) const LATELY: Duration = Duration::from_secs(3600);
/// Wrong tries that spend a code.
const TRIES_MAX: i64 = 5;
/// Looked at in one round.
const BATCH: i64 = 32;

/// One asking for one order: its code is made of the id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: Id<Claim>,
    pub(crate) user: String,
    pub(crate) number: Number,
    pub(crate) email: String,
    pub(crate) attempts: i64,
}

/// The secret of this database; `fresh` where there was none.
pub(crate) async fn secret(tx: &DatabaseTransaction, fresh: &[u8]) -> Result<Vec<u8>, DbErr> {
    let sql = "INSERT INTO order_secrets (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
    run(tx, sql, vec![fresh.to_vec().into()]).await?;
    let rows = query(tx, "SELECT secret FROM order_secrets WHERE id = 1", vec![]).await?;
    let kept = rows.first().map(|row| row.try_get_by_index(0)).transpose()?;
    kept.ok_or_else(|| DbErr::RecordNotFound("the secret that was just kept".to_owned()))
}

/// Which orders a user asked for since then, and when.
pub(crate) async fn asked_since(
    tx: &DatabaseTransaction,
    user: &str,
    since: Timestamp,
) -> Result<Vec<(String, Timestamp)>, DbErr> {
    let sql = "SELECT number, create_time FROM order_claims WHERE customer = $1 AND create_time > $2";
    let rows = query(tx, sql, vec![user.into(), since.into()]).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// Notes what was asked, to be looked at.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    asked: &Asked,
    now: Timestamp,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO order_claims (id, customer, number, email, ready, tries, attempts, next_time, expire_time, create_time)
               VALUES ($1, $2, $3, $4, FALSE, 0, 0, $5, $6, $5)";
    let values = vec![
        asked.id.into(),
        asked.user.as_str().into(),
        asked.number.digits().into(),
        asked.email.as_str().into(),
        now.into(),
        expire_time.into(),
    ];
    run(tx, sql, values).await?;
    Ok(())
}

/// What is to be looked at now.
pub(crate) async fn due(db: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Asked>, DbErr> {
    let sql = "SELECT id, customer, number, email, attempts FROM order_claims
               WHERE next_time IS NOT NULL AND next_time <= $1 AND expire_time > $1 ORDER BY next_time LIMIT $2";
    let rows = query(db, sql, vec![now.into(), BATCH.into()]).await?;
    let read = |row: &QueryResult| {
        Ok(Asked {
            id: row.try_get_by_index(0)?,
            user: row.try_get_by_index(1)?,
            number: Number::parse(&row.try_get_by_index::<String>(2)?)
                .ok_or_else(|| DbErr::Custom("a claim without a number".to_owned()))?,
            email: row.try_get_by_index::<Option<String>>(3)?.unwrap_or_default(),
            attempts: row.try_get_by_index(4)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Takes one until then. False where another replica has it.
pub(crate) async fn lease(tx: &DatabaseTransaction, asked: &Asked, until: Timestamp) -> Result<bool, DbErr> {
    let sql = "UPDATE order_claims SET attempts = attempts + 1, next_time = $3
               WHERE id = $1 AND attempts = $2 AND next_time IS NOT NULL";
    let taken = run(tx, sql, vec![asked.id.into(), asked.attempts.into(), until.into()]).await?;
    Ok(taken.rows_affected() == 1)
}

/// Has it looked at again then.
pub(crate) async fn postpone(
    tx: &DatabaseTransaction,
    id: Id<Claim>,
    next_time: Timestamp,
) -> Result<(), DbErr> {
    let sql = "UPDATE order_claims SET next_time = $2 WHERE id = $1";
    run(tx, sql, vec![id.into(), next_time.into()]).await.map(drop)
}

/// Done with looking: the address that was given is forgotten.
pub(crate) async fn settle(tx: &DatabaseTransaction, id: Id<Claim>) -> Result<(), DbErr> {
    let sql = "UPDATE order_claims SET next_time = NULL, email = NULL WHERE id = $1";
    run(tx, sql, vec![id.into()]).await.map(drop)
}

/// Lets the code work for this order. False where so many were mailed about it already.
pub(crate) async fn ready(
    tx: &DatabaseTransaction,
    asked: &Asked,
    order: Id<Order>,
    most: u64,
    since: Timestamp,
) -> Result<bool, DbErr> {
    let sql = "UPDATE order_claims SET ready = TRUE, order_id = $2 WHERE id = $1 AND (SELECT COUNT(*) FROM order_claims
               WHERE number = $5 AND order_id = $2 AND ready AND id <> $1 AND create_time > $3) < $4";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let values = vec![asked.id.into(), order.into(), since.into(), most.into(), asked.number.digits().into()];
    Ok(run(tx, sql, values).await?.rows_affected() == 1)
}

/// Takes one try of the newest code a user was mailed for an order; nothing where there is none, or none is left.
/// Counting before comparing lets nobody try more often by trying at once.
pub(crate) async fn take_try(
    tx: &DatabaseTransaction,
    user: &str,
    number: &Number,
    now: Timestamp,
) -> Result<Option<(Id<Claim>, Id<Order>)>, DbErr> {
    let sql = "UPDATE order_claims SET tries = tries + 1 WHERE tries < $4 AND id = (
                   SELECT id FROM order_claims WHERE customer = $1 AND number = $2 AND ready AND expire_time > $3
                   ORDER BY create_time DESC, id DESC LIMIT 1)
               RETURNING id, order_id";
    let rows =
        query(tx, sql, vec![user.into(), number.digits().into(), now.into(), TRIES_MAX.into()]).await?;
    rows.first().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()
}

/// The codes a user was mailed for an order work no more.
pub(crate) async fn spend(tx: &DatabaseTransaction, user: &str, number: &Number) -> Result<(), DbErr> {
    let sql = "UPDATE order_claims SET tries = $3 WHERE customer = $1 AND number = $2";
    run(tx, sql, vec![user.into(), number.digits().into(), TRIES_MAX.into()]).await.map(drop)
}

/// Whether anything older is kept.
pub(crate) async fn any_before(db: &impl ConnectionTrait, time: Timestamp) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM order_claims WHERE create_time < $1 LIMIT 1";
    Ok(!query(db, sql, vec![time.into()]).await?.is_empty())
}

/// Forgets what is older.
pub(crate) async fn purge(tx: &DatabaseTransaction, before: Timestamp) -> Result<(), DbErr> {
    run(tx, "DELETE FROM order_claims WHERE create_time < $1", vec![before.into()]).await.map(drop)
}

/// Forgets what an erased user asked for.
pub(crate) async fn erase(tx: &DatabaseTransaction, user: &str) -> Result<(), DbErr> {
    run(tx, "DELETE FROM order_claims WHERE customer = $1", vec![user.into()]).await.map(drop)
}

async fn run(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<ExecResult, DbErr> {
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await
}

async fn query(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await
}
