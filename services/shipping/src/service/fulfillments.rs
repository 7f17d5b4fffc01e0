//! What orders do to shipping once they are paid or cancelled.

use std::time::Duration;

use chassis::id::Id;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::shipping::v1::ShipmentCreated;
use sea_orm::DatabaseTransaction;

use super::shipments;
use crate::domain::fulfillment::Due;
use crate::domain::{Order, Progress, Quantities, Rate, Shipment, State, fulfillment, shipment};
use crate::error::Error;
use crate::store;
use crate::store::fulfillments::Leased;

const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Has the shipment of a paid order made, soon. Again changes nothing.
pub(crate) async fn paid(tx: &DatabaseTransaction, order: &str) -> Result<(), Error> {
    Ok(store::fulfillments::create(tx, order).await?)
}

/// Sends nothing of a cancelled order any more, also if news of its payment is still on its way.
pub(crate) async fn cancelled(tx: &DatabaseTransaction, order: &str) -> Result<(), Error> {
    store::fulfillments::cancel(tx, order).await?;
    for id in store::shipments::ids_of_order(tx, order).await? {
        match shipments::cancel(tx, id).await {
            Ok(_) => {}
            Err(Error::Shipment(shipment::Refusal::Dispatched)) => {
                tracing::warn!(order.id = order, shipment.id = %id, "an order was cancelled although its goods are on their way");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What is sent of a guest's order is a user's now. A shipment that is just being made is made anew of what the order
/// says by then.
pub(crate) async fn claimed(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), Error> {
    store::fulfillments::restart(tx, order).await?;
    Ok(store::shipments::give(tx, order, customer).await?)
}

/// Makes the shipment of a paid order that was taken for it, or notes that it needs none.
pub(crate) async fn pack_paid(tx: &DatabaseTransaction, leased: &Leased, order: &Order) -> Result<(), Error> {
    let found = store::fulfillments::load(tx, &leased.order).await?;
    // Cancelled meanwhile, or taken by somebody else after us.
    if found != Some((Progress::Waiting, leased.fence)) {
        return Ok(());
    }
    let sent = store::shipments::packed(tx, &order.name).await?;
    let progress = match order.due(&sent) {
        Due::NotYet => {
            let reason = "the order does not say yet that it is confirmed";
            return Ok(store::fulfillments::postpone(tx, leased, again(leased), reason).await?);
        }
        Due::Goods(goods) => {
            // The same order gives the same shipment, whoever makes it.
            make(tx, Id::derived(&["shipment", &order.name]), order, goods).await?;
            Progress::Made
        }
        Due::Nothing => Progress::Unneeded,
        Due::Cancelled => Progress::Cancelled,
    };
    Ok(store::fulfillments::settle(tx, &order.name, progress).await?)
}

/// Has an order that could not be read looked at again, later each time.
pub(crate) async fn postpone(tx: &DatabaseTransaction, leased: &Leased, reason: &str) -> Result<(), Error> {
    Ok(store::fulfillments::postpone(tx, leased, again(leased), reason).await?)
}

fn again(leased: &Leased) -> Timestamp {
    let doublings = u32::try_from(leased.attempts.clamp(1, 10) - 1).unwrap_or_default();
    Timestamp::now().plus(WAIT_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(WAIT_MAX))
}

/// Makes a shipment of a paid order by hand: of these goods, or of all that are left where none are named.
pub(crate) async fn pack_by_hand(
    tx: &DatabaseTransaction,
    order: &Order,
    wanted: &Quantities,
) -> Result<Shipment, Error> {
    // Of an order that is paid there is, or will be, news from payment: what is left then is packed as ever.
    store::fulfillments::create(tx, &order.name).await?;
    if let Some((Progress::Cancelled, _)) = store::fulfillments::load(tx, &order.name).await? {
        return Err(fulfillment::Refusal::Cancelled.into());
    }
    let goods = order.pack(wanted, &store::shipments::packed(tx, &order.name).await?)?;
    make(tx, Id::new(), order, goods).await
}

async fn make(
    tx: &DatabaseTransaction,
    id: Id<Shipment>,
    order: &Order,
    lines: Quantities,
) -> Result<Shipment, Error> {
    let now = Timestamp::now();
    let erased = store::shipments::is_erased(tx, &order.customer).await?;
    let rate = match Rate::parse_name(&order.rate) {
        Some((zone, rate)) => store::rates::find(tx, zone, rate).await?,
        None => None,
    };
    let shipment = Shipment {
        id,
        order: order.name.clone(),
        customer: order.customer.clone(),
        state: State::Pending,
        lines,
        address: order.address.clone().filter(|_| !erased),
        rate: order.rate.clone(),
        // The rate may have been taken away since it was chosen.
        carrier: rate.map(|rate| rate.terms.carrier).unwrap_or_default(),
        tracking_number: shipment::tracking_number(id),
        happenings: Vec::new(),
        create_time: now,
        update_time: now,
    };
    store::fulfillments::set_lines(tx, &order.name, &order.lines).await?;
    store::shipments::create(tx, &shipment).await?;
    let name = id.name();
    let event = ShipmentCreated {
        shipment: name.clone(),
        order: shipment.order.clone(),
        customer: shipment.customer.clone(),
    };
    outbox::append(tx, &name, &event).await?;
    Ok(shipment)
}
