//! Where things are sent, in which ways, and for how much.

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::DatabaseTransaction;

use crate::domain::{Country, Rate, Terms, Zone, rate, zone};
use crate::error::Error;
use crate::store;

/// Makes a zone.
pub(crate) async fn create_zone(
    tx: &DatabaseTransaction,
    title: &str,
    countries: &[Country],
) -> Result<Zone, Error> {
    let mut countries = countries.to_vec();
    countries.sort();
    let zone = Zone { id: Id::new(), title: title.to_owned(), countries, create_time: Timestamp::now() };
    store::zones::create(tx, &zone).await?;
    set_countries(tx, &zone).await?;
    Ok(zone)
}

/// Changes a zone.
pub(crate) async fn update_zone(
    tx: &DatabaseTransaction,
    id: Id<Zone>,
    changes: &zone::Changes,
) -> Result<Zone, Error> {
    let mut zone = store::zones::load(tx, id).await?.ok_or(Error::ZoneNotFound)?;
    if let Some(title) = &changes.title {
        store::zones::set_title(tx, id, title).await?;
        zone.title.clone_from(title);
    }
    if let Some(countries) = &changes.countries {
        zone.countries.clone_from(countries);
        zone.countries.sort();
        set_countries(tx, &zone).await?;
    }
    Ok(zone)
}

async fn set_countries(tx: &DatabaseTransaction, zone: &Zone) -> Result<(), Error> {
    let set = store::zones::set_countries(tx, zone.id, &zone.countries).await?;
    set.map_err(|(country, zone)| Error::CountryTaken { country, zone })
}

/// Takes a zone away, with its rates.
pub(crate) async fn delete_zone(tx: &DatabaseTransaction, id: Id<Zone>) -> Result<(), Error> {
    store::zones::load(tx, id).await?.ok_or(Error::ZoneNotFound)?;
    store::zones::delete(tx, id).await?.then_some(()).ok_or(Error::ZoneNotFound)
}

/// Makes a rate.
pub(crate) async fn create_rate(
    tx: &DatabaseTransaction,
    zone: Id<Zone>,
    terms: Terms,
) -> Result<Rate, Error> {
    // Held until the end, so that the zone is not taken away meanwhile.
    store::zones::load(tx, zone).await?.ok_or(Error::ZoneNotFound)?;
    let rate = Rate { id: Id::new(), zone, terms, create_time: Timestamp::now() };
    store::rates::create(tx, &rate).await?;
    Ok(rate)
}

/// Changes a rate.
pub(crate) async fn update_rate(
    tx: &DatabaseTransaction,
    (zone, id): rate::Name,
    changes: rate::Changes,
) -> Result<Rate, Error> {
    let mut rate = store::rates::load(tx, zone, id).await?.ok_or(Error::RateNotFound)?;
    rate.terms = rate.terms.changed(changes)?;
    store::rates::save(tx, &rate).await?;
    Ok(rate)
}

/// Takes a rate away.
pub(crate) async fn delete_rate(tx: &DatabaseTransaction, (zone, id): rate::Name) -> Result<(), Error> {
    store::rates::delete(tx, zone, id).await?.then_some(()).ok_or(Error::RateNotFound)
}
