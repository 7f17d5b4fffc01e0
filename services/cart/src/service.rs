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
/// of the two may overtake each other: the newest has the cart, so that the end of an older one does not reopen it.
pub(crate) async fn ordered(tx: &DatabaseTransaction, mut orders: Vec<Ordered<'_>>) -> Result<(), Error> {
    orders.sort_unstable_by_key(|made| made.order);
    let mut newest = BTreeMap::new();
    for made in orders {
        newest.insert((made.cart, made.owner.to_owned()), made);
    }
    for cart in store::order(tx, newest.values()).await? {
        if let Some(order) = newest.remove(&(cart.id, cart.owner.clone())) {
            settle(tx, &cart, &order).await?;
        }
    }
    for cart in store::load_merged(tx, newest.values()).await? {
        if let Some(order) = newest.get(&(cart.id, cart.owner.clone())) {
            unmerge(tx, cart, order).await?;
        }
    }
    Ok(())
}

/// Makes a cart hold what was ordered of it, which is what comes back where the order comes to nothing. What its shopper
/// went on putting in before this was heard goes into their next cart; what went there with an older order's news comes
/// back from it.
async fn settle(tx: &DatabaseTransaction, cart: &Cart, order: &Ordered<'_>) -> Result<(), Error> {
    let beyond = cart.beyond(&order.lines);
    if !beyond.is_empty() {
        let next = store::load_open(tx, &cart.owner).await?;
        shift(tx, cart, &next, &beyond).await?;
        store::save(tx, &next).await?;
    }
    take_back(tx, cart, &order.lines).await?;
    Ok(())
}

/// Takes what was ordered of a cart out of the one it was poured into when an older order came to nothing. A guest's cart
/// that became a user's stays as it is.
async fn unmerge(tx: &DatabaseTransaction, cart: Cart, order: &Ordered<'_>) -> Result<(), Error> {
    let poured_out = Cart { lines: Vec::new(), ..cart };
    if take_back(tx, &poured_out, &order.lines).await? {
        store::save(tx, &Cart { state: State::Ordered, order: order.order.to_owned(), ..poured_out }).await?;
    }
    Ok(())
}

/// Brings what a cart lacks of an order back from its owner's open one. Says whether anything of it was there.
async fn take_back(
    tx: &DatabaseTransaction,
    cart: &Cart,
    ordered: &BTreeMap<&str, i64>,
) -> Result<bool, Error> {
    let missing = cart.missing(ordered);
    if missing.is_empty() {
        return Ok(false);
    }
    let Some(open) = store::try_load_open(tx, &cart.owner).await? else { return Ok(false) };
    let found = open.some_of(&missing);
    if found.is_empty() {
        return Ok(false);
    }
    if cart.state == State::Merged {
        store::lines::clear(tx, cart.id).await?;
    }
    shift(tx, &open, cart, &found).await?;
    store::save(tx, &open).await?;
    Ok(true)
}

/// Moves goods of one cart into another, within its limits.
async fn shift(tx: &DatabaseTransaction, from: &Cart, to: &Cart, goods: &[Line]) -> Result<(), Error> {
    for line in from.without(goods) {
        if line.quantity == 0 {
            store::lines::remove(tx, from.id, &line.variant).await?;
        } else {
            store::lines::put(tx, from.id, &line).await?;
        }
    }
    for line in to.merge(goods) {
        store::lines::put(tx, to.id, &line).await?;
    }
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
