//! What inventory refuses, and how the wire tells it.

use chassis::status;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::reservation::{Refusal, TooManyBack};
use crate::domain::{Lacking, LocationId, ON_HAND_MAX};

/// Whose reasons these are.
const DOMAIN: &str = "inventory.cartwright";

/// More than this many SKUs that lack are not listed: headers carry them.
const LISTED_MAX: usize = 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such stock")]
    StockNotFound,
    #[error("there is no such reservation")]
    ReservationNotFound,
    #[error("there is no location {}", .0.name())]
    LocationNotFound(LocationId),
    #[error("the location {} exists already", .0.name())]
    LocationExists(LocationId),
    #[error("not enough in stock of {}", skus(.0))]
    Insufficient(Vec<Lacking>),
    #[error("on hand would fall below what is reserved")]
    BelowReserved,
    #[error("on hand may not exceed {ON_HAND_MAX}")]
    TooMuch,
    #[error("the request id was already used for another order")]
    RequestReused,
    #[error(transparent)]
    Reservation(#[from] Refusal),
    #[error(transparent)]
    TooManyBack(#[from] TooManyBack),
    #[error("the database")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::StockNotFound => (Code::NotFound, "STOCK_NOT_FOUND"),
            Error::ReservationNotFound => (Code::NotFound, "RESERVATION_NOT_FOUND"),
            Error::LocationNotFound(_) => (Code::NotFound, "LOCATION_NOT_FOUND"),
            Error::LocationExists(_) => (Code::AlreadyExists, "LOCATION_EXISTS"),
            Error::Insufficient(lacking) => {
                return status::refusal_with(
                    Code::FailedPrecondition,
                    "INSUFFICIENT_STOCK",
                    DOMAIN,
                    &error,
                    &metadata(lacking),
                );
            }
            Error::BelowReserved => (Code::FailedPrecondition, "STOCK_BELOW_RESERVED"),
            Error::TooMuch => return status::invalid("quantity", error.to_string()),
            Error::RequestReused => (Code::AlreadyExists, "REQUEST_ID_REUSED"),
            Error::Reservation(Refusal::Released) => (Code::FailedPrecondition, "RESERVATION_RELEASED"),
            Error::Reservation(Refusal::Expired) => (Code::FailedPrecondition, "RESERVATION_EXPIRED"),
            Error::Reservation(Refusal::Committed) => (Code::FailedPrecondition, "RESERVATION_COMMITTED"),
            Error::Reservation(Refusal::NotCommitted) => {
                (Code::FailedPrecondition, "RESERVATION_NOT_COMMITTED")
            }
            Error::Reservation(Refusal::Differs) => (Code::AlreadyExists, "RESERVATION_EXISTS"),
            Error::TooManyBack(_) => (Code::FailedPrecondition, "RETURN_EXCEEDS_SALE"),
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

/// `sku`, `wanted` and `available` of the first SKU that lacks, and all of them as `lacking`, a JSON array of the same.
fn metadata(lacking: &[Lacking]) -> Vec<(&'static str, String)> {
    let all: Vec<_> = lacking
        .iter()
        .take(LISTED_MAX)
        .map(|one| serde_json::json!({ "sku": one.sku.as_str(), "wanted": one.wanted, "available": one.available }))
        .collect();
    let first = lacking.first().into_iter().flat_map(|one| {
        [
            ("sku", one.sku.to_string()),
            ("wanted", one.wanted.to_string()),
            ("available", one.available.to_string()),
        ]
    });
    first.chain([("lacking", serde_json::Value::from(all).to_string())]).collect()
}

fn skus(lacking: &[Lacking]) -> String {
    lacking.iter().take(LISTED_MAX).map(|one| one.sku.as_str()).collect::<Vec<_>>().join(", ")
}
