//! What shipping keeps: statements over its tables, in domain types.

pub(crate) mod audit;
pub(crate) mod fulfillments;
pub(crate) mod rates;
pub(crate) mod shipments;
pub(crate) mod tracking;
pub(crate) mod zones;

use chassis::id::Id;
use chassis::rows::{Column, Rows, text, uuid};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, QueryResult, Statement, Value};

use crate::domain::Shipment;

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

/// Orders by their names, for a statement about many.
fn orders<'a>(names: impl IntoIterator<Item = &'a str>) -> Rows<1> {
    const ORDERS: [Column; 1] = [text("wanted")];
    Rows::new(&ORDERS, names.into_iter().map(|name| [name.into()]))
}

/// Shipments by their ids, for a statement about many.
fn shipments(ids: impl IntoIterator<Item = Id<Shipment>>) -> Rows<1> {
    const SHIPMENTS: [Column; 1] = [uuid("wanted")];
    Rows::new(&SHIPMENTS, ids.into_iter().map(|id| [id.into()]))
}

fn damaged(what: &str) -> DbErr {
    DbErr::Type(format!("{what} is not one that was stored"))
}

/// A column by its place.
fn get<T: sea_orm::TryGetable>(row: &QueryResult, place: usize) -> Result<T, DbErr> {
    row.try_get_by_index(place)
}

fn at_most(limit: u64) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}
