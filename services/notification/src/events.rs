//! What other services announce, and whom notification tells of it. Events say who and what; where to is asked at
//! sending time, so that no address travels on the bus.
use chassis::{
    consumer::{self, Delivery, Handle},
    money::Money,
    time::Timestamp,
};
use contract::{
    identity::v1::{UserErased, UserVerified},
    inventory::v1::StockLow,
    order::v1::{OrderCancelled, OrderConfirmed, OrderDelivered, OrderImported, OrderReturned, OrderShipped},
};
use sea_orm::DatabaseTransaction;

use crate::{
    Service,
    domain::kind,
    service::{self, Telling},
};

async fn tell(tx: &DatabaseTransaction, telling: Telling<'_>) -> Result<(), consumer::Error> {
    service::tell(tx, &telling, Timestamp::now()).await?;
    Ok(())
}

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        tell(tx, Telling::about(&kind::ORDER_CONFIRMED, &event.customer, &event.order)).await
    }
}

impl Handle<OrderShipped> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderShipped,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        tell(tx, Telling::about(&kind::ORDER_SHIPPED, &event.customer, &event.order)).await
    }
}

impl Handle<OrderDelivered> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderDelivered,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        tell(tx, Telling::about(&kind::ORDER_DELIVERED, &event.customer, &event.order)).await
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        let reason = event.reason.to_lowercase().replace('_', " ");
        tell(tx, Telling::about(&kind::ORDER_CANCELLED, &event.customer, &event.order).with("reason", reason))
            .await
    }
}

impl Handle<OrderReturned> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderReturned,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        if event.imported {
            return Ok(()); // It happened elsewhere, long ago.
        }
        let refund = event.refund.as_ref().and_then(|refund| Money::try_from(refund).ok());
        let refund = refund.map(|refund| refund.to_string()).unwrap_or_default();
        let mut telling =
            Telling::about(&kind::RETURN_RECEIVED, &event.customer, &event.order).with("refund", refund);
        // An order may come back in several returns.
        telling.dedup_key = format!("{}:{}", kind::RETURN_RECEIVED.name, event.r#return);
        tell(tx, telling).await
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        let telling = Telling::about(&kind::ORDER_CONFIRMED, &event.customer, &event.order);
        service::suppress(tx, &telling, "it happened elsewhere", Timestamp::now()).await?;
        Ok(())
    }
}

impl Handle<UserVerified> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: UserVerified,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        tell(tx, Telling::about(&kind::WELCOME, &event.user, &event.user)).await
    }
}

impl Handle<UserErased> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: UserErased,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(service::erase(tx, &event.user).await?)
    }
}

impl Handle<StockLow> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: StockLow,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        let mut telling = Telling::about(&kind::STOCK_LOW, "staff", &event.stock)
            .with("sku", event.sku)
            .with("available", event.available.to_string());
        // The same SKU may run low again.
        telling.dedup_key = format!("{}:{}", kind::STOCK_LOW.name, delivery.id);
        service::suppress(tx, &telling, "there is nobody to tell", Timestamp::now()).await?;
        Ok(())
    }
}
