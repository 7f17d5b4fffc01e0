//! What promotion learns from order.

use chassis::consumer::{Delivery, Error, Handle};
use contract::order::v1::{EventLine, OrderCancelled, OrderConfirmed, OrderImported};
use sea_orm::DatabaseTransaction;

use crate::Service;
use crate::service;

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        from: &Delivery,
    ) -> Result<(), Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderConfirmed, &Delivery)>,
    ) -> Result<(), Error> {
        let orders = events.iter().map(|(event, _)| products(&event.lines)).collect();
        Ok(service::bought(tx, orders).await?)
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        from: &Delivery,
    ) -> Result<(), Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderImported, &Delivery)>,
    ) -> Result<(), Error> {
        let orders = events.iter().map(|(event, _)| products(&event.lines)).collect();
        Ok(service::bought(tx, orders).await?)
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        _: &Delivery,
    ) -> Result<(), Error> {
        // An order that was never confirmed has its coupon released by whoever placed it.
        if !event.confirmed || event.coupon_code.is_empty() {
            return Ok(());
        }
        if service::forestall(tx, &event.order).await? {
            service::release(tx, &event.order).await?;
        }
        Ok(())
    }

    /// By their coupons, so that two transactions take hold of those in one order.
    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        mut events: Vec<(OrderCancelled, &Delivery)>,
    ) -> Result<(), Error> {
        events.sort_by(|(one, _), (other, _)| one.coupon_code.cmp(&other.coupon_code));
        for (event, from) in events {
            self.handle(tx, event, from).await?;
        }
        Ok(())
    }
}

/// The products of lines: `products/{product}/variants/{variant}` without its end.
fn products(lines: &[EventLine]) -> Vec<&str> {
    let product = |line: &EventLine| line.variant.split_once("/variants/").map(|(product, _)| product.len());
    lines.iter().filter_map(|line| product(line).map(|length| &line.variant[..length])).collect()
}

#[cfg(test)]
mod tests;
