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
const VERIFIES_FOR: Duration =
    Duration::from_secs(token::ACCESS_LIFETIME.as_secs() + token::LEEWAY.as_secs() + 300);
const PURPOSE: &str = "signing key";

/// Makes the first key, or the next one when its time has come, and forgets those that are over. Replicas that do it at
/// once wait for each other at the policy's version, and the second finds nothing left to do.
pub(crate) async fn tend(tx: &DatabaseTransaction, vault: &Vault, now: Timestamp) -> Result<(), Error> {
    let due = |rows: &[SigningRow]| match rows.last() {
        None => true,
        Some(newest) => {
            newest.active_time.plus(SIGNS_FOR) <= now.plus(PUBLISHED_AHEAD) || open(vault, newest).is_none()
        }
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
        Some(newest) if open(vault, newest).is_some() => {
            now.plus(PUBLISHED_AHEAD).max(newest.active_time.plus(SIGNS_FOR))
        }
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

#[cfg(test)]
mod tests {
    use chassis::testing::TestDb;

    use super::*;
    use crate::{Migrator, vault::Vault};

    async fn keys_at(db: &TestDb, vault: &Vault, now: Timestamp) -> Vec<SigningRow> {
        db.write(async |tx| tend(tx, vault, now).await).await.unwrap();
        access::keys(db.writer(), now).await.unwrap()
    }

    #[tokio::test]
    async fn the_next_key_is_published_a_day_before_it_signs() {
        let db = TestDb::new::<Migrator>().await;
        let vault = Vault::open(&db, None).await.unwrap();
        let start = Timestamp::now();
        let first = keys_at(&db, &vault, start).await;
        assert_eq!((first.len(), first[0].active_time), (1, start));

        let early = start.plus(SIGNS_FOR - PUBLISHED_AHEAD - Duration::from_secs(1));
        assert_eq!(keys_at(&db, &vault, early).await.len(), 1);
        let ahead = start.plus(SIGNS_FOR - PUBLISHED_AHEAD);
        let both = keys_at(&db, &vault, ahead).await;
        assert_eq!(both.len(), 2);
        assert_eq!(
            (both[0].kid.as_str(), both[1].active_time),
            (first[0].kid.as_str(), start.plus(SIGNS_FOR))
        );
        assert_eq!(both[0].expire_time, Some(start.plus(SIGNS_FOR).plus(VERIFIES_FOR)));
        // Looking again changes nothing.
        assert_eq!(keys_at(&db, &vault, ahead).await.len(), 2);

        let over = start.plus(SIGNS_FOR).plus(VERIFIES_FOR).plus(Duration::from_secs(1));
        let left = keys_at(&db, &vault, over).await;
        assert_eq!((left.len(), left[0].kid.as_str()), (1, both[1].kid.as_str()));
    }

    #[tokio::test]
    async fn replicas_that_start_together_make_one_key() {
        let db = TestDb::new::<Migrator>().await;
        let vault = Vault::open(&db, None).await.unwrap();
        let now = Timestamp::now();
        let replicas = (0..4)
            .map(|_| async { db.again().await.write(async |tx| tend(tx, &vault, now).await).await.unwrap() });
        futures::future::join_all(replicas).await;
        assert_eq!(access::keys(db.writer(), now).await.unwrap().len(), 1);
    }
}
