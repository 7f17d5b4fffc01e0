//! The keys that sign access tokens: made here, sealed in the database, exchanged every thirty days.
use std::time::Duration;

use chassis::{
    Error,
    auth::{SigningKey, token},
    time::Timestamp,
};
use sea_orm::DatabaseTransaction;

use crate::{
    store::access::{self, SigningRow},
    vault::Vault,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a key signs.
const SIGNS_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long before it signs a key is published.
const PUBLISHED_AHEAD: Duration = DAY;
/// How long a retired key still verifies: its last token's life, the clocks' difference, and what others may cache.
const VERIFIES_FOR: Duration = Duration::from_secs(token::ACCESS_LIFETIME.as_secs() + token::LEEWAY.as_secs() + 300);
const PURPOSE: &str = "signing key";

/// Makes the first key, or the next one when its time has come, and forgets those that are over. Replicas that do it at
/// once wait for each other at the policy's version, and the second finds nothing left to do.
pub(crate) async fn tend(tx: &DatabaseTransaction, vault: &Vault, now: Timestamp) -> Result<(), Error> {
    let due = |rows: &[SigningRow]| match rows.last() {
        None => true,
        Some(newest) => newest.active_time.plus(SIGNS_FOR) <= now.plus(PUBLISHED_AHEAD) || open(vault, newest).is_none(),
    };
    if !due(&access::keys(tx, now).await?) {
        return Ok(access::sweep_keys(tx, now).await?);
    }
    access::bump(tx, now).await?;
    let rows = access::keys(tx, now).await?;
    if !due(&rows) {
        return Ok(());
    }
    // A key whose secret is gone is replaced at once; one that grows old, after the next was published for a day.
    let active_time = match rows.last() {
        Some(newest) if open(vault, newest).is_some() => now.plus(PUBLISHED_AHEAD).max(newest.active_time.plus(SIGNS_FOR)),
        Some(_) | None => now,
    };
    let (key, pkcs8) = SigningKey::generate()?;
    let row = SigningRow {
        kid: key.id().to_owned(),
        public_key: key.public().to_vec(),
        sealed: vault.seal(PURPOSE, &pkcs8)?,
        active_time,
        expire_time: None,
    };
    access::insert_key(tx, &row).await?;
    access::retire_keys(tx, &row.kid, active_time.plus(VERIFIES_FOR)).await?;
    tracing::info!(key.id = row.kid, "made a key for access tokens");
    Ok(())
}

/// The key itself, where its secret is still there.
pub(crate) fn open(vault: &Vault, row: &SigningRow) -> Option<SigningKey> {
    let pkcs8 = vault.unseal(PURPOSE, &row.sealed)?;
    SigningKey::from_pkcs8(&row.kid, &pkcs8).ok()
}
