//! Accepting orders: the claim of the request, the order and its checkout in one transaction, and whoever asks at the same
//! time in the same one.

use std::time::Duration;

use chassis::db::Db;
use chassis::failpoint;
use chassis::id::Id;
use chassis::once::{self, Claim, Key};
use chassis::saga::{Begin, Runner, Started};
use chassis::time::Timestamp;
use chassis::together::{Served, Wish};
use contract::order::v1 as pb;
use sea_orm::DbErr;

use crate::Service;
use crate::checkout::{AtHand, Checkout, Coupon, State};
use crate::domain::{Address, Goods, Order, Placed};
use crate::error::Error;
use crate::place::{CUSTOMER, Command};
use crate::quote::Offer;
use crate::store;

/// Held stock outlives the checkout by this much: the sale is committed by an event, and a broker may be away for hours.
const STOCK_HELD_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What became of the request.
pub(crate) enum Accepted {
    Now(Box<Started<Checkout>>),
    Before(Box<pb::Order>),
}

/// An order to accept. Whoever asks at the same time is accepted in one transaction.
#[derive(Clone)]
pub(crate) struct Accepting {
    about: String,
    key: Key,
    order: store::Accepted,
    state: State,
    lasts: Duration,
}

impl Accepting {
    /// The order's id, where it goes, and where it is at hand once it is accepted.
    pub(crate) fn known(&self) -> (Id<Order>, Address, AtHand) {
        (self.order.id, self.order.address.clone(), self.state.at_hand.clone())
    }
}

impl Wish for Accepting {
    type Answer = Accepted;

    /// The request: a repeat finds its first answer, and so comes after it.
    fn about(&self) -> &str {
        &self.about
    }

    fn size(&self) -> usize {
        self.order.placed.lines.len()
    }
}

/// What a command at this price comes to.
pub(crate) fn accepting(
    service: &Service,
    customer: &str,
    key: &Key,
    command: Command,
    offer: Offer,
) -> Result<Accepting, Error> {
    let (Some(goods), Some(amounts)) = (offer.goods, offer.amounts) else {
        return Err(Error::PeerWrong { noun: "catalog", what: "a price" });
    };
    let id = Id::<Order>::new();
    let lasts = Duration::from_secs(service.config.checkout_seconds);
    let coupon =
        Coupon { code: offer.coupon_code.clone(), discount: goods.discount, subtotal: goods.subtotal };
    let expire_time = Timestamp::now().plus(lasts);
    let state = State {
        order: id,
        customer: customer.to_owned(),
        coupon: (!coupon.code.is_empty()).then_some(coupon),
        stock: stocked(&goods),
        stock_expire_time: expire_time.plus(STOCK_HELD_AFTER).micros(),
        total: amounts.total,
        channel: command.payment.channel,
        token: command.payment.token,
        payment: None,
        request: key.clone(),
        at_hand: AtHand::default(),
    };
    let placed = Placed {
        customer: customer.to_owned(),
        cart: offer.cart,
        lines: goods.lines,
        amounts,
        coupon_code: offer.coupon_code,
        shipping_rate: offer.shipping_rate,
        country: command.address.country_code.clone(),
        expire_time,
    };
    let order = store::Accepted { id, placed, address: command.address };
    Ok(Accepting { about: key.to_string(), key: key.clone(), order, state, lasts })
}

/// Claim, accepted order and saga commit together: from here on the order ends one way or the other.
pub(crate) async fn accept(db: &Db, runner: &Runner<Checkout>, asked: Vec<Accepting>) -> Served<Accepting> {
    let accepted = db.write(async |tx| {
        let keys: Vec<&Key> = asked.iter().map(|accepting| &accepting.key).collect();
        let claims = once::claim_all(tx, &keys).await?;
        let new = asked.iter().zip(&claims).filter(|(_, claim)| matches!(claim, Ok(Claim::New)));
        let new: Vec<&Accepting> = new.map(|(accepting, _)| accepting).collect();
        let orders =
            store::create(tx, new.iter().map(|accepting| accepting.order.clone()).collect(), CUSTOMER)
                .await?;
        let begin = |(accepting, order): (&&Accepting, Order)| {
            let subject = order.id.name();
            accepting.state.at_hand.put(order);
            let (id, state) = (accepting.order.id.uuid(), accepting.state.clone());
            Begin { id, subject, state, deadline: accepting.lasts }
        };
        let mut started =
            runner.start_all(tx, new.iter().zip(orders).map(begin).collect()).await?.into_iter();
        failpoint::at("accepting", &[]).await.map_err(DbErr::from)?;
        let answer = |claim: Result<Claim<pb::Order>, once::Error>| match claim {
            Ok(Claim::Done(before)) => Ok(Accepted::Before(Box::new(before))),
            Ok(Claim::New) => match started.next() {
                Some(started) => Ok(Accepted::Now(Box::new(started))),
                None => Err(Error::from(DbErr::RecordNotInserted).into()),
            },
            Err(refusal) => Err(refusal.into()),
        };
        Ok::<_, Error>(claims.into_iter().map(answer).collect())
    });
    Ok(accepted.await?)
}

/// What to hold of each SKU.
fn stocked(goods: &Goods) -> Vec<(String, i64)> {
    let lines = goods.lines.iter().filter(|line| line.stocked);
    lines.map(|line| (line.sku.clone(), line.quantity)).collect()
}
