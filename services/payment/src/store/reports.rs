//! Reports of reconciliations, one of each channel and day, and their breaks.

use std::collections::BTreeMap;
use std::time::Duration;

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{damaged, money, sql, unknown};
use crate::domain::Payment;
use crate::domain::reconcile::{Break, Comparison, Day, Kind, Moved, Total};

/// What came of comparing a day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) id: Id<Report>,
    pub(crate) channel: String,
    pub(crate) day: Day,
    pub(crate) state: State,
    pub(crate) operation_count: i64,
    pub(crate) break_count: i64,
    pub(crate) totals: BTreeMap<String, Total>,
    pub(crate) run_count: i64,
    pub(crate) actor: String,
    pub(crate) create_time: Timestamp,
    pub(crate) run_time: Timestamp,
    pub(crate) error: String,
}

impl Resource for Report {
    const COLLECTION: &'static str = "reconciliations";
}

/// How far a report has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Matched,
    Broken,
    Failed,
}

/// A break that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) id: Id<Break>,
    pub(crate) found: Break,
    pub(crate) create_time: Timestamp,
    pub(crate) resolve_time: Option<Timestamp>,
}

/// A report that was taken to work on. What is written about it holds only while nobody else has taken it since: each run
/// has its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) id: Id<Report>,
    pub(crate) run: i64,
}

/// Who has a day compared, and when it is not done again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) actor: &'a str,
    /// Only where it was not compared yet, or failed before then.
    pub(crate) unless_done_since: Option<Timestamp>,
}

const REPORT: &str =
    "id, channel, day, state, operation_count, break_count, totals, run_count, actor, create_time,
    run_time, error";
const BREAK: &str =
    "id, kind, moved, operation_key, reference, order_name, payment, amount_minor, amount_currency,
    channel_minor, channel_currency, status, operation_time, create_time, resolve_time";

#[derive(FromQueryResult)]
struct ReportRow {
    id: Id<Report>,
    channel: String,
    day: String,
    state: String,
    operation_count: i64,
    break_count: i64,
    totals: String,
    run_count: i64,
    actor: String,
    create_time: Timestamp,
    run_time: Timestamp,
    error: String,
}

/// A total as it is written: ours and the channel's captures, ours and the channel's refunds.
#[derive(Serialize, Deserialize)]
struct Sums(i64, i64, i64, i64);

impl TryFrom<ReportRow> for Report {
    type Error = DbErr;

    fn try_from(row: ReportRow) -> Result<Report, DbErr> {
        let totals: BTreeMap<String, Sums> = serde_json::from_str(&row.totals).map_err(damaged)?;
        let total = |Sums(captured, channel_captured, refunded, channel_refunded)| Total {
            captured,
            channel_captured,
            refunded,
            channel_refunded,
        };
        Ok(Report {
            id: row.id,
            channel: row.channel,
            day: Day::parse(&row.day).ok_or_else(|| unknown("day", &row.day))?,
            state: match row.state.as_str() {
                "RUNNING" => State::Running,
                "MATCHED" => State::Matched,
                "BROKEN" => State::Broken,
                "FAILED" => State::Failed,
                other => return Err(unknown("state", other)),
            },
            operation_count: row.operation_count,
            break_count: row.break_count,
            totals: totals.into_iter().map(|(currency, sums)| (currency, total(sums))).collect(),
            run_count: row.run_count,
            actor: row.actor,
            create_time: row.create_time,
            run_time: row.run_time,
            error: row.error,
        })
    }
}

#[derive(FromQueryResult)]
struct BreakRow {
    id: Id<Break>,
    kind: String,
    moved: String,
    operation_key: String,
    reference: String,
    order_name: String,
    payment: Option<Id<Payment>>,
    amount_minor: Option<i64>,
    amount_currency: Option<String>,
    channel_minor: Option<i64>,
    channel_currency: Option<String>,
    status: String,
    operation_time: Timestamp,
    create_time: Timestamp,
    resolve_time: Option<Timestamp>,
}

impl TryFrom<BreakRow> for Kept {
    type Error = DbErr;

    fn try_from(row: BreakRow) -> Result<Kept, DbErr> {
        let amount = |minor: Option<i64>, currency: Option<&str>| {
            minor.zip(currency).map(|(minor, currency)| money(minor, currency)).transpose()
        };
        let found = Break {
            kind: KINDS
                .into_iter()
                .find(|kind| kind_name(*kind) == row.kind)
                .ok_or_else(|| unknown("kind", &row.kind))?,
            moved: match row.moved.as_str() {
                "capture" => Moved::Captured,
                "refund" => Moved::Refunded,
                other => return Err(unknown("operation", other)),
            },
            key: row.operation_key,
            reference: row.reference,
            order: row.order_name,
            payment: row.payment,
            amount: amount(row.amount_minor, row.amount_currency.as_deref())?,
            channel_amount: amount(row.channel_minor, row.channel_currency.as_deref())?,
            status: row.status,
            time: row.operation_time,
        };
        Ok(Kept { id: row.id, found, create_time: row.create_time, resolve_time: row.resolve_time })
    }
}

