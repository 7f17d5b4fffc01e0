//! What shipping keeps: statements over its tables, in domain types.

pub(crate) mod audit;
pub(crate) mod fulfillments;
pub(crate) mod rates;
pub(crate) mod shipments;
pub(crate) mod tracking;
pub(crate) mod zones;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, Value};

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

/// Places for so many rows of values: `($3, $4), ($5, $6)` for two rows of two from the third on.
fn places(first: usize, columns: usize, rows: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> =
            (0..columns).map(|column| format!("${}", first + row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Places for a list of values: `($1, $2, $3)`.
fn list(first: usize, values: usize) -> String {
    places(first, values, 1)
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
