//! What the rest of the platform is told when something happens to an order.

use chassis::outbox;
use chassis::time::Timestamp;
use contract::order::v1 as pb;
use sea_orm::{DatabaseTransaction, DbErr};

use crate::domain::{Event, Line, Order, Recorded, Return, ReturnedLine};

/// Puts what others need to know of events into the outbox. Each order is as its event leaves it.
pub(crate) async fn announce(tx: &DatabaseTransaction, happened: &[(Order, Recorded)]) -> Result<(), DbErr> {
    // What every order goes through is told of many at once.
    let of = |is: fn(&Event) -> bool| happened.iter().filter(move |(_, recorded)| is(&recorded.event));
    let accepted = of(|event| matches!(event, Event::Placed(_)));
    tell(tx, accepted.map(|(order, _)| (order.id.name(), placed(order))).collect()).await?;
    let sold = of(|event| matches!(event, Event::Confirmed { .. }));
    tell(tx, sold.map(|(order, _)| (order.id.name(), confirmed(order))).collect()).await?;
    for (order, recorded) in happened {
        announce_one(tx, order, recorded).await?;
    }
    Ok(())
}

async fn tell<E: chassis::event::Event>(
    tx: &DatabaseTransaction,
    events: Vec<(String, E)>,
) -> Result<(), DbErr> {
    outbox::append_many(tx, events.iter().map(|(key, event)| (key, event)).collect()).await
}

async fn announce_one(tx: &DatabaseTransaction, order: &Order, happened: &Recorded) -> Result<(), DbErr> {
    let name = order.id.name();
    match &happened.event {
        Event::Imported(_) => outbox::append(tx, &name, &imported(order)).await?,
        Event::Cancelled { reason } => outbox::append(tx, &name, &cancelled(order, reason)).await?,
        Event::Shipped { shipment } => {
            let shipped = pb::OrderShipped {
                order: name.clone(),
                customer: order.customer.clone(),
                shipment: shipment.clone(),
            };
            outbox::append(tx, &name, &shipped).await?
        }
        Event::Delivered => {
            let delivered = pb::OrderDelivered { order: name.clone(), customer: order.customer.clone() };
            outbox::append(tx, &name, &delivered).await?
        }
        Event::ReturnReceived { id, lines, .. } => {
            outbox::append(tx, &name, &returned(order, *id, lines, happened.time, false)).await?
        }
        Event::Claimed { customer, previous_customer } => {
            let claimed = pb::OrderClaimed {
                order: name.clone(),
                customer: customer.clone(),
                previous_customer: previous_customer.clone(),
            };
            outbox::append(tx, &name, &claimed).await?
        }
        Event::Placed(_)
        | Event::Confirmed { .. }
        | Event::CancellationRequested { .. }
        | Event::PaymentCaptured { .. }
        | Event::PaymentVoided { .. }
        | Event::PaymentRefunded { .. }
        | Event::LeftAfterCancellation { .. }
        | Event::ReturnRequested { .. }
        | Event::ReturnRefused { .. } => return Ok(()),
    };
    Ok(())
}

/// Announces orders that happened elsewhere, each before what came back of it.
pub(crate) async fn announce_imported(
    tx: &DatabaseTransaction,
    histories: &[(Order, Vec<Recorded>)],
) -> Result<(), DbErr> {
    let imports: Vec<_> = histories.iter().map(|(order, _)| (order.id.name(), imported(order))).collect();
    tell(tx, imports).await?;
    let mut returns = Vec::new();
    for (order, history) in histories {
        for happened in history {
            if let Event::ReturnReceived { id, lines, .. } = &happened.event {
                returns.push((order.id.name(), returned(order, *id, lines, happened.time, true)));
            }
        }
    }
    tell(tx, returns).await
}

fn placed(order: &Order) -> pb::OrderPlaced {
    pb::OrderPlaced {
        order: order.id.name(),
        customer: order.customer.clone(),
        cart: order.cart.clone(),
        total: Some(order.amounts.total.into()),
        lines: order.lines.iter().map(line).collect(),
    }
}

fn confirmed(order: &Order) -> pb::OrderConfirmed {
    pb::OrderConfirmed {
        order: order.id.name(),
        customer: order.customer.clone(),
        payment: order.payment.clone(),
        lines: order.lines.iter().map(line).collect(),
        subtotal: Some(order.amounts.subtotal.into()),
        discount: Some(order.amounts.discount.into()),
        shipping: Some(order.amounts.shipping.into()),
        tax: Some(order.amounts.tax.into()),
        total: Some(order.amounts.total.into()),
        country: order.country.clone(),
        coupon_code: order.coupon_code.clone(),
        shipping_rate: order.shipping_rate.clone(),
        order_time: Some(order.create_time.into()),
    }
}

fn cancelled(order: &Order, reason: &str) -> pb::OrderCancelled {
    pb::OrderCancelled {
        order: order.id.name(),
        customer: order.customer.clone(),
        reason: reason.to_owned(),
        confirmed: order.confirmed,
        payment: order.payment.clone(),
        lines: order.lines.iter().map(line).collect(),
        total: Some(order.amounts.total.into()),
        coupon_code: order.coupon_code.clone(),
        country: order.country.clone(),
        order_time: Some(order.create_time.into()),
    }
}

fn imported(order: &Order) -> pb::OrderImported {
    pb::OrderImported {
        order: order.id.name(),
        customer: order.customer.clone(),
        lines: order.lines.iter().map(line).collect(),
        total: Some(order.amounts.total.into()),
        country: order.country.clone(),
        external_id: order.external_id.clone(),
        order_time: Some(order.create_time.into()),
    }
}

fn returned(
    order: &Order,
    id: chassis::id::Id<Return>,
    lines: &[ReturnedLine],
    time: Timestamp,
    imported: bool,
) -> pb::OrderReturned {
    let refund = lines.iter().map(|line| line.refund.minor).sum();
    let back = |returned: &ReturnedLine| {
        let of = order.lines.iter().find(|line| line.line_id == returned.line_id)?;
        let total = Some(returned.refund.into());
        Some(pb::EventLine { quantity: returned.quantity, total, ..line(of) })
    };
    pb::OrderReturned {
        order: order.id.name(),
        customer: order.customer.clone(),
        r#return: format!("{}/{}", order.id.name(), id.name()),
        lines: lines.iter().filter_map(back).collect(),
        refund: Some(chassis::money::Money::new(refund, order.amounts.total.currency).into()),
        payment: order.payment.clone(),
        imported,
        country: order.country.clone(),
        order_time: Some(order.create_time.into()),
        return_time: Some(time.into()),
    }
}

fn line(line: &Line) -> pb::EventLine {
    pb::EventLine {
        variant: line.variant.clone(),
        sku: line.sku.clone(),
        quantity: line.quantity,
        unit_price: Some(line.unit_price.into()),
        total: Some(line.total.into()),
        stocked: line.stocked,
        line_id: line.line_id.clone(),
    }
}
