//! What shipping learns from payment, order and identity.

use chassis::consumer::{self, Delivery, Handle};
use contract::identity::v1::UserErased;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed};
use contract::payment::v1::PaymentCaptured;
use sea_orm::DatabaseTransaction;

use crate::Service;
use crate::service::fulfillments;
use crate::store;

impl Handle<PaymentCaptured> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: PaymentCaptured,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(fulfillments::paid(tx, order(&event.order)?).await?)
    }
}

impl Handle<OrderConfirmed> for Service {
    /// Of an order that costs nothing no payment will ever tell.
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        let free = event.total.as_ref().is_none_or(|total| total.units == 0 && total.nanos == 0);
        if free {
            fulfillments::paid(tx, order(&event.order)?).await?;
        }
        Ok(())
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        // What was never confirmed is never paid, so that nothing of it is ever sent.
        if event.confirmed {
            fulfillments::cancelled(tx, order(&event.order)?).await?;
        }
        Ok(())
    }
}

impl Handle<OrderClaimed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderClaimed,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(fulfillments::claimed(tx, order(&event.order)?, &event.customer).await?)
    }
}

impl Handle<UserErased> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: UserErased,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(store::shipments::erase_addresses(tx, &event.user).await?)
    }
}

fn order(name: &str) -> Result<&str, consumer::Error> {
    name.starts_with("orders/")
        .then_some(name)
        .ok_or_else(|| consumer::Error::poison("an event without an order"))
}
