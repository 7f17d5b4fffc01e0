//! The use cases: what shoppers do with their carts, and what becomes of the carts.

use std::collections::BTreeMap;

use chassis::id::Id;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::cart::v1 as pb;
use sea_orm::{DatabaseTransaction, DbErr};

use crate::domain::{Cart, Line, Offer, State};
use crate::error::Error;
use crate::store;
use crate::store::Ordered;

/// A cart as a caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// `carts/current`: the caller's open cart.
    Current,
    Named(Id<Cart>),
}

/// The owner's cart, to be changed in this transaction.
async fn load(tx: &DatabaseTransaction, owner: &str, which: Which) -> Result<Cart, Error> {
    let cart = match which {
        Which::Current => store::load_open(tx, owner).await?,
        Which::Named(id) => store::load(tx, owner, id).await?.ok_or(Error::CartNotFound)?,
    };
    if cart.state == State::Abandoned && store::try_load_open(tx, owner).await?.is_none() {
        // Somebody came back to it after all.
        return Ok(store::save(tx, &Cart { state: State::Open, ..cart }).await?);
    }
    Ok(cart)
}

/// The owner's open cart, made where there is none.
pub(crate) async fn open(tx: &DatabaseTransaction, owner: &str) -> Result<Cart, Error> {
    Ok(store::load_open(tx, owner).await?)
}

/// Puts some of a variant in.
pub(crate) async fn add(
    tx: &DatabaseTransaction,
    owner: &str,
    which: Which,
    offer: &Offer,
    quantity: i64,
) -> Result<Cart, Error> {
    let cart = load(tx, owner, which).await?;
    store::lines::put(tx, cart.id, &cart.add(offer, quantity)?).await?;
    Ok(store::save(tx, &cart).await?)
}

/// Sets how many of a variant are in.
pub(crate) async fn set(
    tx: &DatabaseTransaction,
    owner: &str,
    which: Which,
    variant: &str,
    quantity: i64,
) -> Result<Cart, Error> {
    if quantity == 0 {
        return remove(tx, owner, which, variant).await;
    }
    let cart = load(tx, owner, which).await?;
    let Some(line) = cart.set(variant, quantity)? else { return Ok(cart) };
    store::lines::put(tx, cart.id, &line).await?;
    Ok(store::save(tx, &cart).await?)
}

/// Takes a variant out. One that is not in is out already.
pub(crate) async fn remove(
    tx: &DatabaseTransaction,
    owner: &str,
    which: Which,
    variant: &str,
) -> Result<Cart, Error> {
    let cart = load(tx, owner, which).await?;
    cart.changeable()?;
    if !store::lines::remove(tx, cart.id, variant).await? {
        return Ok(cart);
    }
    Ok(store::save(tx, &cart).await?)
}

/// Takes everything out, the coupon too.
pub(crate) async fn clear(tx: &DatabaseTransaction, owner: &str, which: Which) -> Result<Cart, Error> {
    let cart = load(tx, owner, which).await?;
    cart.changeable()?;
    if !store::lines::clear(tx, cart.id).await? && cart.coupon_code.is_empty() {
        return Ok(cart);
    }
    Ok(store::save(tx, &Cart { coupon_code: String::new(), ..cart }).await?)
}

/// Puts a coupon on, or takes it off where the code is empty.
pub(crate) async fn set_coupon(
    tx: &DatabaseTransaction,
    owner: &str,
    which: Which,
    code: &str,
) -> Result<Cart, Error> {
    let cart = load(tx, owner, which).await?;
    cart.changeable()?;
    if cart.coupon_code == code {
        return Ok(cart);
    }
    Ok(store::save(tx, &Cart { coupon_code: code.to_owned(), ..cart }).await?)
}

/// Adds the guest's cart to the user's. A guest without one adds nothing.
pub(crate) async fn merge(tx: &DatabaseTransaction, guest: &str, user: &str) -> Result<Cart, Error> {
    let left = store::load_left(tx, guest).await?;
    let mine = store::load_open(tx, user).await?;
    let Some(left) = left else { return Ok(mine) };
    pour(tx, &left, mine).await
}

/// Pours one cart into another, and closes it.
async fn pour(tx: &DatabaseTransaction, from: &Cart, into: Cart) -> Result<Cart, Error> {
    for line in into.merge(&from.lines) {
        store::lines::put(tx, into.id, &line).await?;
    }
    store::save(tx, &Cart { state: State::Merged, order: String::new(), ..from.clone() }).await?;
    let coupon_code =
        if into.coupon_code.is_empty() { from.coupon_code.clone() } else { into.coupon_code.clone() };
    Ok(store::save(tx, &Cart { coupon_code, ..into }).await?)
}

/// Notes of which carts orders were made. A second order is made of a cart only once the first came to nothing, but news
/// of the two may overtake each other: the newest has the cart, so that the end of an older one does not reopen it. A cart
/// that was merged stays as it is. What its shopper went on putting in before this was heard goes into the next cart.
pub(crate) async fn ordered(tx: &DatabaseTransaction, mut orders: Vec<Ordered<'_>>) -> Result<(), Error> {
    orders.sort_unstable_by_key(|made| made.order);
    let newest: BTreeMap<_, _> = orders.iter().map(|made| ((made.cart, made.owner), made)).collect();
    for cart in store::order(tx, newest.values().copied()).await? {
        let Some(order) = newest.get(&(cart.id, cart.owner.as_str())) else { continue };
        let beyond = cart.beyond(&order.lines);
        if !beyond.is_empty() {
            carry_over(tx, &cart, &beyond).await?;
        }
    }
    Ok(())
}

/// Takes out of an ordered cart what is beyond the order, and puts it into its owner's next one. The ordered cart keeps
/// what was ordered, which is what comes back where the order comes to nothing.
async fn carry_over(tx: &DatabaseTransaction, cart: &Cart, beyond: &[Line]) -> Result<(), Error> {
    for line in cart.without(beyond) {
        if line.quantity == 0 {
            store::lines::remove(tx, cart.id, &line.variant).await?;
        } else {
            store::lines::put(tx, cart.id, &line).await?;
        }
    }
    let next = store::load_open(tx, &cart.owner).await?;
    for line in next.merge(beyond) {
        store::lines::put(tx, next.id, &line).await?;
    }
    store::save(tx, &next).await?;
    Ok(())
}

/// Gives a cart back to its owner because the order made of it came to nothing before it was confirmed. Whoever has put
/// something into another meanwhile finds the goods there.
pub(crate) async fn reopen(tx: &DatabaseTransaction, order: &str) -> Result<(), Error> {
    let Some(cart) = store::load_of_order(tx, order).await? else { return Ok(()) };
    let reopened = Cart { state: State::Open, order: String::new(), ..cart.clone() };
    match store::try_load_open(tx, &cart.owner).await? {
        None => store::save(tx, &reopened).await?,
        Some(empty) if empty.lines.is_empty() => pour(tx, &empty, reopened).await?,
        Some(filled) => pour(tx, &cart, filled).await?,
    };
    Ok(())
}

/// Notes that nobody came back to a cart, and tells it. Says whether it was so.
pub(crate) async fn abandon(tx: &DatabaseTransaction, id: Id<Cart>, since: Timestamp) -> Result<bool, DbErr> {
    let Some(cart) = store::abandon(tx, id, since).await? else { return Ok(false) };
    let lines = i64::try_from(cart.lines.len()).unwrap_or(i64::MAX);
    let event = pb::CartAbandoned { cart: cart.id.name(), owner: cart.owner, lines };
    outbox::append(tx, &event.cart, &event).await?;
    Ok(true)
}
