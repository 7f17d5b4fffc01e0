//! What inventory learns from order.

use chassis::consumer::{self, Delivery, Handle};
use chassis::time::Timestamp;
use contract::order::v1::{EventLine, OrderCancelled, OrderConfirmed, OrderImported, OrderReturned};
use sea_orm::DatabaseTransaction;

use crate::Service;
use crate::domain::{Cause, Quantities, Sku, sum};
use crate::service::orders::{self, News};

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
        let news = |(event, from): (OrderConfirmed, &Delivery)| {
            news(event.order, &event.lines, from, "confirmed", None)
        };
        Ok(orders::confirmed(tx, &events.into_iter().map(news).collect::<Result<Vec<_>, _>>()?).await?)
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
        let news = |(event, from): (OrderCancelled, &Delivery)| {
            news(event.order, &event.lines, from, "cancelled", None)
        };
        Ok(orders::cancelled(tx, &events.into_iter().map(news).collect::<Result<Vec<_>, _>>()?).await?)
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
        let news = |(event, from): (OrderReturned, &Delivery)| {
            let time = event.return_time.filter(|_| event.imported);
            news(event.order, &event.lines, from, "returned", time)
        };
        Ok(orders::returned(tx, &events.into_iter().map(news).collect::<Result<Vec<_>, _>>()?).await?)
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
        let news = |(event, from): (OrderImported, &Delivery)| {
            news(event.order, &event.lines, from, "imported", event.order_time)
        };
        Ok(orders::imported(tx, &events.into_iter().map(news).collect::<Result<Vec<_>, _>>()?).await?)
    }
}

/// What an event says of an order. What happened elsewhere is journalled at the time it happened.
fn news(
    order: String,
    lines: &[EventLine],
    from: &Delivery,
    what: &str,
    elsewhere: Option<prost_types::Timestamp>,
) -> Result<News, consumer::Error> {
    let elsewhere = elsewhere.and_then(|time| <Timestamp as TryFrom<_>>::try_from(&time).ok());
    let cause = Cause {
        reference: order.clone(),
        actor: format!("service:{}", from.source),
        reason: format!("the order was {what}"),
        time: elsewhere.unwrap_or_else(Timestamp::now),
    };
    Ok(News { order, goods: stocked(lines)?, cause })
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

#[cfg(test)]
mod tests;
