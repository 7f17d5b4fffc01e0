//! The books: invariants as queries that find who breaks them, and facts for other services to compare with.

use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::{at_most, get, rows};

/// An invariant over a table: the query finds the first offenders. `$1`, where it is asked for, is the time before which
/// an order has waited too long.
pub(crate) struct Invariant {
    pub(crate) number: &'static str,
    pub(crate) what: &'static str,
    table: &'static str,
    offenders: &'static str,
}

pub(crate) const INVARIANTS: [Invariant; 5] = [
    Invariant {
        number: "I31",
        what: "no more of a SKU is sent for an order than it bought",
        table: "shipments",
        offenders: "SELECT s.order_name FROM shipments s JOIN shipment_lines l ON l.shipment = s.id
                    LEFT JOIN fulfillment_lines f ON f.order_name = s.order_name AND f.sku = l.sku
                    WHERE s.state <> 'CANCELLED' GROUP BY s.order_name, l.sku, f.quantity
                    HAVING SUM(l.quantity) > COALESCE(f.quantity, 0) ORDER BY s.order_name LIMIT 100",
    },
    Invariant {
        number: "I46",
        what: "a shipment is as far as the furthest it was seen",
        table: "shipments",
        offenders: "SELECT tracking_number FROM (
                        SELECT s.tracking_number,
                            CASE s.state WHEN 'DISPATCHED' THEN 1 WHEN 'IN_TRANSIT' THEN 2
                                WHEN 'OUT_FOR_DELIVERY' THEN 3 WHEN 'DELIVERED' THEN 4 ELSE 0 END AS is_at,
                            COALESCE((SELECT MAX(CASE t.state WHEN 'DISPATCHED' THEN 1 WHEN 'IN_TRANSIT' THEN 2
                                WHEN 'OUT_FOR_DELIVERY' THEN 3 WHEN 'DELIVERED' THEN 4 ELSE 0 END)
                                FROM tracking_events t WHERE t.shipment = s.id), 0) AS seen_at
                        FROM shipments s) AS seen
                    WHERE is_at <> seen_at ORDER BY tracking_number LIMIT 100",
    },
    Invariant {
        number: "I46",
        what: "a shipment has something in it",
        table: "shipments",
        offenders: "SELECT tracking_number FROM shipments s
                    WHERE NOT EXISTS (SELECT 1 FROM shipment_lines l WHERE l.shipment = s.id)
                    ORDER BY tracking_number LIMIT 100",
    },
    Invariant {
        number: "I17",
        what: "nothing of a cancelled order is to be packed",
        table: "fulfillments",
        offenders: "SELECT f.order_name FROM fulfillments f JOIN shipments s ON s.order_name = f.order_name
                    WHERE f.progress = 'CANCELLED' AND s.state = 'PENDING' ORDER BY f.order_name LIMIT 100",
    },
    Invariant {
        number: "I45",
        what: "a paid order has its shipment within fifteen minutes",
        table: "fulfillments",
        offenders: "SELECT order_name FROM fulfillments WHERE progress = 'WAITING' AND create_time < $1
                    ORDER BY order_name LIMIT 100",
    },
];

/// How many rows an invariant looks at, and the first hundred that break it.
pub(crate) async fn check(
    db: &impl ConnectionTrait,
    invariant: &Invariant,
    too_old: Timestamp,
) -> Result<(i64, Vec<String>), DbErr> {
    let checked = count(db, &format!("SELECT COUNT(*) FROM {}", invariant.table)).await?;
    let dated: Vec<Value> =
        if invariant.offenders.contains("$1") { vec![too_old.into()] } else { Vec::new() };
    Ok((checked, rows(db, invariant.offenders, dated, |row| get(row, 0)).await?))
}

/// How many paid orders wait for their shipment.
pub(crate) async fn waiting(db: &impl ConnectionTrait) -> Result<i64, DbErr> {
    count(db, "SELECT COUNT(*) FROM fulfillments WHERE next_check_at IS NOT NULL").await
}

async fn count(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    Ok(rows(db, sql, vec![], |row| get::<i64>(row, 0)).await?.pop().unwrap_or_default())
}

/// How many units of each order were handed to the carrier.
pub(crate) async fn sent(
    db: &impl ConnectionTrait,
    after: &str,
    limit: u64,
) -> Result<Vec<(String, i64)>, DbErr> {
    let sql = "SELECT s.order_name, CAST(SUM(l.quantity) AS BIGINT)
               FROM shipments s JOIN shipment_lines l ON l.shipment = s.id
               WHERE s.state NOT IN ('PENDING', 'CANCELLED') AND s.order_name > $1
               GROUP BY s.order_name ORDER BY s.order_name LIMIT $2";
    let read = |row: &QueryResult| Ok((get(row, 0)?, get(row, 1)?));
    rows(db, sql, vec![after.into(), at_most(limit)], read).await
}
