//! From the wire to the domain: each part names the field it refuses.

use chassis::id::{Id, Resource};
use chassis::status::invalid;
use chassis::wire;
use contract::common::v1::PostalAddress;
use contract::order::v1 as pb;
use tonic::Status;

use crate::claims;
use crate::domain::{Address, Import, ImportedReturn, Item, Number, Order, Return, State, is_country};
use crate::place::{Command, PaymentMethod};
use crate::quote::{Basket, Wish};

/// Reads what is to be priced.
pub(super) fn wish(request: &pb::QuoteOrderRequest) -> Result<Wish, Status> {
    if !request.country_code.is_empty() {
        country("country_code", &request.country_code)?;
    }
    Ok(Wish {
        basket: basket(&request.cart, &request.lines)?,
        coupon_code: coupon("coupon_code", &request.coupon_code)?,
        country: request.country_code.clone(),
        shipping_rate: rate("shipping_rate", &request.shipping_rate)?,
    })
}

/// Reads what is to be bought.
pub(super) fn command(request: &pb::PlaceOrderRequest, channels: &[String]) -> Result<Command, Status> {
    let address = address(wire::required("shipping_address", request.shipping_address.as_ref())?)?;
    let payment =
        payment_method(wire::required("payment_method", request.payment_method.as_ref())?, channels)?;
    let expected_total = wire::money("expected_total", request.expected_total.as_ref())?;
    if expected_total.minor < 0 {
        return Err(invalid("expected_total", "must not be negative"));
    }
    let wish = Wish {
        basket: basket(&request.cart, &request.lines)?,
        coupon_code: coupon("coupon_code", &request.coupon_code)?,
        country: address.country_code.clone(),
        shipping_rate: rate("shipping_rate", &request.shipping_rate)?,
    };
    Ok(Command { wish, address, payment, expected_total })
}

fn basket(cart: &str, lines: &[pb::LineRequest]) -> Result<Basket, Status> {
    match (cart.is_empty(), lines.is_empty()) {
        (true, true) => Err(invalid("cart", "is required where there are no lines")),
        (false, false) => Err(invalid("lines", "must be empty where there is a cart")),
        (false, true) => Ok(Basket::Cart(wire::foreign_name("cart", "carts/{id}", cart)?)),
        (true, false) => {
            let line = |(line, number): (&pb::LineRequest, usize)| {
                let field = format!("lines[{number}].variant");
                Ok((wire::foreign_name(&field, "products/{id}/variants/{id}", &line.variant)?, line.quantity))
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

/// Reads a way to send, where one is named: `zones/{zone}/rates/{rate}`.
fn rate(field: &str, name: &str) -> Result<String, Status> {
    let part = |part: &str| {
        !part.is_empty() && !part.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    let known = match name.split('/').collect::<Vec<_>>()[..] {
        [""] => true,
        ["zones", zone, "rates", rate] => part(zone) && part(rate),
        _ => false,
    };
    match known {
        true => Ok(name.to_owned()),
        false => Err(invalid(field, "must be a name like zones/{zone}/rates/{rate}")),
    }
}

/// Reads what somebody calls an order: its name, its number, or its number as a name.
pub(super) fn number(field: &str, text: &str) -> Result<Number, Status> {
    let text = text.strip_prefix("orders/").unwrap_or(text);
    Number::parse(text)
        .ok_or_else(|| invalid(field, "must be an order's name, or its number like 9F3A-71C2-04BE"))
}

/// Reads an e-mail address.
pub(super) fn email(field: &str, text: &str) -> Result<String, Status> {
    claims::address(text.trim()).ok_or_else(|| invalid(field, "must be an e-mail address"))
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

fn payment_method(method: &pb::PaymentMethod, channels: &[String]) -> Result<PaymentMethod, Status> {
    if !channels.contains(&method.channel) {
        let offered = format!("is not offered; these are: {}", channels.join(", "));
        return Err(invalid("payment_method.channel", offered));
    }
    Ok(PaymentMethod { channel: method.channel.clone(), token: method.token.clone() })
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
