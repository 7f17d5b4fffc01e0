//! What analytics hears: sales, what was given back of them, and who is to be forgotten.
use chassis::consumer::{self, Delivery, Handle};
use chassis::money::Money;
use chassis::time::Timestamp;
use contract::identity::v1::UserErased;
use contract::order::v1::{
    EventLine, OrderCancelled, OrderClaimed, OrderConfirmed, OrderImported, OrderReturned,
};
use sea_orm::DatabaseTransaction;

use crate::domain::sale::{Amounts, Line};
use crate::domain::{Adjustment, Sale};
use crate::{Service, service};

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, delivery)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderConfirmed, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let sales = events.into_iter().map(|(event, delivery)| confirmed(event, delivery));
        Ok(service::sold(tx, &sales.collect::<Result<Vec<_>, _>>()?).await?)
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, delivery)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderImported, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let sales = events.into_iter().map(|(event, delivery)| imported(event, delivery));
        Ok(service::sold(tx, &sales.collect::<Result<Vec<_>, _>>()?).await?)
    }
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, delivery)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderCancelled, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        // What was never confirmed never was a sale.
        let sales = events.into_iter().filter(|(event, _)| event.confirmed);
        let back = sales.map(|(event, delivery)| cancelled(event, delivery));
        Ok(service::given_back(tx, &back.collect::<Result<Vec<_>, _>>()?).await?)
    }
}

impl Handle<OrderReturned> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderReturned,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.handle_all(tx, vec![(event, delivery)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderReturned, &Delivery)>,
    ) -> Result<(), consumer::Error> {
        let back = events.into_iter().map(|(event, delivery)| returned(event, delivery));
        Ok(service::given_back(tx, &back.collect::<Result<Vec<_>, _>>()?).await?)
    }
}

impl Handle<OrderClaimed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderClaimed,
        _: &Delivery,
    ) -> Result<(), consumer::Error> {
        Ok(service::claimed(tx, &event.order, &event.customer).await?)
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

fn confirmed(event: OrderConfirmed, delivery: &Delivery) -> Result<Sale, consumer::Error> {
    let total = money(event.total.as_ref())?;
    Ok(Sale {
        order: event.order,
        customer: event.customer,
        country: event.country,
        imported: false,
        amounts: Amounts {
            gross: money(event.subtotal.as_ref())?,
            discount: money_or_none(event.discount.as_ref(), total)?,
            shipping: money_or_none(event.shipping.as_ref(), total)?,
            total,
        },
        lines: lines(event.lines)?,
        order_time: time(event.order_time.as_ref(), delivery),
    })
}

fn imported(event: OrderImported, delivery: &Delivery) -> Result<Sale, consumer::Error> {
    let lines = lines(event.lines)?;
    Ok(Sale {
        order: event.order,
        customer: event.customer,
        country: event.country,
        imported: true,
        amounts: Amounts::of_lines(&lines, money(event.total.as_ref())?)
            .map_err(|error| consumer::Error::poison(error.to_string()))?,
        lines,
        order_time: time(event.order_time.as_ref(), delivery),
    })
}

fn cancelled(event: OrderCancelled, delivery: &Delivery) -> Result<Adjustment, consumer::Error> {
    Ok(Adjustment {
        cause: event.order.clone(),
        order: event.order,
        cancelled: true,
        refund: money(event.total.as_ref())?,
        units: 0,
        adjust_time: delivery.time,
    })
}

fn returned(event: OrderReturned, delivery: &Delivery) -> Result<Adjustment, consumer::Error> {
    Ok(Adjustment {
        cause: event.r#return,
        order: event.order,
        cancelled: false,
        refund: money(event.refund.as_ref())?,
        units: event.lines.iter().map(|line| line.quantity).sum(),
        adjust_time: time(event.return_time.as_ref(), delivery),
    })
}

fn lines(lines: Vec<EventLine>) -> Result<Vec<Line>, consumer::Error> {
    let line = |line: EventLine| {
        let price = money(line.unit_price.as_ref())?;
        Line::new(line.variant, line.sku, line.quantity, price)
            .map_err(|error| consumer::Error::poison(error.to_string()))
    };
    lines.into_iter().map(line).collect()
}

/// An amount that must be there. What is wrong with it will not mend by trying again.
fn money(amount: Option<&contract::Money>) -> Result<Money, consumer::Error> {
    let amount = amount.ok_or_else(|| consumer::Error::poison("an amount is missing"))?;
    Money::try_from(amount).map_err(|error| consumer::Error::poison(format!("an amount {error}")))
}

fn money_or_none(amount: Option<&contract::Money>, like: Money) -> Result<Money, consumer::Error> {
    amount.map_or(Ok(Money::zero(like.currency)), |amount| money(Some(amount)))
}

/// When it happened; when it was told, where nobody said.
fn time(time: Option<&prost_types::Timestamp>, delivery: &Delivery) -> Timestamp {
    time.and_then(|time| <Timestamp as TryFrom<_>>::try_from(time).ok()).unwrap_or(delivery.time)
}

#[cfg(test)]
mod tests;
