//! The events of orders: appended, never changed.

use chassis::id::Id;
use chassis::rows::{self, Rows};
use chassis::time::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryOrder, QuerySelect, Value};

use super::violated;
use crate::domain::{Order, Recorded, schema, upcast};
use crate::error::Error;

#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "order_events")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    #[sea_orm(column_name = "type")]
    pub kind: String,
    pub schema: i32,
    pub payload: String,
    pub actor: String,
    pub time: Timestamp,
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn recorded(self) -> Result<Recorded, Error> {
        let event = if self.schema == schema(&self.kind) {
            serde_json::from_str(&self.payload)?
        } else {
            let older = serde_json::from_str(&self.payload)?;
            serde_json::from_value(upcast(&self.kind, self.schema, self.time, older)?)?
        };
        Ok(Recorded { version: self.version, event, actor: self.actor, time: self.time })
    }
}

pub(super) async fn insert(tx: &DatabaseTransaction, events: &[(Id<Order>, &Recorded)]) -> Result<(), Error> {
    const COLUMNS: [rows::Column; 7] = [
        rows::uuid("order_id"),
        rows::bigint("version"),
        rows::text("type"),
        rows::int("schema"),
        rows::text("payload"),
        rows::text("actor"),
        rows::bigint("time"),
    ];
    let row = |(id, recorded): &(Id<Order>, &Recorded)| -> Result<[Value; 7], Error> {
        Ok([
            id.uuid().into(),
            recorded.version.into(),
            recorded.event.kind().into(),
            schema(recorded.event.kind()).into(),
            serde_json::to_string(&recorded.event)?.into(),
            recorded.actor.as_str().into(),
            recorded.time.into(),
        ])
    };
    let rows = Rows::new(&COLUMNS, events.iter().map(row).collect::<Result<Vec<_>, _>>()?);
    let sql = "INSERT INTO order_events (order_id, version, type, schema, payload, actor, time)
         SELECT order_id, version, type, schema, payload, actor, time FROM {rows} AS new";
    rows.run(tx, sql, &[]).await.map_err(violated)?;
    Ok(())
}

/// The events of an order after a version, in order, each with the form it was written in.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    id: Id<Order>,
    after: i64,
    limit: u64,
) -> Result<Vec<(Recorded, i32)>, Error> {
    let query = Entity::find().filter(Column::OrderId.eq(id.uuid())).filter(Column::Version.gt(after));
    let found = query.order_by_asc(Column::Version).limit(limit).all(db).await?;
    let with_schema = |row: Model| {
        let schema = row.schema;
        Ok((row.recorded()?, schema))
    };
    found.into_iter().map(with_schema).collect()
}

/// The version an order had at a time; nothing before its first event.
pub(super) async fn version_at(
    db: &impl ConnectionTrait,
    id: Id<Order>,
    time: Timestamp,
) -> Result<Option<i64>, Error> {
    let query = Entity::find().select_only().column_as(Column::Version.max(), "version");
    let query = query.filter(Column::OrderId.eq(id.uuid())).filter(Column::Time.lte(time));
    Ok(query.into_tuple::<Option<i64>>().one(db).await?.flatten())
}

/// The events of an order after one version up to another, in order.
pub(super) async fn between(
    db: &impl ConnectionTrait,
    id: Uuid,
    after: i64,
    until: i64,
) -> Result<Vec<Recorded>, Error> {
    let query = Entity::find().filter(Column::OrderId.eq(id)).filter(Column::Version.gt(after));
    let query = query.filter(Column::Version.lte(until)).order_by_asc(Column::Version);
    query.all(db).await?.into_iter().map(Model::recorded).collect()
}

/// The orders after one, by id, that have any event.
pub(super) async fn orders_after(
    db: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, Error> {
    let mut query = Entity::find().select_only().column(Column::OrderId).filter(Column::Version.eq(1));
    if let Some(after) = after {
        query = query.filter(Column::OrderId.gt(after));
    }
    Ok(query.order_by_asc(Column::OrderId).limit(limit).into_tuple().all(db).await?)
}

/// The events of many orders, by order and version.
pub(super) async fn of_all(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<(Uuid, Recorded)>, Error> {
    let query = Entity::find().filter(Column::OrderId.is_in(ids.iter().copied()));
    let found = query.order_by_asc(Column::OrderId).order_by_asc(Column::Version).all(db).await?;
    found.into_iter().map(|row| Ok((row.order_id, row.recorded()?))).collect()
}
