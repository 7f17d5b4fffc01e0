//! What shipping refuses, and how the wire tells it.

use std::time::Duration;

use chassis::id::Id;
use chassis::status;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::rate::Unsound;
use crate::domain::{Country, Zone, fulfillment, shipment};

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "shipping.cartwright";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such zone")]
    ZoneNotFound,
    #[error("there is no such rate")]
    RateNotFound,
    #[error("there is no such shipment")]
    ShipmentNotFound,
    #[error("there is no such order")]
    OrderNotFound,
    #[error("{country} is in {} already", .zone.name())]
    CountryTaken { country: Country, zone: Id<Zone> },
    #[error(transparent)]
    Rate(#[from] Unsound),
    #[error(transparent)]
    Shipment(#[from] shipment::Refusal),
    #[error(transparent)]
    Fulfillment(#[from] fulfillment::Refusal),
    #[error("the order could not be read; try again")]
    OrderUnread,
    #[error("the database")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::ZoneNotFound => (Code::NotFound, "ZONE_NOT_FOUND"),
            Error::RateNotFound => (Code::NotFound, "RATE_NOT_FOUND"),
            Error::ShipmentNotFound => (Code::NotFound, "SHIPMENT_NOT_FOUND"),
            Error::OrderNotFound => (Code::NotFound, "ORDER_NOT_FOUND"),
            Error::CountryTaken { .. } => (Code::AlreadyExists, "COUNTRY_TAKEN"),
            Error::Rate(Unsound { field, fault }) => {
                return status::invalid(&format!("rate.{field}"), *fault);
            }
            Error::Shipment(shipment::Refusal::Backwards { .. }) => {
                (Code::FailedPrecondition, "SHIPMENT_BACKWARDS")
            }
            Error::Shipment(shipment::Refusal::Cancelled) => (Code::FailedPrecondition, "SHIPMENT_CANCELLED"),
            Error::Shipment(shipment::Refusal::Dispatched) => {
                (Code::FailedPrecondition, "SHIPMENT_DISPATCHED")
            }
            Error::Fulfillment(fulfillment::Refusal::NotPaid) => (Code::FailedPrecondition, "ORDER_NOT_PAID"),
            Error::Fulfillment(fulfillment::Refusal::Cancelled) => {
                (Code::FailedPrecondition, "ORDER_CANCELLED")
            }
            Error::Fulfillment(fulfillment::Refusal::NothingLeft) => {
                (Code::FailedPrecondition, "NOTHING_TO_SHIP")
            }
            Error::Fulfillment(fulfillment::Refusal::Exceeds { .. }) => {
                (Code::FailedPrecondition, "SHIPMENT_EXCEEDS_ORDER")
            }
            Error::OrderUnread => {
                return status::unavailable("ORDER_UNAVAILABLE", &error.to_string(), Duration::from_secs(1));
            }
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal_with(code, reason, DOMAIN, &error, &metadata(&error))
    }
}

/// The values that led to a refusal, where a caller may act on them.
fn metadata(error: &Error) -> Vec<(&'static str, String)> {
    match error {
        Error::CountryTaken { country, zone } => {
            vec![("country", country.to_string()), ("zone", zone.name())]
        }
        Error::Shipment(shipment::Refusal::Backwards { from, to }) => {
            vec![("from", (*from).to_owned()), ("to", (*to).to_owned())]
        }
        Error::Fulfillment(fulfillment::Refusal::Exceeds { sku, wanted, left }) => {
            vec![("sku", sku.clone()), ("wanted", wanted.to_string()), ("left", left.to_string())]
        }
        Error::ZoneNotFound
        | Error::RateNotFound
        | Error::ShipmentNotFound
        | Error::OrderNotFound
        | Error::Rate(_)
        | Error::Shipment(shipment::Refusal::Cancelled | shipment::Refusal::Dispatched)
        | Error::Fulfillment(
            fulfillment::Refusal::NotPaid
            | fulfillment::Refusal::Cancelled
            | fulfillment::Refusal::NothingLeft,
        )
        | Error::OrderUnread
        | Error::Database(_) => Vec::new(),
    }
}
