//! Money that nobody wants: held or kept for an order that does not exist, or is cancelled, it is given back.
//!
//! The checkout gives up what it no longer needs, and events tell of cancellations. Should both fail, order is asked some
//! time after a payment was asked for, and as long as the order is not decided.

use std::time::Duration;

use chassis::client::Channel;
use chassis::db::{self, Db};
use chassis::id::Id;
use chassis::status;
use chassis::time::Timestamp;
use contract::order::v1 as order;
use contract::order::v1::order::State as OrderState;
use contract::order::v1::order_service_client::OrderServiceClient;
use tonic::{Code, Status};

use crate::domain::{Payment, State};
use crate::error::Error;
use crate::service;
use crate::store::payments;

/// How often it is looked for what is due.
const EVERY: Duration = Duration::from_secs(10);
const BATCH: i64 = 50;

/// Asks order about payments.
pub(crate) struct Orphans {
    db: Db,
    orders: OrderServiceClient<Channel>,
    /// How long an order that is not decided is left in peace.
    after: Duration,
}

/// What becomes of a payment, given its order.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is rightly there.
    Keep,
    /// The order is not decided.
    Later,
    /// Nobody wants it, for this reason.
    GiveBack(&'static str),
}

impl Orphans {
    pub(crate) fn new(db: &Db, orders: Channel, after: Duration) -> Orphans {
        Orphans { db: db.clone(), orders: OrderServiceClient::new(orders), after }
    }

    /// Asks until it is told to stop.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(error = %status::chain(&error), "orphaned payments cannot be looked for");
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(EVERY.min(self.after)) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), Error> {
        for (id, order) in payments::unchecked(self.db.writer(), Timestamp::now(), BATCH).await? {
            let state = match self.state_of(&order).await {
                Err(status) if is_away(&status) => {
                    // Without order nothing can be said about any of them.
                    tracing::warn!(%status, order.id = order, "order does not say which payments are wanted");
                    break;
                }
                state => state,
            };
            let judged = match state {
                Ok(state) => self.judge(id, state).await,
                Err(status) => Err(status.into()),
            };
            match judged {
                Ok(()) => {}
                Err(error) if db::is_outage(&error) => return Err(error),
                Err(error) => {
                    // Those after it need not wait for it.
                    let error = status::chain(&error);
                    tracing::warn!(error, payment.id = %id, order.id = order, "it cannot be said whether a payment is wanted");
                    self.check_later(id).await?;
                }
            }
        }
        Ok(())
    }

    async fn check_later(&self, id: Id<Payment>) -> Result<(), Error> {
        let later = Timestamp::now().plus(self.after);
        self.db.write(async |tx| Ok(payments::check_later(tx, id, Some(later)).await?)).await
    }

    /// The state of an order; nothing where there is no such order.
    async fn state_of(&self, order: &str) -> Result<Option<OrderState>, Status> {
        let request = order::GetOrderRequest { name: order.to_owned(), ..Default::default() };
        match self.orders.clone().get_order(request).await {
            Ok(order) => Ok(Some(order.into_inner().state())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Carries a verdict out. Two replicas may do it at once: again changes nothing.
    async fn judge(&self, id: Id<Payment>, order: Option<OrderState>) -> Result<(), Error> {
        let later = Timestamp::now().plus(self.after);
        self.db
            .write(async |tx| {
                let Some(payment) = payments::load(tx, id).await? else { return Ok(()) };
                let again = match verdict(&payment, order) {
                    Verdict::Keep => None,
                    Verdict::Later => Some(later),
                    Verdict::GiveBack(why) => {
                        tracing::warn!(payment.id = %id, order.id = payment.order, why, "money is given back");
                        service::cancel(tx, &payment, why).await?;
                        None
                    }
                };
                Ok(payments::check_later(tx, id, again).await?)
            })
            .await
    }
}

/// Whether order answers nobody: an order in a form that an older release does not know is unavailable by itself.
fn is_away(status: &Status) -> bool {
    status::is_away(status) && status::reason(status).as_deref() != Some("ORDER_FORM_UNKNOWN")
}

fn verdict(payment: &Payment, order: Option<OrderState>) -> Verdict {
    let is_held = match payment.state {
        State::Voided | State::Declined | State::Refunded => return Verdict::Keep,
        State::Pending | State::Unknown | State::Authorized => true,
        State::Captured | State::PartiallyRefunded => false,
    };
    match order {
        None => Verdict::GiveBack("there is no such order"),
        Some(OrderState::Cancelled) => Verdict::GiveBack(service::CANCELLED),
        Some(OrderState::Placed | OrderState::Unspecified) => Verdict::Later,
        // Its money will be taken: the event that says so may be on its way.
        Some(OrderState::Confirmed) if is_held => Verdict::Later,
        Some(OrderState::Confirmed | OrderState::Shipped | OrderState::Delivered | OrderState::Returned) => {
            Verdict::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::money::Money;

    use super::*;

    #[test]
    fn only_what_nobody_wants_is_given_back() {
        let amount = Money::parse("10", "GBP".parse().expect("a currency")).expect("an amount");
        let payment = Payment::intended("orders/1", "users/1", "sandbox", amount, Timestamp::from_micros(0));
        let (gone, cancelled) =
            (Verdict::GiveBack("there is no such order"), Verdict::GiveBack(service::CANCELLED));
        for (state, order, expected) in [
            (State::Authorized, None, gone),
            (State::Captured, Some(OrderState::Cancelled), cancelled),
            (State::Unknown, Some(OrderState::Placed), Verdict::Later),
            (State::Authorized, Some(OrderState::Confirmed), Verdict::Later),
            (State::Captured, Some(OrderState::Confirmed), Verdict::Keep),
            (State::Refunded, Some(OrderState::Cancelled), Verdict::Keep),
            (State::Voided, None, Verdict::Keep),
        ] {
            assert_eq!(
                verdict(&Payment { state, ..payment.clone() }, order),
                expected,
                "{state:?} {order:?}"
            );
        }
    }
}
