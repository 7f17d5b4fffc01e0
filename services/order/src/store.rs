//! Orders in the database: their events, the row those amount to, and what is personal about them.

pub(crate) mod claims;
mod details;
mod events;
mod facts;
mod rebuild;
mod rows;
mod snapshots;

use chassis::failpoint;
use chassis::id::Id;
use chassis::rows::{Column, Rows};
use chassis::time::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryOrder, QuerySelect, SqlErr};

pub(crate) use details::{Details, erase, give, note};
pub(crate) use events::list as list_events;
pub(crate) use facts::{check_after, facts};
pub(crate) use rebuild::rebuild;

use crate::announce;
use crate::domain::{Address, Event, Number, Order, Placed, Recorded, State};
use crate::error::Error;

/// How many orders of one number are looked at.
const NUMBERED_MAX: u64 = 8;

/// Whose orders are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner<'a> {
    /// Everyone's: for staff, and for services that act for themselves.
    Anyone,
    /// One customer's; another's is not there.
    Only(&'a str),
}

/// Reads an order with what is personal about it.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
    id: Id<Order>,
) -> Result<Option<(Order, Details)>, Error> {
    let query = owned(rows::Entity::find_by_id(id.uuid()), owner);
    let Some((row, details)) = query.find_also_related(details::Entity).one(db).await? else {
        return Ok(None);
    };
    Ok(Some((row.order(db).await?, Details::of(details)?)))
}

/// Reads an order as it was at a time, for whoever owns it now. Nothing before it was placed.
pub(crate) async fn find_at(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
    id: Id<Order>,
    time: Timestamp,
) -> Result<Option<(Order, Details)>, Error> {
    let Some((_, details)) = find(db, owner, id).await? else { return Ok(None) };
    let Some(version) = events::version_at(db, id, time).await? else { return Ok(None) };
    Ok(Some((snapshots::replay(db, id.uuid(), version).await?, details)))
}

/// Reads an order to change it. The version is checked when it is written.
pub(crate) async fn load(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
    id: Id<Order>,
) -> Result<Option<Order>, Error> {
    match owned(rows::Entity::find_by_id(id.uuid()), owner).one(db).await? {
        Some(row) => row.order(db).await.map(Some),
        None => Ok(None),
    }
}

/// Reads many orders to change them. Their versions are checked when they are written.
pub(crate) async fn load_all(db: &impl ConnectionTrait, ids: &[Id<Order>]) -> Result<Vec<Order>, Error> {
    const ID: [Column; 1] = [chassis::rows::uuid("id")];
    let wanted = Rows::new(&ID, ids.iter().map(|id| [id.uuid().into()]));
    let sql = "SELECT orders.* FROM orders JOIN {rows} AS wanted ON wanted.id = orders.id";
    let mut found = Vec::with_capacity(ids.len());
    for row in wanted.all::<rows::Model>(db, sql, &[]).await? {
        found.push(row.order(db).await?);
    }
    Ok(found)
}

/// The order a customer has placed last.
pub(crate) async fn newest(db: &impl ConnectionTrait, customer: &str) -> Result<Option<Order>, Error> {
    use rows::Column::{CreateTime, Id as OrderId};
    let query = owned(rows::Entity::find(), Owner::Only(customer));
    match query.order_by_desc(CreateTime).order_by_desc(OrderId).one(db).await? {
        Some(row) => row.order(db).await.map(Some),
        None => Ok(None),
    }
}

/// The orders that are called so: nearly always one or none.
pub(crate) async fn numbered(db: &impl ConnectionTrait, number: &Number) -> Result<Vec<Order>, Error> {
    let query = rows::Entity::find().filter(rows::Column::Number.eq(number.digits()));
    let mut found = Vec::new();
    for row in query.limit(NUMBERED_MAX).all(db).await? {
        found.push(row.order(db).await?);
    }
    Ok(found)
}

/// A page of orders, the newest first, after the one made at this time under this id.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    owner: Owner<'_>,
    state: Option<State>,
    after: Option<(Timestamp, Id<Order>)>,
    limit: u64,
) -> Result<Vec<(Order, Details)>, Error> {
    use rows::Column::{CreateTime, Id as OrderId, State as OrderState};
    let mut query =
        owned(rows::Entity::find(), owner).order_by_desc(CreateTime).order_by_desc(OrderId).limit(limit);
    if let Some(state) = state {
        query = query.filter(OrderState.eq(state.as_str()));
    }
    if let Some((time, id)) = after {
        let older = CreateTime.lt(time).or(CreateTime.eq(time).and(OrderId.lt(id.uuid())));
        query = query.filter(older);
    }
    let mut found = Vec::new();
    for (row, details) in query.find_also_related(details::Entity).all(db).await? {
        found.push((row.order(db).await?, Details::of(details)?));
    }
    Ok(found)
}

