//! The addresses a user keeps.
use chassis::{id::Id, time::Timestamp};
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{Address, User, address},
    error::Error,
    store::addresses::{self, Kept},
};

/// Keeps a new address.
pub(crate) async fn create(tx: &DatabaseTransaction, kept: &Kept, now: Timestamp) -> Result<(), Error> {
    if addresses::count_of(tx, kept.user).await? >= address::MAX {
        return Err(Error::TooManyAddresses(address::MAX));
    }
    Ok(addresses::save(tx, kept, now).await?)
}

/// Changes a kept address.
pub(crate) async fn update(
    tx: &DatabaseTransaction,
    user: Id<User>,
    id: Id<Address>,
    change: impl FnOnce(&mut Kept),
    now: Timestamp,
) -> Result<Kept, Error> {
    let mut kept = addresses::find(tx, user, id).await?.ok_or(Error::AddressNotFound)?;
    change(&mut kept);
    addresses::save(tx, &kept, now).await?;
    Ok(kept)
}
