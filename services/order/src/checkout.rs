//! The checkout: coupon, stock and payment are secured, then the order is confirmed; or everything is given back.
//!
//! Accepting the order is not a step: it is the transaction that starts the saga.

mod confirm;

use std::sync::{Arc, Mutex, PoisonError};

use chassis::db::Db;
use chassis::id::Id;
use chassis::money::Money;
use chassis::once::{self, Key};
use chassis::saga::{self, Failure, Outcome, Refusal, Runner, Saga, Ticket};
use chassis::together::Together;
use contract::order::v1 as pb;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};

use confirm::Confirming;

use crate::domain::{Order, Refused};
use crate::error::{DOMAIN, Error};
use crate::peers::Peers;
use crate::store::{self, Owner};

/// Who carries an order out, in its history.
const ACTOR: &str = "order";

/// The reason of a cancellation because payment, or whoever else, took too long.
const EXPIRED: &str = "ORDER_EXPIRED";

/// The steps, in order. Confirming is the pivot; the rest is done by events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    RedeemCoupon,
    ReserveStock,
    AuthorizePayment,
    Confirm,
}

/// What the steps need, and what they leave for later ones.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct State {
    pub(crate) order: Id<Order>,
    pub(crate) customer: String,
    pub(crate) coupon: Option<Coupon>,
    /// What to hold, by SKU; nothing where no line is stocked.
    pub(crate) stock: Vec<(String, i64)>,
    /// When held stock gives itself back, in microseconds: long after the checkout has, one way or the other.
    pub(crate) stock_expire_time: i64,
    pub(crate) total: Money,
    pub(crate) channel: String,
    /// Forgotten as soon as the payment is secured or given up.
    pub(crate) token: String,
    pub(crate) payment: Option<String>,
    /// The request that waits for the end.
    pub(crate) request: Key,
    #[serde(skip)]
    pub(crate) at_hand: AtHand,
}

/// The order as this process has just written it; nothing where another may have. What is written next is checked by its
/// version, so that it may be out of date.
#[derive(Clone, Default)]
pub(crate) struct AtHand(Arc<Mutex<Option<Order>>>);

impl AtHand {
    pub(crate) fn put(&self, order: Order) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }

    pub(crate) fn take(&self) -> Option<Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A coupon to use.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Coupon {
    pub(crate) code: String,
    pub(crate) discount: Money,
    pub(crate) subtotal: Money,
}

/// One order being carried out.
pub(crate) struct Checkout {
    db: Db,
    peers: Peers,
    confirming: Together<Confirming>,
    ticket: Ticket,
    state: State,
    tried: Option<Step>,
}

impl Saga for Checkout {
    const KIND: &'static str = "checkout";
    type Step = Step;
    const STEPS: &'static [Step] =
        &[Step::RedeemCoupon, Step::ReserveStock, Step::AuthorizePayment, Step::Confirm];
    const PIVOT: Step = Step::Confirm;
    const PIVOT_IS_LOCAL: bool = true;
    type State = State;

    fn needs(&self, step: Step) -> bool {
        match step {
            Step::RedeemCoupon => self.state.coupon.is_some(),
            Step::ReserveStock => !self.state.stock.is_empty(),
            Step::AuthorizePayment => self.state.total.minor > 0,
            Step::Confirm => true,
        }
    }

    async fn run(&mut self, step: Step) -> Result<(), Failure> {
        if self.tried.replace(step) == Some(step) {
            self.still_wanted().await?;
        }
        match step {
            Step::RedeemCoupon => self.redeem_coupon().await,
            Step::ReserveStock => self.reserve_stock().await,
            Step::AuthorizePayment => self.authorize_payment().await,
            Step::Confirm => self.confirm().await, // the pivot
        }
    }

    async fn compensate(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::RedeemCoupon => self.release_coupon().await,
            Step::ReserveStock => self.release_stock().await,
            Step::AuthorizePayment => self.void_payment().await,
            Step::Confirm => Ok(()), // never undone here: CancelOrder does that
        }
    }

    fn state(&self) -> State {
        self.state.clone()
    }

    /// Everything is given back: the order is cancelled, and whoever placed it is answered.
    async fn end(&mut self, tx: &DatabaseTransaction, outcome: &Outcome) -> Result<(), DbErr> {
        let Outcome::Compensated(refusal) = outcome else { return Ok(()) };
        let reason = match refusal.reason.as_str() {
            "" => "REFUSED",
            saga::DEADLINE_PASSED => EXPIRED,
            reason => reason,
        };
        self.cancel(tx, reason).await.map_err(Error::into_database)
    }
}

impl Checkout {
    fn new(
        db: &Db,
        peers: &Peers,
        confirming: &Together<Confirming>,
        ticket: Ticket,
        state: State,
    ) -> Checkout {
        let (db, peers, confirming) = (db.clone(), peers.clone(), confirming.clone());
        Checkout { db, peers, confirming, ticket, state, tried: None }
    }

