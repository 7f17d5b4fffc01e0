//! The tables of identity, as functions that speak of people, sessions and roles.
pub(crate) mod access;
pub(crate) mod addresses;
pub(crate) mod credentials;
pub(crate) mod outbound;
pub(crate) mod resets;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod users;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, ExecResult, FromQueryResult, Statement, Value};

/// A statement that reads the same on both databases.
fn statement(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}

async fn execute(
    tx: &DatabaseTransaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<ExecResult, DbErr> {
    tx.execute_raw(statement(tx, sql, values)).await
}

/// Runs a conditional change and says whether it applied.
async fn changed(
    tx: &DatabaseTransaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<bool, DbErr> {
    Ok(execute(tx, sql, values).await?.rows_affected() > 0)
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

/// `$first, $first+1, …` for a list of so many values.
fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

/// A count, as both databases give it.
#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

async fn count(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let count = one::<Count>(connection, sql, values).await?.map_or(0, |row| row.count);
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The secret that the database keeps; the one given where there is none yet.
pub(crate) async fn vault_secret(tx: &DatabaseTransaction, fresh: &[u8]) -> Result<Vec<u8>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        secret: Vec<u8>,
    }
    execute(
        tx,
        "INSERT INTO vault (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
        [fresh.to_vec().into()],
    )
    .await?;
    let row = one::<Row>(tx, "SELECT secret FROM vault WHERE id = 1", []).await?;
    row.map(|row| row.secret).ok_or_else(|| DbErr::RecordNotFound("the secret that was just kept".to_owned()))
}

/// What must hold: its words, how many rows are looked at, and which are at fault.
const INVARIANTS: [(&str, &str, &str, &str); 3] = [
    (
        "I34",
        "a session has at most one unused refresh token, and none once it has ended",
        "SELECT COUNT(*) AS count FROM sessions",
        "SELECT CAST(COUNT(*) AS TEXT) || ' unused tokens of one session' AS offender FROM refresh_tokens
         JOIN sessions ON sessions.id = session_id WHERE use_time IS NULL
         GROUP BY session_id, end_time HAVING COUNT(*) > 1 OR end_time IS NOT NULL",
    ),
    (
        "I36",
        "nothing is left of an erased user",
        "SELECT COUNT(*) AS count FROM users WHERE state = 'ERASED'",
        "SELECT 'a row in ' || place AS offender FROM (
           SELECT 'credentials' AS place, user_id FROM credentials UNION ALL SELECT 'addresses', user_id FROM addresses
           UNION ALL SELECT 'user_roles', user_id FROM user_roles UNION ALL SELECT 'verifications', user_id FROM verifications
         ) AS kept JOIN users ON users.id = user_id WHERE state = 'ERASED'",
    ),
    (
        "I44",
        "one key signs, and the others retire",
        "SELECT COUNT(*) AS count FROM signing_keys",
        "SELECT kid AS offender FROM signing_keys WHERE expire_time IS NULL
         AND 1 < (SELECT COUNT(*) FROM signing_keys WHERE expire_time IS NULL)",
    ),
];

/// Checks every invariant.
pub(crate) async fn findings(
    connection: &impl ConnectionTrait,
) -> Result<Vec<chassis::operations::Finding>, DbErr> {
    #[derive(FromQueryResult)]
    struct Offender {
        offender: String,
    }
    let mut findings = Vec::new();
    for (number, invariant, counted, at_fault) in INVARIANTS {
        let checked = count(connection, counted, []).await?;
        let offenders =
            all::<Offender>(connection, at_fault, []).await?.into_iter().map(|row| row.offender).collect();
        findings.push(chassis::operations::Finding { number, invariant, checked, offenders });
    }
    Ok(findings)
}
