//! What is personal about an order, in a table of its own: it can be erased, and no event or stored reply holds it.

use std::collections::BTreeMap;

use chassis::rows::{self, Rows};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Set, Value};

use crate::domain::{Address, Order};
use crate::error::Error;

#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "order_private")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    pub customer: String,
    pub address: Option<String>,
    pub words: String,
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub(crate) enum Relation {
    #[sea_orm(belongs_to = "super::rows::Entity", from = "Column::OrderId", to = "super::rows::Column::Id")]
    Order,
}

impl Related<super::rows::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Order.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// Where an order goes, and what people wrote about it; nothing where it was erased.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) address: Option<Address>,
    /// What was written with an event, by the event's version.
    pub(crate) words: BTreeMap<i64, String>,
}

impl Details {
    pub(super) fn of(row: Option<Model>) -> Result<Details, Error> {
        let Some(row) = row else { return Ok(Details::default()) };
        let address = row.address.as_deref().map(serde_json::from_str).transpose()?;
        Ok(Details { address, words: serde_json::from_str(&row.words)? })
    }
}

pub(super) async fn insert(tx: &DatabaseTransaction, orders: &[(&Order, &Address)]) -> Result<(), Error> {
    const COLUMNS: [rows::Column; 3] =
        [rows::uuid("order_id"), rows::text("customer"), rows::text("address")];
    let row = |(order, address): &(&Order, &Address)| -> Result<[Value; 3], Error> {
        let address = serde_json::to_string(address)?;
        Ok([order.id.uuid().into(), order.customer.as_str().into(), address.into()])
    };
    let rows = Rows::new(&COLUMNS, orders.iter().map(row).collect::<Result<Vec<_>, _>>()?);
    let sql = "INSERT INTO order_private (order_id, customer, address, words)
         SELECT order_id, customer, address, '{}' FROM {rows} AS new";
    rows.run(tx, sql, &[]).await?;
    Ok(())
}

/// Keeps what somebody wrote with the order's latest event.
pub(crate) async fn note(tx: &DatabaseTransaction, order: &Order, words: &str) -> Result<(), Error> {
    if words.is_empty() {
        return Ok(());
    }
    // The row of the order is locked by the event that was just appended, so nobody else writes here meanwhile.
    let mut details = find(tx, order).await?;
    details.words.insert(order.version, words.to_owned());
    let row = ActiveModel {
        order_id: Set(order.id.uuid()),
        customer: Set(order.customer.clone()),
        address: Set(None),
        words: Set(serde_json::to_string(&details.words)?),
    };
    let written = OnConflict::column(Column::OrderId).update_column(Column::Words).to_owned();
    Entity::insert(row).on_conflict(written).exec_without_returning(tx).await?;
    Ok(())
}

/// What is personal about an order is its customer's: with them it is erased.
pub(crate) async fn give(tx: &DatabaseTransaction, order: &Order) -> Result<(), Error> {
    let owner = ActiveModel { customer: Set(order.customer.clone()), ..Default::default() };
    Entity::update_many().set(owner).filter(Column::OrderId.eq(order.id.uuid())).exec(tx).await?;
    Ok(())
}

async fn find(db: &impl ConnectionTrait, order: &Order) -> Result<Details, Error> {
    Details::of(Entity::find_by_id(order.id.uuid()).one(db).await?)
}

/// Erases what is personal about a customer's orders. The orders stay, as the books need them.
pub(crate) async fn erase(tx: &DatabaseTransaction, customer: &str) -> Result<(), Error> {
    Entity::delete_many().filter(Column::Customer.eq(customer)).exec(tx).await?;
    Ok(())
}
