//! What analytics can check of its own data, and the facts it states.
use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{self, Fact, Finding};
use sea_orm::DbErr;

use crate::store;

/// The books of analytics.
#[derive(Debug)]
pub(crate) struct Books;

#[async_trait]
impl operations::Books for Books {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let (checked, offenders) = store::sale::unbalanced(db.reader()).await?;
        Ok(vec![Finding {
            number: "I33",
            invariant: "a sale's amounts add up, and are those of its lines",
            checked,
            offenders,
        }])
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["analytics.sale"]
    }

    async fn facts(&self, db: &Db, _: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let totals = store::sale::totals(db.reader(), after, limit).await?;
        let fact = |(subject, total)| Fact { subject, amount: Some(total), ..Fact::default() };
        Ok(totals.into_iter().map(fact).collect())
    }
}
