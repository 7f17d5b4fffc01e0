//! From the domain to the wire.

use chassis::id::Id;
use contract::common::v1::PostalAddress;
use contract::order::v1 as pb;
use tonic::Status;

use crate::domain::{
    Address, Line, Order, PaymentState, Recorded, Return, ReturnState, ReturnedLine, State, Transition,
};
use crate::error::Error;
use crate::peers::ShippingOption;
use crate::quote::{Offer, Problem};
use crate::service::Imported;
use crate::store::Details;

/// The order as it is, with what is personal.
pub(super) fn order(order: &Order, details: &Details) -> pb::Order {
    let mut wire = pb::Order::from(order);
    dress(&mut wire, order, details);
    wire
}

/// An order without anything personal: what is kept as a reply.
impl From<&Order> for pb::Order {
    fn from(order: &Order) -> pb::Order {
        let mut wire = pb::Order {
            name: order.id.name(),
            number: order.number().to_string(),
            customer: order.customer.clone(),
            lines: order.lines.iter().map(pb::OrderLine::from).collect(),
            subtotal: Some(order.amounts.subtotal.into()),
            discount: Some(order.amounts.discount.into()),
            shipping: Some(order.amounts.shipping.into()),
            tax: Some(order.amounts.tax.into()),
            total: Some(order.amounts.total.into()),
            coupon_code: order.coupon_code.clone(),
            shipping_rate: order.shipping_rate.clone(),
            cart: order.cart.clone(),
            payment: order.payment.clone(),
            cancel_reason: order.cancel_reason.clone(),
            history: order.history.iter().map(pb::Transition::from).collect(),
            external_id: order.external_id.clone(),
            version: order.version,
            create_time: Some(order.create_time.into()),
            update_time: Some(order.update_time.into()),
            expire_time: order.expire_time.map(Into::into),
            ..pb::Order::default()
        };
        wire.set_state(order.state.into());
        wire.set_payment_state(order.payment_state.into());
        wire
    }
}

/// Adds what is personal, as it is now.
pub(super) fn dress(wire: &mut pb::Order, order: &Order, details: &Details) {
    wire.shipping_address = details.address.as_ref().map(PostalAddress::from);
    for (told, transition) in wire.history.iter_mut().zip(&order.history) {
        let asked = order.cancel_request.as_ref().filter(|_| transition.state == State::Cancelled);
        let written = details.words.get(&transition.version);
        let written = written.or_else(|| details.words.get(&asked?.version));
        if let Some(written) = written {
            told.reason.clone_from(written);
        }
    }
}

/// A return without what the customer wrote.
pub(super) fn returned(order: &Order, found: &Return) -> pb::Return {
    let line = |line: &ReturnedLine| pb::ReturnLine {
        line_id: line.line_id.clone(),
        quantity: line.quantity,
        refund: Some(line.refund.into()),
    };
    let mut wire = pb::Return {
        name: format!("{}/{}", order.id.name(), found.id.name()),
        lines: found.lines.iter().map(line).collect(),
        refund: Some(found.refund.into()),
        create_time: Some(found.create_time.into()),
        receive_time: found.receive_time.map(Into::into),
        ..pb::Return::default()
    };
    wire.set_state(match found.state {
        ReturnState::Requested => pb::r#return::State::Requested,
        ReturnState::Received => pb::r#return::State::Received,
        ReturnState::Refused => pb::r#return::State::Refused,
    });
    wire
}

impl From<&Line> for pb::OrderLine {
    fn from(line: &Line) -> pb::OrderLine {
        pb::OrderLine {
            line_id: line.line_id.clone(),
            variant: line.variant.clone(),
            sku: line.sku.clone(),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_price: Some(line.unit_price.into()),
            discount: Some(line.discount.into()),
            total: Some(line.total.into()),
            price_version: line.price_version,
            stocked: line.stocked,
            weight_grams: line.weight_grams,
            returned_quantity: line.returned,
        }
    }
}

impl From<&Transition> for pb::Transition {
    fn from(transition: &Transition) -> pb::Transition {
        let mut wire = pb::Transition {
            time: Some(transition.time.into()),
            actor: transition.actor.clone(),
            reason: transition.reason.clone(),
            ..pb::Transition::default()
        };
        wire.set_state(transition.state.into());
        wire
    }
}

impl From<State> for pb::order::State {
    fn from(state: State) -> pb::order::State {
        match state {
            State::Placed => pb::order::State::Placed,
            State::Confirmed => pb::order::State::Confirmed,
            State::Shipped => pb::order::State::Shipped,
            State::Delivered => pb::order::State::Delivered,
            State::Cancelled => pb::order::State::Cancelled,
            State::Returned => pb::order::State::Returned,
        }
    }
}

