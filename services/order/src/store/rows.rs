//! The rows that orders' events amount to.

use chassis::time::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Set};

use super::{details, snapshots, violated};
use crate::domain::Order;
use crate::error::Error;

/// Rows written by one statement: far below the number of parameters either database allows.
const ROWS_MAX: usize = 500;

#[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
#[sea_orm(table_name = "orders")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub customer: String,
    pub state: String,
    pub payment_state: String,
    pub payment: String,
    pub coupon_code: String,
    pub cart: Option<String>,
    pub number: String,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub shipping_minor: i64,
    pub tax_minor: i64,
    pub total_minor: i64,
    pub total_currency: String,
    pub refund_due_minor: i64,
    pub units: i64,
    pub sold: bool,
    pub source: Option<String>,
    pub external_id: Option<String>,
    pub version: i64,
    pub snapshot: String,
    pub snapshot_schema: i32,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub(crate) enum Relation {
    #[sea_orm(has_one = "super::details::Entity")]
    Details,
}

impl Related<details::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Details.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The order of the row: its snapshot, or its events where another release wrote that.
    pub(super) async fn order(&self, db: &impl ConnectionTrait) -> Result<Order, Error> {
        if self.snapshot_schema == snapshots::SCHEMA {
            return Ok(serde_json::from_str(&self.snapshot)?);
        }
        snapshots::replay(db, self.id, self.version).await
    }

    /// Whether the row is what its replayed order gives. One that another release wrote has a snapshot of its own.
    pub(super) fn agrees_with(&self, replayed: &Order) -> Result<bool, Error> {
        let mut expected = Model::of(replayed)?;
        if self.snapshot_schema != snapshots::SCHEMA {
            expected.snapshot.clone_from(&self.snapshot);
            expected.snapshot_schema = self.snapshot_schema;
        }
        Ok(expected == *self)
    }

    /// The row of an order: what replaying its events must give again.
    pub(super) fn of(order: &Order) -> Result<Model, Error> {
        let amounts = &order.amounts;
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Ok(Model {
            id: order.id.uuid(),
            customer: order.customer.clone(),
            state: order.state.as_str().to_owned(),
            payment_state: order.payment_state.as_str().to_owned(),
            payment: order.payment.clone(),
            coupon_code: order.coupon_code.clone(),
            cart: given(&order.cart),
            number: order.number().digits().to_owned(),
            subtotal_minor: amounts.subtotal.minor,
            discount_minor: amounts.discount.minor,
            shipping_minor: amounts.shipping.minor,
            tax_minor: amounts.tax.minor,
            total_minor: amounts.total.minor,
            total_currency: amounts.total.currency.to_string(),
            refund_due_minor: order.refund_due().minor,
            units: order.units(),
            sold: order.confirmed,
            source: given(&order.source),
            external_id: given(&order.external_id),
            version: order.version,
            snapshot: serde_json::to_string(order)?,
            snapshot_schema: snapshots::SCHEMA,
            create_time: order.create_time,
            update_time: order.update_time,
        })
    }
}

pub(super) async fn insert(tx: &DatabaseTransaction, orders: &[&Order]) -> Result<(), Error> {
    let row = |order: &&Order| Ok::<_, Error>(ActiveModel::from(Model::of(order)?).reset_all());
    let rows = orders.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    for some in rows.chunks(ROWS_MAX) {
        Entity::insert_many(some.iter().cloned()).exec_without_returning(tx).await.map_err(violated)?;
    }
    Ok(())
}

/// Writes what can change, if the row still is at the version that was read.
pub(super) async fn update(tx: &DatabaseTransaction, order: &Order, read: i64) -> Result<(), Error> {
    let row = Model::of(order)?;
    let changed = ActiveModel {
        customer: Set(row.customer),
        state: Set(row.state),
        payment_state: Set(row.payment_state),
        payment: Set(row.payment),
        refund_due_minor: Set(row.refund_due_minor),
        units: Set(row.units),
        sold: Set(row.sold),
        version: Set(row.version),
        snapshot: Set(row.snapshot),
        snapshot_schema: Set(row.snapshot_schema),
        update_time: Set(row.update_time),
        ..Default::default()
    };
    let query =
        Entity::update_many().set(changed).filter(Column::Id.eq(row.id)).filter(Column::Version.eq(read));
    let updated = query.exec(tx).await.map_err(violated)?;
    if updated.rows_affected == 0 { Err(Error::Conflict) } else { Ok(()) }
}
