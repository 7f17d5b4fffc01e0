//! What cart refuses, and how the wire tells it.

use chassis::status;
use sea_orm::{DbErr, SqlErr};
use tonic::{Code, Status};

use crate::domain::Refusal;

/// Whose reasons these are.
const DOMAIN: &str = "cart.cartwright";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such cart")]
    CartNotFound,
    #[error("there is no such variant")]
    VariantNotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the database")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::CartNotFound => (Code::NotFound, "CART_NOT_FOUND"),
            Error::VariantNotFound => (Code::NotFound, "VARIANT_NOT_FOUND"),
            Error::Refused(refusal) => match refusal {
                Refusal::NotOpen => (Code::FailedPrecondition, "CART_NOT_OPEN"),
                Refusal::NotOnSale => (Code::FailedPrecondition, "VARIANT_NOT_ON_SALE"),
                Refusal::TooMany => (Code::FailedPrecondition, "QUANTITY_TOO_LARGE"),
                Refusal::Full => (Code::FailedPrecondition, "CART_FULL"),
                Refusal::OtherCurrency(..) => (Code::FailedPrecondition, "CURRENCY_MISMATCH"),
                Refusal::NotIn => (Code::NotFound, "LINE_NOT_FOUND"),
            },
            // Two calls opened a cart for one owner at once: one of them has it, and this one finds it next time.
            Error::Database(cause)
                if matches!(cause.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) =>
            {
                (Code::Aborted, "CART_CHANGED")
            }
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}
