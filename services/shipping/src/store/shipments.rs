//! Shipments and their lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chassis::id::Id;
use chassis::rows::{Column, Rows, bigint, text, uuid};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{at_most, damaged, get, holding, orders, rows, run, tracking};
use crate::domain::{Address, Quantities, Shipment, State};

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

const NEW: [Column; 10] = [
    uuid("id"),
    text("order_name"),
    text("customer"),
    text("state"),
    text("address").or_null(),
    text("rate"),
    text("carrier"),
    text("tracking_number"),
    bigint("create_time"),
    bigint("update_time"),
];

/// Keeps new shipments with their lines.
pub(crate) async fn create(tx: &DatabaseTransaction, shipments: &[Shipment]) -> Result<(), DbErr> {
    let row = |shipment: &Shipment| -> Result<[Value; 10], DbErr> {
        let address = shipment.address.as_ref().map(serde_json::to_string).transpose().map_err(unreadable)?;
        Ok([
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
        ])
    };
    let new = shipments.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let sql = format!("INSERT INTO shipments ({COLUMNS}) SELECT {COLUMNS} FROM {{rows}} AS new");
    Rows::new(&NEW, new).run(tx, &sql, &[]).await?;
    const LINES: [Column; 3] = [uuid("shipment"), text("sku"), bigint("quantity")];
    let lines = shipments.iter().flat_map(|shipment| {
        let line = |(sku, quantity): (&String, &i64)| -> [Value; 3] {
            [shipment.id.into(), sku.as_str().into(), (*quantity).into()]
        };
        shipment.lines.iter().map(line).collect::<Vec<_>>()
    });
    let sql = "INSERT INTO shipment_lines (shipment, sku, quantity) SELECT shipment, sku, quantity FROM {rows} AS new";
    Rows::new(&LINES, lines).run(tx, sql, &[]).await?;
    Ok(())
}

/// Keeps how far shipments have got that were loaded in this transaction.
pub(crate) async fn set_states(tx: &DatabaseTransaction, shipments: &[Shipment]) -> Result<(), DbErr> {
    const CHANGED: [Column; 3] = [uuid("changed"), text("changed_to"), bigint("changed_at")];
    let sql = "UPDATE shipments SET state = changed_to, update_time = changed_at FROM {rows} AS these WHERE id = changed";
    let row = |shipment: &Shipment| -> [Value; 3] {
        [shipment.id.into(), shipment.state.as_str().into(), shipment.update_time.into()]
    };
    Rows::new(&CHANGED, shipments.iter().map(row)).run(tx, sql, &[]).await?;
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
    let sql = format!("SELECT {COLUMNS} FROM shipments JOIN {{rows}} AS these ON wanted = id");
    let found = super::shipments(ids.iter().copied()).query(db, &sql, &[], read).await?;
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

/// Reads the shipments of orders to change them: nobody else does until the transaction ends. They are taken hold of in
/// the order of their ids.
pub(crate) async fn load_of(
    tx: &DatabaseTransaction,
    names: &BTreeSet<&str>,
) -> Result<Vec<Shipment>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM shipments JOIN {{rows}} AS these ON wanted = order_name ORDER BY id {}",
        holding(tx, "shipments")
    );
    let found = orders(names.iter().copied()).query(tx, &sql, &[], read).await?;
    whole(tx, found).await
}

/// How many of each SKU of orders are in shipments that were not cancelled, by order.
pub(crate) async fn packed<'a>(
    tx: &DatabaseTransaction,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, Quantities>, DbErr> {
    let sql = "SELECT s.order_name, l.sku, CAST(SUM(l.quantity) AS BIGINT)
               FROM {rows} AS these JOIN shipments s ON s.order_name = wanted JOIN shipment_lines l ON l.shipment = s.id
               WHERE s.state <> 'CANCELLED' GROUP BY s.order_name, l.sku";
    let read = |row: &QueryResult| Ok((get(row, 0)?, (get(row, 1)?, get(row, 2)?)));
    let mut packed: BTreeMap<String, Quantities> = BTreeMap::new();
    for (order, line) in orders(names).query(tx, sql, &[], read).await? {
        packed.entry(order).or_default().extend([line]);
    }
    Ok(packed)
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
    Ok(!erased(tx, &BTreeSet::from([customer])).await?.is_empty())
}

/// Those of the customers whose addresses are not kept any more. It does not change until the transaction ends.
pub(crate) async fn erased(
    tx: &DatabaseTransaction,
    customers: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, DbErr> {
    const CUSTOMERS: [Column; 1] = [text("wanted")];
    let sql = "INSERT INTO customers (customer) SELECT wanted FROM {rows} AS these WHERE TRUE
               ON CONFLICT (customer) DO UPDATE SET erase_time = customers.erase_time RETURNING customer, erase_time";
    let read = |row: &QueryResult| Ok((get::<String>(row, 0)?, get::<Option<i64>>(row, 1)?));
    let customers = Rows::new(&CUSTOMERS, customers.iter().map(|customer| [(*customer).into()]));
    let found = customers.query(tx, sql, &[], read).await?;
    Ok(found.into_iter().filter(|(_, erased)| erased.is_some()).map(|(customer, _)| customer).collect())
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
    let wanted = super::shipments(shipments.iter().map(|shipment| shipment.id));
    let sql = "SELECT shipment, sku, quantity FROM shipment_lines JOIN {rows} AS these ON wanted = shipment";
    let read = |row: &QueryResult| Ok((get::<Id<Shipment>>(row, 0)?, (get(row, 1)?, get(row, 2)?)));
    let mut lines: HashMap<_, Quantities> = HashMap::new();
    for (shipment, line) in wanted.query(db, sql, &[], read).await? {
        lines.entry(shipment).or_default().extend([line]);
    }
    let mut happenings = tracking::of(db, &wanted).await?;
    for shipment in &mut shipments {
        shipment.lines = lines.remove(&shipment.id).unwrap_or_default();
        shipment.happenings = happenings.remove(&shipment.id).unwrap_or_default();
    }
    Ok(shipments)
}
