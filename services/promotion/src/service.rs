//! The use cases: what is decided about coupons and their uses, in one transaction each.

use chassis::id::Id;
use chassis::money::Money;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::promotion::v1 as pb;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::domain::{Code, Coupon, Discount, Draft, Redemption, RedemptionState, Refusal, Usage};
use crate::error::Error;
use crate::store::redemptions::Known;
use crate::store::{bought, coupons, redemptions};

/// The products of one order that are counted: an order of everything says little, and would cost much.
const PRODUCTS_MAX: usize = 10;

/// Makes a coupon.
pub(crate) async fn create(tx: &DatabaseTransaction, code: Code, terms: Draft) -> Result<Coupon, Error> {
    terms.check()?;
    let now = Timestamp::now();
    let coupon = Coupon {
        id: Id::new(),
        code,
        terms,
        redemption_count: 0,
        discount_total: 0,
        version: 1,
        create_time: now,
        update_time: now,
    };
    if coupons::insert(tx, &coupon).await? { Ok(coupon) } else { Err(Error::CodeTaken) }
}

/// Changes a coupon's terms: `change` is told what they are. An etag must be the coupon's own; an empty one is any.
pub(crate) async fn update<F>(
    tx: &DatabaseTransaction,
    id: Id<Coupon>,
    etag: &str,
    change: F,
) -> Result<Coupon, Error>
where
    F: FnOnce(&Draft) -> Draft,
{
    let coupon = coupons::find(tx, id).await?.ok_or(Error::CouponNotFound)?;
    if !etag.is_empty() && etag != coupon.etag() {
        return Err(Error::Stale);
    }
    let changed = Coupon { terms: change(&coupon.terms), ..coupon };
    changed.terms.check()?;
    if coupons::save(tx, &changed, Timestamp::now()).await? {
        if !coupons::sum_up(tx, id).await? {
            return Err(Error::BudgetBelowTotal);
        }
        return coupons::find(tx, id).await?.ok_or(Error::CouponNotFound);
    }
    let now_is = coupons::find(tx, id).await?.ok_or(Error::CouponNotFound)?;
    Err(if now_is.version == changed.version { Error::LimitBelowCount } else { Error::Stale })
}

/// Withdraws a coupon for good. Again changes nothing.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: Id<Coupon>) -> Result<(), Error> {
    if coupons::delete(tx, id, Timestamp::now()).await? { Ok(()) } else { Err(Error::CouponNotFound) }
}

/// What a coupon would take off these lines.
pub(crate) async fn evaluate(
    on: &impl ConnectionTrait,
    code: &Code,
    customer: Option<&str>,
    lines: &[Money],
    subtotal: Money,
) -> Result<(Coupon, Discount), Error> {
    let coupon = coupons::by_code(on, code).await?.ok_or(Error::CouponNotFound)?;
    let by_customer = match customer {
        Some(customer) => coupons::used_by(on, coupon.id, customer).await?,
        None => 0,
    };
    let discount = coupon.evaluate(lines, subtotal, Usage { now: Timestamp::now(), by_customer })?;
    Ok((coupon, discount))
}

/// The use of a coupon that an order asks for.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) code: Code,
    /// The code as the order spells it.
    pub(crate) spelled: String,
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) discount: Money,
    pub(crate) subtotal: Money,
}

/// Uses a coupon for an order. The counting statements keep the limits, whoever comes at once.
pub(crate) async fn redeem(tx: &DatabaseTransaction, asked: Use) -> Result<Redemption, Error> {
    let coupon = coupons::by_code(tx, &asked.code).await?.ok_or(Error::CouponNotFound)?;
    let now = Timestamp::now();
    let redemption = Redemption {
        id: Redemption::id_of(&asked.order),
        coupon: coupon.id,
        code: asked.spelled,
        order: asked.order,
        customer: asked.customer,
        discount: asked.discount,
        state: RedemptionState::Redeemed,
        create_time: now,
    };
    if !redemptions::insert(tx, &redemption).await? {
        return Err(known(redemptions::of_order(tx, &redemption.order).await?));
    }
    let by_customer = coupons::used_by(tx, coupon.id, &redemption.customer).await?;
    coupon.applies(asked.subtotal, Usage { now, by_customer })?;
    let discount = coupon.discount(asked.subtotal).map_err(|error| Error::Amount("subtotal", error))?;
    if discount != redemption.discount {
        return Err(Refusal::Changed(discount).into());
    }
    coupon.affords(discount)?;
    if !coupons::count_up(tx, coupon.id, discount).await? {
        return Err(Refusal::Exhausted.into());
    }
    if !coupons::count_up_for(tx, coupon.id, &redemption.customer).await? {
        return Err(Refusal::UsedUpByCustomer.into());
    }
    let event = pb::CouponRedeemed {
        coupon: coupon.id.name(),
        order: redemption.order.clone(),
        customer: redemption.customer.clone(),
        discount: Some(redemption.discount.into()),
    };
    outbox::append(tx, &coupon.id.name(), &event).await?;
    Ok(redemption)
}

/// Why an order that is known already cannot use a coupon.
fn known(known: Option<Known>) -> Error {
    match known {
        Some(Known::Used(redemption)) if redemption.state == RedemptionState::Redeemed => {
            Error::AlreadyRedeemed
        }
        Some(Known::Used(_) | Known::GivenUp) | None => Error::Released,
    }
}

/// Speaks for an order that gives up. From then on it can use no coupon; whether it used one is the answer.
pub(crate) async fn forestall(tx: &DatabaseTransaction, order: &str) -> Result<bool, Error> {
    redemptions::give_up(tx, order, Timestamp::now()).await?;
    Ok(matches!(redemptions::of_order(tx, order).await?, Some(Known::Used(_))))
}

/// Gives an order's use back. Again changes nothing.
pub(crate) async fn release(tx: &DatabaseTransaction, order: &str) -> Result<Redemption, Error> {
    let Some(Known::Used(redemption)) = redemptions::of_order(tx, order).await? else {
        return Err(Error::RedemptionNotFound);
    };
    let released = Redemption { state: RedemptionState::Released, ..redemption };
    if !redemptions::release(tx, released.id, Timestamp::now()).await? {
        return Ok(released);
    }
    coupons::count_down(tx, released.coupon, &released.customer, released.discount).await?;
    let event = pb::CouponReleased { coupon: released.coupon.name(), order: order.to_owned() };
    outbox::append(tx, &released.coupon.name(), &event).await?;
    Ok(released)
}

/// Counts what orders bought together.
pub(crate) async fn bought(tx: &DatabaseTransaction, mut orders: Vec<Vec<&str>>) -> Result<(), Error> {
    for products in &mut orders {
        products.sort_unstable();
        products.dedup();
        products.truncate(PRODUCTS_MAX);
    }
    Ok(bought::count(tx, &orders).await?)
}

/// Products to recommend: those bought together with one, then those bought most. Never the one looked at.
pub(crate) async fn recommend(
    on: &impl ConnectionTrait,
    product: &str,
    most: u64,
) -> Result<Vec<String>, Error> {
    let mut ideas = if product.is_empty() { Vec::new() } else { bought::with(on, product, most).await? };
    let wanted = usize::try_from(most).unwrap_or(usize::MAX);
    if ideas.len() < wanted {
        // As many more as could be among the ideas already, and the one looked at.
        for best in bought::most(on, most + most + 1).await? {
            if ideas.len() < wanted && best != product && !ideas.contains(&best) {
                ideas.push(best);
            }
        }
    }
    Ok(ideas)
}
