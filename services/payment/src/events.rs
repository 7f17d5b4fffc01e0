//! What payment does when orders change. Each event only decides; the till carries it out.

use chassis::consumer::{Delivery, Error, Handle};
use chassis::money::Money;
use chassis::time::Timestamp;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed, OrderImported, OrderReturned};
use sea_orm::DatabaseTransaction;

use crate::Service;
use crate::channel::IMPORTED;
use crate::domain::{Goal, Payment, State};
use crate::risk;
use crate::service;
use crate::store::payments;

impl Handle<OrderConfirmed> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderConfirmed,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        self.handle_all(tx, vec![(event, delivery)]).await
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(OrderConfirmed, &Delivery)>,
    ) -> Result<(), Error> {
        let mut confirmed = Vec::new();
        for (event, _) in &events {
            confirmed.push((Payment::id_of(&event.order), money(event.total.as_ref())?));
        }
        let wanted = payments::want_captures(tx, &confirmed).await?;
        if !wanted.is_empty() {
            self.till.wakes.payments();
        }
        for ((event, _), (id, total)) in events.iter().zip(confirmed) {
            if !wanted.contains(&id) && not_wanted(tx, event, total).await? {
                self.till.wakes.payments();
            }
        }
        Ok(())
    }
}

/// Why the money of a confirmed order is not taken yet. An order may have been cancelled by now: giving up wins. Whether it is
/// to be taken after all is the answer: somebody may have approved it just now.
async fn not_wanted(tx: &DatabaseTransaction, event: &OrderConfirmed, total: Money) -> Result<bool, Error> {
    let Some(payment) = of_order(tx, &event.order, &event.payment).await? else { return Ok(false) };
    if payment.amount != total {
        return Err(Error::poison("the order's total is not what was authorized"));
    }
    if !risk::confirmed(tx, &payment).await? || payment.goal != Goal::Authorize {
        return Ok(false);
    }
    payments::want(tx, payment.id, Goal::Capture, Timestamp::now()).await?;
    Ok(true)
}

impl Handle<OrderCancelled> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderCancelled,
        _: &Delivery,
    ) -> Result<(), Error> {
        // An order that was never confirmed has its payment voided by whoever placed it.
        if !event.confirmed {
            return Ok(());
        }
        match of_order(tx, &event.order, &event.payment).await? {
            Some(payment) => {
                self.till.wakes.payments();
                self.till.wakes.refunds();
                Ok(service::cancel(tx, &payment, service::CANCELLED).await?)
            }
            None => Ok(()),
        }
    }
}

impl Handle<OrderReturned> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderReturned,
        _: &Delivery,
    ) -> Result<(), Error> {
        let Some(payment) = of_order(tx, &event.order, &event.payment).await? else { return Ok(()) };
        let amount = money(event.refund.as_ref())?;
        if amount.minor == 0 {
            return Ok(());
        }
        if payment.state == State::Authorized {
            return Err(Error::failed("the payment is not captured yet"));
        }
        if event.imported {
            let at = time(event.return_time.as_ref())?;
            return imported(service::import_refund(tx, &payment, &event.r#return, amount, at).await);
        }
        self.till.wakes.refunds();
        Ok(service::refund_return(tx, &payment, &event.r#return, amount).await?)
    }
}

impl Handle<OrderClaimed> for Service {
    /// An order that costs nothing has no payment.
    async fn handle(&self, tx: &DatabaseTransaction, event: OrderClaimed, _: &Delivery) -> Result<(), Error> {
        Ok(payments::give(tx, &event.order, &event.customer).await?)
    }
}

impl Handle<OrderImported> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: OrderImported,
        _: &Delivery,
    ) -> Result<(), Error> {
        let amount = money(event.total.as_ref())?;
        if amount.minor == 0 {
            return Ok(());
        }
        let at = time(event.order_time.as_ref())?;
        let intended = Payment::intended(&event.order, &event.customer, IMPORTED, amount, at);
        let payment = Payment {
            state: State::Captured,
            goal: Goal::Capture,
            captured: amount,
            channel_reference: event.external_id,
            ..intended
        };
        imported(service::import(tx, &payment).await)
    }
}

/// What was refused of the past will be refused again.
fn imported(result: Result<(), crate::error::Error>) -> Result<(), Error> {
    match result {
        Err(crate::error::Error::Refused(refusal)) => Err(Error::poison(refusal.to_string())),
        other => Ok(other?),
    }
}

/// The payment of an order, to be decided on; nothing where the order cost nothing.
async fn of_order(tx: &DatabaseTransaction, order: &str, payment: &str) -> Result<Option<Payment>, Error> {
    match payments::load(tx, Payment::id_of(order)).await? {
        Some(payment) => Ok(Some(payment)),
        None if payment.is_empty() => Ok(None),
        None => Err(Error::failed("the order's payment is not known here yet")),
    }
}

fn money(money: Option<&contract::Money>) -> Result<Money, Error> {
    let money = money.ok_or_else(|| Error::poison("an amount is missing"))?;
    Money::try_from(money).map_err(|error| Error::poison(error.to_string()))
}

fn time(time: Option<&prost_types::Timestamp>) -> Result<Timestamp, Error> {
    let time = time.ok_or_else(|| Error::poison("a time is missing"))?;
    <Timestamp as TryFrom<_>>::try_from(time).map_err(|error| Error::poison(error.to_string()))
}
