//! Pricing: what an order would cost now, and everything that stands in its way.

use chassis::caller::Caller;
use chassis::money::Money;
use tonic::{Code, Status};

use crate::Service;
use crate::domain::{Amounts, Goods, Item, PriceError};
use crate::error::Error;
use crate::peers::{Cart, Peers, ShippingOption};
use crate::store;

/// What somebody wants to buy, and where to send it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) basket: Basket,
    /// The cart's where empty.
    pub(crate) coupon_code: String,
    /// Nothing is counted for sending where empty.
    pub(crate) country: String,
    /// The cheapest where empty.
    pub(crate) shipping_rate: String,
}

/// A cart, or lines.
#[derive(Clone, Debug)]
pub(crate) enum Basket {
    Cart(String),
    Lines(Vec<(String, i64)>),
}

/// Why it is priced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// To show: every problem is listed, stock included.
    Quote,
    /// To buy: the first problem refuses. Stock is decided by reserving it.
    Order,
}

/// What it comes to.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The cart's own name; empty where it was lines.
    pub(crate) cart: String,
    pub(crate) coupon_code: String,
    /// Nothing where the lines have no common price.
    pub(crate) goods: Option<Goods>,
    pub(crate) amounts: Option<Amounts>,
    pub(crate) shipping_options: Vec<ShippingOption>,
    pub(crate) shipping_rate: String,
    pub(crate) problems: Vec<Problem>,
}

/// Something that stands in the way of an order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("the cart is empty")]
    CartEmpty,
    #[error("the cart is closed: an order was made of it, or it was merged or given up")]
    CartClosed,
    #[error("{0} not found")]
    VariantUnknown(String),
    #[error("{0} is not sold any more")]
    VariantNotSold(String),
    #[error("of {variant} only {available} are in stock")]
    OutOfStock { variant: String, available: i64 },
    #[error("all lines must be in one currency")]
    CurrencyMixed,
    #[error("{}", .0.message())]
    CouponInvalid(Box<Status>),
    #[error("nothing is sent to {0}")]
    NotShippable(String),
    #[error("{0} is not offered for this order")]
    RateUnavailable(String),
    #[error("say first where you can be reached about the order")]
    ContactMissing,
}

/// Prices a wish for `customer`, asking every peer that can be asked at the same time.
pub(crate) async fn price(
    service: &Service,
    caller: &Caller,
    customer: &str,
    wish: Wish,
    purpose: Purpose,
) -> Result<Offer, Error> {
    let (peers, config) = (&service.peers, &service.config);
    let (basket, contact) =
        futures::try_join!(fill(service, caller, customer, &wish.basket), reachable(peers, customer))?;
    let (cart, items, mut problems) = basket;
    if !contact {
        problems.push(Problem::ContactMissing);
    }
    let goods = match Goods::of(items) {
        Ok(goods) => Some(goods),
        Err(PriceError::CurrencyMixed) => {
            problems.push(Problem::CurrencyMixed);
            None
        }
        Err(PriceError::Empty) => {
            if problems.is_empty() {
                problems.push(Problem::CartEmpty);
            }
            None
        }
        Err(error @ (PriceError::TooLarge | PriceError::DiscountsDiffer)) => return Err(error.into()),
    };
    refuse_if(purpose, &mut problems)?;

    let coupon_code = coupon(&wish, cart.as_ref());
    let mut offer = Offer {
        cart: cart.map(|cart| cart.name).unwrap_or_default(),
        coupon_code,
        goods: None,
        amounts: None,
        shipping_options: Vec::new(),
        shipping_rate: String::new(),
        problems,
    };
    let Some(goods) = goods else { return Ok(offer) };
    let (discounts, options, available) = futures::join!(
        discounts(peers, caller, &offer.coupon_code, customer, &goods),
        shipping(peers, &wish.country, &goods),
        lacking(peers, &goods, purpose),
    );
    let goods = match discounts {
        Ok(discounts) => goods.discounted(&discounts)?,
        Err(Error::Passed(status)) if is_refusal(&status) => {
            offer.problems.push(Problem::CouponInvalid(status));
            goods
        }
        Err(error) => return Err(error),
    };
    offer.problems.extend(available?);
    let free = Money::zero(goods.subtotal.currency);
    let shipping_price = if is_sent(&goods) { choose(&mut offer, &wish, options?, free) } else { free };
    refuse_if(purpose, &mut offer.problems)?;
    offer.amounts = Some(goods.amounts(shipping_price, config.tax_for(&wish.country))?);
    offer.goods = Some(goods);
    Ok(offer)
}

