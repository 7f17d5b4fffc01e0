//! The books: invariants as queries that find who breaks them, and facts for other services to compare with.

use std::time::Duration;

use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{get, rows};

/// An invariant over a table: the query finds the first offenders.
pub(crate) struct Invariant {
    pub(crate) number: &'static str,
    pub(crate) what: &'static str,
    table: &'static str,
    offenders: &'static str,
}

pub(crate) const INVARIANTS: [Invariant; 6] = [
    Invariant {
        number: "I10",
        what: "available = on hand - reserved is never negative",
        table: "location_stock",
        offenders: "SELECT sku FROM location_stock WHERE reserved < 0 OR on_hand < reserved
                    UNION SELECT sku FROM stock WHERE reserved < 0 OR on_hand < reserved ORDER BY 1 LIMIT 100",
    },
    Invariant {
        number: "I10",
        what: "the total of a SKU is the sum of its locations",
        table: "stock",
        offenders: "SELECT s.sku FROM stock s LEFT JOIN location_stock p ON p.sku = s.sku
                    GROUP BY s.sku, s.on_hand, s.reserved
                    HAVING s.on_hand <> COALESCE(SUM(p.on_hand), 0) OR s.reserved <> COALESCE(SUM(p.reserved), 0)
                    ORDER BY s.sku LIMIT 100",
    },
    Invariant {
        number: "I11",
        what: "on hand and reserved are the sums of movements",
        table: "location_stock",
        offenders: "SELECT sku FROM (
                        SELECT sku, location, on_hand, reserved FROM location_stock
                        UNION ALL SELECT sku, location, -on_hand_delta, -reserved_delta FROM movements) AS moved
                    GROUP BY sku, location HAVING SUM(on_hand) <> 0 OR SUM(reserved) <> 0 ORDER BY sku LIMIT 100",
    },
    Invariant {
        number: "I12",
        what: "reserved is the sum of the reservations held",
        table: "location_stock",
        offenders: "SELECT sku FROM (
                        SELECT sku, location, reserved FROM location_stock
                        UNION ALL SELECT l.sku, l.location, -l.quantity FROM reservation_lines l
                            JOIN reservations r ON r.id = l.reservation WHERE r.state = 'HELD') AS held
                    GROUP BY sku, location HAVING SUM(reserved) <> 0 ORDER BY sku LIMIT 100",
    },
    Invariant {
        number: "I12",
        what: "nothing is held longer than it may be",
        table: "reservations",
        offenders: "SELECT order_name FROM reservations WHERE state = 'HELD' AND expire_time < {late}
                    ORDER BY order_name LIMIT 100",
    },
    Invariant {
        number: "I14",
        what: "a reservation is taken out or given back, once",
        table: "reservations",
        offenders: "SELECT r.order_name FROM reservations r
                    JOIN (SELECT reference, SUM(CASE WHEN kind = 'RESERVE' THEN reserved_delta ELSE 0 END) AS held,
                              SUM(CASE WHEN kind IN ('SALE', 'RELEASE') THEN reserved_delta ELSE 0 END) AS resolved
                          FROM movements GROUP BY reference) m ON m.reference = r.order_name
                    WHERE (r.state = 'HELD' AND m.resolved <> 0)
                       OR (r.state IN ('COMMITTED', 'RELEASED', 'EXPIRED') AND m.held + m.resolved <> 0)
                    ORDER BY r.order_name LIMIT 100",
    },
];

/// How many rows an invariant looks at, and the first hundred SKUs that break it.
pub(crate) async fn check(
    db: &impl ConnectionTrait,
    invariant: &Invariant,
) -> Result<(i64, Vec<String>), DbErr> {
    let count = format!("SELECT COUNT(*) FROM {}", invariant.table);
    let checked = rows(db, &count, vec![], |row| get::<i64>(row, 0)).await?.pop().unwrap_or_default();
    // What is due is given back within seconds.
    let late = Timestamp::now().minus(Duration::from_secs(300)).micros().to_string();
    let offenders = invariant.offenders.replace("{late}", &late);
    Ok((checked, rows(db, &offenders, vec![], |row| get(row, 0)).await?))
}

/// What is sold by order, less what came back; orders of which nothing is left are not among them.
pub(crate) async fn sold(
    db: &impl ConnectionTrait,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>, DbErr> {
    by_order(db, "COMMITTED", after, limit).await
}

/// What is held by order.
pub(crate) async fn held(
    db: &impl ConnectionTrait,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>, DbErr> {
    by_order(db, "HELD", after, limit).await
}

async fn by_order(
    db: &impl ConnectionTrait,
    state: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, i64)>, DbErr> {
    let sql = "SELECT r.order_name, CAST(SUM(l.quantity - l.returned) AS BIGINT)
               FROM reservations r JOIN reservation_lines l ON l.reservation = r.id
               WHERE r.state = $1 AND r.order_name > $2
               GROUP BY r.order_name HAVING SUM(l.quantity - l.returned) > 0 ORDER BY r.order_name LIMIT $3";
    let read = |row: &QueryResult| Ok((get(row, 0)?, get(row, 1)?));
    rows(db, sql, vec![state.into(), after.into(), limit.into()], read).await
}
