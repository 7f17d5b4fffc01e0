//! What becomes of shipments.

use chassis::id::Id;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::shipping::v1::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched};
use sea_orm::DatabaseTransaction;

use crate::domain::Shipment;
use crate::domain::tracking::Report;
use crate::error::Error;
use crate::store;

/// Notes what happened to a shipment.
pub(crate) async fn record(
    tx: &DatabaseTransaction,
    id: Id<Shipment>,
    report: &Report,
) -> Result<Shipment, Error> {
    let mut shipment = store::shipments::load(tx, id).await?.ok_or(Error::ShipmentNotFound)?;
    let now = Timestamp::now();
    let Some(recorded) = shipment.record(report, now)? else { return Ok(shipment) };
    store::tracking::append(tx, &shipment, &recorded.happening).await?;
    shipment = shipment.changed(recorded.happening.state, now);
    store::shipments::set_states(tx, std::slice::from_ref(&shipment)).await?;
    shipment.happenings.push(recorded.happening);
    shipment.happenings.sort_by_key(|happening| happening.time);
    if recorded.left {
        dispatched(tx, &shipment).await?;
    }
    if recorded.arrived {
        delivered(tx, &shipment).await?;
    }
    Ok(shipment)
}

/// Cancels a shipment that was not dispatched.
pub(crate) async fn cancel(tx: &DatabaseTransaction, id: Id<Shipment>) -> Result<Shipment, Error> {
    let shipment = store::shipments::load(tx, id).await?.ok_or(Error::ShipmentNotFound)?;
    let Some(state) = shipment.cancel()? else { return Ok(shipment) };
    let shipment = shipment.changed(state, Timestamp::now());
    cancelled(tx, std::slice::from_ref(&shipment)).await?;
    Ok(shipment)
}

/// Keeps and tells that shipments were cancelled that were loaded in this transaction.
pub(super) async fn cancelled(tx: &DatabaseTransaction, shipments: &[Shipment]) -> Result<(), Error> {
    store::shipments::set_states(tx, shipments).await?;
    let event = |shipment: &Shipment| ShipmentCancelled {
        shipment: shipment.id.name(),
        order: shipment.order.clone(),
    };
    let events: Vec<_> = shipments.iter().map(event).collect();
    Ok(outbox::append_many(tx, events.iter().map(|event| (&event.shipment, event)).collect()).await?)
}

async fn dispatched(tx: &DatabaseTransaction, shipment: &Shipment) -> Result<(), Error> {
    let name = shipment.id.name();
    let event = ShipmentDispatched {
        shipment: name.clone(),
        order: shipment.order.clone(),
        customer: shipment.customer.clone(),
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
    };
    outbox::append(tx, &name, &event).await?;
    Ok(())
}

async fn delivered(tx: &DatabaseTransaction, shipment: &Shipment) -> Result<(), Error> {
    let name = shipment.id.name();
    let event = ShipmentDelivered {
        shipment: name.clone(),
        order: shipment.order.clone(),
        customer: shipment.customer.clone(),
    };
    outbox::append(tx, &name, &event).await?;
    Ok(())
}
