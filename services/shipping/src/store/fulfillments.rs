//! Paid orders, and how far we have got with each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chassis::rows::{Column, Rows, bigint, text};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{damaged, get, holding, orders, rows, run};
use crate::domain::{Order, Progress};

/// An order that was taken to work on. What is written about it holds only while nobody else has taken it since.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub(crate) order: String,
    pub(crate) fence: i64,
    /// How often it was taken, this time included.
    pub(crate) attempts: i64,
}

/// Has the shipments of orders made, except of those that are known already.
pub(crate) async fn create(tx: &DatabaseTransaction, names: &BTreeSet<&str>) -> Result<(), DbErr> {
    let sql = "INSERT INTO fulfillments
                   (order_name, progress, fence, attempts, next_check_at, last_error, create_time, update_time)
               SELECT wanted, $1, 0, 0, $2, '', $2, $2 FROM {rows} AS these WHERE TRUE
               ON CONFLICT (order_name) DO NOTHING";
    let values = [Progress::Waiting.as_str().into(), Timestamp::now().into()];
    orders(names.iter().copied()).run(tx, sql, &values).await?;
    Ok(())
}

/// Has nothing sent for orders from now on, whether they are known or not.
pub(crate) async fn cancel(tx: &DatabaseTransaction, names: &BTreeSet<&str>) -> Result<(), DbErr> {
    let sql = "INSERT INTO fulfillments
                   (order_name, progress, fence, attempts, next_check_at, last_error, create_time, update_time)
               SELECT wanted, $1, 0, 0, NULL, '', $2, $2 FROM {rows} AS these WHERE TRUE
               ON CONFLICT (order_name) DO UPDATE SET progress = $1, next_check_at = NULL, update_time = $2";
    let values = [Progress::Cancelled.as_str().into(), Timestamp::now().into()];
    orders(names.iter().copied()).run(tx, sql, &values).await?;
    Ok(())
}

/// Reads how far we are with orders, by order: nobody else gets further until the transaction ends. They are taken hold
/// of in the order of their names.
pub(crate) async fn load<'a>(
    tx: &DatabaseTransaction,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, (Progress, i64)>, DbErr> {
    let sql = format!(
        "SELECT order_name, progress, fence FROM fulfillments JOIN {{rows}} AS these ON wanted = order_name
         ORDER BY order_name {}",
        holding(tx, "fulfillments")
    );
    let read = |row: &QueryResult| {
        let progress =
            Progress::parse(&get::<String>(row, 1)?).ok_or_else(|| damaged("the progress of an order"))?;
        Ok((get(row, 0)?, (progress, get(row, 2)?)))
    };
    Ok(orders(names).query(tx, &sql, &[], read).await?.into_iter().collect())
}

/// Whether any order's shipment is to be made now.
pub(crate) async fn any_due(db: &impl ConnectionTrait, now: Timestamp) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM fulfillments WHERE next_check_at <= $1 LIMIT 1";
    Ok(!rows(db, sql, vec![now.into()], |_| Ok(())).await?.is_empty())
}

/// Takes so many of the orders whose shipment is to be made now, the longest waiting first, for so long. Those that
/// somebody else is at are left to them.
pub(crate) async fn lease_due(
    tx: &DatabaseTransaction,
    span: Duration,
    limit: i64,
) -> Result<Vec<Leased>, DbErr> {
    let others = match tx.get_database_backend() == DatabaseBackend::Postgres {
        true => "FOR UPDATE SKIP LOCKED",
        false => "",
    };
    // The limit stands in the text, so that the plan knows how few are taken, and finds each by its key.
    let sql = format!(
        "UPDATE fulfillments SET fence = fence + 1, attempts = attempts + 1, next_check_at = $2
         WHERE order_name IN (SELECT order_name FROM fulfillments WHERE next_check_at <= $1
                              ORDER BY next_check_at LIMIT {limit} {others})
         RETURNING order_name, fence, attempts"
    );
    let now = Timestamp::now();
    let read =
        |row: &QueryResult| Ok(Leased { order: get(row, 0)?, fence: get(row, 1)?, attempts: get(row, 2)? });
    rows(tx, &sql, vec![now.into(), now.plus(span).into()], read).await
}

/// Keeps that orders are done with, each in one way or another.
pub(crate) async fn settle(
    tx: &DatabaseTransaction,
    settled: impl IntoIterator<Item = (&str, Progress)>,
) -> Result<(), DbErr> {
    const SETTLED: [Column; 2] = [text("settled"), text("settled_as")];
    let sql = "UPDATE fulfillments
               SET progress = settled_as, next_check_at = NULL, last_error = '', update_time = $1
               FROM {rows} AS these WHERE order_name = settled";
    let rows = settled.into_iter().map(|(order, progress)| [order.into(), progress.as_str().into()]);
    Rows::new(&SETTLED, rows).run(tx, sql, &[Timestamp::now().into()]).await?;
    Ok(())
}

/// An order to look at again later, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postponed<'a> {
    pub(crate) leased: &'a Leased,
    pub(crate) until: Timestamp,
    pub(crate) why: &'a str,
}

/// Has orders looked at again later.
pub(crate) async fn postpone(
    tx: &DatabaseTransaction,
    postponed: impl IntoIterator<Item = Postponed<'_>>,
) -> Result<(), DbErr> {
    const POSTPONED: [Column; 4] = [text("postponed"), bigint("leased"), bigint("until"), text("why")];
    let sql = "UPDATE fulfillments SET next_check_at = until, last_error = why FROM {rows} AS these
               WHERE order_name = postponed AND fence = leased AND next_check_at IS NOT NULL";
    let row = |Postponed { leased, until, why }: Postponed<'_>| -> [Value; 4] {
        [leased.order.as_str().into(), leased.fence.into(), until.into(), why.into()]
    };
    Rows::new(&POSTPONED, postponed.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// Has an order that waits looked at anew at once: what somebody has read of it meanwhile holds no more.
pub(crate) async fn restart(tx: &DatabaseTransaction, order: &str) -> Result<(), DbErr> {
    let sql = "UPDATE fulfillments SET fence = fence + 1, next_check_at = $2 WHERE order_name = $1 AND progress = $3";
    run(tx, sql, vec![order.into(), Timestamp::now().into(), Progress::Waiting.as_str().into()]).await?;
    Ok(())
}

/// Keeps what orders bought, the first time it is told.
pub(crate) async fn set_lines(tx: &DatabaseTransaction, told: &[&Order]) -> Result<(), DbErr> {
    const LINES: [Column; 3] = [text("order_name"), text("sku"), bigint("quantity")];
    let sql = "INSERT INTO fulfillment_lines (order_name, sku, quantity)
               SELECT order_name, sku, quantity FROM {rows} AS these WHERE TRUE ON CONFLICT DO NOTHING";
    let of_order = |order: &&Order| -> Vec<[Value; 3]> {
        let line = |(sku, quantity): (&String, &i64)| {
            [order.name.as_str().into(), sku.as_str().into(), (*quantity).into()]
        };
        order.lines.iter().map(line).collect()
    };
    Rows::new(&LINES, told.iter().flat_map(of_order)).run(tx, sql, &[]).await?;
    Ok(())
}
