//! The sandbox's statement: what its own book says was taken and given back on a day.

use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use super::Page;
use crate::domain::reconcile::{Day, Line, Moved};
use crate::store::{money, sql};

const LINES_MAX: i64 = 500;

#[derive(FromQueryResult)]
struct Row {
    key: String,
    kind: String,
    reference: String,
    amount_minor: i64,
    amount_currency: String,
    create_time: Timestamp,
    order_name: String,
}

/// A page of it, in the order of time. After which line it begins, the page before has said.
pub(super) async fn read(on: &impl ConnectionTrait, day: Day, after: &str) -> Result<Page, DbErr> {
    let (time, key) = match after.split_once('/') {
        Some((micros, key)) => (Timestamp::from_micros(micros.parse().unwrap_or(i64::MAX)), key),
        None => (day.start(), ""),
    };
    let text = "SELECT s.key, s.kind, s.reference, s.amount_minor, s.amount_currency, s.create_time,
            COALESCE(a.order_name, '') AS order_name
        FROM sandbox_calls s LEFT JOIN sandbox_calls a ON a.key = s.authorization_key
        WHERE s.kind IN ('CAPTURE', 'REFUND') AND s.done AND s.refusal = ''
            AND (s.create_time, s.key) > ($1, $2) AND s.create_time < $3
        ORDER BY s.create_time, s.key LIMIT $4";
    let values: [Value; 4] = [time.into(), key.into(), day.next().start().into(), LINES_MAX.into()];
    let rows = Row::find_by_statement(sql(on, text, values)).all(on).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == LINES_MAX);
    let next =
        rows.last().filter(|_| is_full).map(|last| format!("{}/{}", last.create_time.micros(), last.key));
    let line = |row: Row| {
        Ok(Line {
            moved: if row.kind == "CAPTURE" { Moved::Captured } else { Moved::Refunded },
            key: row.key,
            order: row.order_name,
            reference: row.reference,
            amount: money(row.amount_minor, &row.amount_currency)?,
            time: row.create_time,
        })
    };
    Ok(Page { lines: rows.into_iter().map(line).collect::<Result<_, DbErr>>()?, next })
}
