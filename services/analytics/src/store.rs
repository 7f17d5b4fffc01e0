//! The tables of analytics: each function runs its queries and speaks in the words of the domain.

pub(crate) mod behaviour;
pub(crate) mod person;
pub(crate) mod report;
pub(crate) mod sale;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

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

fn currency(row: &QueryResult) -> Result<chassis::money::Currency, DbErr> {
    let code: String = row.try_get("", "currency")?;
    code.parse().map_err(|_| DbErr::Type(format!("currency holds {code}, which is not known")))
}
