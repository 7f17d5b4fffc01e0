//! The tables of analytics: each function runs its queries and speaks in the words of the domain.

pub(crate) mod behaviour;
pub(crate) mod person;
pub(crate) mod report;
pub(crate) mod sale;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

/// The most values of one statement: SQLite takes 32,766 and PostgreSQL 65,535.
const VALUES_MAX: usize = 30_000;

async fn execute(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(db.execute_raw(statement).await?.rows_affected())
}

async fn all(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await
}

async fn one(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Option<QueryResult>, DbErr> {
    db.query_one_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await
}

/// Inserts many rows with as few statements as the databases allow. `head` is `INSERT INTO table (columns)`.
async fn insert<const COLUMNS: usize>(
    db: &impl ConnectionTrait,
    head: &str,
    rows: Vec<[Value; COLUMNS]>,
) -> Result<(), DbErr> {
    for part in rows.chunks(VALUES_MAX / COLUMNS) {
        let row = |row: usize| {
            let places: Vec<String> =
                (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
            format!("({})", places.join(", "))
        };
        let places: Vec<String> = (0..part.len()).map(row).collect();
        let sql = format!("{head} VALUES {}", places.join(", "));
        execute(db, &sql, part.iter().flatten().cloned().collect()).await?;
    }
    Ok(())
}

fn currency(row: &QueryResult) -> Result<chassis::money::Currency, DbErr> {
    let code: String = row.try_get("", "currency")?;
    code.parse().map_err(|_| DbErr::Type(format!("currency holds {code}, which is not known")))
}
