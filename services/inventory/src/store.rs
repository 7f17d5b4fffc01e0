//! What inventory keeps: statements over its tables, in domain types. Many lines are few statements.

pub(crate) mod audit;
pub(crate) mod journal;
pub(crate) mod locations;
pub(crate) mod reservations;
pub(crate) mod stock;

use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, QueryResult, Statement, Value};

/// Reads the rows of a query.
async fn rows<T>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await?.iter().map(read).collect()
}

/// Runs a statement that writes, and says how many rows it met.
async fn run(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// What takes hold of the rows that a query reads. SQLite has one writer, which holds everything.
fn holding(tx: &DatabaseTransaction, table: &str) -> String {
    if tx.get_database_backend() == DatabaseBackend::Postgres {
        format!("FOR UPDATE OF {table}")
    } else {
        String::new()
    }
}

fn damaged(what: &str) -> DbErr {
    DbErr::Type(format!("{what} is not one that was stored"))
}

/// A column by its place.
fn get<T: sea_orm::TryGetable>(row: &QueryResult, place: usize) -> Result<T, DbErr> {
    row.try_get_by_index(place)
}
