//! What orders do to shipping once they are paid or cancelled.

use std::collections::BTreeSet;
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
use crate::store::fulfillments::{Leased, Postponed};

const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Has the shipments of paid orders made, soon. Again changes nothing.
pub(crate) async fn paid(tx: &DatabaseTransaction, orders: &BTreeSet<&str>) -> Result<(), Error> {
    Ok(store::fulfillments::create(tx, orders).await?)
}

/// Sends nothing of cancelled orders any more, also if news of their payment is still on its way.
pub(crate) async fn cancelled(tx: &DatabaseTransaction, orders: &BTreeSet<&str>) -> Result<(), Error> {
    store::fulfillments::cancel(tx, orders).await?;
    let now = Timestamp::now();
    let mut cancelled = Vec::new();
    for shipment in store::shipments::load_of(tx, orders).await? {
        match shipment.cancel() {
            Ok(Some(state)) => cancelled.push(shipment.changed(state, now)),
            Ok(None) => {}
            Err(shipment::Refusal::Dispatched) => {
                tracing::warn!(order.id = shipment.order, shipment.id = %shipment.id, "an order was cancelled although its goods are on their way");
            }
            Err(refusal @ (shipment::Refusal::Backwards { .. } | shipment::Refusal::Cancelled)) => {
                return Err(refusal.into());
            }
        }
    }
    shipments::cancelled(tx, &cancelled).await
}

/// What is sent of a guest's order is a user's now. A shipment that is just being made is made anew of what the order
/// says by then.
pub(crate) async fn claimed(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), Error> {
    store::fulfillments::restart(tx, order).await?;
    Ok(store::shipments::give(tx, order, customer).await?)
}

/// What order says of an order that was taken to be packed, or why that could not be read.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) leased: Leased,
    pub(crate) answer: Result<Order, &'static str>,
}

/// Makes the shipments of paid orders that were taken for it, or notes that they need none, or looks again later.
pub(crate) async fn pack_paid(tx: &DatabaseTransaction, asked: &[Asked]) -> Result<(), Error> {
    let names = || asked.iter().map(|asked| asked.leased.order.as_str());
    let found = store::fulfillments::load(tx, names()).await?;
    let sent = store::shipments::packed(tx, names()).await?;
    let nothing = Quantities::new();
    let (mut parcels, mut settled, mut postponed) = (Vec::new(), Vec::new(), Vec::new());
    for Asked { leased, answer } in asked {
        // Cancelled meanwhile, or taken by somebody else after us.
        if found.get(&leased.order) != Some(&(Progress::Waiting, leased.fence)) {
            continue;
        }
        let mut later = |why| postponed.push(Postponed { leased, until: again(leased), why });
        let order = match answer {
            Ok(order) => order,
            Err(why) => {
                later(why);
                continue;
            }
        };
        let progress = match order.due(sent.get(&order.name).unwrap_or(&nothing)) {
            Due::NotYet => {
                later("the order does not say yet that it is confirmed");
                continue;
            }
            Due::Goods(goods) => {
                // The same order gives the same shipment, whoever makes it.
                parcels.push((Id::derived(&["shipment", &order.name]), order, goods));
                Progress::Made
            }
            Due::Nothing => Progress::Unneeded,
            Due::Cancelled => Progress::Cancelled,
        };
        settled.push((order.name.as_str(), progress));
    }
    make(tx, parcels).await?;
    store::fulfillments::settle(tx, settled).await?;
    Ok(store::fulfillments::postpone(tx, postponed).await?)
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
    store::fulfillments::create(tx, &BTreeSet::from([&*order.name])).await?;
    let found = store::fulfillments::load(tx, [&*order.name]).await?;
    if let Some((Progress::Cancelled, _)) = found.get(&order.name) {
        return Err(fulfillment::Refusal::Cancelled.into());
    }
    let sent = store::shipments::packed(tx, [&*order.name]).await?.remove(&order.name).unwrap_or_default();
    let goods = order.pack(wanted, &sent)?;
    make(tx, vec![(Id::new(), order, goods)]).await?.pop().ok_or(Error::ShipmentNotFound)
}

/// Makes shipments of these goods of orders.
async fn make(
    tx: &DatabaseTransaction,
    parcels: Vec<(Id<Shipment>, &Order, Quantities)>,
) -> Result<Vec<Shipment>, Error> {
    let now = Timestamp::now();
    let orders: Vec<&Order> = parcels.iter().map(|(_, order, _)| *order).collect();
    let erased = store::shipments::erased(tx, &orders.iter().map(|order| &*order.customer).collect()).await?;
    let rates: BTreeSet<_> = orders.iter().filter_map(|order| Rate::parse_name(&order.rate)).collect();
    let carriers = store::rates::carriers(tx, rates).await?;
    let shipment = |(id, order, lines): (Id<Shipment>, &Order, Quantities)| Shipment {
        id,
        order: order.name.clone(),
        customer: order.customer.clone(),
        state: State::Pending,
        lines,
        address: order.address.clone().filter(|_| !erased.contains(&order.customer)),
        rate: order.rate.clone(),
        // The rate may have been taken away since it was chosen.
        carrier: Rate::parse_name(&order.rate)
            .and_then(|rate| carriers.get(&rate).cloned())
            .unwrap_or_default(),
        tracking_number: shipment::tracking_number(id),
        happenings: Vec::new(),
        create_time: now,
        update_time: now,
    };
    store::fulfillments::set_lines(tx, &orders).await?;
    let shipments: Vec<Shipment> = parcels.into_iter().map(shipment).collect();
    store::shipments::create(tx, &shipments).await?;
    let event = |shipment: &Shipment| ShipmentCreated {
        shipment: shipment.id.name(),
        order: shipment.order.clone(),
        customer: shipment.customer.clone(),
    };
    let events: Vec<_> = shipments.iter().map(event).collect();
    outbox::append_many(tx, events.iter().map(|event| (&event.shipment, event)).collect()).await?;
    Ok(shipments)
}
