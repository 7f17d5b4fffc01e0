//! What inventory learns from order.

use chassis::consumer::{self, Delivery, Handle};
use chassis::time::Timestamp;
use contract::order::v1::{EventLine, OrderCancelled, OrderConfirmed, OrderImported, OrderReturned};
use sea_orm::DatabaseTransaction;

use crate::Service;
use crate::domain::{Cause, Quantities, Sku, sum};
use crate::service::orders;

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        let bought = stocked(&event.lines)?;
        Ok(orders::confirmed(tx, &event.order, &bought, &cause(&event.order, from, "confirmed", None))
            .await?)
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        let bought = stocked(&event.lines)?;
        Ok(orders::cancelled(tx, &event.order, &bought, &cause(&event.order, from, "cancelled", None))
            .await?)
    }
}

impl Handle<OrderReturned> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderReturned,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        let back = stocked(&event.lines)?;
        let time = event.return_time.filter(|_| event.imported);
        Ok(orders::returned(tx, &event.order, &back, &cause(&event.order, from, "returned", time)).await?)
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        let bought = stocked(&event.lines)?;
        let cause = cause(&event.order, from, "imported", event.order_time);
        Ok(orders::imported(tx, &event.order, &bought, &cause).await?)
    }
}

/// How many of each SKU, of the lines that stock is kept of. Lines of nothing or less are not ours to guess about.
fn stocked(lines: &[EventLine]) -> Result<Quantities, consumer::Error> {
    let mut all = Vec::new();
    for line in lines.iter().filter(|line| line.stocked) {
        let sku = Sku::parse(&line.sku).ok_or_else(|| consumer::Error::poison("a line without a SKU"))?;
        if line.quantity < 1 {
            return Err(consumer::Error::poison(format!("a line of {} of {sku}", line.quantity)));
        }
        all.push((sku, line.quantity));
    }
    Ok(sum(all))
}

/// What the journal says of it. What happened elsewhere is journalled at the time it happened.
fn cause(order: &str, from: &Delivery, what: &str, elsewhere: Option<prost_types::Timestamp>) -> Cause {
    let elsewhere = elsewhere.and_then(|time| <Timestamp as TryFrom<_>>::try_from(&time).ok());
    Cause {
        reference: order.to_owned(),
        actor: format!("service:{}", from.source),
        reason: format!("the order was {what}"),
        time: elsewhere.unwrap_or_else(Timestamp::now),
    }
}
