//! Shipments and their lines.

use std::collections::{BTreeSet, HashMap};

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{at_most, damaged, get, list, places, rows, run, tracking};
use crate::domain::{Address, Quantities, Shipment, State};

/// Rows named by one statement. SQLite looks each parameter up by name, so that many of them cost their square.
const ROWS_MAX: usize = 200;

const COLUMNS: &str =
    "id, order_name, customer, state, address, rate, carrier, tracking_number, create_time, update_time";

/// Which shipments to list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    /// Only this customer's; anyone's where nothing is said.
    pub(crate) owner: Option<&'a str>,
    pub(crate) order: Option<&'a str>,
    /// Older than this one.
    pub(crate) before: Option<(Timestamp, Id<Shipment>)>,
}

/// Keeps a new shipment with its lines.
pub(crate) async fn create(tx: &DatabaseTransaction, shipment: &Shipment) -> Result<(), DbErr> {
    let sql = format!("INSERT INTO shipments ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let address = shipment.address.as_ref().map(serde_json::to_string).transpose().map_err(unreadable)?;
    let values = vec![
        shipment.id.into(),
        shipment.order.as_str().into(),
        shipment.customer.as_str().into(),
        shipment.state.as_str().into(),
        address.into(),
        shipment.rate.as_str().into(),
        shipment.carrier.as_str().into(),
        shipment.tracking_number.as_str().into(),
        shipment.create_time.into(),
        shipment.update_time.into(),
    ];
    run(tx, &sql, values).await?;
    let lines: Vec<_> = shipment.lines.iter().collect();
    for some in lines.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO shipment_lines (shipment, sku, quantity) VALUES {}",
            places(1, 3, some.len())
        );
        let line = |(sku, quantity): &(&String, &i64)| -> [Value; 3] {
            [shipment.id.into(), sku.as_str().into(), (**quantity).into()]
        };
        run(tx, &sql, some.iter().flat_map(line).collect()).await?;
    }
    Ok(())
}

/// Keeps how far a shipment has got that was loaded in this transaction.
pub(crate) async fn set_state(tx: &DatabaseTransaction, shipment: &Shipment) -> Result<(), DbErr> {
    let sql = "UPDATE shipments SET state = $2, update_time = $3 WHERE id = $1";
    run(tx, sql, vec![shipment.id.into(), shipment.state.as_str().into(), shipment.update_time.into()])
        .await?;
    Ok(())
}

/// Reads a shipment, of this customer only where one is named.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    owner: Option<&str>,
    id: Id<Shipment>,
) -> Result<Option<Shipment>, DbErr> {
    one(db, owner, "id = $1", id.into()).await
}

/// Finds a shipment by its tracking number, of this customer only where one is named.
pub(crate) async fn find_tracked(
    db: &impl ConnectionTrait,
    owner: Option<&str>,
    number: &str,
) -> Result<Option<Shipment>, DbErr> {
    one(db, owner, "tracking_number = $1", number.into()).await
}

async fn one(
    db: &impl ConnectionTrait,
    owner: Option<&str>,
    condition: &str,
    value: Value,
) -> Result<Option<Shipment>, DbErr> {
    let mut values = vec![value];
    let mut sql = format!("SELECT {COLUMNS} FROM shipments WHERE {condition}");
    if let Some(owner) = owner {
        sql.push_str(" AND customer = $2");
        values.push(owner.into());
    }
    Ok(whole(db, rows(db, &sql, values, read).await?).await?.pop())
}

/// Reads these shipments, in no order.
pub(crate) async fn find_all(
    db: &impl ConnectionTrait,
    ids: &BTreeSet<Id<Shipment>>,
) -> Result<Vec<Shipment>, DbErr> {
    let mut found = Vec::new();
    for some in ids.iter().copied().collect::<Vec<_>>().chunks(ROWS_MAX) {
        let sql = format!("SELECT {COLUMNS} FROM shipments WHERE id IN {}", list(1, some.len()));
        found.extend(rows(db, &sql, some.iter().map(|id| (*id).into()).collect(), read).await?);
    }
    whole(db, found).await
}