/// The versions of these orders, as committed.
pub(crate) async fn versions(
    db: &impl ConnectionTrait,
    ids: &[Id<Order>],
) -> Result<Vec<(Id<Order>, i64)>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let found: Vec<(Uuid, i64)> = rows::Entity::find()
        .select_only()
        .column(rows::Column::Id)
        .column(rows::Column::Version)
        .filter(rows::Column::Id.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().map(|(id, version)| (id.into(), version)).collect())
}

/// An order that is accepted, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) id: Id<Order>,
    pub(crate) placed: Placed,
    pub(crate) address: Address,
}

/// Writes accepted orders, their addresses apart, and announces them.
pub(crate) async fn create(
    tx: &DatabaseTransaction,
    accepted: Vec<Accepted>,
    actor: &str,
) -> Result<Vec<Order>, Error> {
    let (mut happened, mut addresses) = (Vec::new(), Vec::new());
    for Accepted { id, placed, address } in accepted {
        let event = Event::Placed(placed);
        let first = Recorded { version: 1, event, actor: actor.to_owned(), time: Timestamp::now() };
        happened.push((Order::begin(id, &first)?, first));
        addresses.push(address);
    }
    let orders: Vec<&Order> = happened.iter().map(|(order, _)| order).collect();
    events::insert(tx, &recorded(&happened)).await?;
    rows::insert(tx, &orders).await?;
    details::insert(tx, &orders.into_iter().zip(&addresses).collect::<Vec<_>>()).await?;
    announce::announce(tx, &happened).await?;
    Ok(happened.into_iter().map(|(order, _)| order).collect())
}

/// Appends what happens to an order: its version checked, its row projected, the rest of the platform told.
pub(crate) async fn append(
    tx: &DatabaseTransaction,
    order: &Order,
    event: Event,
    actor: &str,
) -> Result<Order, Error> {
    let appended = append_all(tx, vec![(order.clone(), event)], actor).await?.pop();
    appended.ok_or_else(|| Error::NotFound(order.id.name()))
}

/// Appends what happens to many orders, one event each. A conflict over one of them is one over all.
pub(crate) async fn append_all(
    tx: &DatabaseTransaction,
    news: Vec<(Order, Event)>,
    actor: &str,
) -> Result<Vec<Order>, Error> {
    let (mut happened, mut read) = (Vec::with_capacity(news.len()), Vec::new());
    for (order, event) in news {
        // Clocks differ between replicas; a history only goes forward.
        let time = std::cmp::max(Timestamp::now(), order.update_time);
        let next = Recorded { version: order.version + 1, event, actor: actor.to_owned(), time };
        read.push(order.version);
        let mut after = order;
        after.apply(&next)?;
        happened.push((after, next));
    }
    events::insert(tx, &recorded(&happened)).await?;
    for (_, next) in &happened {
        failpoint::at("appended", &[next.event.kind()]).await.map_err(DbErr::from)?;
    }
    let after: Vec<(&Order, i64)> =
        happened.iter().zip(read).map(|((after, _), read)| (after, read)).collect();
    rows::update(tx, &after).await?;
    for (after, _) in &after {
        snapshots::keep(tx, after).await?;
    }
    announce::announce(tx, &happened).await?;
    Ok(happened.into_iter().map(|(after, _)| after).collect())
}

fn recorded(happened: &[(Order, Recorded)]) -> Vec<(Id<Order>, &Recorded)> {
    happened.iter().map(|(order, recorded)| (order.id, recorded)).collect()
}

/// Writes orders that happened elsewhere, with their histories, and announces them.
pub(crate) async fn import(
    tx: &DatabaseTransaction,
    histories: &[(Order, Vec<Recorded>)],
) -> Result<(), Error> {
    let mut orders = Vec::new();
    let mut recorded = Vec::new();
    for (order, events) in histories {
        orders.push(order);
        recorded.extend(events.iter().map(|event| (order.id, event)));
    }
    events::insert(tx, &recorded).await?;
    rows::insert(tx, &orders).await?;
    Ok(announce::announce_imported(tx, histories).await?)
}

fn owned(query: Select<rows::Entity>, owner: Owner<'_>) -> Select<rows::Entity> {
    match owner {
        Owner::Anyone => query,
        Owner::Only(customer) => query.filter(rows::Column::Customer.eq(customer)),
    }
}

/// Turns the constraint that a write ran into into what it means.
fn violated(error: DbErr) -> Error {
    match error.sql_err() {
        // PostgreSQL names the constraint, SQLite the columns.
        Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("order_events") => Error::Conflict,
        Some(SqlErr::UniqueConstraintViolation(what)) if what.contains("cart") => Error::CartOrdered,
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests;
