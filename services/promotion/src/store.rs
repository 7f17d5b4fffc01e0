//! Promotion's tables, in domain types.

pub(crate) mod bought;
pub(crate) mod coupons;
pub(crate) mod redemptions;

use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

/// A keyset: the time and the id of the last row of the page before.
pub(crate) type After = (Timestamp, uuid::Uuid);

/// Before every row of a list that begins with the newest.
pub(crate) fn newest(after: Option<After>) -> After {
    after.unwrap_or((Timestamp::from_micros(i64::MAX), uuid::Uuid::max()))
}

pub(crate) fn sql(
    on: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), text, values)
}

pub(crate) fn limit(rows: u64) -> Value {
    i64::try_from(rows).unwrap_or(i64::MAX).into()
}

pub(crate) fn money(minor: i64, currency: &str) -> Result<Money, DbErr> {
    Ok(Money::new(minor, currency.parse().map_err(damaged)?))
}

pub(crate) fn damaged(error: impl std::fmt::Display) -> DbErr {
    DbErr::Type(format!("a stored value cannot be read: {error}"))
}
