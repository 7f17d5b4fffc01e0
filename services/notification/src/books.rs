//! What notification can check by itself, and what it states for others to compare.
use std::time::Duration;

use async_trait::async_trait;
use chassis::{
    db::Db,
    operations::{Books, Fact, Finding},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::messages;

/// How long a message that nothing stands in the way of may wait.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The books of notification.
pub(crate) struct Ledger;

#[async_trait]
impl Books for Ledger {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        Ok(vec![
            one_confirmation(db.writer()).await?,
            codes_forgotten(db.writer()).await?,
            none_left_lying(db.writer()).await?,
        ])
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["notification.confirmation"]
    }

    async fn facts(&self, db: &Db, _: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let confirmations = messages::confirmations(db.writer(), after, limit).await?;
        Ok(confirmations
            .into_iter()
            .map(|(subject, state)| Fact { subject, state, ..Fact::default() })
            .collect())
    }

    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        messages::count_pending(db.writer()).await
    }
}

async fn one_confirmation(connection: &impl ConnectionTrait) -> Result<Finding, DbErr> {
    let checked =
        "SELECT COUNT(*) AS count FROM notifications WHERE kind = 'order-confirmed' AND channel = 'EMAIL'";
    let offenders =
        "SELECT reference AS name FROM notifications WHERE kind = 'order-confirmed' AND channel = 'EMAIL'
                     GROUP BY reference HAVING COUNT(*) > 1";
    Ok(Finding {
        number: "I32",
        invariant: "an order is confirmed to its customer once",
        checked: messages::count(connection, checked, []).await?,
        offenders: messages::names(connection, offenders, []).await?,
    })
}

async fn codes_forgotten(connection: &impl ConnectionTrait) -> Result<Finding, DbErr> {
    let checked = "SELECT COUNT(*) AS count FROM notifications WHERE kind IN ('verify-contact', 'claim-order', 'password-reset') AND state <> 'PENDING'";
    let offenders =
        "SELECT dedup_key AS name FROM notifications WHERE kind IN ('verify-contact', 'claim-order', 'password-reset') AND state <> 'PENDING'
                     AND (filling <> '{}' OR subject <> '' OR body <> '')";
    Ok(Finding {
        number: "I37",
        invariant: "no code is kept once it was sent",
        checked: messages::count(connection, checked, []).await?,
        offenders: messages::names(connection, offenders, []).await?,
    })
}

async fn none_left_lying(connection: &impl ConnectionTrait) -> Result<Finding, DbErr> {
    let before = Timestamp::now().minus(PATIENCE);
    let offenders = "SELECT dedup_key AS name FROM notifications WHERE state = 'PENDING' AND next_time < $1";
    Ok(Finding {
        number: "I45",
        invariant: "no message that is due lies for a quarter of an hour",
        checked: messages::count_pending(connection).await?,
        offenders: messages::names(connection, offenders, [before.into()]).await?,
    })
}