impl From<PaymentState> for pb::order::PaymentState {
    fn from(state: PaymentState) -> pb::order::PaymentState {
        match state {
            PaymentState::Pending => pb::order::PaymentState::Pending,
            PaymentState::Authorized => pb::order::PaymentState::Authorized,
            PaymentState::Captured => pb::order::PaymentState::Captured,
            PaymentState::Voided => pb::order::PaymentState::Voided,
            PaymentState::PartiallyRefunded => pb::order::PaymentState::PartiallyRefunded,
            PaymentState::Refunded => pb::order::PaymentState::Refunded,
        }
    }
}

impl From<&Address> for PostalAddress {
    fn from(address: &Address) -> PostalAddress {
        PostalAddress {
            recipient: address.recipient.clone(),
            line1: address.line1.clone(),
            line2: address.line2.clone(),
            city: address.city.clone(),
            region: address.region.clone(),
            postal_code: address.postal_code.clone(),
            country_code: address.country_code.clone(),
            phone: address.phone.clone(),
        }
    }
}

/// One return of an order, without what the customer wrote.
pub(super) fn return_of(order: &Order, id: Id<Return>) -> Result<pb::Return, Error> {
    Ok(returned(order, order.find_return(id)?))
}

/// Adds what the customer wrote with a return.
pub(super) fn with_reason(mut wire: pb::Return, found: &Return, details: &Details) -> pb::Return {
    wire.reason = details.words.get(&found.requested_version).cloned().unwrap_or_default();
    wire
}

/// An event as it is stored.
pub(super) fn stored((recorded, schema): &(Recorded, i32)) -> Result<pb::StoredEvent, Error> {
    Ok(pb::StoredEvent {
        version: recorded.version,
        r#type: recorded.event.kind().to_owned(),
        payload: serde_json::to_string(&recorded.event)?,
        time: Some(recorded.time.into()),
        actor: recorded.actor.clone(),
        schema: *schema,
    })
}

impl From<Offer> for pb::Quote {
    fn from(offer: Offer) -> pb::Quote {
        let amounts = offer.amounts;
        pb::Quote {
            lines: offer.goods.iter().flat_map(|goods| &goods.lines).map(pb::OrderLine::from).collect(),
            subtotal: amounts.map(|amounts| amounts.subtotal.into()),
            discount: amounts.map(|amounts| amounts.discount.into()),
            shipping: amounts.map(|amounts| amounts.shipping.into()),
            tax: amounts.map(|amounts| amounts.tax.into()),
            total: amounts.map(|amounts| amounts.total.into()),
            shipping_options: offer.shipping_options.into_iter().map(shipping_option).collect(),
            shipping_rate: offer.shipping_rate,
            problems: offer.problems.iter().map(pb::QuoteProblem::from).collect(),
        }
    }
}

fn shipping_option(option: ShippingOption) -> pb::ShippingOption {
    pb::ShippingOption {
        rate: option.rate,
        title: option.title,
        price: Some(option.price.into()),
        days_min: option.days_min,
        days_max: option.days_max,
    }
}

impl From<&Problem> for pb::QuoteProblem {
    fn from(problem: &Problem) -> pb::QuoteProblem {
        use pb::quote_problem::Kind;
        let (kind, variant, available) = match problem {
            Problem::CartEmpty | Problem::CartClosed => (Kind::Empty, "", 0),
            Problem::VariantUnknown(variant) | Problem::VariantNotSold(variant) => {
                (Kind::VariantUnavailable, variant.as_str(), 0)
            }
            Problem::OutOfStock { variant, available } => (Kind::OutOfStock, variant.as_str(), *available),
            Problem::CurrencyMixed => (Kind::CurrencyMixed, "", 0),
            Problem::CouponInvalid(_) => (Kind::CouponInvalid, "", 0),
            Problem::NotShippable(_) | Problem::RateUnavailable(_) => (Kind::NotShippable, "", 0),
            Problem::ContactMissing => (Kind::ContactMissing, "", 0),
        };
        let mut wire = pb::QuoteProblem {
            variant: variant.to_owned(),
            available,
            message: problem.to_string(),
            ..pb::QuoteProblem::default()
        };
        wire.set_kind(kind);
        wire
    }
}

/// What became of an order that was to be taken over.
pub(super) fn import_result<T>(
    external_id: String,
    import: Result<T, Status>,
    done: &mut impl Iterator<Item = Imported>,
) -> pb::ImportResult {
    use pb::import_result::Outcome;
    let (outcome, order, reason) = match import {
        Err(refused) => (Outcome::Refused, String::new(), refused.message().to_owned()),
        Ok(_) => match done.next() {
            Some(Imported::Now(id)) => (Outcome::Imported, id.name(), String::new()),
            Some(Imported::Before(id)) => (Outcome::Unchanged, id.name(), String::new()),
            Some(Imported::Refused(fault)) => (Outcome::Refused, String::new(), fault.to_string()),
            None => (Outcome::Unspecified, String::new(), String::new()),
        },
    };
    let mut result = pb::ImportResult { external_id, order, reason, ..pb::ImportResult::default() };
    result.set_outcome(outcome);
    result
}
