//! Paid orders, and how far we have got with each.

use std::time::Duration;

use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{damaged, get, places, rows, run};
use crate::domain::{Progress, Quantities};

/// Rows named by one statement. SQLite looks each parameter up by name, so that many of them cost their square.
const ROWS_MAX: usize = 200;

/// An order that was taken to work on. What is written about it holds only while nobody else has taken it since.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub(crate) order: String,
    pub(crate) fence: i64,
    /// How often it was taken, this time included.
    pub(crate) attempts: i64,
}

/// Has the shipment of an order made, unless the order is known already.
pub(crate) async fn create(tx: &DatabaseTransaction, order: &str) -> Result<(), DbErr> {
    let sql = "INSERT INTO fulfillments (order_name, progress, fence, attempts, next_check_at, last_error, create_time, update_time)
               VALUES ($1, $2, 0, 0, $3, '', $3, $3) ON CONFLICT (order_name) DO NOTHING";
    run(tx, sql, vec![order.into(), Progress::Waiting.as_str().into(), Timestamp::now().into()]).await?;
    Ok(())
}

/// Has nothing sent for an order from now on, whether it is known or not.
pub(crate) async fn cancel(tx: &DatabaseTransaction, order: &str) -> Result<(), DbErr> {
    let sql = "INSERT INTO fulfillments (order_name, progress, fence, attempts, next_check_at, last_error, create_time, update_time)
               VALUES ($1, $2, 0, 0, NULL, '', $3, $3)
               ON CONFLICT (order_name) DO UPDATE SET progress = $2, next_check_at = NULL, update_time = $3";
    run(tx, sql, vec![order.into(), Progress::Cancelled.as_str().into(), Timestamp::now().into()]).await?;
    Ok(())
}

/// Reads how far we are with an order: nobody else gets further until the transaction ends.
pub(crate) async fn load(tx: &DatabaseTransaction, order: &str) -> Result<Option<(Progress, i64)>, DbErr> {
    let sql = "UPDATE fulfillments SET update_time = $2 WHERE order_name = $1 RETURNING progress, fence";
    let read = |row: &QueryResult| {
        let progress =
            Progress::parse(&get::<String>(row, 0)?).ok_or_else(|| damaged("the progress of an order"))?;
        Ok((progress, get(row, 1)?))
    };
    Ok(rows(tx, sql, vec![order.into(), Timestamp::now().into()], read).await?.pop())
}

/// The orders whose shipment is to be made now, the longest waiting first.
pub(crate) async fn due(db: &impl ConnectionTrait, now: Timestamp, limit: i64) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT order_name FROM fulfillments WHERE next_check_at <= $1 ORDER BY next_check_at LIMIT $2";
    rows(db, sql, vec![now.into(), limit.into()], |row| get(row, 0)).await
}

/// Takes an order that is due, for so long. Nothing where somebody else has it.
pub(crate) async fn lease(
    tx: &DatabaseTransaction,
    order: &str,
    span: Duration,
) -> Result<Option<Leased>, DbErr> {
    let now = Timestamp::now();
    let sql = "UPDATE fulfillments SET fence = fence + 1, attempts = attempts + 1, next_check_at = $3
               WHERE order_name = $1 AND next_check_at <= $2 RETURNING order_name, fence, attempts";
    let read =
        |row: &QueryResult| Ok(Leased { order: get(row, 0)?, fence: get(row, 1)?, attempts: get(row, 2)? });
    Ok(rows(tx, sql, vec![order.into(), now.into(), now.plus(span).into()], read).await?.pop())
}

/// Keeps that an order is done with, in one way or another.
pub(crate) async fn settle(tx: &DatabaseTransaction, order: &str, progress: Progress) -> Result<(), DbErr> {
    let sql =
        "UPDATE fulfillments SET progress = $2, next_check_at = NULL, last_error = '' WHERE order_name = $1";
    run(tx, sql, vec![order.into(), progress.as_str().into()]).await?;
    Ok(())
}

/// Has an order looked at again later.
pub(crate) async fn postpone(
    tx: &DatabaseTransaction,
    leased: &Leased,
    until: Timestamp,
    error: &str,
) -> Result<(), DbErr> {
    let sql = "UPDATE fulfillments SET next_check_at = $3, last_error = $4
               WHERE order_name = $1 AND fence = $2 AND next_check_at IS NOT NULL";
    run(tx, sql, vec![leased.order.as_str().into(), leased.fence.into(), until.into(), error.into()]).await?;
    Ok(())
}

/// Has an order that waits looked at anew at once: what somebody has read of it meanwhile holds no more.
pub(crate) async fn restart(tx: &DatabaseTransaction, order: &str) -> Result<(), DbErr> {
    let sql = "UPDATE fulfillments SET fence = fence + 1, next_check_at = $2 WHERE order_name = $1 AND progress = $3";
    run(tx, sql, vec![order.into(), Timestamp::now().into(), Progress::Waiting.as_str().into()]).await?;
    Ok(())
}

/// Keeps what an order bought, the first time it is told.
pub(crate) async fn set_lines(
    tx: &DatabaseTransaction,
    order: &str,
    lines: &Quantities,
) -> Result<(), DbErr> {
    let lines: Vec<_> = lines.iter().collect();
    for some in lines.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO fulfillment_lines (order_name, sku, quantity) VALUES {} ON CONFLICT DO NOTHING",
            places(1, 3, some.len())
        );
        let line = |(sku, quantity): &(&String, &i64)| -> [Value; 3] {
            [order.into(), sku.as_str().into(), (**quantity).into()]
        };
        run(tx, &sql, some.iter().flat_map(line).collect()).await?;
    }
    Ok(())
}
