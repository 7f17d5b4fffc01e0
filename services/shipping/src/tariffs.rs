//! Rates as they are now, for whoever asks what sending costs: the same question at the same time is one query, which begins
//! after all of them asked.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chassis::db::Db;
use chassis::money::Currency;
use chassis::together::{Served, Together, Wish};
use tonic::Status;

use crate::domain::{Country, Rate};
use crate::error::Error;
use crate::store;

/// Reads the rates of countries.
#[derive(Clone)]
pub(crate) struct Tariffs(Together<Asked>);

#[derive(Clone)]
struct Asked {
    country: Country,
    currency: Currency,
}

impl Wish for Asked {
    type Answer = Vec<Rate>;

    fn about(&self) -> &str {
        ""
    }
}

impl Tariffs {
    pub(crate) fn new(db: &Db) -> Tariffs {
        let db = db.clone();
        Tariffs(Together::new(move |asked| {
            let db = db.clone();
            async move { read(&db, &asked).await }
        }))
    }

    /// The rates of a country in a currency.
    pub(crate) async fn of(&self, country: Country, currency: Currency) -> Result<Vec<Rate>, Status> {
        self.0.ask(Asked { country, currency }).await
    }
}

async fn read(db: &Db, asked: &[Asked]) -> Served<Asked> {
    let mut known: HashMap<(&str, &str), Vec<Rate>> = HashMap::new();
    let mut answers = Vec::with_capacity(asked.len());
    for Asked { country, currency } in asked {
        let key = (country.as_str(), currency.as_str());
        let rates = match known.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let rates = store::rates::of_country(db.reader(), country, *currency).await;
                new.insert(rates.map_err(Error::from)?)
            }
        };
        answers.push(Ok(rates.clone()));
    }
    Ok(answers)
}
