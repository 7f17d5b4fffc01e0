//! The books: what this service checks of its own tables, and the facts that others' are compared with.

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{self, Fact, Finding};
use chassis::saga;
use sea_orm::DbErr;
use uuid::Uuid;

use crate::error::Error;
use crate::store;

/// Rows looked at by one statement.
const PAGE: u64 = 500;

/// The order service's books.
pub(crate) struct Books;

#[async_trait]
impl operations::Books for Books {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        orders(db).await
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["order", "order.coupon", "order.refund_due", "order.sale"]
    }

    async fn facts(&self, db: &Db, kind: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let after = after.strip_prefix("orders/").and_then(|id| Uuid::parse_str(id).ok());
        store::facts(db.reader(), kind, after, limit).await
    }

    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        // A page is enough to say that there is plenty to do.
        Ok(count(&saga::list(db.writer(), &under_way(), None, PAGE).await?))
    }
}

async fn orders(db: &Db) -> Result<Vec<Finding>, DbErr> {
    let finding = |number, invariant| Finding { number, invariant, checked: 0, offenders: Vec::new() };
    let mut replay = finding("I19", "replaying an order's events gives its row");
    let mut steps = finding("I20", "an order only takes steps that it may take");
    let mut snapshots = finding("I19", "a snapshot is what the events up to it amount to");
    let mut totals = finding("I21", "an order's total is the sum of its lines and shipping");
    let mut after = None;
    loop {
        let page = store::check_after(db.reader(), after, PAGE).await.map_err(Error::into_database)?;
        replay.checked += page.checked;
        steps.checked += page.checked;
        snapshots.checked += page.checked;
        totals.checked += page.checked;
        replay.offenders.extend(page.differ);
        steps.offenders.extend(page.missteps);
        snapshots.offenders.extend(page.snapshots);
        totals.offenders.extend(page.do_not_add_up);
        if page.checked < PAGE {
            return Ok(vec![replay, steps, snapshots, totals]);
        }
        after = page.last;
    }
}

fn under_way() -> saga::Filter {
    saga::Filter { unfinished: true, ..saga::Filter::default() }
}

fn count<T>(rows: &[T]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}
