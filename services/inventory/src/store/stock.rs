//! Stock: the total of a SKU decides, its locations follow.

use std::collections::{BTreeMap, BTreeSet};

use chassis::failpoint::mutated;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{ROWS_MAX, get, list, places, rows, run};
use crate::domain::{
    Cause, Lacking, Level, LocationId, Movement, ON_HAND_MAX, Quantities, Sku, Stock, Total,
};

const STOCK: &str = "SELECT s.sku, s.on_hand, s.reserved, s.low_threshold, s.low, s.update_time,
        p.location, p.on_hand, p.reserved
    FROM stock s
    LEFT JOIN location_stock p ON p.sku = s.sku
    LEFT JOIN locations l ON l.id = p.location";

/// The stock of these SKUs, by SKU; those never received are left out.
pub(crate) async fn find(db: &impl ConnectionTrait, skus: &BTreeSet<Sku>) -> Result<Vec<Stock>, DbErr> {
    let skus: Vec<&Sku> = skus.iter().collect();
    let mut found = Vec::new();
    for some in skus.chunks(ROWS_MAX) {
        let sql = format!("{STOCK} WHERE s.sku IN {} ORDER BY s.sku, l.priority, l.id", list(1, some.len()));
        let rows = rows(db, &sql, some.iter().map(|sku| sku.as_str().into()).collect(), read).await?;
        found.extend(joined(rows));
    }
    Ok(found)
}

/// So much stock after a SKU, by SKU; only what is low where asked.
pub(crate) async fn list_after(
    db: &impl ConnectionTrait,
    after: &str,
    limit: u64,
    only_low: bool,
) -> Result<Vec<Stock>, DbErr> {
    let low = if only_low { "low AND " } else { "" };
    let sql = format!(
        "{STOCK} WHERE s.sku IN (SELECT sku FROM stock WHERE {low}sku > $1 ORDER BY sku LIMIT $2)
         ORDER BY s.sku, l.priority, l.id"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(joined(rows(db, &sql, vec![after.into(), limit.into()], read).await?))
}

fn read(row: &QueryResult) -> Result<Stock, DbErr> {
    let location = match get::<Option<String>>(row, 6)? {
        Some(id) => Some((LocationId::stored(id), Level { on_hand: get(row, 7)?, reserved: get(row, 8)? })),
        None => None,
    };
    Ok(Stock {
        sku: Sku::stored(get(row, 0)?),
        level: Level { on_hand: get(row, 1)?, reserved: get(row, 2)? },
        low_threshold: get(row, 3)?,
        low: get(row, 4)?,
        update_time: get(row, 5)?,
        locations: location.into_iter().collect(),
    })
}

/// One row a location becomes one stock a SKU.
fn joined(rows: Vec<Stock>) -> Vec<Stock> {
    let mut all: Vec<Stock> = Vec::new();
    for row in rows {
        match all.last_mut() {
            Some(last) if last.sku == row.sku => last.locations.extend(row.locations),
            _ => all.push(row),
        }
    }
    all
}

/// Makes rows with nothing on hand where there are none yet.
pub(crate) async fn ensure(
    tx: &DatabaseTransaction,
    keys: &BTreeSet<(Sku, LocationId)>,
) -> Result<(), DbErr> {
    let now = Timestamp::now();
    let skus: Vec<&Sku> = keys.iter().map(|(sku, _)| sku).collect::<BTreeSet<_>>().into_iter().collect();
    for some in skus.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO stock (sku, on_hand, reserved, low_threshold, low, update_time)
             SELECT wanted.column1, 0, 0, 0, FALSE, $1 FROM (VALUES {}) AS wanted WHERE TRUE
             ON CONFLICT (sku) DO NOTHING",
            places(2, 1, some.len())
        );
        let skus = some.iter().map(|sku| sku.as_str().into());
        run(tx, &sql, std::iter::once(now.into()).chain(skus).collect()).await?;
    }
    let keys: Vec<_> = keys.iter().collect();
    for some in keys.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO location_stock (sku, location, on_hand, reserved)
             SELECT wanted.column1, wanted.column2, 0, 0 FROM (VALUES {}) AS wanted WHERE TRUE
             ON CONFLICT (sku, location) DO NOTHING",
            places(1, 2, some.len())
        );
        let keys = some.iter().flat_map(|(sku, location)| [sku.as_str().into(), location.as_str().into()]);
        run(tx, &sql, keys.collect()).await?;
    }
    Ok(())
}

