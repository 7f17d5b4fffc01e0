//! From the wire to the domain and back.

use chassis::id::{Id, Resource};
use chassis::status::invalid;
use chassis::wire;
use contract::common::v1::PostalAddress;
use contract::order::v1 as pb;
use tonic::Status;

use crate::domain::{
    Address, Import, ImportedReturn, Item, Line, Order, PaymentState, Recorded, Return, ReturnState, State, Transition,
    is_country,
};
use crate::place::{Command, PaymentMethod};
use crate::quote::{Basket, Offer, Problem, Wish};
use crate::store::Details;

/// Reads what is to be priced.
pub(super) fn wish(request: &pb::QuoteOrderRequest) -> Result<Wish, Status> {
    if !request.country_code.is_empty() {
        country("country_code", &request.country_code)?;
    }
    Ok(Wish {
        basket: basket(&request.cart, &request.lines)?,
        coupon_code: coupon("coupon_code", &request.coupon_code)?,
        country: request.country_code.clone(),
        shipping_rate: request.shipping_rate.clone(),
    })
}

/// Reads what is to be bought.
pub(super) fn command(request: &pb::PlaceOrderRequest) -> Result<Command, Status> {
    let address = address(wire::required("shipping_address", request.shipping_address.as_ref())?)?;
    let payment = payment_method(wire::required("payment_method", request.payment_method.as_ref())?)?;
    let expected_total = wire::money("expected_total", request.expected_total.as_ref())?;
    let wish = Wish {
        basket: basket(&request.cart, &request.lines)?,
        coupon_code: coupon("coupon_code", &request.coupon_code)?,
        country: address.country_code.clone(),
        shipping_rate: request.shipping_rate.clone(),
    };
    Ok(Command { wish, address, payment, expected_total })
}

fn basket(cart: &str, lines: &[pb::LineRequest]) -> Result<Basket, Status> {
    match (cart.is_empty(), lines.is_empty()) {
        (true, true) => Err(invalid("cart", "is required where there are no lines")),
        (false, false) => Err(invalid("lines", "must be empty where there is a cart")),
        (false, true) => Ok(Basket::Cart(wire::foreign_name("cart", "carts", cart)?)),
        (true, false) => {
            let line = |(line, number): (&pb::LineRequest, usize)| {
                let field = format!("lines[{number}].variant");
                Ok((wire::foreign_name(&field, "products", &line.variant)?, line.quantity))
            };
            Ok(Basket::Lines(lines.iter().zip(0..).map(line).collect::<Result<_, Status>>()?))
        }
    }
}

fn coupon(field: &str, code: &str) -> Result<String, Status> {
    if code.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(invalid(field, "must not contain spaces or control characters"));
    }
    Ok(code.to_owned())
}

fn country(field: &str, code: &str) -> Result<(), Status> {
    match is_country(code) {
        true => Ok(()),
        false => Err(invalid(field, "must be an ISO 3166-1 alpha-2 code in capitals, such as GB")),
    }
}

fn address(wire: &PostalAddress) -> Result<Address, Status> {
    let address = Address {
        recipient: wire.recipient.clone(),
        line1: wire.line1.clone(),
        line2: wire.line2.clone(),
        city: wire.city.clone(),
        region: wire.region.clone(),
        postal_code: wire.postal_code.clone(),
        country_code: wire.country_code.clone(),
        phone: wire.phone.clone(),
    };
    match address.fault() {
        Some((field, fault)) => Err(invalid(&format!("shipping_address.{field}"), fault)),
        None => Ok(address),
    }
}

fn payment_method(method: &pb::PaymentMethod) -> Result<PaymentMethod, Status> {
    if is_card_number(&method.token) {
        return Err(invalid("payment_method.token", "must be a token, never a card number"));
    }
    Ok(PaymentMethod { channel: method.channel.clone(), token: method.token.clone() })
}

/// Thirteen to nineteen digits, with spaces or hyphens, that pass Luhn's check.
fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|letter| letter.to_digit(10)).collect();
    let only = text.chars().all(|letter| letter.is_ascii_digit() || letter == ' ' || letter == '-');
    let double = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = (digits.iter().rev().zip(0..))
        .map(|(digit, place)| if place % 2 == 1 { double(*digit) } else { *digit })
        .sum();
    only && (13..=19).contains(&digits.len()) && sum % 10 == 0
}

