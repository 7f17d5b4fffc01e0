//! From the domain to the wire, and addresses from it.

use chassis::money::Money;
use contract::common::v1::PostalAddress;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State as PbState;

use crate::domain::{Address, Happening, Rate, Shipment, State, Zone};

impl From<Zone> for pb::Zone {
    fn from(zone: Zone) -> Self {
        Self {
            name: zone.id.name(),
            title: zone.title,
            country_codes: zone.countries.iter().map(ToString::to_string).collect(),
            create_time: Some(zone.create_time.into()),
        }
    }
}

impl From<Rate> for pb::Rate {
    fn from(rate: Rate) -> Self {
        let name = rate.name();
        let terms = rate.terms;
        Self {
            name,
            title: terms.title,
            carrier: terms.carrier,
            base_price: Some(terms.base.into()),
            price_per_kilogram: terms.per_kilogram.map(Into::into),
            free_from: terms.free_from.map(Into::into),
            weight_grams_max: terms.weight_grams_max,
            days_min: terms.days_min,
            days_max: terms.days_max,
        }
    }
}

pub(super) fn option((rate, price): (Rate, Money)) -> pb::ShippingOption {
    pb::ShippingOption {
        rate: rate.name(),
        title: rate.terms.title,
        carrier: rate.terms.carrier,
        price: Some(price.into()),
        days_min: rate.terms.days_min,
        days_max: rate.terms.days_max,
    }
}

impl From<Shipment> for pb::Shipment {
    fn from(shipment: Shipment) -> Self {
        let line = |(sku, quantity)| pb::ShipmentLine { sku, quantity };
        Self {
            name: shipment.id.name(),
            order: shipment.order,
            customer: shipment.customer,
            state: PbState::from(shipment.state).into(),
            lines: shipment.lines.into_iter().map(line).collect(),
            address: shipment.address.map(Into::into),
            rate: shipment.rate,
            carrier: shipment.carrier,
            tracking_number: shipment.tracking_number,
            tracking_events: shipment.happenings.into_iter().map(Into::into).collect(),
            create_time: Some(shipment.create_time.into()),
            update_time: Some(shipment.update_time.into()),
        }
    }
}

/// A shipment as a reply is kept.
pub(super) fn without_address(shipment: Shipment) -> pb::Shipment {
    Shipment { address: None, ..shipment }.into()
}

impl From<Happening> for pb::TrackingEvent {
    fn from(happening: Happening) -> Self {
        Self {
            state: PbState::from(happening.state).into(),
            time: Some(happening.time.into()),
            location: happening.location,
            description: happening.description,
        }
    }
}

impl From<State> for PbState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Dispatched => Self::Dispatched,
            State::InTransit => Self::InTransit,
            State::OutForDelivery => Self::OutForDelivery,
            State::Delivered => Self::Delivered,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl From<PostalAddress> for Address {
    fn from(address: PostalAddress) -> Self {
        Self {
            recipient: address.recipient,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            region: address.region,
            postal_code: address.postal_code,
            country_code: address.country_code,
            phone: address.phone,
        }
    }
}

impl From<Address> for PostalAddress {
    fn from(address: Address) -> Self {
        Self {
            recipient: address.recipient,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            region: address.region,
            postal_code: address.postal_code,
            country_code: address.country_code,
            phone: address.phone,
        }
    }
}