/// The lines wanted at the catalog's prices, with what is wrong about them.
async fn fill(
    service: &Service,
    caller: &Caller,
    customer: &str,
    basket: &Basket,
) -> Result<(Option<Cart>, Vec<Item>, Vec<Problem>), Error> {
    let peers = &service.peers;
    let (cart, lines) = match basket {
        Basket::Lines(lines) => (None, lines.clone()),
        Basket::Cart(name) => {
            let mut cart = cart(service, caller, customer, name).await?;
            let lines = std::mem::take(&mut cart.lines);
            (Some(cart), lines)
        }
    };
    let mut problems = Vec::new();
    if cart.as_ref().is_some_and(|cart| !cart.open) {
        problems.push(Problem::CartClosed);
    }
    if lines.is_empty() {
        problems.push(Problem::CartEmpty);
        return Ok((cart, Vec::new(), problems));
    }
    let mut names: Vec<String> = lines.iter().map(|(variant, _)| variant.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let variants = peers.variants(names).await?;
    let mut items = Vec::with_capacity(lines.len());
    for (variant, quantity) in lines {
        match variants.get(&variant) {
            None => problems.push(Problem::VariantUnknown(variant)),
            Some(found) if !found.on_sale => problems.push(Problem::VariantNotSold(variant)),
            Some(found) => items.push(Item {
                variant,
                sku: found.sku.clone(),
                title: found.title.clone(),
                quantity,
                unit_price: found.price,
                price_version: found.price_version,
                stocked: found.stocked,
                weight_grams: found.weight_grams,
            }),
        }
    }
    Ok((cart, items, problems))
}

/// The cart of that name. Where the customer's last order came to nothing its cart is theirs again, but cart hears of that
/// a moment later than they do: unless it is the one that is open, it is given back now, so that another card can be
/// tried at once. A quote does so too: it only brings forward what happens anyway.
async fn cart(service: &Service, caller: &Caller, customer: &str, name: &str) -> Result<Cart, Error> {
    let newest = store::newest(service.db.writer(), customer);
    let (cart, newest) = futures::try_join!(service.peers.cart(caller, name), newest)?;
    match newest {
        Some(order) if order.gave_cart_back() && !(cart.open && cart.name == order.cart) => {
            service.peers.reopen_cart(&order).await?;
            service.peers.cart(caller, name).await
        }
        _ => Ok(cart),
    }
}

/// Users have given a contact when they registered; a guest may not have.
async fn reachable(peers: &Peers, customer: &str) -> Result<bool, Error> {
    match customer.starts_with("guests/") {
        true => Ok(peers.contact(customer).await?.is_some()),
        false => Ok(true),
    }
}

async fn discounts(
    peers: &Peers,
    caller: &Caller,
    code: &str,
    customer: &str,
    goods: &Goods,
) -> Result<Vec<Money>, Error> {
    match code {
        "" => Ok(vec![Money::zero(goods.subtotal.currency); goods.lines.len()]),
        code => peers.discounts(caller, code, customer, goods).await,
    }
}

/// Whether anything of it goes by parcel.
fn is_sent(goods: &Goods) -> bool {
    goods.lines.iter().any(|line| line.stocked)
}

async fn shipping(peers: &Peers, country: &str, goods: &Goods) -> Result<Vec<ShippingOption>, Error> {
    if country.is_empty() || !is_sent(goods) {
        return Ok(Vec::new());
    }
    peers.shipping(country, goods).await
}

/// The variants of which there is less than wanted, counting all lines of one together.
async fn lacking(peers: &Peers, goods: &Goods, purpose: Purpose) -> Result<Vec<Problem>, Error> {
    let stocked: Vec<_> = goods.lines.iter().filter(|line| line.stocked).collect();
    if purpose == Purpose::Order || stocked.is_empty() {
        return Ok(Vec::new());
    }
    let mut skus: Vec<String> = stocked.iter().map(|line| line.sku.clone()).collect();
    skus.sort_unstable();
    skus.dedup();
    let available = peers.stock(skus.clone()).await?;
    let lack = |sku: String| {
        let wanted: i64 = stocked.iter().filter(|line| line.sku == sku).map(|line| line.quantity).sum();
        let available = available.get(&sku).copied().unwrap_or_default();
        let line = stocked.iter().find(|line| line.sku == sku).filter(|_| available < wanted)?;
        Some(Problem::OutOfStock { variant: line.variant.clone(), available })
    };
    Ok(skus.into_iter().filter_map(lack).collect())
}

/// Picks the rate asked for, or the cheapest, and tells its price.
fn choose(offer: &mut Offer, wish: &Wish, options: Vec<ShippingOption>, free: Money) -> Money {
    if wish.country.is_empty() {
        return free;
    }
    let chosen = match wish.shipping_rate.as_str() {
        "" => options.iter().min_by_key(|option| option.price.minor),
        rate => options.iter().find(|option| option.rate == rate),
    };
    let price = match chosen {
        Some(option) => {
            offer.shipping_rate.clone_from(&option.rate);
            option.price
        }
        None if options.is_empty() => {
            offer.problems.push(Problem::NotShippable(wish.country.clone()));
            free
        }
        None => {
            offer.problems.push(Problem::RateUnavailable(wish.shipping_rate.clone()));
            free
        }
    };
    offer.shipping_options = options;
    price
}

/// Codes are the same in any case; books compare them, so there is one spelling.
fn coupon(wish: &Wish, cart: Option<&Cart>) -> String {
    let own = match wish.coupon_code.as_str() {
        "" => cart.map(|cart| cart.coupon_code.as_str()).unwrap_or_default(),
        code => code,
    };
    own.to_ascii_uppercase()
}

fn is_refusal(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument)
}

fn refuse_if(purpose: Purpose, problems: &mut Vec<Problem>) -> Result<(), Error> {
    match purpose {
        Purpose::Order if !problems.is_empty() => Err(problems.swap_remove(0).into()),
        Purpose::Order | Purpose::Quote => Ok(()),
    }
}
