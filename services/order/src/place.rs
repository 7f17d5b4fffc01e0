//! Placing an order: priced here, accepted in one transaction, then carried out while the caller waits.

use std::time::Duration;

use chassis::caller::Caller;
use chassis::money::Money;
use chassis::once::{self, Claim, Key};
use chassis::saga::Outcome;
use chassis::{deadline, failpoint, status};
use contract::order::v1 as pb;
use sea_orm::DbErr;
use tonic::Status;

use crate::Service;
use crate::accept::{Accepted, accepting};
use crate::domain::Address;
use crate::error::Error;
use crate::quote::{self, Offer, Purpose, Wish};
use crate::store::Owner;

/// How long a caller without a deadline waits for the end, and what is left of a deadline to answer in.
const PATIENCE: Duration = Duration::from_secs(9);
const ANSWERING: Duration = Duration::from_millis(500);

/// What the caller asks for.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) wish: Wish,
    pub(crate) address: Address,
    pub(crate) payment: PaymentMethod,
    pub(crate) expected_total: Money,
}

/// How the order is paid.
pub(crate) struct PaymentMethod {
    pub(crate) channel: String,
    pub(crate) token: String,
}

/// Shows no token: it never gets into a log.
impl std::fmt::Debug for PaymentMethod {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PaymentMethod({})", self.channel)
    }
}

/// Places an order once per key, and answers with what became of it: confirmed, cancelled, or still placed.
pub(crate) async fn place(
    service: &Service,
    caller: &Caller,
    key: Key,
    command: Command,
) -> Result<pb::Order, Status> {
    let customer = caller.subject()?;
    let accepting = match price(service, caller, customer, &command).await {
        Ok(offer) => accepting(service, customer, &key, command, offer)?,
        // A repeat finds its cart closed or its prices changed: its first answer counts, not today's refusal.
        Err(refusal) => match answered(service, &key).await? {
            Some(before) => return service.dress(before).await,
            None => return Err(refusal.into()),
        },
    };
    let (id, address, at_hand) = accepting.known();
    let started = match service.accepting.ask(accepting).await? {
        Accepted::Before(order) => return service.dress(*order).await,
        Accepted::Now(started) => *started,
    };
    failpoint::at("accepted", &[]).await.map_err(DbErr::from).map_err(Error::from)?;
    let patience = deadline::remaining().map_or(PATIENCE, |left| left.saturating_sub(ANSWERING));
    match tokio::time::timeout(patience, service.runner.drive(started)).await {
        // What was confirmed just now need not be read again; nobody has written anything about it yet.
        Ok(Ok(Outcome::Completed)) if let Some(order) = at_hand.take() => {
            return Ok(service.tell(&order, address));
        }
        Ok(Ok(_outcome)) => {}
        // The saga's row is there: it is resumed, whatever failed here.
        Ok(Err(error)) => {
            tracing::warn!(order.id = %id, error = status::chain(&error), "a checkout was interrupted")
        }
        Err(_) => tracing::info!(order.id = %id, "a checkout takes longer than its caller waits"),
    }
    service.read(Owner::Anyone, id).await
}

async fn price(
    service: &Service,
    caller: &Caller,
    customer: &str,
    command: &Command,
) -> Result<Offer, Error> {
    let offer = quote::price(service, caller, customer, command.wish.clone(), Purpose::Order).await?;
    if let Some(amounts) = &offer.amounts {
        let (total, expected) = (amounts.total, command.expected_total);
        if total.currency != expected.currency || total.minor > expected.minor {
            return Err(Error::PriceChanged { total });
        }
    }
    Ok(offer)
}

/// Whether the key was used before: its answer, or why there is none. Nothing is claimed.
async fn answered(service: &Service, key: &Key) -> Result<Option<pb::Order>, Error> {
    let claimed = service.db.write(async |tx| match once::claim(tx, key).await? {
        Claim::Done(before) => Ok(Some(before)),
        Claim::New => {
            once::forget(tx, key).await?;
            Ok(None)
        }
    });
    claimed.await
}

/// How a customer is called in the history of their own order.
pub(crate) const CUSTOMER: &str = "customers";
