//! Statements whose number of values is known only when they run, for both databases.
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most values of one statement: SQLite takes 32,766 and PostgreSQL 65,535.
const VALUES_MAX: usize = 30_000;

pub(super) fn statement(db: &impl ConnectionTrait, sql: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

pub(super) async fn execute(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
    Ok(db.execute_raw(statement(db, sql, values)).await?.rows_affected())
}

/// The rows of a query that ends in a list of ids or texts: `{}` in `sql` stands for the list. An empty list finds
/// nothing; a long one is asked for in parts.
pub(super) async fn all_in(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut rows = Vec::new();
    for part in values.chunks(VALUES_MAX) {
        let sql = sql.replace("{}", &places(1, part.len()));
        rows.extend(db.query_all_raw(statement(db, sql, part.to_vec())).await?);
    }
    Ok(rows)
}

/// `$3, $4, $5`, from the first, so many.
pub(super) fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

/// A list to ask for.
pub(super) fn values<T: Into<Value>>(list: impl IntoIterator<Item = T>) -> Vec<Value> {
    list.into_iter().map(Into::into).collect()
}

/// Inserts many rows with as few statements as the databases allow. `head` is `INSERT INTO table (columns)`.
pub(super) async fn insert<const COLUMNS: usize>(
    db: &impl ConnectionTrait,
    head: &str,
    rows: Vec<[Value; COLUMNS]>,
    tail: &str,
) -> Result<u64, DbErr> {
    let mut inserted = 0;
    for part in rows.chunks(VALUES_MAX / COLUMNS) {
        let places: Vec<String> =
            (0..part.len()).map(|row| format!("({})", places(row * COLUMNS + 1, COLUMNS))).collect();
        let sql = format!("{head} VALUES {} {tail}", places.join(", "));
        inserted += execute(db, &sql, part.iter().flatten().cloned().collect()).await?;
    }
    Ok(inserted)
}

pub(super) fn json(value: &impl Serialize) -> Result<Value, DbErr> {
    serde_json::to_string(value).map(Value::from).map_err(|error| DbErr::Json(error.to_string()))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &QueryResult, column: &str) -> Result<T, DbErr> {
    let text: String = row.try_get("", column)?;
    serde_json::from_str(&text).map_err(|error| DbErr::Json(format!("{column}: {error}")))
}

/// A column holds what this version of the service does not know.
pub(super) fn unknown(column: &str) -> DbErr {
    DbErr::Type(format!("{column} holds a value that is not known"))
}

/// How many rows one query counts, and whom another one names.
pub(super) async fn offenders(
    db: &impl ConnectionTrait,
    count: &str,
    sql: &str,
    values: Vec<Value>,
) -> Result<(u64, Vec<String>), DbErr> {
    let checked = db.query_one_raw(statement(db, count, vec![])).await?;
    let checked: i64 = checked.map(|row| row.try_get("", "checked")).transpose()?.unwrap_or_default();
    let rows = db.query_all_raw(statement(db, sql, values)).await?;
    let named = rows.iter().map(|row| row.try_get("", "offender")).collect::<Result<_, _>>()?;
    Ok((u64::try_from(checked).unwrap_or_default(), named))
}
