//! What orders were at versions on their way, so that a long history is not replayed from its beginning.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryOrder, Set};

use super::events;
use crate::domain::Order;
use crate::error::Error;

/// The form that orders are written in as snapshots. One in another form is left aside and replayed.
pub(super) const SCHEMA: i32 = 2;
/// How many events there are between two snapshots.
const EVERY: i64 = 64;

#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "order_snapshots")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    pub schema: i32,
    pub state: String,
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Keeps what an order is where its history has grown long enough.
pub(super) async fn keep(tx: &DatabaseTransaction, order: &Order) -> Result<(), Error> {
    if order.version % EVERY != 0 {
        return Ok(());
    }
    let row = ActiveModel {
        order_id: Set(order.id.uuid()),
        version: Set(order.version),
        schema: Set(SCHEMA),
        state: Set(serde_json::to_string(order)?),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

/// The order as it was at a version, by its events: from the last snapshot before, or from the beginning.
pub(super) async fn replay(db: &impl ConnectionTrait, id: Uuid, version: i64) -> Result<Order, Error> {
    let query = Entity::find().filter(Column::OrderId.eq(id)).filter(Column::Schema.eq(SCHEMA));
    let query = query.filter(Column::Version.lte(version)).order_by_desc(Column::Version);
    match query.one(db).await? {
        Some(kept) => {
            let mut order: Order = serde_json::from_str(&kept.state)?;
            for event in events::between(db, id, kept.version, version).await? {
                order.apply(&event)?;
            }
            Ok(order)
        }
        None => Ok(Order::replay(id.into(), events::between(db, id, 0, version).await?)?),
    }
}

/// The snapshots of many orders in the form of today.
pub(super) async fn of_all(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<Model>, Error> {
    let query = Entity::find().filter(Column::OrderId.is_in(ids.iter().copied()));
    Ok(query.filter(Column::Schema.eq(SCHEMA)).all(db).await?)
}

/// Forgets the snapshots of an order: they are made of its events, and made again.
pub(super) async fn forget(tx: &DatabaseTransaction, id: Uuid) -> Result<(), Error> {
    Entity::delete_many().filter(Column::OrderId.eq(id)).exec(tx).await?;
    Ok(())
}
