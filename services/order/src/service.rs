//! The use cases: each finds, decides, saves and tells, in the transaction it is given.

mod import;

use std::collections::HashMap;

use chassis::caller::Caller;
use chassis::id::Id;
use chassis::money::Money;
use sea_orm::DatabaseTransaction;

pub(crate) use import::{Imported, import};

use crate::domain::{CANCELLED_BY_CUSTOMER, CANCELLED_BY_STAFF, Event, Order, Return};
use crate::error::Error;
use crate::place::CUSTOMER;
use crate::store::{self, Owner};

/// Whose orders the caller may act on or see: everyone's with the permission, or as a service that acts for itself.
pub(crate) fn owner<'a>(caller: &'a Caller, permission: &str) -> Owner<'a> {
    match caller.subject_if_any() {
        Some(subject) if !caller.may(permission) => Owner::Only(subject),
        _ => Owner::Anyone,
    }
}

/// Cancels an order that has not shipped. While it is being carried out, the checkout is asked to turn back.
pub(crate) async fn cancel(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: Id<Order>,
    words: &str,
) -> Result<Order, Error> {
    let order = load(tx, owner(caller, "order.cancel.any"), id).await?;
    let author = author(caller, &order);
    let reason = if author == CUSTOMER { CANCELLED_BY_CUSTOMER } else { CANCELLED_BY_STAFF };
    let Some(event) = order.cancel(reason)? else { return Ok(order) };
    let order = store::append(tx, &order, event, &author).await?;
    store::note(tx, &order, words).await?;
    Ok(order)
}

/// Asks to send goods back.
pub(crate) async fn request_return(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: Id<Order>,
    lines: &[(String, i64)],
    words: &str,
) -> Result<(Order, Id<Return>), Error> {
    let order = load(tx, owner(caller, "order.return"), id).await?;
    let return_id = Id::new();
    let requested = order.request_return(return_id, lines)?;
    let order = store::append(tx, &order, requested, &author(caller, &order)).await?;
    store::note(tx, &order, words).await?;
    Ok((order, return_id))
}

/// Takes returned goods in: stock and money are put right by those who hear of it.
pub(crate) async fn receive_return(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: Id<Order>,
    return_id: Id<Return>,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let received = order.receive_return(return_id)?;
    save(tx, order, received, |order| author(caller, order)).await
}

/// Does not accept a return.
pub(crate) async fn refuse_return(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: Id<Order>,
    return_id: Id<Return>,
    words: &str,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let Some(refused) = order.refuse_return(return_id)? else { return Ok(order) };
    let order = store::append(tx, &order, refused, &author(caller, &order)).await?;
    store::note(tx, &order, words).await?;
    Ok(order)
}

/// The order's money was taken.
pub(crate) async fn mark_captured(
    tx: &DatabaseTransaction,
    id: Id<Order>,
    payment: &str,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.captured(payment);
    save(tx, order, event, by_payment).await
}

/// The money of many orders was taken.
pub(crate) async fn mark_all_captured(
    tx: &DatabaseTransaction,
    payments: HashMap<Id<Order>, String>,
) -> Result<(), Error> {
    let ids: Vec<Id<Order>> = payments.keys().copied().collect();
    let orders = store::load_all(tx, &ids).await?;
    if let Some(missing) = ids.iter().find(|id| !orders.iter().any(|order| order.id == **id)) {
        return Err(Error::NotFound(missing.name()));
    }
    let news = orders.into_iter().filter_map(|order| {
        let event = order.captured(&payments[&order.id])?;
        Some((order, event))
    });
    store::append_all(tx, news.collect(), PAYMENT).await.map(drop)
}

/// The order's money was given up before it was taken.
pub(crate) async fn mark_voided(
    tx: &DatabaseTransaction,
    id: Id<Order>,
    payment: &str,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.voided(payment);
    save(tx, order, event, by_payment).await
}

/// So much of the order's money was given back in all.
pub(crate) async fn mark_refunded(
    tx: &DatabaseTransaction,
    id: Id<Order>,
    payment: &str,
    refunded: Money,
    captured: Money,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.refunded(payment, refunded, captured);
    save(tx, order, event, by_payment).await
}

/// The order's promised money could not be taken: it is cancelled unless it has left.
pub(crate) async fn mark_capture_failed(tx: &DatabaseTransaction, id: Id<Order>) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.capture_failed();
    save(tx, order, event, by_payment).await
}

/// The order's goods left.
pub(crate) async fn mark_shipped(
    tx: &DatabaseTransaction,
    id: Id<Order>,
    shipment: &str,
) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.ship(shipment)?;
    if matches!(event, Some(Event::LeftAfterCancellation { .. })) {
        tracing::error!(order.id = %id, shipment, "goods left although their order was cancelled: call them back");
    }
    save(tx, order, event, by_shipping).await
}

/// The order's goods arrived.
pub(crate) async fn mark_delivered(tx: &DatabaseTransaction, id: Id<Order>) -> Result<Order, Error> {
    let order = load(tx, Owner::Anyone, id).await?;
    let event = order.deliver()?;
    save(tx, order, event, by_shipping).await
}

/// Appends what is news; what is already so is fine.
async fn save(
    tx: &DatabaseTransaction,
    order: Order,
    event: Option<Event>,
    author: impl FnOnce(&Order) -> String,
) -> Result<Order, Error> {
    match event {
        Some(event) => store::append(tx, &order, event, &author(&order)).await,
        None => Ok(order),
    }
}

async fn load(tx: &DatabaseTransaction, owner: Owner<'_>, id: Id<Order>) -> Result<Order, Error> {
    store::load(tx, owner, id).await?.ok_or_else(|| Error::NotFound(id.name()))
}

/// Who acts, as the history of the order tells it.
pub(crate) fn author(caller: &Caller, order: &Order) -> String {
    match (caller.subject_if_any(), caller.service()) {
        (Some(subject), _) if subject == order.customer => CUSTOMER.to_owned(),
        (Some(subject), _) => subject.to_owned(),
        (None, service) => service.unwrap_or("order").to_owned(),
    }
}

const PAYMENT: &str = "payment";

fn by_payment(_: &Order) -> String {
    PAYMENT.to_owned()
}

fn by_shipping(_: &Order) -> String {
    "shipping".to_owned()
}