/// Changes totals, each only where nothing falls below what is reserved. The SKUs that could not change are missing in
/// the answer. Whoever changed a total holds its SKU until the transaction ends.
pub(crate) async fn change_totals(
    tx: &DatabaseTransaction,
    by: &BTreeMap<Sku, Level>,
) -> Result<Vec<Total>, DbErr> {
    let by: Vec<(&Sku, &Level)> = by.iter().collect();
    lock(tx, &by).await?;
    let covered = match mutated("stock") {
        true => "",
        false => "AND on_hand + change.column2 >= reserved + change.column3",
    };
    let mut changed = Vec::new();
    for some in by.chunks(ROWS_MAX) {
        let sql = format!(
            "UPDATE stock SET on_hand = on_hand + change.column2, reserved = reserved + change.column3, update_time = $1
             FROM (VALUES {}) AS change
             WHERE sku = change.column1
               AND reserved + change.column3 >= 0 {covered}
               AND on_hand + change.column2 <= {ON_HAND_MAX}
             RETURNING sku, on_hand, reserved, low_threshold, low",
            places(2, 3, some.len())
        );
        let rows_of =
            some.iter().flat_map(|(sku, by)| [sku.as_str().into(), by.on_hand.into(), by.reserved.into()]);
        let values = std::iter::once(Timestamp::now().into()).chain(rows_of).collect();
        changed.extend(rows(tx, &sql, values, total).await?);
    }
    changed.sort_by(|one, other| one.sku.cmp(&other.sku));
    Ok(changed)
}

/// Takes hold of the SKUs in their order, so that two transactions never wait for each other. SQLite has one writer.
async fn lock(tx: &DatabaseTransaction, by: &[(&Sku, &Level)]) -> Result<(), DbErr> {
    if by.len() > 1 && tx.get_database_backend() == DatabaseBackend::Postgres {
        hold_available(tx, &by.iter().map(|(sku, _)| (*sku).clone()).collect()).await?;
    }
    Ok(())
}

/// What is available of SKUs, which stays so until the transaction ends.
pub(crate) async fn hold_available(
    tx: &DatabaseTransaction,
    skus: &BTreeSet<Sku>,
) -> Result<Quantities, DbErr> {
    let for_update = if tx.get_database_backend() == DatabaseBackend::Postgres { " FOR UPDATE" } else { "" };
    let skus: Vec<&Sku> = skus.iter().collect();
    let mut available = Quantities::new();
    for some in skus.chunks(ROWS_MAX) {
        let sql = format!(
            "SELECT sku, on_hand - reserved FROM stock WHERE sku IN {} ORDER BY sku{for_update}",
            list(1, some.len())
        );
        let values = some.iter().map(|sku| sku.as_str().into()).collect();
        available.extend(rows(tx, &sql, values, |row| Ok((Sku::stored(get(row, 0)?), get(row, 1)?))).await?);
    }
    Ok(available)
}

fn total(row: &QueryResult) -> Result<Total, DbErr> {
    Ok(Total {
        sku: Sku::stored(get(row, 0)?),
        level: Level { on_hand: get(row, 1)?, reserved: get(row, 2)? },
        low_threshold: get(row, 3)?,
        was_low: get(row, 4)?,
    })
}

/// Says from where down a SKU is low.
pub(crate) async fn set_threshold(
    tx: &DatabaseTransaction,
    sku: &Sku,
    low_threshold: i64,
) -> Result<Option<Total>, DbErr> {
    let sql = "UPDATE stock SET low_threshold = $2, update_time = $3 WHERE sku = $1
               RETURNING sku, on_hand, reserved, low_threshold, low";
    let values = vec![sku.as_str().into(), low_threshold.into(), Timestamp::now().into()];
    Ok(rows(tx, sql, values, total).await?.pop())
}

