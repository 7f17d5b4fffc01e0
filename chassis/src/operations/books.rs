//! The service's books: what it can check by itself, and the facts it states so that others' can be compared.

use async_trait::async_trait;
use contract::operations::v1 as pb;
use sea_orm::DbErr;
use tonic::Status;

use super::Error;
use crate::db::Db;
use crate::money::Money;
use crate::page::Page;
use crate::status;

/// Offenders named in one finding.
const OFFENDERS_MAX: usize = 100;

/// What a service says of its own data.
#[async_trait]
pub trait Books: Send + Sync + 'static {
    /// Checks every invariant that the service's own database can show.
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr>;

    /// The kinds of fact it states, such as `payment.captured`.
    fn kinds(&self) -> &'static [&'static str] {
        &[]
    }

    /// At most `limit` facts of one of its kinds whose subjects sort after `after`, in order of subject. The order is
    /// that of bytes: on PostgreSQL say `COLLATE "C"` where the database's own order may differ.
    async fn facts(&self, db: &Db, kind: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let _ = (db, kind, after, limit);
        Ok(Vec::new())
    }

    /// Effects accepted here and still to be carried out in the background.
    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        let _ = db;
        Ok(0)
    }
}

/// What checking one invariant found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The number of the invariant in the list of ARCHITECTURE.md, such as `I5`. Several findings may prove one.
    pub number: &'static str,
    /// The invariant, in a few words.
    pub invariant: &'static str,
    /// How many rows or groups were looked at.
    pub checked: u64,
    /// Who breaks it. The first 100 are passed on.
    pub offenders: Vec<String>,
}

impl From<Finding> for pb::Finding {
    fn from(finding: Finding) -> pb::Finding {
        pb::Finding {
            number: finding.number.to_owned(),
            invariant: finding.invariant.to_owned(),
            checked: super::events::count(finding.checked),
            offenders: finding.offenders.into_iter().take(OFFENDERS_MAX).collect(),
        }
    }
}

/// One line of the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// The resource it is about: unique within the kind.
    pub subject: String,
    /// What is so, such as a state.
    pub state: String,
    /// The amount, where money is in it.
    pub amount: Option<Money>,
    /// How much, where goods or uses are counted.
    pub quantity: i64,
    /// What else it refers to, such as the order of a payment.
    pub reference: String,
}

impl From<Fact> for pb::Fact {
    fn from(fact: Fact) -> pb::Fact {
        pb::Fact {
            subject: fact.subject,
            state: fact.state,
            amount: fact.amount.map(contract::Money::from),
            quantity: fact.quantity,
            reference: fact.reference,
        }
    }
}

pub(super) async fn list(
    db: &Db,
    books: Option<&dyn Books>,
    request: &pb::ListFactsRequest,
) -> Result<pb::ListFactsResponse, Status> {
    let books = books
        .filter(|books| books.kinds().contains(&request.kind.as_str()))
        .ok_or_else(|| status::invalid("kind", "is not a kind of fact that this service keeps"))?;
    let page = Page::of(request.page_size, &request.page_token, &format!("facts {}", request.kind))?;
    let after = page.after.as_ref().and_then(|keys| keys.first()).map_or("", String::as_str);
    let facts = books.facts(db, &request.kind, after, page.size + 1).await.map_err(Error::from)?;
    let (facts, next_page_token) = page.cut(facts, |fact| vec![fact.subject.clone()]);
    Ok(pb::ListFactsResponse { facts: facts.into_iter().map(pb::Fact::from).collect(), next_page_token })
}
