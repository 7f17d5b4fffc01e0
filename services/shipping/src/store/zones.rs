//! Zones and their countries.

use chassis::id::Id;
use chassis::rows::{Column, Rows, text};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};
use uuid::Uuid;

use super::{at_most, get, rows, run};
use crate::domain::{Country, Zone};

/// Keeps a zone, without its countries.
pub(crate) async fn create(tx: &DatabaseTransaction, zone: &Zone) -> Result<(), DbErr> {
    let sql = "INSERT INTO zones (id, title, create_time) VALUES ($1, $2, $3)";
    run(tx, sql, vec![zone.id.into(), zone.title.as_str().into(), zone.create_time.into()]).await?;
    Ok(())
}

/// Gives a zone its countries, in place of those it had. Where another zone has one of them, says which.
pub(crate) async fn set_countries(
    tx: &DatabaseTransaction,
    zone: Id<Zone>,
    countries: &[Country],
) -> Result<Result<(), (Country, Id<Zone>)>, DbErr> {
    run(tx, "DELETE FROM zone_countries WHERE zone = $1", vec![zone.into()]).await?;
    let mut sorted: Vec<&Country> = countries.iter().collect();
    // Two zones that want the same countries at once take them in the same order.
    sorted.sort();
    const COUNTRIES: [Column; 1] = [text("wanted")];
    let wanted = Rows::new(&COUNTRIES, sorted.iter().map(|country| [country.as_str().into()]));
    let sql =
        "INSERT INTO zone_countries (country_code, zone) SELECT wanted, $1 FROM {rows} AS these WHERE TRUE
               ON CONFLICT (country_code) DO NOTHING";
    let set = wanted.run(tx, sql, &[zone.into()]).await?;
    if usize::try_from(set) == Ok(sorted.len()) {
        return Ok(Ok(()));
    }
    let sql = "SELECT country_code, zone FROM zone_countries JOIN {rows} AS these ON wanted = country_code
               WHERE zone <> $1 ORDER BY country_code";
    let read = |row: &QueryResult| Ok((Country::stored(get(row, 0)?), get(row, 1)?));
    let taken = wanted.query(tx, sql, &[zone.into()], read).await?.into_iter().next();
    taken.map(Err).ok_or_else(|| DbErr::Custom("a country was given back while it was asked for".to_owned()))
}

/// Keeps the title of a zone.
pub(crate) async fn set_title(tx: &DatabaseTransaction, zone: Id<Zone>, title: &str) -> Result<(), DbErr> {
    run(tx, "UPDATE zones SET title = $2 WHERE id = $1", vec![zone.into(), title.into()]).await?;
    Ok(())
}

/// Reads a zone.
pub(crate) async fn find(db: &impl ConnectionTrait, id: Id<Zone>) -> Result<Option<Zone>, DbErr> {
    let sql = "SELECT z.id, z.title, z.create_time, c.country_code
               FROM zones z LEFT JOIN zone_countries c ON c.zone = z.id WHERE z.id = $1 ORDER BY c.country_code";
    Ok(grouped(rows(db, sql, vec![id.into()], read).await?).pop())
}

/// Reads a zone to change it: nobody else does until the transaction ends.
pub(crate) async fn load(tx: &DatabaseTransaction, id: Id<Zone>) -> Result<Option<Zone>, DbErr> {
    run(tx, "UPDATE zones SET title = title WHERE id = $1", vec![id.into()]).await?;
    find(tx, id).await
}

/// So many zones after this one, the oldest first.
pub(crate) async fn list_after(
    db: &impl ConnectionTrait,
    after: Option<Id<Zone>>,
    limit: u64,
) -> Result<Vec<Zone>, DbErr> {
    let after = after.map_or(Uuid::nil(), Id::uuid);
    let sql = "SELECT z.id, z.title, z.create_time, c.country_code
               FROM (SELECT id, title, create_time FROM zones WHERE id > $1 ORDER BY id LIMIT $2) z
               LEFT JOIN zone_countries c ON c.zone = z.id ORDER BY z.id, c.country_code";
    Ok(grouped(rows(db, sql, vec![after.into(), at_most(limit)], read).await?))
}

/// Takes a zone away, with its countries and rates. Says whether there was one.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: Id<Zone>) -> Result<bool, DbErr> {
    run(tx, "DELETE FROM rates WHERE zone = $1", vec![id.into()]).await?;
    run(tx, "DELETE FROM zone_countries WHERE zone = $1", vec![id.into()]).await?;
    Ok(run(tx, "DELETE FROM zones WHERE id = $1", vec![id.into()]).await? == 1)
}

type Row = (Id<Zone>, String, Timestamp, Option<String>);

fn read(row: &QueryResult) -> Result<Row, DbErr> {
    Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?))
}

/// Rows of a zone and one country each, as zones.
fn grouped(rows: Vec<Row>) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for (id, title, create_time, country) in rows {
        let country = country.map(Country::stored);
        match zones.last_mut() {
            Some(zone) if zone.id == id => zone.countries.extend(country),
            Some(_) | None => {
                zones.push(Zone { id, title, create_time, countries: country.into_iter().collect() })
            }
        }
    }
    zones
}