/// Reads which return is meant: `orders/{order}/returns/{return}`.
pub(super) fn return_name(field: &str, name: &str) -> Result<(Id<Order>, Id<Return>), Status> {
    let parts = name.split_once(&format!("/{}/", Return::COLLECTION));
    let ids = parts.and_then(|(order, id)| Some((Id::parse_name(order)?, id.parse().ok()?)));
    ids.ok_or_else(|| invalid(field, "must be a name like orders/{uuid}/returns/{uuid}"))
}

/// Reads what people wrote: it is shown to others, so it has no control characters.
pub(super) fn words<'a>(field: &str, words: &'a str) -> Result<&'a str, Status> {
    match words.chars().any(|letter| letter.is_control() && letter != '\n') {
        true => Err(invalid(field, "must not contain control characters")),
        false => Ok(words),
    }
}

/// Reads the state to list by, where one is given.
pub(super) fn state(field: &str, state: i32) -> Result<Option<State>, Status> {
    let state = pb::order::State::try_from(state).map_err(|_| invalid(field, "is not a state of orders"))?;
    Ok(match state {
        pb::order::State::Unspecified => None,
        pb::order::State::Placed => Some(State::Placed),
        pb::order::State::Confirmed => Some(State::Confirmed),
        pb::order::State::Shipped => Some(State::Shipped),
        pb::order::State::Delivered => Some(State::Delivered),
        pb::order::State::Cancelled => Some(State::Cancelled),
        pb::order::State::Returned => Some(State::Returned),
    })
}

/// Reads an order that happened elsewhere. One that cannot be read is refused alone.
pub(super) fn import(source: &str, order: pb::ImportedOrder) -> Result<Import, Status> {
    let customer = match order.customer.split_once('/') {
        Some(("users" | "guests", id)) if !id.is_empty() => order.customer,
        _ => return Err(invalid("customer", "must be a name like users/{user} or guests/{guest}")),
    };
    let item = |line: pb::ImportedLine| {
        Ok(Item {
            unit_price: wire::money("unit_price", line.unit_price.as_ref())?,
            variant: line.variant,
            sku: line.sku,
            title: line.title,
            quantity: line.quantity,
            price_version: 0,
            stocked: line.stocked,
            weight_grams: 0,
        })
    };
    let back = |back: pb::ImportedReturn| {
        Ok(ImportedReturn {
            time: wire::timestamp("return_time", back.return_time.as_ref())?,
            external_id: back.external_id,
            lines: lines(&back.lines),
        })
    };
    Ok(Import {
        source: source.to_owned(),
        external_id: order.external_id,
        customer,
        time: wire::timestamp("order_time", order.order_time.as_ref())?,
        country: order.country,
        currency: order
            .currency_code
            .parse()
            .map_err(|error: chassis::money::MoneyError| invalid("currency_code", error.to_string()))?,
        items: order.lines.into_iter().map(item).collect::<Result<_, Status>>()?,
        returns: order.returns.into_iter().map(back).collect::<Result<_, Status>>()?,
    })
}

/// Reads how many of which lines come back.
pub(super) fn lines(lines: &[pb::ReturnLine]) -> Vec<(String, i64)> {
    lines.iter().map(|line| (line.line_id.clone(), line.quantity)).collect()
}

/// An order without anything personal: what is kept as a reply.
impl From<&Order> for pb::Order {
    fn from(order: &Order) -> pb::Order {
        let mut wire = pb::Order {
            name: order.id.name(),
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
            ..pb::Order::default()
        };
        wire.set_state(order.state.into());
        wire.set_payment_state(order.payment_state.into());
        wire
    }
}

/// Adds what is personal, as it is now.
pub(crate) fn dress(wire: &mut pb::Order, order: &Order, details: &Details) {
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
    let line = |line: &crate::domain::ReturnedLine| pb::ReturnLine {
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

/// An event as it is stored.
pub(super) fn stored(recorded: &Recorded) -> Result<pb::StoredEvent, crate::error::Error> {
    Ok(pb::StoredEvent {
        version: recorded.version,
        r#type: recorded.event.kind().to_owned(),
        payload: serde_json::to_string(&recorded.event)?,
        time: Some(recorded.time.into()),
        actor: recorded.actor.clone(),
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

fn shipping_option(option: crate::peers::ShippingOption) -> pb::ShippingOption {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_told_from_a_token() {
        for number in ["4242424242424242", "4242 4242 4242 4242", "3782-822463-10005"] {
            assert!(is_card_number(number), "{number}");
        }
        for token in ["tok_4242424242424242", "4242424242424241", "ok", "123456789012"] {
            assert!(!is_card_number(token), "{token}");
        }
    }
}
