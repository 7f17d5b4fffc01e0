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
        _: &Delivery,
    ) -> Result<(), Error> {
        Ok(service::bought(tx, products(&event.lines)).await?)
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        _: &Delivery,
    ) -> Result<(), Error> {
        Ok(service::bought(tx, products(&event.lines)).await?)
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
}

/// The products of lines: `products/{product}/variants/{variant}` without its end.
fn products(lines: &[EventLine]) -> Vec<&str> {
    let product = |line: &EventLine| line.variant.split_once("/variants/").map(|(product, _)| product.len());
    lines.iter().filter_map(|line| product(line).map(|length| &line.variant[..length])).collect()
}
