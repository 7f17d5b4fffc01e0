//! What this service hears from the others.

use chassis::consumer::{Delivery, Error, Handle};
use chassis::id::Id;
use chassis::money::Money;
use contract::identity::v1::UserErased;
use contract::payment::v1::{PaymentCaptured, PaymentFailed, PaymentRefunded, PaymentVoided};
use contract::shipping::v1::{ShipmentDelivered, ShipmentDispatched};
use sea_orm::DatabaseTransaction;

use crate::domain::Order;
use crate::{Service, service, store};

impl Handle<PaymentCaptured> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: PaymentCaptured,
        _: &Delivery,
    ) -> Result<(), Error> {
        service::mark_captured(tx, order(&event.order)?, &event.payment).await?;
        Ok(())
    }

    async fn handle_all(
        &self,
        tx: &DatabaseTransaction,
        events: Vec<(PaymentCaptured, &Delivery)>,
    ) -> Result<(), Error> {
        let payments = events.into_iter().map(|(event, _)| Ok((order(&event.order)?, event.payment)));
        Ok(service::mark_all_captured(tx, payments.collect::<Result<_, Error>>()?).await?)
    }
}

impl Handle<PaymentVoided> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: PaymentVoided,
        _: &Delivery,
    ) -> Result<(), Error> {
        service::mark_voided(tx, order(&event.order)?, &event.payment).await?;
        Ok(())
    }
}

impl Handle<PaymentRefunded> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: PaymentRefunded,
        _: &Delivery,
    ) -> Result<(), Error> {
        let (refunded, captured) = (money(event.refunded.as_ref())?, money(event.captured.as_ref())?);
        service::mark_refunded(tx, order(&event.order)?, &event.payment, refunded, captured).await?;
        Ok(())
    }
}

impl Handle<PaymentFailed> for Service {
    /// A refused authorization was told to the checkout, and a refused refund is for payment's operators.
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: PaymentFailed,
        _: &Delivery,
    ) -> Result<(), Error> {
        if event.stage == "capture" {
            service::mark_capture_failed(tx, order(&event.order)?).await?;
        }
        Ok(())
    }
}

impl Handle<ShipmentDispatched> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: ShipmentDispatched,
        _: &Delivery,
    ) -> Result<(), Error> {
        service::mark_shipped(tx, order(&event.order)?, &event.shipment).await?;
        Ok(())
    }
}

impl Handle<ShipmentDelivered> for Service {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: ShipmentDelivered,
        _: &Delivery,
    ) -> Result<(), Error> {
        service::mark_delivered(tx, order(&event.order)?).await?;
        Ok(())
    }
}

impl Handle<UserErased> for Service {
    async fn handle(&self, tx: &DatabaseTransaction, event: UserErased, _: &Delivery) -> Result<(), Error> {
        store::erase(tx, &event.user).await?;
        store::claims::erase(tx, &event.user).await?;
        Ok(())
    }
}

fn order(name: &str) -> Result<Id<Order>, Error> {
    Id::parse_name(name).ok_or_else(|| Error::poison(format!("{name} is not the name of an order")))
}

fn money(money: Option<&contract::Money>) -> Result<Money, Error> {
    let money = money.ok_or_else(|| Error::poison("an amount is missing"))?;
    Money::try_from(money).map_err(|error| Error::poison(error.to_string()))
}
