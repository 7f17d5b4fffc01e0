//! Customers: what they want, and how they ask until they know.

use std::time::Duration;

use anyhow::Context;
use chassis::Caller;
use chassis::client::{Channel, as_subject};
use chassis::host::OPERATOR;
use contract::Money;
use contract::common::v1::PostalAddress;
use contract::inventory::v1::ReceiveStockRequest;
use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::order::v1::order::State;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::order::v1::{CancelOrderRequest, LineRequest, Order, PaymentMethod, PlaceOrderRequest};
use contract::promotion::v1::promotion_service_client::PromotionServiceClient;
use contract::promotion::v1::{Coupon, CreateCouponRequest};
use contract::shipping::v1::shipping_service_client::ShippingServiceClient;
use contract::shipping::v1::{CreateRateRequest, CreateZoneRequest, Rate, Zone};
use futures::future::BoxFuture;
use tonic::{Code, Status};

use crate::carts::{self, Goods, Item};
use crate::catalog::{self, SKUS};
use crate::chance::Chance;
use crate::shop::Shop;

const COUPON: &str = "TENTH";
const CUSTOMERS_MAX: u64 = 8;
/// How many units of each good there are at most: most customers want some of few.
const UNITS_MAX: u64 = 16;

/// What a customer wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) customer: String,
    pub(crate) request_id: String,
    lines: Vec<(&'static str, i64)>,
    /// The lines, where they are put into the cart first, and bought of it.
    in_cart: Vec<Item>,
    /// What is put into the cart while the order is made of it.
    meanwhile: Vec<Item>,
    /// The request that tries another card at once where the first is declined.
    second_request_id: String,
    coupon: bool,
    token: &'static str,
    /// How long after the beginning, and how long between tries.
    begins: Duration,
    patience: Duration,
    /// Whether, and how long after, it is cancelled once it is confirmed.
    regrets: Option<Duration>,
}

/// What a customer was told in the end.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) wish: Wish,
    /// What was put into the cart.
    pub(crate) put_in: Goods,
    /// The order as the answer had it, or the refusal.
    pub(crate) answer: Result<Order, Status>,
    /// Whether the customer was told that it is cancelled at their wish.
    pub(crate) cancelled: bool,
}

impl Wish {
    /// What everybody wants.
    pub(crate) fn draw_all(chance: &mut Chance) -> Vec<Wish> {
        let customers = 2 + chance.below(CUSTOMERS_MAX - 1);
        let mut wishes = Vec::new();
        for _ in 0..customers {
            let customer = format!("users/{}", uuid(chance));
            let orders = 1 + chance.below(2);
            wishes.extend((0..orders).map(|_| Wish::draw(chance, customer.clone())));
        }
        wishes
    }

    fn draw(chance: &mut Chance, customer: String) -> Wish {
        let first = chance.index(SKUS.len());
        let wanted = SKUS[first..].iter().enumerate().filter(|(place, _)| *place == 0 || chance.falls(400));
        let skus: Vec<&str> = wanted.map(|(_, sku)| *sku).collect();
        let lines: Vec<_> = skus.into_iter().map(|sku| (sku, 1 + chance.below(3).cast_signed())).collect();
        let (mut in_cart, mut meanwhile) = (Vec::new(), Vec::new());
        if chance.falls(400) {
            in_cart.extend(lines.iter().map(|(sku, quantity)| Item::new(sku, *quantity, chance)));
            if chance.falls(500) {
                meanwhile.push(Item::new(chance.of(&SKUS), 1, chance));
            }
        }
        Wish {
            customer,
            request_id: uuid(chance),
            lines,
            in_cart,
            meanwhile,
            second_request_id: uuid(chance),
            coupon: chance.falls(400),
            token: chance.of(&["tok_visa", "tok_visa", "tok_visa", "tok_mastercard", "tok_declined"]),
            begins: Duration::from_millis(chance.below(5000)),
            patience: Duration::from_millis(100 + chance.below(2000)),
            regrets: chance.falls(200).then(|| Duration::from_millis(chance.below(20_000))),
        }
    }

    fn request(&self) -> PlaceOrderRequest {
        let line =
            |(sku, quantity): &(&str, i64)| LineRequest { variant: catalog::name(sku), quantity: *quantity };
        let (cart, lines) = match self.in_cart.as_slice() {
            [] => (String::new(), self.lines.iter().map(line).collect()),
            _ => (carts::CURRENT.to_owned(), Vec::new()),
        };
        PlaceOrderRequest {
            cart,
            lines,
            coupon_code: if self.coupon { COUPON.into() } else { String::new() },
            shipping_address: Some(PostalAddress {
                recipient: "Ada Lovelace".into(),
                line1: "12 St James's Square".into(),
                city: "London".into(),
                postal_code: "SW1Y 4JH".into(),
                country_code: "GB".into(),
                ..PostalAddress::default()
            }),
            payment_method: Some(PaymentMethod { channel: "sandbox".into(), token: self.token.into() }),
            expected_total: Some(pounds(1_000_000)),
            request_id: self.request_id.clone(),
            ..PlaceOrderRequest::default()
        }
    }

    /// Who wants it.
    pub(crate) fn caller(&self) -> Caller {
        Caller::person(self.customer.clone(), None, [])
    }
}

