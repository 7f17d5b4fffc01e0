//! Payment's tables, in domain types.

pub(crate) mod ledger;
pub(crate) mod payments;
pub(crate) mod reconcile;
pub(crate) mod refunds;
pub(crate) mod reports;
pub(crate) mod risk;
pub(crate) mod webhooks;

use chassis::db::Db;
use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

/// Which row was taken to work on. What is written about it holds only while nobody else has taken it since.
#[derive(Clone, Debug)]
pub(crate) struct Leased<T> {
    pub(crate) row: T,
    pub(crate) fence: i64,
    /// How often it was taken, this time included.
    pub(crate) attempts: i64,
    /// Since when its channel has been asked for what it needs now.
    pub(crate) since: Timestamp,
}

/// When a row is due to be looked at again, after something failed.
#[derive(Clone, Debug)]
pub(crate) struct Later<'a> {
    pub(crate) at: Option<Timestamp>,
    pub(crate) error: &'a str,
    /// Why an operator should look; empty where none has to.
    pub(crate) attention: &'a str,
}

pub(crate) fn sql(
    on: &impl ConnectionTrait,
    text: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(on.get_database_backend(), text, values)
}

/// Ends every lease. Only for a database that no other process has open: whoever held one is gone.
pub(crate) async fn abandon_all(db: &Db) -> Result<(), DbErr> {
    for leased in [
        "payments SET lease_until = 0 WHERE next_check_at IS NOT NULL",
        "refunds SET lease_until = 0 WHERE next_check_at IS NOT NULL",
        "reconciliations SET lease_until = 0 WHERE lease_until > 0",
    ] {
        db.execute(sql(db.writer(), &format!("UPDATE {leased}"), [])).await?;
    }
    Ok(())
}

/// A keyset: the time and the id of the last row of the page before.
pub(crate) type After = (Timestamp, uuid::Uuid);

pub(crate) fn money(minor: i64, currency: &str) -> Result<Money, DbErr> {
    Ok(Money::new(minor, currency.parse().map_err(damaged)?))
}

fn damaged(error: impl std::fmt::Display) -> DbErr {
    DbErr::Type(format!("a stored value cannot be read: {error}"))
}

fn unknown(what: &str, value: &str) -> DbErr {
    damaged(format!("{what} {value}"))
}
