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

/// Asks for what is told of each event.
async fn tell_all<'a, E>(
    tx: &DatabaseTransaction,
    events: &'a [(E, &Delivery)],
    telling: impl Fn(&'a E, &Delivery) -> Telling<'a>,
) -> Result<(), consumer::Error> {
    let tellings: Vec<_> = events.iter().map(|(event, from)| telling(event, from)).collect();
    service::tell(tx, &tellings, Timestamp::now()).await?;
    Ok(())
}

/// Records of each event what is told nobody.
async fn suppress_all<'a, E>(
    tx: &DatabaseTransaction,
    events: &'a [(E, &Delivery)],
    why_not: &str,
    telling: impl Fn(&'a E, &Delivery) -> Telling<'a>,
) -> Result<(), consumer::Error> {
    let tellings: Vec<_> = events.iter().map(|(event, from)| telling(event, from)).collect();
    Ok(service::suppress(tx, &tellings, why_not, Timestamp::now()).await?)
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

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderConfirmed, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        tell_all(tx, &events, |event, _| {
            Telling::about(&kind::ORDER_CONFIRMED, &event.customer, &event.order)
        })
        .await
    }
}

impl Handle<OrderShipped> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderShipped,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderShipped, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        tell_all(tx, &events, |event, _| Telling::about(&kind::ORDER_SHIPPED, &event.customer, &event.order))
            .await
    }
}

impl Handle<OrderDelivered> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderDelivered,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderDelivered, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        tell_all(tx, &events, |event, _| {
            Telling::about(&kind::ORDER_DELIVERED, &event.customer, &event.order)
        })
        .await
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
        tell_all(tx, &events, |event, _| {
            let reason = event.reason.to_lowercase().replace('_', " ");
            Telling::about(&kind::ORDER_CANCELLED, &event.customer, &event.order).with("reason", reason)
        })
        .await
    }
}

impl Handle<OrderReturned> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderReturned,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderReturned, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        // What was imported happened elsewhere, long ago.
        let here: Vec<_> = events.into_iter().filter(|(event, _)| !event.imported).collect();
        tell_all(tx, &here, |event, _| {
            let refund = event.refund.as_ref().and_then(|refund| Money::try_from(refund).ok());
            let refund = refund.map(|refund| refund.to_string()).unwrap_or_default();
            let mut telling =
                Telling::about(&kind::RETURN_RECEIVED, &event.customer, &event.order).with("refund", refund);
            // An order may come back in several returns.
            telling.dedup_key = format!("{}:{}", kind::RETURN_RECEIVED.name, event.r#return);
            telling
        })
        .await
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderImported, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        suppress_all(tx, &events, "it happened elsewhere", |event, _| {
            Telling::about(&kind::ORDER_CONFIRMED, &event.customer, &event.order)
        })
        .await
    }
}

impl Handle<UserVerified> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: UserVerified,
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        tell_all(tx, &[(event, from)], |event, _| Telling::about(&kind::WELCOME, &event.user, &event.user))
            .await
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
        from: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, from)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(StockLow, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        suppress_all(tx, &events, "there is nobody to tell", |event, from| {
            let mut telling = Telling::about(&kind::STOCK_LOW, "staff", &event.stock)
                .with("sku", event.sku.clone())
                .with("available", event.available.to_string());
            // The same SKU may run low again.
            telling.dedup_key = format!("{}:{}", kind::STOCK_LOW.name, from.id);
            telling
        })
        .await
    }
}