/// Takes a day to compare, unless somebody compares it, or has.
pub(crate) async fn take(
    tx: &DatabaseTransaction,
    (channel, day): (&str, Day),
    wish: Wish<'_>,
    span: Duration,
) -> Result<Option<Taken>, DbErr> {
    let (now, day) = (Timestamp::now(), day.to_string());
    let text = "INSERT INTO reconciliations (id, channel, day, state, operation_count, break_count, totals, run_count, actor,
            create_time, run_time, error, lease_until)
        VALUES ($1, $2, $3, 'RUNNING', 0, 0, '{}', 1, $4, $5, $5, '', $6)
        ON CONFLICT (channel, day) DO UPDATE SET state = 'RUNNING', run_count = reconciliations.run_count + 1,
            actor = excluded.actor, run_time = excluded.run_time, error = '', lease_until = excluded.lease_until
        WHERE reconciliations.lease_until <= $5
            AND (NOT $7 OR (reconciliations.state IN ('RUNNING', 'FAILED') AND reconciliations.run_time < $8))
        RETURNING id, run_count";
    let once = wish.unless_done_since;
    let values: [Value; 8] = [
        Id::<Report>::derived(&["reconciliation", channel, &day]).into(),
        channel.into(),
        day.into(),
        wish.actor.into(),
        now.into(),
        now.plus(span).into(),
        once.is_some().into(),
        once.unwrap_or(now).into(),
    ];
    let row = tx.query_one_raw(sql(tx, text, values)).await?;
    row.map(|row| Ok(Taken { id: row.try_get_by_index(0)?, run: row.try_get_by_index(1)? })).transpose()
}

/// Goes on having a day. `false` where somebody else has it by now.
pub(crate) async fn hold(tx: &DatabaseTransaction, taken: Taken, span: Duration) -> Result<bool, DbErr> {
    let text = "UPDATE reconciliations SET lease_until = $3 WHERE id = $1 AND run_count = $2";
    let values: [Value; 3] = [taken.id.into(), taken.run.into(), Timestamp::now().plus(span).into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Notes why a day could not be compared.
pub(crate) async fn fail(tx: &DatabaseTransaction, taken: Taken, error: &str) -> Result<(), DbErr> {
    let text = "UPDATE reconciliations SET state = 'FAILED', error = $3, lease_until = 0
        WHERE id = $1 AND run_count = $2";
    tx.execute_raw(sql(tx, text, [taken.id.into(), taken.run.into(), error.into()])).await?;
    Ok(())
}

/// Writes what came of comparing a day. Nothing where somebody else has taken it since; otherwise the kinds of breaks that
/// no run before had found, and how many of each.
pub(crate) async fn finish(
    tx: &DatabaseTransaction,
    taken: Taken,
    found: &Comparison,
) -> Result<Option<Vec<(String, i64)>>, DbErr> {
    let text = "UPDATE reconciliations SET state = $3, operation_count = $4, break_count = $5, totals = $6, lease_until = 0
        WHERE id = $1 AND run_count = $2";
    let sums =
        |total: &Total| Sums(total.captured, total.channel_captured, total.refunded, total.channel_refunded);
    let totals: BTreeMap<&String, Sums> =
        found.totals.iter().map(|(currency, total)| (currency, sums(total))).collect();
    let values: [Value; 6] = [
        taken.id.into(),
        taken.run.into(),
        if found.break_count == 0 { "MATCHED" } else { "BROKEN" }.into(),
        found.operations.into(),
        found.break_count.into(),
        serde_json::to_string(&totals).map_err(damaged)?.into(),
    ];
    if tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let now = Timestamp::now();
    for each in &found.breaks {
        write(tx, taken, each, now).await?;
    }
    let gone = "UPDATE reconciliation_breaks SET resolve_time = $3
        WHERE reconciliation = $1 AND last_run < $2 AND resolve_time IS NULL";
    tx.execute_raw(sql(tx, gone, [taken.id.into(), taken.run.into(), now.into()])).await?;
    let news = "SELECT kind, COUNT(*) FROM reconciliation_breaks WHERE reconciliation = $1 AND first_run = $2
        GROUP BY kind ORDER BY kind";
    let news = tx.query_all_raw(sql(tx, news, [taken.id.into(), taken.run.into()])).await?;
    let kind = |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    news.iter().map(kind).collect::<Result<_, DbErr>>().map(Some)
}

/// Writes a break, or that it was found again.
async fn write(tx: &DatabaseTransaction, taken: Taken, found: &Break, now: Timestamp) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO reconciliation_breaks (reconciliation, first_run, last_run, {BREAK})
         VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, NULL)
         ON CONFLICT (id) DO UPDATE SET last_run = excluded.last_run, resolve_time = NULL,
            amount_minor = excluded.amount_minor, amount_currency = excluded.amount_currency,
            channel_minor = excluded.channel_minor, channel_currency = excluded.channel_currency,
            status = excluded.status"
    );
    let minor = |amount: Option<Money>| Value::from(amount.map(|amount| amount.minor));
    let currency =
        |amount: Option<Money>| Value::from(amount.map(|amount| amount.currency.as_str().to_owned()));
    let kind = kind_name(found.kind);
    let values: [Value; 16] = [
        taken.id.into(),
        taken.run.into(),
        Id::<Break>::derived(&["break", &taken.id.to_string(), &found.key, kind]).into(),
        kind.into(),
        found.moved.name().into(),
        found.key.as_str().into(),
        found.reference.as_str().into(),
        found.order.as_str().into(),
        found.payment.map(Id::uuid).into(),
        minor(found.amount),
        currency(found.amount),
        minor(found.channel_amount),
        currency(found.channel_amount),
        found.status.as_str().into(),
        found.time.into(),
        now.into(),
    ];
    tx.execute_raw(sql(tx, &text, values)).await?;
    Ok(())
}