/// So many shipments, the newest first.
pub(crate) async fn list_newest(
    db: &impl ConnectionTrait,
    filter: &Filter<'_>,
    limit: u64,
) -> Result<Vec<Shipment>, DbErr> {
    let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::<Value>::new());
    for (column, wanted) in [("customer", filter.owner), ("order_name", filter.order)] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            conditions.push(format!("{column} = ${}", values.len()));
        }
    }
    if let Some((time, id)) = filter.before {
        values.extend([time.into(), id.into()]);
        conditions.push(format!("(create_time, id) < (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(at_most(limit));
    let sql = format!(
        "SELECT {COLUMNS} FROM shipments WHERE {} ORDER BY create_time DESC, id DESC LIMIT ${}",
        conditions.join(" AND "),
        values.len()
    );
    whole(db, rows(db, &sql, values, read).await?).await
}

/// Reads a shipment to change it: nobody else does until the transaction ends.
pub(crate) async fn load(tx: &DatabaseTransaction, id: Id<Shipment>) -> Result<Option<Shipment>, DbErr> {
    let sql = format!("UPDATE shipments SET state = state WHERE id = $1 RETURNING {COLUMNS}");
    Ok(whole(tx, rows(tx, &sql, vec![id.into()], read).await?).await?.pop())
}

/// The shipments of an order, the oldest first.
pub(crate) async fn ids_of_order(tx: &DatabaseTransaction, order: &str) -> Result<Vec<Id<Shipment>>, DbErr> {
    let sql = "SELECT id FROM shipments WHERE order_name = $1 ORDER BY create_time, id";
    rows(tx, sql, vec![order.into()], |row| get(row, 0)).await
}

/// How many of each SKU of an order are in shipments that were not cancelled.
pub(crate) async fn packed(tx: &DatabaseTransaction, order: &str) -> Result<Quantities, DbErr> {
    let sql = "SELECT l.sku, CAST(SUM(l.quantity) AS BIGINT)
               FROM shipments s JOIN shipment_lines l ON l.shipment = s.id
               WHERE s.order_name = $1 AND s.state <> 'CANCELLED' GROUP BY l.sku";
    let read = |row: &QueryResult| Ok((get(row, 0)?, get(row, 1)?));
    Ok(rows(tx, sql, vec![order.into()], read).await?.into_iter().collect())
}

/// Where a shipment goes; nothing where that was erased.
pub(crate) async fn address(db: &impl ConnectionTrait, id: Id<Shipment>) -> Result<Option<Address>, DbErr> {
    let read = |row: &QueryResult| read_address(get(row, 0)?);
    let found = rows(db, "SELECT address FROM shipments WHERE id = $1", vec![id.into()], read).await?;
    Ok(found.into_iter().next().flatten())
}

/// Forgets where a customer's shipments go, and keeps in mind not to learn it again.
pub(crate) async fn erase_addresses(tx: &DatabaseTransaction, customer: &str) -> Result<(), DbErr> {
    let now = Timestamp::now();
    let sql = "INSERT INTO customers (customer, erase_time) VALUES ($1, $2)
               ON CONFLICT (customer) DO UPDATE SET erase_time = $2";
    run(tx, sql, vec![customer.into(), now.into()]).await?;
    let sql = "UPDATE shipments SET address = NULL,
                   update_time = CASE WHEN update_time < $2 THEN $2 ELSE update_time + 1 END
               WHERE customer = $1 AND address IS NOT NULL";
    run(tx, sql, vec![customer.into(), now.into()]).await?;
    Ok(())
}

/// The shipments of an order are a customer's now; where they go is forgotten where that customer is.
pub(crate) async fn give(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), DbErr> {
    let erased = is_erased(tx, customer).await?;
    let sql = "UPDATE shipments SET customer = $2, address = CASE WHEN $3 THEN NULL ELSE address END,
                   update_time = CASE WHEN update_time < $4 THEN $4 ELSE update_time + 1 END
               WHERE order_name = $1";
    run(tx, sql, vec![order.into(), customer.into(), erased.into(), Timestamp::now().into()]).await?;
    Ok(())
}

/// Whether a customer's addresses are not kept any more. It does not change until the transaction ends.
pub(crate) async fn is_erased(tx: &DatabaseTransaction, customer: &str) -> Result<bool, DbErr> {
    let sql = "INSERT INTO customers (customer) VALUES ($1)
               ON CONFLICT (customer) DO UPDATE SET erase_time = customers.erase_time RETURNING erase_time";
    let found = rows(tx, sql, vec![customer.into()], |row| get::<Option<i64>>(row, 0)).await?;
    Ok(found.into_iter().flatten().next().is_some())
}

fn read(row: &QueryResult) -> Result<Shipment, DbErr> {
    Ok(Shipment {
        id: get(row, 0)?,
        order: get(row, 1)?,
        customer: get(row, 2)?,
        state: State::parse(&get::<String>(row, 3)?).ok_or_else(|| damaged("the state of a shipment"))?,
        lines: Quantities::new(),
        address: read_address(get(row, 4)?)?,
        rate: get(row, 5)?,
        carrier: get(row, 6)?,
        tracking_number: get(row, 7)?,
        happenings: Vec::new(),
        create_time: get(row, 8)?,
        update_time: get(row, 9)?,
    })
}

fn read_address(text: Option<String>) -> Result<Option<Address>, DbErr> {
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(unreadable)
}

/// The error's own words could quote the address.
fn unreadable(_: serde_json::Error) -> DbErr {
    damaged("the address of a shipment")
}

/// Adds to shipments what is in them and where they have been.
async fn whole(db: &impl ConnectionTrait, mut shipments: Vec<Shipment>) -> Result<Vec<Shipment>, DbErr> {
    for some in shipments.chunks_mut(ROWS_MAX) {
        let ids: Vec<Id<Shipment>> = some.iter().map(|shipment| shipment.id).collect();
        let sql = format!(
            "SELECT shipment, sku, quantity FROM shipment_lines WHERE shipment IN {}",
            list(1, ids.len())
        );
        let read = |row: &QueryResult| Ok((get::<Id<Shipment>>(row, 0)?, (get(row, 1)?, get(row, 2)?)));
        let mut lines: HashMap<_, Quantities> = HashMap::new();
        for (shipment, line) in rows(db, &sql, ids.iter().map(|id| (*id).into()).collect(), read).await? {
            lines.entry(shipment).or_default().extend([line]);
        }
        let mut happenings = tracking::of(db, &ids).await?;
        for shipment in some {
            shipment.lines = lines.remove(&shipment.id).unwrap_or_default();
            shipment.happenings = happenings.remove(&shipment.id).unwrap_or_default();
        }
    }
    Ok(shipments)
}
