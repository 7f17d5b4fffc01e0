//! What cart learns from others.

use chassis::consumer::{self, Delivery, Handle};
use chassis::id::Id;
use chassis::task;
use contract::catalog::v1::{PriceChanged, ProductChanged};
use contract::identity::v1::UserErased;
use contract::order::v1::{OrderCancelled, OrderPlaced};
use sea_orm::DatabaseTransaction;

use crate::domain::Cart;
use crate::store::Ordered;
use crate::{Service, service, store};

impl Handle<OrderPlaced> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderPlaced,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderPlaced, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let ordered = events.iter().filter_map(|(event, _)| {
            // An order may be made of lines, without a cart.
            let cart = Id::<Cart>::parse_name(&event.cart)?;
            let lines = event.lines.iter().map(|line| (line.variant.as_str(), line.quantity)).collect();
            Some(Ordered { cart, owner: &event.customer, order: &event.order, lines })
        });
        Ok(service::ordered(tx, ordered.collect()).await?)
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        if event.confirmed {
            return Ok(());
        }
        Ok(service::reopen(tx, &event.order).await?)
    }
}

impl Handle<UserErased> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: UserErased,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(store::erase(tx, &event.user).await?)
    }
}

impl Handle<ProductChanged> for Service {
    async fn handle(
        &self,
        _: &DatabaseTransaction,
        event: ProductChanged,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.forget(event.variants.into_iter().map(|variant| variant.variant).collect());
        Ok(())
    }
}

impl Handle<PriceChanged> for Service {
    async fn handle(
        &self,
        _: &DatabaseTransaction,
        event: PriceChanged,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.forget(vec![event.variant]);
        Ok(())
    }
}

impl Service {
    /// Drops what is remembered of variants, beside the transaction: the cache may be a network away.
    fn forget(&self, variants: Vec<String>) {
        let preview = self.preview.clone();
        task::spawn("forget", async move { preview.forget(&variants).await });
    }
}

#[cfg(test)]
mod tests;
