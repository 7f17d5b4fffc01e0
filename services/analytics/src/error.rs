//! Why a request is refused, and with which code.
use chassis::status;
use sea_orm::DbErr;
use tonic::Status;

use crate::domain::behaviour::Impossible;
use crate::domain::span::NoSpan;

/// What a caller may act on, and what failed on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Span(#[from] NoSpan),
    #[error("behaviours[{0}]: {1}")]
    Behaviour(usize, Impossible),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        match &error {
            Error::Span(why) => status::invalid("end_time", why.to_string()),
            Error::Behaviour(index, why) => {
                let field = match why {
                    Impossible::NoProduct => "product",
                    Impossible::InFuture | Impossible::TooLongAgo => "time",
                };
                status::invalid(&format!("behaviours[{index}].{field}"), why.to_string())
            }
            Error::Database(_) => status::internal(&error),
        }
    }
}