/// Has a wish fulfilled.
pub(crate) fn buy(shop: &Shop, wish: Wish) -> BoxFuture<'static, Told> {
    let mut orders = OrderServiceClient::new(shop.channel("gateway", "order"));
    let carts = carts::of(shop);
    Box::pin(async move {
        tokio::time::sleep(wish.begins).await;
        let caller = wish.caller();
        let mut put_in = carts::put_in(carts.clone(), &caller, &wish.in_cart, wish.patience).await;
        let (answer, more) = tokio::join!(
            pay(&mut orders, &wish),
            carts::put_in(carts, &caller, &wish.meanwhile, wish.patience)
        );
        carts::add(&mut put_in, more);
        let mut told = Told { wish, put_in, answer, cancelled: false };
        if let (Ok(order), Some(after)) = (&told.answer, told.wish.regrets)
            && order.state() == State::Confirmed
        {
            tokio::time::sleep(after).await;
            told.cancelled = cancel(&mut orders, &told.wish, &order.name).await;
        }
        told
    })
}

/// Orders and pays, and tries another card where the first was declined for what is in the cart.
async fn pay(orders: &mut OrderServiceClient<Channel>, wish: &Wish) -> Result<Order, Status> {
    let answer = place(orders, wish, wish.request()).await;
    match &answer {
        Ok(order) if order.cancel_reason == "PAYMENT_DECLINED" && !wish.in_cart.is_empty() => {
            let payment_method = PaymentMethod { channel: "sandbox".into(), token: "tok_visa".into() };
            let again = PlaceOrderRequest {
                payment_method: Some(payment_method),
                request_id: wish.second_request_id.clone(),
                ..wish.request()
            };
            place(orders, wish, again).await
        }
        _ => answer,
    }
}

/// Asks under the same id until the answer is final.
async fn place(
    orders: &mut OrderServiceClient<Channel>,
    wish: &Wish,
    request: PlaceOrderRequest,
) -> Result<Order, Status> {
    loop {
        match orders.place_order(as_subject(&wish.caller(), request.clone())).await {
            Ok(order) if order.get_ref().state() != State::Placed => return Ok(order.into_inner()),
            Err(refusal) if is_final(&refusal) => return Err(refusal),
            Ok(_) | Err(_) => tokio::time::sleep(wish.patience).await,
        }
    }
}

/// Cancels an order, and says whether that went.
async fn cancel(orders: &mut OrderServiceClient<Channel>, wish: &Wish, name: &str) -> bool {
    loop {
        let request = CancelOrderRequest { name: name.into(), ..CancelOrderRequest::default() };
        match orders.cancel_order(as_subject(&wish.caller(), request)).await {
            Ok(order) => return order.get_ref().state() == State::Cancelled,
            Err(refusal) if is_final(&refusal) => return false,
            Err(_) => tokio::time::sleep(wish.patience).await,
        }
    }
}

/// Whether an answer says for certain that nothing was done.
pub(crate) fn is_final(refusal: &Status) -> bool {
    matches!(
        refusal.code(),
        Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound | Code::PermissionDenied
    )
}

/// Brings in goods, a way to send them and a coupon, before anything goes wrong.
pub(crate) fn stock_up(shop: &Shop, chance: &mut Chance) -> BoxFuture<'static, anyhow::Result<()>> {
    let mut inventory = InventoryServiceClient::new(shop.channel(OPERATOR, "inventory"));
    let mut shipping = ShippingServiceClient::new(shop.channel(OPERATOR, "shipping"));
    let mut promotion = PromotionServiceClient::new(shop.channel(OPERATOR, "promotion"));
    let operator = cartwright::simulated::operator();
    let goods = SKUS.map(|sku| ReceiveStockRequest {
        sku: sku.into(),
        quantity: 1 + chance.below(UNITS_MAX).cast_signed(),
        reason: "goods".into(),
        request_id: uuid(chance),
        ..ReceiveStockRequest::default()
    });
    let coupon = Coupon {
        code: COUPON.into(),
        title: "A tenth off".into(),
        percent_off_basis_points: 1000,
        redemption_limit: 1 + chance.below(3).cast_signed(),
        redemption_limit_per_customer: 1,
        ..Coupon::default()
    };
    let (zone_id, rate_id, coupon_id) = (uuid(chance), uuid(chance), uuid(chance));
    Box::pin(async move {
        // The services are just starting.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for request in goods {
            inventory.receive_stock(as_subject(&operator, request)).await.context("goods")?;
        }
        let zone = Zone { title: "Everywhere".into(), country_codes: vec!["*".into()], ..Zone::default() };
        let request = CreateZoneRequest { zone: Some(zone), request_id: zone_id };
        let zone = shipping.create_zone(as_subject(&operator, request)).await.context("a zone")?.into_inner();
        let rate = Rate {
            title: "Standard".into(),
            carrier: "Post".into(),
            base_price: Some(pounds(4)),
            days_min: 3,
            days_max: 5,
            ..Rate::default()
        };
        let request = CreateRateRequest { parent: zone.name, rate: Some(rate), request_id: rate_id };
        shipping.create_rate(as_subject(&operator, request)).await.context("a rate")?;
        let request = CreateCouponRequest { coupon: Some(coupon), request_id: coupon_id };
        promotion.create_coupon(as_subject(&operator, request)).await.context("a coupon")?;
        Ok(())
    })
}

fn pounds(units: i64) -> Money {
    Money { currency_code: "GBP".into(), units, nanos: 0 }
}

pub(crate) fn uuid(chance: &mut Chance) -> String {
    let (high, low) = (chance.below(u64::MAX), chance.below(u64::MAX));
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        .into_uuid()
        .to_string()
}
