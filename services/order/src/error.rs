//! What can stand in the way, and how callers are told.

use chassis::money::Money;
use chassis::{once, status};
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::{Broken, PriceError, Refused, Unknown};
use crate::quote::Problem;

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "order.cartwright";

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0} not found")]
    NotFound(String),
    #[error("the order has changed meanwhile; read it again")]
    Conflict,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Price(#[from] PriceError),
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error("the total is now {total}")]
    PriceChanged { total: Money },
    #[error("an order was made of this cart already")]
    CartOrdered,
    #[error("the code is wrong, was used or has expired; ask for another one")]
    CodeInvalid,
    #[error("{noun} does not answer; nothing was done")]
    PeerAway { noun: &'static str },
    /// Refused elsewhere, in words that are passed on.
    #[error("{}", .0.message())]
    Passed(Box<Status>),
    #[error("{noun} answered what makes no sense: {what}")]
    PeerWrong { noun: &'static str, what: &'static str },
    #[error(transparent)]
    Broken(#[from] Broken),
    /// While a newer release takes over, it can read what this one cannot.
    #[error(transparent)]
    Newer(#[from] Unknown),
    #[error("a stored order cannot be read")]
    Stored(#[from] serde_json::Error),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl Error {
    /// For those who hear of the database only.
    pub(crate) fn into_database(self) -> DbErr {
        if let Error::Database(error) = self { error } else { DbErr::Custom(status::chain(&self)) }
    }
}

impl From<Status> for Error {
    fn from(refusal: Status) -> Error {
        Error::Passed(Box::new(refusal))
    }
}

impl From<once::Error> for Error {
    fn from(error: once::Error) -> Error {
        match error {
            once::Error::Database(error) => error.into(),
            once::Error::Reused | once::Error::InFlight => Error::Passed(Box::new(error.into())),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::NotFound(_) => (Code::NotFound, "ORDER_NOT_FOUND"),
            Error::Conflict => (Code::Aborted, "ORDER_CHANGED"),
            Error::Refused(refused) => of_refused(refused),
            Error::Price(price) => match price {
                PriceError::Empty => (Code::FailedPrecondition, "NOTHING_TO_BUY"),
                PriceError::CurrencyMixed => (Code::FailedPrecondition, "CURRENCY_MIXED"),
                PriceError::TooLarge => (Code::InvalidArgument, "AMOUNT_TOO_LARGE"),
                PriceError::DiscountsDiffer => return status::internal(&error),
            },
            Error::Problem(Problem::CouponInvalid(status)) => return Status::clone(status),
            Error::Problem(problem) => of_problem(problem),
            Error::PriceChanged { total } => {
                let total = [("total", total.decimal()), ("currency", total.currency.to_string())];
                return status::refusal_with(
                    Code::FailedPrecondition,
                    "PRICE_CHANGED",
                    DOMAIN,
                    &error,
                    &total,
                );
            }
            Error::CartOrdered => (Code::FailedPrecondition, "CART_ALREADY_ORDERED"),
            Error::CodeInvalid => (Code::InvalidArgument, "CODE_INVALID"),
            Error::PeerAway { .. } => (Code::Unavailable, "PEER_AWAY"),
            Error::Passed(status) => return Status::clone(status),
            Error::Newer(_) => {
                tracing::error!(
                    error = status::chain(&error),
                    "an order is in a form that is not known here"
                );
                (Code::Unavailable, "ORDER_FORM_UNKNOWN")
            }
            Error::PeerWrong { .. } | Error::Broken(_) | Error::Stored(_) | Error::Database(_) => {
                return status::internal(&error);
            }
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

fn of_refused(refused: &Refused) -> (Code, &'static str) {
    match refused {
        Refused::NotCancellable { .. } => (Code::FailedPrecondition, "ORDER_NOT_CANCELLABLE"),
        Refused::NotConfirmable { .. } => (Code::FailedPrecondition, "ORDER_NOT_CONFIRMABLE"),
        Refused::CancellationRequested { .. } => (Code::Aborted, "ORDER_CANCELLATION_REQUESTED"),
        Refused::NotShippable { .. } => (Code::FailedPrecondition, "ORDER_NOT_SHIPPABLE"),
        Refused::NotReturnable { .. } => (Code::FailedPrecondition, "ORDER_NOT_RETURNABLE"),
        Refused::NoSuchLine(_) => (Code::InvalidArgument, "ORDER_LINE_UNKNOWN"),
        Refused::ReturnTooLarge { .. } => (Code::FailedPrecondition, "RETURN_TOO_LARGE"),
        Refused::NoSuchReturn(_) => (Code::NotFound, "RETURN_NOT_FOUND"),
        Refused::ReturnClosed { .. } => (Code::FailedPrecondition, "RETURN_CLOSED"),
        Refused::NotClaimable(_) => (Code::FailedPrecondition, "ORDER_NOT_CLAIMABLE"),
    }
}

fn of_problem(problem: &Problem) -> (Code, &'static str) {
    match problem {
        Problem::CartEmpty => (Code::FailedPrecondition, "CART_EMPTY"),
        Problem::CartClosed => (Code::FailedPrecondition, "CART_CLOSED"),
        Problem::VariantUnknown(_) => (Code::NotFound, "VARIANT_NOT_FOUND"),
        Problem::VariantNotSold(_) => (Code::FailedPrecondition, "VARIANT_UNAVAILABLE"),
        Problem::OutOfStock { .. } => (Code::FailedPrecondition, "INSUFFICIENT_STOCK"),
        Problem::CurrencyMixed => (Code::FailedPrecondition, "CURRENCY_MIXED"),
        Problem::CouponInvalid(_) => (Code::FailedPrecondition, "COUPON_INVALID"),
        Problem::NotShippable(_) => (Code::FailedPrecondition, "NOT_SHIPPABLE"),
        Problem::RateUnavailable(_) => (Code::FailedPrecondition, "SHIPPING_RATE_UNAVAILABLE"),
        Problem::ContactMissing => (Code::FailedPrecondition, "CONTACT_MISSING"),
    }
}
