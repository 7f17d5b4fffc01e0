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
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(PaymentCaptured, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let orders = events.iter().map(|(event, _)| order(&event.order));
        Ok(fulfillments::paid(tx, &orders.collect::<Result<_, _>>()?).await?)
    }
}

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    /// Of an order that costs nothing no payment will ever tell.
    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderConfirmed, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let free = |event: &OrderConfirmed| {
            event.total.as_ref().is_none_or(|total| total.units == 0 && total.nanos == 0)
        };
        let orders = events.iter().filter(|(event, _)| free(event)).map(|(event, _)| order(&event.order));
        Ok(fulfillments::paid(tx, &orders.collect::<Result<_, _>>()?).await?)
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderCancelled, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        // What was never confirmed is never paid, so that nothing of it is ever sent.
        let confirmed = events.iter().filter(|(event, _)| event.confirmed);
        let orders = confirmed.map(|(event, _)| order(&event.order)).collect::<Result<_, _>>()?;
        Ok(fulfillments::cancelled(tx, &orders).await?)
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
