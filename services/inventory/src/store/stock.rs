//! Stock: the total of a SKU decides, its locations follow.

use std::collections::{BTreeMap, BTreeSet};

use chassis::failpoint::mutated;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{get, holding, rows};
use crate::domain::{
    Cause, Lacking, Level, LocationId, Movement, ON_HAND_MAX, Quantities, Sku, Stock, Total,
};

const STOCK: &str = "SELECT s.sku, s.on_hand, s.reserved, s.low_threshold, s.low, s.update_time,
        p.location, p.on_hand, p.reserved
    FROM stock s
    LEFT JOIN location_stock p ON p.sku = s.sku
    LEFT JOIN locations l ON l.id = p.location";

const WANTED: [Column; 1] = [rows::text("wanted")];

fn wanted<'a>(skus: impl IntoIterator<Item = &'a Sku>) -> Rows<1> {
    Rows::new(&WANTED, skus.into_iter().map(|sku| [sku.as_str().into()]))
}

/// The stock of these SKUs, by SKU; those never received are left out.
pub(crate) async fn find(db: &impl ConnectionTrait, skus: &BTreeSet<Sku>) -> Result<Vec<Stock>, DbErr> {
    let sql = format!("{STOCK} JOIN {{rows}} AS these ON wanted = s.sku ORDER BY s.sku, l.priority, l.id");
    Ok(joined(wanted(skus).query(db, &sql, &[], read).await?))
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
    const KEYS: [Column; 2] = [rows::text("sku"), rows::text("location")];
    let sql = "INSERT INTO stock (sku, on_hand, reserved, low_threshold, low, update_time)
               SELECT wanted, 0, 0, 0, FALSE, $1 FROM {rows} AS these WHERE TRUE
               ON CONFLICT (sku) DO NOTHING";
    let skus = keys.iter().map(|(sku, _)| sku).collect::<BTreeSet<_>>();
    wanted(skus).run(tx, sql, &[Timestamp::now().into()]).await?;
    let sql = "INSERT INTO location_stock (sku, location, on_hand, reserved)
               SELECT sku, location, 0, 0 FROM {rows} AS these WHERE TRUE
               ON CONFLICT (sku, location) DO NOTHING";
    let key = |(sku, location): &(Sku, LocationId)| [sku.as_str().into(), location.as_str().into()];
    Rows::new(&KEYS, keys.iter().map(key)).run(tx, sql, &[]).await?;
    Ok(())
}

/// Changes totals, each only where nothing falls below what is reserved. The SKUs that could not change are missing in
/// the answer. Whoever changed a total holds its SKU until the transaction ends.
pub(crate) async fn change_totals(
    tx: &DatabaseTransaction,
    by: &BTreeMap<Sku, Level>,
) -> Result<Vec<Total>, DbErr> {
    const BY: [Column; 3] = [rows::text("changing"), rows::bigint("on_hand_by"), rows::bigint("reserved_by")];
    let covered = match mutated("stock") {
        true => "",
        false => "AND on_hand + on_hand_by >= reserved + reserved_by",
    };
    // They are taken hold of in the order of their SKUs, so that two transactions never wait for each other.
    let sql = format!(
        "UPDATE stock SET on_hand = on_hand + on_hand_by, reserved = reserved + reserved_by, update_time = $1
         FROM (SELECT changing, on_hand_by, reserved_by FROM {{rows}} AS these JOIN stock AS held ON held.sku = changing
               ORDER BY held.sku {}) AS change
         WHERE sku = changing AND reserved + reserved_by >= 0 {covered} AND on_hand + on_hand_by <= {ON_HAND_MAX}
         RETURNING sku, on_hand, reserved, low_threshold, low",
        holding(tx, "held")
    );
    let row = |(sku, by): (&Sku, &Level)| [sku.as_str().into(), by.on_hand.into(), by.reserved.into()];
    let mut changed =
        Rows::new(&BY, by.iter().map(row)).query(tx, &sql, &[Timestamp::now().into()], total).await?;
    changed.sort_by(|one, other| one.sku.cmp(&other.sku));
    Ok(changed)
}

/// What is available of SKUs, which stays so until the transaction ends. They are taken hold of in their order.
pub(crate) async fn hold_available(
    tx: &DatabaseTransaction,
    skus: &BTreeSet<Sku>,
) -> Result<Quantities, DbErr> {
    let sql = format!(
        "SELECT sku, on_hand - reserved FROM stock JOIN {{rows}} AS these ON wanted = sku ORDER BY sku {}",
        holding(tx, "stock")
    );
    let read = |row: &QueryResult| Ok((Sku::stored(get(row, 0)?), get(row, 1)?));
    Ok(wanted(skus).query(tx, &sql, &[], read).await?.into_iter().collect())
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
    let sql = "UPDATE stock SET low = $1 FROM {rows} AS these WHERE sku = wanted";
    wanted(skus.iter().copied()).run(tx, sql, &[low.into()]).await?;
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
    let sql = "SELECT p.sku, p.location, p.on_hand - p.reserved
               FROM {rows} AS these JOIN location_stock p ON p.sku = wanted JOIN locations l ON l.id = p.location
               WHERE p.on_hand > p.reserved ORDER BY l.priority, l.id";
    let read = |row: &QueryResult| {
        let place = (LocationId::stored(get(row, 1)?), get::<i64>(row, 2)?);
        Ok((Sku::stored(get(row, 0)?), place))
    };
    let mut found: BTreeMap<Sku, Vec<(LocationId, i64)>> = BTreeMap::new();
    for (sku, place) in wanted(skus.iter().copied()).query(tx, sql, &[], read).await? {
        found.entry(sku).or_default().push(place);
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
    const BY: [Column; 4] = [
        rows::text("changing"),
        rows::text("place"),
        rows::bigint("on_hand_by"),
        rows::bigint("reserved_by"),
    ];
    let sql = "UPDATE location_stock SET on_hand = on_hand + on_hand_by, reserved = reserved + reserved_by
               FROM {rows} AS these
               WHERE sku = changing AND location = place
                 AND reserved + reserved_by >= 0 AND on_hand + on_hand_by >= reserved + reserved_by";
    let row = |((sku, location), by): (&(&Sku, &LocationId), &Level)| -> [Value; 4] {
        [sku.as_str().into(), location.as_str().into(), by.on_hand.into(), by.reserved.into()]
    };
    let changed = Rows::new(&BY, by.iter().map(row)).run(tx, sql, &[]).await?;
    Ok(u64::try_from(by.len()) == Ok(changed))
}
