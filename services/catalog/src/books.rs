//! What the catalog can check of its own data.
use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{self, Finding};
use sea_orm::DbErr;

use crate::store;

/// The catalog's books. It keeps no facts that another service's are compared with.
#[derive(Debug)]
pub(crate) struct Books;

#[async_trait]
impl operations::Books for Books {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let (checked, offenders) = store::price::disagreements(db.reader()).await?;
        let prices = Finding {
            number: "I42",
            invariant: "a variant's price is the last that came into effect",
            checked,
            offenders,
        };
        let (checked, offenders) = store::price::overdue(db.reader()).await?;
        let due = Finding {
            number: "I42",
            invariant: "a price holds within a minute of its time",
            checked,
            offenders,
        };
        let (checked, offenders) = store::category::misplaced(db.reader()).await?;
        let tree = Finding {
            number: "I43",
            invariant: "a category's path is its parent's and itself",
            checked,
            offenders,
        };
        Ok(vec![prices, due, tree])
    }
}