    async fn redeem_coupon(&mut self) -> Result<(), Failure> {
        Ok(self.peers.redeem_coupon(&self.state, self.ticket.request_id(Step::RedeemCoupon)).await?)
    }

    async fn release_coupon(&mut self) -> Result<(), Failure> {
        Ok(self.peers.release_coupon(&self.state, self.ticket.undo_id(Step::RedeemCoupon)).await?)
    }

    async fn reserve_stock(&mut self) -> Result<(), Failure> {
        Ok(self.peers.reserve_stock(&self.state, self.ticket.request_id(Step::ReserveStock)).await?)
    }

    async fn release_stock(&mut self) -> Result<(), Failure> {
        Ok(self.peers.release_stock(&self.state).await?)
    }

    async fn authorize_payment(&mut self) -> Result<(), Failure> {
        // A payment that is known was secured, and its token is forgotten.
        if self.state.payment.is_none() {
            let request_id = self.ticket.request_id(Step::AuthorizePayment);
            let payment = self.peers.authorize_payment(&self.state, request_id).await;
            self.state.payment = Some(payment.map_err(waiting)?);
        }
        self.state.token.clear();
        Ok(())
    }

    async fn void_payment(&mut self) -> Result<(), Failure> {
        match self.peers.void_payment(&self.state, self.ticket.undo_id(Step::AuthorizePayment)).await {
            // It is decided there, and carried out whatever the channel says, and whenever: nobody need wait for that.
            Err(status) if under_way(&status) => {}
            answer => answer?,
        }
        self.state.token.clear();
        Ok(())
    }

    /// The order is confirmed, the saga has ended, and the request is answered: one transaction, together with whoever
    /// confirms at the same time.
    async fn confirm(&mut self) -> Result<(), Failure> {
        let order = match self.state.at_hand.take() {
            Some(order) => order,
            None => self.load(self.db.writer()).await?,
        };
        let confirmed = order.confirm(self.state.payment.clone()).map_err(Error::from)?;
        let (ticket, request) = (self.ticket.clone(), self.state.request.clone());
        let order = self.confirming.ask(Confirming::new(order, confirmed, ticket, request)).await?;
        self.state.at_hand.put(order);
        Ok(())
    }

    async fn cancel(&self, tx: &DatabaseTransaction, reason: &str) -> Result<(), Error> {
        let order = self.load(tx).await?;
        let order = match order.abandon(reason)? {
            Some(cancelled) => store::append(tx, &order, cancelled, ACTOR).await?,
            None => order,
        };
        Ok(once::settle(tx, &self.state.request, &pb::Order::from(&order)).await?)
    }

    /// Somebody may have asked to cancel while a step could not be carried out: then it is not tried again.
    async fn still_wanted(&self) -> Result<(), Failure> {
        match store::load(self.db.writer(), Owner::Anyone, self.state.order).await? {
            Some(order) => Ok(order.still_wanted().map_err(Error::from)?),
            None => Ok(()),
        }
    }

    async fn load(&self, on: &impl ConnectionTrait) -> Result<Order, Error> {
        let id = self.state.order;
        store::load(on, Owner::Anyone, id).await?.ok_or_else(|| Error::NotFound(id.name()))
    }
}

/// Drives checkouts on this database.
pub(crate) fn runner(db: &Db, peers: &Peers, patience: saga::Settings) -> Runner<Checkout> {
    Runner::new(db, "order", patience, factory(db, peers))
}

/// Builds checkouts that share how they are confirmed.
fn factory(db: &Db, peers: &Peers) -> impl Fn(Ticket, State) -> Checkout + Send + Sync + use<> {
    let (db, peers) = (db.clone(), peers.clone());
    let confirming = Together::new({
        let db = db.clone();
        move |asked| {
            let db = db.clone();
            async move { confirm::confirm(&db, asked).await }
        }
    });
    move |ticket, state| Checkout::new(&db, &peers, &confirming, ticket, state)
}

/// Payment has taken it up and does not know yet how it ends: a channel that was silent is asked, or a customer has to
/// say something there. That takes as long as the order has.
fn waiting(status: Status) -> Failure {
    if under_way(&status) { Failure::Pending(status.message().to_owned()) } else { status.into() }
}

fn under_way(status: &Status) -> bool {
    let reason = chassis::status::reason(status);
    matches!(reason.as_deref(), Some("PAYMENT_UNKNOWN" | "PAYMENT_UNDERWAY" | "PAYMENT_BUSY"))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if let Error::Refused(Refused::CancellationRequested { reason }) = &error {
            // The order is cancelled with the reason it was asked to be.
            return Refusal::new(Code::Aborted, reason, DOMAIN, error.to_string()).into();
        }
        if let Error::Database(error) = error {
            return error.into();
        }
        // A version conflict is ABORTED, which is tried again.
        Status::from(error).into()
    }
}

#[cfg(test)]
mod tests;