pub(crate) async fn find(on: &impl ConnectionTrait, id: Id<Report>) -> Result<Option<Report>, DbErr> {
    let text = format!("SELECT {REPORT} FROM reconciliations WHERE id = $1");
    let row = ReportRow::find_by_statement(sql(on, &text, [id.into()])).one(on).await?;
    row.map(Report::try_from).transpose()
}

/// A page of reports, the latest day first; only those of a channel where one is named.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    channel: &str,
    after: Option<(String, Uuid)>,
    limit: u64,
) -> Result<Vec<Report>, DbErr> {
    let (day, id) = after.unwrap_or_else(|| ("~".to_owned(), Uuid::max()));
    let mut values: Vec<Value> = vec![day.into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let mut only = "";
    if !channel.is_empty() {
        values.push(channel.into());
        only = " AND channel = $4";
    }
    let text = format!(
        "SELECT {REPORT} FROM reconciliations WHERE (day, id) < ($1, $2){only} ORDER BY day DESC, id DESC LIMIT $3"
    );
    let rows = ReportRow::find_by_statement(sql(on, &text, values)).all(on).await?;
    rows.into_iter().map(Report::try_from).collect()
}

/// The latest day of a channel that was compared.
pub(crate) async fn latest(on: &impl ConnectionTrait, channel: &str) -> Result<Option<Day>, DbErr> {
    let text = "SELECT MAX(day) FROM reconciliations WHERE channel = $1 AND state IN ('MATCHED', 'BROKEN')";
    let row = on.query_one_raw(sql(on, text, [channel.into()])).await?;
    let day: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
    day.map(|day| Day::parse(&day).ok_or_else(|| unknown("day", &day))).transpose()
}

/// A page of a report's breaks, in the order of their ids; those found no more only where asked for.
pub(crate) async fn breaks(
    on: &impl ConnectionTrait,
    of: Id<Report>,
    with_resolved: bool,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Kept>, DbErr> {
    let only = if with_resolved { "" } else { " AND resolve_time IS NULL" };
    let text = format!(
        "SELECT {BREAK} FROM reconciliation_breaks WHERE reconciliation = $1 AND id > $2{only} ORDER BY id LIMIT $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values: [Value; 3] = [of.into(), after.unwrap_or(Uuid::nil()).into(), limit.into()];
    let rows = BreakRow::find_by_statement(sql(on, &text, values)).all(on).await?;
    rows.into_iter().map(Kept::try_from).collect()
}

/// Forgets reports of days before this one.
pub(crate) async fn forget(tx: &DatabaseTransaction, before: Day) -> Result<(), DbErr> {
    let old = before.to_string();
    let breaks = "DELETE FROM reconciliation_breaks WHERE reconciliation IN (
        SELECT id FROM reconciliations WHERE day < $1)";
    tx.execute_raw(sql(tx, breaks, [old.as_str().into()])).await?;
    tx.execute_raw(sql(tx, "DELETE FROM reconciliations WHERE day < $1", [old.as_str().into()])).await?;
    Ok(())
}

const KINDS: [Kind; 5] = [
    Kind::MissingAtChannel,
    Kind::MissingHere,
    Kind::AmountDiffers,
    Kind::CurrencyDiffers,
    Kind::StatusDiffers,
];

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::MissingAtChannel => "MISSING_AT_CHANNEL",
        Kind::MissingHere => "MISSING_HERE",
        Kind::AmountDiffers => "AMOUNT_DIFFERS",
        Kind::CurrencyDiffers => "CURRENCY_DIFFERS",
        Kind::StatusDiffers => "STATUS_DIFFERS",
    }
}
