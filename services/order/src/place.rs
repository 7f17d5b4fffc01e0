//! Placing an order: priced here, accepted in one transaction, then carried out while the caller waits.

use std::time::Duration;

use chassis::caller::Caller;
use chassis::id::Id;
use chassis::money::Money;
use chassis::once::{self, Claim, Key};
use chassis::saga::Started;
use chassis::time::Timestamp;
use chassis::{deadline, failpoint, status};
use contract::order::v1 as pb;
use sea_orm::DbErr;
use tonic::Status;

use crate::Service;
use crate::checkout::{Checkout, Coupon, State};
use crate::domain::{Address, Goods, Order, Placed};
use crate::error::Error;
use crate::quote::{self, Offer, Purpose, Wish};
use crate::store::{self, Owner};

/// Held stock outlives the checkout by this much: the sale is committed by an event, and a broker may be away for hours.
const STOCK_HELD_AFTER: Duration = Duration::from_secs(24 * 3600);
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

/// What became of the request.
enum Accepted {
    Now(Box<Started<Checkout>>, Id<Order>),
    Before(Box<pb::Order>),
}

/// Places an order once per key, and answers with what became of it: confirmed, cancelled, or still placed.
pub(crate) async fn place(
    service: &Service,
    caller: &Caller,
    key: Key,
    command: Command,
) -> Result<pb::Order, Status> {
    let customer = caller.subject()?;
    let priced = price(service, caller, customer, &command).await;
    let accepted = match priced {
        Ok(offer) => accept(service, customer, &key, command, offer).await?,
        // A repeat finds its cart closed or its prices changed: its first answer counts, not today's refusal.
        Err(refusal) => match answered(service, &key).await? {
            Some(before) => Accepted::Before(Box::new(before)),
            None => return Err(refusal.into()),
        },
    };
    match accepted {
        Accepted::Before(order) => service.dress(*order).await,
        Accepted::Now(started, id) => {
            let patience = deadline::remaining().map_or(PATIENCE, |left| left.saturating_sub(ANSWERING));
            match tokio::time::timeout(patience, service.runner.drive(*started)).await {
                Ok(Ok(_outcome)) => {}
                // The saga's row is there: it is resumed, whatever failed here.
                Ok(Err(error)) => {
                    tracing::warn!(order.id = %id, error = status::chain(&error), "a checkout was interrupted")
                }
                Err(_) => tracing::info!(order.id = %id, "a checkout takes longer than its caller waits"),
            }
            service.read(Owner::Anyone, id).await
        }
    }
}

async fn price(
    service: &Service,
    caller: &Caller,
    customer: &str,
    command: &Command,
) -> Result<Offer, Error> {
    let (peers, config) = (&service.peers, &service.config);
    let offer = quote::price(peers, config, caller, customer, command.wish.clone(), Purpose::Order).await?;
    if let Some(amounts) = &offer.amounts {
        let (total, expected) = (amounts.total, command.expected_total);
        if total.currency != expected.currency || total.minor > expected.minor {
            return Err(Error::PriceChanged { total });
        }
    }
    Ok(offer)
}

/// Claim, accepted order and saga commit together: from here on the order ends one way or the other.
async fn accept(
    service: &Service,
    customer: &str,
    key: &Key,
    command: Command,
    offer: Offer,
) -> Result<Accepted, Error> {
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
    let accepted = service
        .db
        .write(async |tx| {
            if let Claim::Done(before) = once::claim(tx, key).await? {
                return Ok(Accepted::Before(Box::new(before)));
            }
            let order = store::create(tx, id, placed, &command.address, CUSTOMER).await?;
            let started = service.runner.start(tx, id.uuid(), &order.id.name(), &state, lasts).await?;
            failpoint::at("accepting", &[]).await.map_err(DbErr::from)?;
            Ok::<_, Error>(Accepted::Now(Box::new(started), id))
        })
        .await?;
    failpoint::at("accepted", &[]).await.map_err(DbErr::from)?;
    Ok(accepted)
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

/// What to hold of each SKU.
fn stocked(goods: &Goods) -> Vec<(String, i64)> {
    let lines = goods.lines.iter().filter(|line| line.stocked);
    lines.map(|line| (line.sku.clone(), line.quantity)).collect()
}

/// How a customer is called in the history of their own order.
pub(crate) const CUSTOMER: &str = "customers";
