//! The tables of notification, as functions that speak of messages, templates and preferences.
pub(crate) mod caught;
pub(crate) mod due;
pub(crate) mod messages;
pub(crate) mod preferences;
pub(crate) mod templates;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement, Value};
use uuid::Uuid;

/// A statement that reads the same on both databases.
fn statement(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}

/// Runs a change and says whether it applied to anything.
async fn changed(
    tx: &DatabaseTransaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<bool, DbErr> {
    Ok(tx.execute_raw(statement(tx, sql, values)).await?.rows_affected() > 0)
}

async fn one<R: FromQueryResult>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<R>, DbErr> {
    R::find_by_statement(statement(connection, sql, values)).one(connection).await
}

async fn all<R: FromQueryResult>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<R>, DbErr> {
    R::find_by_statement(statement(connection, sql, values)).all(connection).await
}

/// Where a list ordered by time and id, newest first, goes on: after everything where it begins.
fn newest_after(keys: Option<&[String]>) -> (i64, Uuid) {
    let after = keys.and_then(|keys| match keys {
        [time, id] => Some((time.parse().ok()?, id.parse().ok()?)),
        _ => None,
    });
    after.unwrap_or((i64::MAX, Uuid::max()))
}
