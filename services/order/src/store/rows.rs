//! The rows that orders' events amount to.

use chassis::rows::{self, Rows};
use chassis::time::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Value};

use super::{details, snapshots, violated};
use crate::domain::Order;
use crate::error::Error;

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
    const COLUMNS: [rows::Column; 24] = [
        rows::uuid("id"),
        rows::text("customer"),
        rows::text("state"),
        rows::text("payment_state"),
        rows::text("payment"),
        rows::text("coupon_code"),
        rows::text("cart").or_null(),
        rows::text("number"),
        rows::bigint("subtotal_minor"),
        rows::bigint("discount_minor"),
        rows::bigint("shipping_minor"),
        rows::bigint("tax_minor"),
        rows::bigint("total_minor"),
        rows::text("total_currency"),
        rows::bigint("refund_due_minor"),
        rows::bigint("units"),
        rows::bool("sold"),
        rows::text("source").or_null(),
        rows::text("external_id").or_null(),
        rows::bigint("version"),
        rows::text("snapshot"),
        rows::int("snapshot_schema"),
        rows::bigint("create_time"),
        rows::bigint("update_time"),
    ];
    let row = |order: &&Order| -> Result<[Value; 24], Error> {
        let row = Model::of(order)?;
        Ok([
            row.id.into(),
            row.customer.into(),
            row.state.into(),
            row.payment_state.into(),
            row.payment.into(),
            row.coupon_code.into(),
            row.cart.into(),
            row.number.into(),
            row.subtotal_minor.into(),
            row.discount_minor.into(),
            row.shipping_minor.into(),
            row.tax_minor.into(),
            row.total_minor.into(),
            row.total_currency.into(),
            row.refund_due_minor.into(),
            row.units.into(),
            row.sold.into(),
            row.source.into(),
            row.external_id.into(),
            row.version.into(),
            row.snapshot.into(),
            row.snapshot_schema.into(),
            row.create_time.into(),
            row.update_time.into(),
        ])
    };
    let names: Vec<&str> = COLUMNS.iter().map(rows::Column::name).collect();
    let sql = format!("INSERT INTO orders ({0}) SELECT {0} FROM {{rows}} AS new", names.join(", "));
    let rows = Rows::new(&COLUMNS, orders.iter().map(row).collect::<Result<Vec<_>, _>>()?);
    rows.run(tx, &sql, &[]).await.map_err(violated)?;
    Ok(())
}

/// Writes what can change of orders, each if its row still is at the version that was read.
pub(super) async fn update(tx: &DatabaseTransaction, orders: &[(&Order, i64)]) -> Result<(), Error> {
    const COLUMNS: [rows::Column; 13] = [
        rows::uuid("id"),
        rows::bigint("read"),
        rows::text("customer"),
        rows::text("state"),
        rows::text("payment_state"),
        rows::text("payment"),
        rows::bigint("refund_due_minor"),
        rows::bigint("units"),
        rows::bool("sold"),
        rows::bigint("version"),
        rows::text("snapshot"),
        rows::int("snapshot_schema"),
        rows::bigint("update_time"),
    ];
    let row = |(order, read): &(&Order, i64)| -> Result<[Value; 13], Error> {
        let row = Model::of(order)?;
        Ok([
            row.id.into(),
            (*read).into(),
            row.customer.into(),
            row.state.into(),
            row.payment_state.into(),
            row.payment.into(),
            row.refund_due_minor.into(),
            row.units.into(),
            row.sold.into(),
            row.version.into(),
            row.snapshot.into(),
            row.snapshot_schema.into(),
            row.update_time.into(),
        ])
    };
    let sql = "UPDATE orders SET customer = new.customer, state = new.state, payment_state = new.payment_state,
             payment = new.payment, refund_due_minor = new.refund_due_minor, units = new.units, sold = new.sold,
             version = new.version, snapshot = new.snapshot, snapshot_schema = new.snapshot_schema,
             update_time = new.update_time
         FROM {rows} AS new WHERE orders.id = new.id AND orders.version = new.read";
    let rows = Rows::new(&COLUMNS, orders.iter().map(row).collect::<Result<Vec<_>, _>>()?);
    let updated = rows.run(tx, sql, &[]).await.map_err(violated)?;
    if updated == orders.len() as u64 { Ok(()) } else { Err(Error::Conflict) }
}
