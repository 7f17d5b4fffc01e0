//! Making, changing and archiving products.
use std::collections::BTreeSet;

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::DatabaseTransaction;

use super::{load_locked, tell};
use crate::domain::product::{Change, NewProduct, State};
use crate::domain::{Category, Product};
use crate::error::Error;
use crate::store;

/// Makes one product with its first variants.
pub(crate) async fn create(tx: &DatabaseTransaction, actor: &str, new: NewProduct) -> Result<Product, Error> {
    let mut made = create_all(tx, actor, vec![Ok(new)]).await?;
    made.pop().unwrap_or(Err(Error::Stale))
}

/// Makes many products with a handful of statements. Each row stands alone: one at fault leaves the others untouched.
pub(crate) async fn create_all(
    tx: &DatabaseTransaction,
    actor: &str,
    rows: Vec<Result<NewProduct, Error>>,
) -> Result<Vec<Result<Product, Error>>, Error> {
    let now = Timestamp::now();
    let wanted =
        rows.iter().flatten().flat_map(|new| new.categories.iter().copied()).collect::<BTreeSet<_>>();
    let wanted: Vec<Id<Category>> = wanted.into_iter().collect();
    let known: BTreeSet<_> = store::category::existing(tx, &wanted).await?.into_iter().collect();
    let mut skus = BTreeSet::new();
    let mut made: Vec<Result<Product, Error>> = rows
        .into_iter()
        .map(|row| {
            let product = row?.make(now)?;
            check_known(&product.categories, &known)?;
            // Of two rows with the same SKU the first has it.
            if let Some(variant) = product.variants.iter().find(|variant| skus.contains(&variant.sku)) {
                return Err(Error::SkuTaken(variant.sku.clone()));
            }
            skus.extend(product.variants.iter().map(|variant| variant.sku.clone()));
            Ok(product)
        })
        .collect();
    let taken = store::product::insert(tx, &made.iter().flatten().collect::<Vec<_>>(), actor).await?;
    for row in &mut made {
        let theirs = row
            .as_ref()
            .ok()
            .and_then(|product| product.variants.iter().find(|variant| taken.contains(&variant.sku)));
        if let Some(variant) = theirs {
            *row = Err(Error::SkuTaken(variant.sku.clone()));
        }
    }
    let kept: Vec<&Product> = made.iter().flatten().collect();
    if !kept.is_empty() {
        tell(tx, &kept).await?;
    }
    Ok(made)
}

/// Changes a product. An etag that is not its own now is refused: somebody else changed it meanwhile.
pub(crate) async fn update(
    tx: &DatabaseTransaction,
    id: Id<Product>,
    etag: &str,
    change: Change,
) -> Result<Product, Error> {
    let product = load_locked(tx, id).await?;
    if !etag.is_empty() && etag != product.version.to_string() {
        return Err(Error::Stale);
    }
    if let Some(categories) = &change.categories {
        let known = store::category::existing(tx, categories).await?.into_iter().collect();
        check_known(categories, &known)?;
    }
    save(tx, product, change).await
}

/// Archives a product. One that is archived stays so.
pub(crate) async fn archive(tx: &DatabaseTransaction, id: Id<Product>) -> Result<Product, Error> {
    let product = load_locked(tx, id).await?;
    match product.state {
        State::Archived => Ok(product),
        State::Draft | State::Active => {
            save(tx, product, Change { state: Some(State::Archived), ..Change::default() }).await
        }
    }
}

async fn save(tx: &DatabaseTransaction, product: Product, change: Change) -> Result<Product, Error> {
    let read = product.version;
    let product = product.changed(change, Timestamp::now())?;
    product.check_variants()?;
    if !store::product::update(tx, &product, read).await? {
        return Err(Error::Stale);
    }
    tell(tx, &[&product]).await?;
    Ok(product)
}

fn check_known(wanted: &[Id<Category>], known: &BTreeSet<Id<Category>>) -> Result<(), Error> {
    match wanted.iter().find(|id| !known.contains(id)) {
        Some(unknown) => Err(Error::CategoryNotFound(unknown.name())),
        None => Ok(()),
    }
}