/// Notes that SKUs crossed their thresholds.
pub(crate) async fn mark_low(tx: &DatabaseTransaction, skus: &[&Sku], low: bool) -> Result<(), DbErr> {
    for some in skus.chunks(ROWS_MAX) {
        let sql = format!("UPDATE stock SET low = $1 WHERE sku IN {}", list(2, some.len()));
        let skus = some.iter().map(|sku| sku.as_str().into());
        run(tx, &sql, std::iter::once(low.into()).chain(skus).collect()).await?;
    }
    Ok(())
}

/// What there is of the SKUs that lack.
pub(crate) async fn lacking(
    db: &impl ConnectionTrait,
    wanted: &BTreeMap<&Sku, i64>,
) -> Result<Vec<Lacking>, DbErr> {
    let skus = wanted.keys().map(|sku| (*sku).clone()).collect();
    let found = find(db, &skus).await?;
    let available =
        |sku: &Sku| found.iter().find(|stock| stock.sku == *sku).map_or(0, |stock| stock.level.available());
    let one = |(sku, wanted): (&&Sku, &i64)| Lacking {
        sku: (*sku).clone(),
        wanted: *wanted,
        available: available(sku),
    };
    Ok(wanted.iter().map(one).collect())
}

/// Where SKUs can be sold from, by the locations' priority.
pub(crate) async fn available_places(
    tx: &DatabaseTransaction,
    skus: &[&Sku],
) -> Result<BTreeMap<Sku, Vec<(LocationId, i64)>>, DbErr> {
    let mut found: BTreeMap<Sku, Vec<(LocationId, i64)>> = BTreeMap::new();
    for some in skus.chunks(ROWS_MAX) {
        let sql = format!(
            "SELECT p.sku, p.location, p.on_hand - p.reserved
             FROM location_stock p JOIN locations l ON l.id = p.location
             WHERE p.sku IN {} AND p.on_hand > p.reserved
             ORDER BY l.priority, l.id",
            list(1, some.len())
        );
        let values = some.iter().map(|sku| sku.as_str().into()).collect();
        let read =
            |row: &QueryResult| Ok((get::<String>(row, 0)?, get::<String>(row, 1)?, get::<i64>(row, 2)?));
        for (sku, location, available) in rows(tx, &sql, values, read).await? {
            found.entry(Sku::stored(sku)).or_default().push((LocationId::stored(location), available));
        }
    }
    Ok(found)
}

/// Changes locations as their SKUs' totals were changed before. Says whether all of them could.
pub(crate) async fn change_locations(
    tx: &DatabaseTransaction,
    movements: &[(Movement, Cause)],
) -> Result<bool, DbErr> {
    let mut by: BTreeMap<(&Sku, &LocationId), Level> = BTreeMap::new();
    for (movement, _) in movements {
        let level = by.entry((&movement.sku, &movement.location)).or_default();
        level.on_hand += movement.on_hand;
        level.reserved += movement.reserved;
    }
    let by: Vec<_> = by.into_iter().collect();
    for some in by.chunks(ROWS_MAX) {
        let sql = format!(
            "UPDATE location_stock SET on_hand = on_hand + change.column3, reserved = reserved + change.column4
             FROM (VALUES {}) AS change
             WHERE sku = change.column1 AND location = change.column2
               AND reserved + change.column4 >= 0
               AND on_hand + change.column3 >= reserved + change.column4",
            places(1, 4, some.len())
        );
        let values = some.iter().flat_map(|((sku, location), by)| -> [Value; 4] {
            [sku.as_str().into(), location.as_str().into(), by.on_hand.into(), by.reserved.into()]
        });
        if run(tx, &sql, values.collect()).await? < u64::try_from(some.len()).unwrap_or(u64::MAX) {
            return Ok(false);
        }
    }
    Ok(true)
}
