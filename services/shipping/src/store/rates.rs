//! Rates.

use std::collections::BTreeMap;

use chassis::id::Id;
use chassis::money::{Currency, Money};
use chassis::rows::{Column, Rows, uuid};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};
use uuid::Uuid;

use super::{at_most, damaged, get, rows, run};
use crate::domain::{Country, Rate, Terms, Zone};

const COLUMNS: &str = "id, zone, title, carrier, price_currency, base_price_minor, price_per_kilogram_minor,
    free_from_minor, weight_grams_max, days_min, days_max, create_time";

/// The rates of a country in a currency: those of the zone that names it, or else of the zone for the rest.
pub(crate) async fn of_country(
    db: &impl ConnectionTrait,
    country: &Country,
    currency: Currency,
) -> Result<Vec<Rate>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rates WHERE price_currency = $2 AND zone = COALESCE(
            (SELECT zone FROM zone_countries WHERE country_code = $1),
            (SELECT zone FROM zone_countries WHERE country_code = $3))"
    );
    let values = vec![country.as_str().into(), currency.as_str().into(), Country::REST.into()];
    rows(db, &sql, values, read).await
}

/// Keeps a new rate.
pub(crate) async fn create(tx: &DatabaseTransaction, rate: &Rate) -> Result<(), DbErr> {
    let sql =
        format!("INSERT INTO rates ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    let mut values: Vec<Value> = vec![rate.id.into(), rate.zone.into()];
    values.extend(columns(&rate.terms));
    values.push(rate.create_time.into());
    run(tx, &sql, values).await?;
    Ok(())
}

/// Keeps the terms of a rate.
pub(crate) async fn save(tx: &DatabaseTransaction, rate: &Rate) -> Result<(), DbErr> {
    let sql = "UPDATE rates SET title = $2, carrier = $3, price_currency = $4, base_price_minor = $5,
               price_per_kilogram_minor = $6, free_from_minor = $7, weight_grams_max = $8, days_min = $9, days_max = $10
               WHERE id = $1";
    run(tx, sql, std::iter::once(rate.id.into()).chain(columns(&rate.terms)).collect()).await?;
    Ok(())
}

fn columns(terms: &Terms) -> [Value; 9] {
    let minor = |money: Option<Money>| money.map(|money| money.minor);
    [
        terms.title.as_str().into(),
        terms.carrier.as_str().into(),
        terms.base.currency.as_str().into(),
        terms.base.minor.into(),
        minor(terms.per_kilogram).into(),
        minor(terms.free_from).into(),
        terms.weight_grams_max.into(),
        terms.days_min.into(),
        terms.days_max.into(),
    ]
}

/// Reads a rate of a zone.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    zone: Id<Zone>,
    id: Id<Rate>,
) -> Result<Option<Rate>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM rates WHERE zone = $1 AND id = $2");
    Ok(rows(db, &sql, vec![zone.into(), id.into()], read).await?.pop())
}

/// Who carries what is sent by these rates, each of a zone. Those that were taken away are missing in the answer.
pub(crate) async fn carriers(
    db: &impl ConnectionTrait,
    rates: impl IntoIterator<Item = (Id<Zone>, Id<Rate>)>,
) -> Result<BTreeMap<(Id<Zone>, Id<Rate>), String>, DbErr> {
    const RATES: [Column; 2] = [uuid("of_zone"), uuid("wanted")];
    let sql = "SELECT zone, id, carrier FROM rates JOIN {rows} AS these ON wanted = id AND of_zone = zone";
    let read = |row: &QueryResult| Ok(((get(row, 0)?, get(row, 1)?), get(row, 2)?));
    let rates = Rows::new(&RATES, rates.into_iter().map(|(zone, rate)| [zone.into(), rate.into()]));
    Ok(rates.query(db, sql, &[], read).await?.into_iter().collect())
}

/// Reads a rate to change it: nobody else does until the transaction ends.
pub(crate) async fn load(
    tx: &DatabaseTransaction,
    zone: Id<Zone>,
    id: Id<Rate>,
) -> Result<Option<Rate>, DbErr> {
    let sql = format!("UPDATE rates SET title = title WHERE zone = $1 AND id = $2 RETURNING {COLUMNS}");
    Ok(rows(tx, &sql, vec![zone.into(), id.into()], read).await?.pop())
}

/// So many rates of a zone after this one, the oldest first.
pub(crate) async fn list_after(
    db: &impl ConnectionTrait,
    zone: Id<Zone>,
    after: Option<Id<Rate>>,
    limit: u64,
) -> Result<Vec<Rate>, DbErr> {
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let sql = format!("SELECT {COLUMNS} FROM rates WHERE zone = $1 AND id > $2 ORDER BY id LIMIT $3");
    rows(db, &sql, vec![zone.into(), after.into(), at_most(limit)], read).await
}

/// Takes a rate away. Says whether there was one.
pub(crate) async fn delete(tx: &DatabaseTransaction, zone: Id<Zone>, id: Id<Rate>) -> Result<bool, DbErr> {
    Ok(run(tx, "DELETE FROM rates WHERE zone = $1 AND id = $2", vec![zone.into(), id.into()]).await? == 1)
}

fn read(row: &QueryResult) -> Result<Rate, DbErr> {
    let currency: Currency = get::<String>(row, 4)?.parse().map_err(|_| damaged("the currency of a rate"))?;
    let money = |minor| Money::new(minor, currency);
    let terms = Terms {
        title: get(row, 2)?,
        carrier: get(row, 3)?,
        base: money(get(row, 5)?),
        per_kilogram: get::<Option<i64>>(row, 6)?.map(money),
        free_from: get::<Option<i64>>(row, 7)?.map(money),
        weight_grams_max: get(row, 8)?,
        days_min: get(row, 9)?,
        days_max: get(row, 10)?,
    };
    Ok(Rate { id: get(row, 0)?, zone: get(row, 1)?, terms, create_time: get(row, 11)? })
}
