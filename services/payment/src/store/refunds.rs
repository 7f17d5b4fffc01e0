//! Refunds.

use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Statement, Value};

use super::{After, Later, Leased, money, sql, unknown};
use crate::domain::refund::State;
use crate::domain::{Payment, Refund};

const COLUMNS: &str = "id, payment, amount_minor, amount_currency, state, reason, actor, attempts, fence, create_time, attention";

#[derive(FromQueryResult)]
struct Row {
    id: Id<Refund>,
    payment: Id<Payment>,
    amount_minor: i64,
    amount_currency: String,
    state: String,
    reason: String,
    actor: String,
    attempts: i64,
    fence: i64,
    create_time: Timestamp,
    attention: String,
}

impl TryFrom<Row> for Leased<Refund> {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Self, DbErr> {
        let refund = Refund {
            id: row.id,
            payment: row.payment,
            amount: money(row.amount_minor, &row.amount_currency)?,
            state: match row.state.as_str() {
                "PENDING" => State::Pending,
                "SUCCEEDED" => State::Succeeded,
                "FAILED" => State::Failed,
                other => return Err(unknown("state", other)),
            },
            reason: row.reason,
            actor: row.actor,
            create_time: row.create_time,
            attention: row.attention,
        };
        Ok(Leased { since: refund.create_time, row: refund, fence: row.fence, attempts: row.attempts })
    }
}

fn refund(row: Row) -> Result<Refund, DbErr> {
    Leased::try_from(row).map(|leased| leased.row)
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Succeeded => "SUCCEEDED",
        State::Failed => "FAILED",
    }
}

/// Writes a new refund; one that is pending is looked at then. Of a refund that is there already it does nothing.
pub(crate) async fn insert(tx: &DatabaseTransaction, refund: &Refund, due: Timestamp) -> Result<bool, DbErr> {
    let now = Timestamp::now();
    let due = (refund.state == State::Pending).then_some(due);
    let text = format!(
        "INSERT INTO refunds ({COLUMNS}, next_check_at, lease_until, last_error, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, '', $9, 0, '', $10) ON CONFLICT (id) DO NOTHING"
    );
    let values: [Value; 10] = [
        refund.id.into(),
        refund.payment.into(),
        refund.amount.minor.into(),
        refund.amount.currency.as_str().into(),
        state_name(refund.state).into(),
        refund.reason.as_str().into(),
        refund.actor.as_str().into(),
        refund.create_time.into(),
        due.into(),
        now.into(),
    ];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

pub(crate) async fn find(on: &impl ConnectionTrait, id: Id<Refund>) -> Result<Option<Refund>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM refunds WHERE id = $1");
    Row::find_by_statement(sql(on, &text, [id.into()])).one(on).await?.map(refund).transpose()
}

/// A page of a payment's refunds, oldest first.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    of: Id<Payment>,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Refund>, DbErr> {
    let (time, id) = after.unwrap_or((Timestamp::from_micros(i64::MIN), uuid::Uuid::nil()));
    let text = format!(
        "SELECT {COLUMNS} FROM refunds WHERE payment = $1 AND (create_time, id) > ($2, $3) ORDER BY create_time, id LIMIT $4"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = sql(on, &text, [of.into(), time.into(), id.into(), limit.into()]);
    Row::find_by_statement(statement).all(on).await?.into_iter().map(refund).collect()
}

/// All refunds of a payment that somebody is about to decide on.
pub(crate) async fn of(tx: &DatabaseTransaction, payment: Id<Payment>) -> Result<Vec<Refund>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM refunds WHERE payment = $1 ORDER BY create_time, id");
    Row::find_by_statement(sql(tx, &text, [payment.into()])).all(tx).await?.into_iter().map(refund).collect()
}

/// Takes a refund over from whoever works on it: what its channel did is known by now.
pub(crate) async fn seize(tx: &DatabaseTransaction, id: Id<Refund>) -> Result<Leased<Refund>, DbErr> {
    let text =
        format!("UPDATE refunds SET fence = fence + 1, lease_until = 0 WHERE id = $1 RETURNING {COLUMNS}");
    let row = Row::find_by_statement(sql(tx, &text, [id.into()])).one(tx).await?;
    row.ok_or(DbErr::RecordNotUpdated)?.try_into()
}

/// Takes refunds that are due to work on, those that have waited longest first, unless somebody else has them.
pub(crate) async fn lease_due(db: &Db, span: Duration, limit: i64) -> Result<Vec<Leased<Refund>>, DbErr> {
    let these = "id IN (SELECT id FROM refunds WHERE next_check_at <= $2 AND lease_until <= $2
        ORDER BY next_check_at LIMIT $3) AND next_check_at <= $2";
    lease_those(db, span, these, limit.into()).await
}

/// Takes a refund to work on, unless somebody else has it or it is done.
pub(crate) async fn lease(db: &Db, id: Id<Refund>, span: Duration) -> Result<Option<Leased<Refund>>, DbErr> {
    Ok(lease_those(db, span, "id = $3", id.into()).await?.pop())
}

async fn lease_those(
    db: &Db,
    span: Duration,
    these: &str,
    value: Value,
) -> Result<Vec<Leased<Refund>>, DbErr> {
    let now = Timestamp::now();
    let text = format!(
        "UPDATE refunds SET lease_until = $1, fence = fence + 1, attempts = attempts + 1
         WHERE {these} AND lease_until <= $2 AND state = 'PENDING' RETURNING {COLUMNS}"
    );
    let statement =
        Statement::from_sql_and_values(db.backend(), text, [now.plus(span).into(), now.into(), value]);
    let rows = db.query(statement).await?;
    rows.iter().map(|row| Row::from_query_result(row, "")?.try_into()).collect()
}

/// Writes what became of a refund that was taken to work on. `false` where somebody else has taken it since.
pub(crate) async fn settle(
    tx: &DatabaseTransaction,
    taken: &Leased<Refund>,
    state: State,
    later: Later<'_>,
) -> Result<bool, DbErr> {
    let text = "UPDATE refunds SET state = $3, next_check_at = $4, last_error = $5, lease_until = 0, update_time = $6, attention = $7
        WHERE id = $1 AND fence = $2 AND state = 'PENDING'";
    let values: [Value; 7] = [
        taken.row.id.into(),
        taken.fence.into(),
        state_name(state).into(),
        later.at.into(),
        later.error.into(),
        Timestamp::now().into(),
        later.attention.into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}
