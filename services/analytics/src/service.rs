//! What analytics does: each function is one use case, within the transaction of whoever calls it.
use chassis::outbox;
use chassis::time::Timestamp;
use contract::analytics::v1 as pb;
use sea_orm::DatabaseTransaction;

use crate::domain::behaviour::Kind;
use crate::domain::{Adjustment, Behaviour, Sale};
use crate::error::Error;
use crate::store;

/// Takes sales in, each once.
pub(crate) async fn sold(tx: &DatabaseTransaction, sales: &[Sale]) -> Result<(), Error> {
    let new = store::sale::insert(tx, sales).await?;
    Ok(store::sale::settle(tx, &new).await?)
}

/// A sale is another customer's. Of an order that came to nothing before it was a sale there is none.
pub(crate) async fn claimed(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), Error> {
    Ok(store::sale::give(tx, order, customer).await?)
}

/// Takes in, each once, what was given back of sales.
pub(crate) async fn given_back(tx: &DatabaseTransaction, adjustments: &[Adjustment]) -> Result<(), Error> {
    let changed = store::sale::insert_adjustments(tx, adjustments).await?;
    Ok(store::sale::settle(tx, &changed).await?)
}

/// Takes in what a visitor did, and tells the rest of the platform. Of those who asked to be forgotten nothing is kept.
pub(crate) async fn record(
    tx: &DatabaseTransaction,
    visitor: &str,
    behaviours: &[Behaviour],
) -> Result<(), Error> {
    if visitor.starts_with("users/") && store::person::is_erased(tx, visitor).await? {
        return Ok(());
    }
    store::behaviour::insert(tx, visitor, behaviours).await?;
    let event = |behaviour: &Behaviour| pb::BehaviourRecorded {
        visitor: visitor.into(),
        kind: wire_kind(behaviour.kind).into(),
        product: behaviour.product.clone(),
    };
    let events: Vec<_> = behaviours.iter().map(event).collect();
    outbox::append_many(tx, events.iter().map(|event| (visitor, event)).collect()).await?;
    Ok(())
}

/// Forgets a user.
pub(crate) async fn erase(tx: &DatabaseTransaction, user: &str) -> Result<(), Error> {
    Ok(store::person::erase(tx, user, Timestamp::now()).await?)
}

const fn wire_kind(kind: Kind) -> pb::behaviour::Kind {
    match kind {
        Kind::ViewProduct => pb::behaviour::Kind::ViewProduct,
        Kind::Search => pb::behaviour::Kind::Search,
        Kind::AddToCart => pb::behaviour::Kind::AddToCart,
        Kind::BeginCheckout => pb::behaviour::Kind::BeginCheckout,
    }
}
