//! Taking over orders that happened elsewhere.

use std::collections::HashSet;

use chassis::id::Id;
use sea_orm::DatabaseTransaction;

use crate::config::Config;
use crate::domain::{Fault, Import, Order};
use crate::error::Error;
use crate::store;

/// What became of one of them.
#[derive(Debug)]
pub(crate) enum Imported {
    Now(Id<Order>),
    Before(Id<Order>),
    Refused(Fault),
}

/// Takes over orders in one transaction, those that are here already left alone. Tells what became of each, in order.
pub(crate) async fn import(
    tx: &DatabaseTransaction,
    imports: &[Import],
    author: &str,
    config: &Config,
) -> Result<Vec<Imported>, Error> {
    let ids: Vec<Id<Order>> = imports.iter().map(Import::id).collect();
    let mut here: HashSet<Id<Order>> =
        store::versions(tx, &ids).await?.into_iter().map(|(id, _)| id).collect();
    let mut results = Vec::with_capacity(imports.len());
    let mut histories = Vec::new();
    for (import, id) in imports.iter().zip(ids) {
        results.push(if here.contains(&id) {
            Imported::Before(id)
        } else {
            match import.history(author, config.tax_for(&import.country)) {
                Ok(history) => {
                    here.insert(id);
                    histories.push(history);
                    Imported::Now(id)
                }
                Err(fault) => Imported::Refused(fault),
            }
        });
    }
    store::import(tx, &histories).await?;
    Ok(results)
}
