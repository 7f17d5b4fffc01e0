//! The other services, played: a small world that keeps the peers' promises, and breaks down as told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use chassis::testing::{TestProcess, subject_of};
use contract::codec::Codec;
use contract::validate::Input;
use contract::{Money, cart, catalog, identity, inventory, notification, payment, promotion, shipping};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};

/// Everything the order service's peers know. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Facts>>);

/// What is so.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) variants: HashMap<String, catalog::v1::Variant>,
    pub(crate) carts: HashMap<String, cart::v1::Cart>,
    /// Where people are reached.
    pub(crate) contacts: HashMap<String, String>,
    /// What was to be mailed, once for each request id.
    pub(crate) mails: Vec<notification::v1::SendNotificationRequest>,
    pub(crate) shipping: BTreeMap<String, Vec<shipping::v1::ShippingOption>>,
    /// What each code takes off each line, in percent.
    pub(crate) coupons: HashMap<String, i64>,
    pub(crate) stock: HashMap<String, i64>,
    /// By order; `None` is the mark of a release.
    pub(crate) redemptions: HashMap<String, Option<String>>,
    pub(crate) reservations: HashMap<String, Option<Vec<(String, i64)>>>,
    pub(crate) payments: HashMap<String, Option<i64>>,
    /// Request ids by call, to see that a repeat carries the same.
    pub(crate) request_ids: HashMap<&'static str, Vec<String>>,
    /// Unknown codes by who tried them.
    pub(crate) guesses: HashMap<String, usize>,
    /// For whom the call under way is made.
    asker: Option<String>,
    faults: HashMap<&'static str, VecDeque<Fault>>,
}

/// Unknown codes that one subject may try.
const GUESSES_MAX: usize = 30;

/// How a call breaks down, once.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It is refused, and nothing was done.
    Refuse(Code, &'static str),
    /// It is done, and its answer is lost.
    LoseAnswer(Code),
    /// It waits before it is done.
    Hold(Arc<Notify>),
}

impl World {
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// The next call of this method breaks down.
    pub(crate) fn fault(&self, method: &'static str, fault: Fault) {
        self.facts().faults.entry(method).or_default().push_back(fault);
    }

    /// Redemptions, reserved pieces and promised payments that somebody still holds.
    pub(crate) fn held(&self) -> (usize, i64, usize) {
        let facts = self.facts();
        let redeemed = facts.redemptions.values().flatten().count();
        let reserved = facts.reservations.values().flatten().flatten().map(|(_, quantity)| quantity).sum();
        (redeemed, reserved, facts.payments.values().flatten().count())
    }

    /// Puts every peer where the order service finds it.
    pub(crate) fn open(&self, process: &TestProcess) {
        process.stand_in("cart", CartFake(self.clone()));
        process.stand_in("catalog", CatalogFake(self.clone()));
        process.stand_in("identity", IdentityFake(self.clone()));
        process.stand_in("inventory", InventoryFake(self.clone()));
        process.stand_in("notification", NotificationFake(self.clone()));
        process.stand_in("payment", PaymentFake(self.clone()));
        process.stand_in("promotion", PromotionFake(self.clone()));
        process.stand_in("shipping", ShippingFake(self.clone()));
    }

    async fn play<R, A>(
        &self,
        method: &'static str,
        asker: Option<String>,
        request: R,
        act: fn(&mut Facts, R) -> Result<A, Status>,
    ) -> Result<A, Status> {
        let act = |request| {
            let mut facts = self.facts();
            facts.asker = asker;
            act(&mut facts, request)
        };
        let fault = self.facts().faults.get_mut(method).and_then(VecDeque::pop_front);
        match fault {
            Some(Fault::Refuse(code, reason)) => Err(refused(code, reason)),
            Some(Fault::LoseAnswer(code)) => {
                act(request)?;
                Err(Status::new(code, "the answer is lost"))
            }
            Some(Fault::Hold(until)) => {
                until.notified().await;
                act(request)
            }
            None => act(request),
        }
    }
}

pub(crate) fn gbp(minor: i64) -> Money {
    money(minor, "GBP")
}

pub(crate) fn money(minor: i64, currency: &str) -> Money {
    chassis::money::Money::new(minor, currency.parse().expect("a currency")).into()
}

fn minor(money: Option<&Money>) -> i64 {
    chassis::money::Money::try_from(money.expect("an amount")).expect("a sound amount").minor
}

fn refused(code: Code, reason: &str) -> Status {
    chassis::status::plain(code, reason, "peer.cartwright", "the peer refuses", &[])
}

/// The cart this order has closed is the customer's open one again.
fn reopen_cart(
    facts: &mut Facts,
    request: cart::v1::ReopenCartRequest,
) -> Result<cart::v1::ReopenCartResponse, Status> {
    let closed = facts.carts.values_mut().find(|cart| cart.order == request.order);
    if let Some(cart) = closed {
        cart.order.clear();
        cart.set_state(cart::v1::cart::State::Open);
        let open = cart.clone();
        facts.carts.insert("carts/current".into(), open);
    }
    Ok(cart::v1::ReopenCartResponse {})
}

fn get_cart(facts: &mut Facts, request: cart::v1::GetCartRequest) -> Result<cart::v1::Cart, Status> {
    facts.carts.get(&request.name).cloned().ok_or_else(|| refused(Code::NotFound, "CART_NOT_FOUND"))
}

fn batch_get_variants(
    facts: &mut Facts,
    request: catalog::v1::BatchGetVariantsRequest,
) -> Result<catalog::v1::BatchGetVariantsResponse, Status> {
    let variants = request.names.iter().filter_map(|name| facts.variants.get(name).cloned()).collect();
    Ok(catalog::v1::BatchGetVariantsResponse { variants })
}

fn get_contact(
    facts: &mut Facts,
    request: identity::v1::GetContactRequest,
) -> Result<identity::v1::Contact, Status> {
    let subject = request.subject;
    let email = facts.contacts.get(&subject).cloned().unwrap_or_default();
    Ok(identity::v1::Contact { subject, email, ..Default::default() })
}

fn batch_get_stock(
    facts: &mut Facts,
    request: inventory::v1::BatchGetStockRequest,
) -> Result<inventory::v1::BatchGetStockResponse, Status> {
    let stock = |sku: String| {
        let available = *facts.stock.get(&sku)?;
        Some(inventory::v1::Stock { sku, available, ..Default::default() })
    };
    Ok(inventory::v1::BatchGetStockResponse { stock: request.skus.into_iter().filter_map(stock).collect() })
}

fn reserve_stock(
    facts: &mut Facts,
    request: inventory::v1::ReserveStockRequest,
) -> Result<inventory::v1::Reservation, Status> {
    facts.request_ids.entry("ReserveStock").or_default().push(request.request_id);
    match facts.reservations.get(&request.order) {
        Some(Some(_)) => return Ok(inventory::v1::Reservation::default()),
        Some(None) => return Err(refused(Code::FailedPrecondition, "RESERVATION_RELEASED")),
        None => {}
    }
    let lines: Vec<_> = request.lines.into_iter().map(|line| (line.sku, line.quantity)).collect();
    for (sku, _) in &lines {
        let wanted: i64 = lines.iter().filter(|(other, _)| other == sku).map(|(_, quantity)| quantity).sum();
        if facts.stock.get(sku).copied().unwrap_or_default() < wanted {
            return Err(refused(Code::FailedPrecondition, "INSUFFICIENT_STOCK"));
        }
    }
    for (sku, quantity) in &lines {
        *facts.stock.entry(sku.clone()).or_default() -= quantity;
    }
    facts.reservations.insert(request.order, Some(lines));
    Ok(inventory::v1::Reservation::default())
}

fn release_reservation(
    facts: &mut Facts,
    request: inventory::v1::ReleaseReservationRequest,
) -> Result<inventory::v1::Reservation, Status> {
    match facts.reservations.insert(request.order, None) {
        None => Err(refused(Code::NotFound, "RESERVATION_NOT_FOUND")),
        Some(held) => {
            for (sku, quantity) in held.unwrap_or_default() {
                *facts.stock.entry(sku).or_default() += quantity;
            }
            Ok(inventory::v1::Reservation::default())
        }
    }
}

fn authorize_payment(
    facts: &mut Facts,
    request: payment::v1::AuthorizePaymentRequest,
) -> Result<payment::v1::Payment, Status> {
    facts.request_ids.entry("AuthorizePayment").or_default().push(request.request_id);
    if request.token == "declined" {
        return Err(refused(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    }
    let name = format!("payments/{}", request.order.trim_start_matches("orders/"));
    match facts.payments.get(&request.order) {
        Some(None) => Err(refused(Code::FailedPrecondition, "PAYMENT_VOIDED")),
        Some(Some(_)) | None => {
            facts.payments.insert(request.order, Some(minor(request.amount.as_ref())));
            Ok(payment::v1::Payment { name, ..Default::default() })
        }
    }
}

fn void_payment(
    facts: &mut Facts,
    request: payment::v1::VoidPaymentRequest,
) -> Result<payment::v1::Payment, Status> {
    match facts.payments.insert(request.order, None) {
        None => Err(refused(Code::NotFound, "PAYMENT_NOT_FOUND")),
        Some(_) => Ok(payment::v1::Payment::default()),
    }
}

fn evaluate_discounts(
    facts: &mut Facts,
    request: promotion::v1::EvaluateDiscountsRequest,
) -> Result<promotion::v1::EvaluateDiscountsResponse, Status> {
    let asker = facts.asker.clone().unwrap_or_default();
    if facts.guesses.get(&asker).is_some_and(|guesses| *guesses >= GUESSES_MAX) {
        return Err(refused(Code::ResourceExhausted, "TOO_MANY_UNKNOWN_CODES"));
    }
    let Some(percent) = facts.coupons.get(&request.coupon_code).copied() else {
        *facts.guesses.entry(asker).or_default() += 1;
        return Err(refused(Code::NotFound, "COUPON_NOT_FOUND"));
    };
    if percent == 0 {
        return Err(refused(Code::FailedPrecondition, "COUPON_EXPIRED"));
    }
    let off: Vec<i64> = request.lines.iter().map(|line| minor(line.total.as_ref()) * percent / 100).collect();
    Ok(promotion::v1::EvaluateDiscountsResponse {
        discount: Some(gbp(off.iter().sum())),
        line_discounts: off.into_iter().map(gbp).collect(),
        ..Default::default()
    })
}

fn send_notification(
    facts: &mut Facts,
    request: notification::v1::SendNotificationRequest,
) -> Result<notification::v1::Notification, Status> {
    if !facts.mails.iter().any(|mail| mail.request_id == request.request_id) {
        facts.mails.push(request);
    }
    Ok(notification::v1::Notification::default())
}

fn redeem_coupon(
    facts: &mut Facts,
    request: promotion::v1::RedeemCouponRequest,
) -> Result<promotion::v1::Redemption, Status> {
    facts.request_ids.entry("RedeemCoupon").or_default().push(request.request_id);
    if facts.redemptions.get(&request.order) == Some(&None) {
        return Err(refused(Code::FailedPrecondition, "COUPON_RELEASED"));
    }
    facts.redemptions.insert(request.order, Some(request.coupon_code));
    Ok(promotion::v1::Redemption::default())
}

fn release_coupon(
    facts: &mut Facts,
    request: promotion::v1::ReleaseCouponRequest,
) -> Result<promotion::v1::Redemption, Status> {
    match facts.redemptions.insert(request.order, None) {
        None => Err(refused(Code::NotFound, "REDEMPTION_NOT_FOUND")),
        Some(_) => Ok(promotion::v1::Redemption::default()),
    }
}

fn quote_shipping(
    facts: &mut Facts,
    request: shipping::v1::QuoteShippingRequest,
) -> Result<shipping::v1::QuoteShippingResponse, Status> {
    let options = facts.shipping.get(&request.country_code).cloned().unwrap_or_default();
    Ok(shipping::v1::QuoteShippingResponse { options })
}

macro_rules! fake {
    ($fake:ident, $service:literal, $($method:literal => $act:ident),+) => {
        #[derive(Clone)]
        struct $fake(World);

        impl NamedService for $fake {
            const NAME: &'static str = $service;
        }

        impl Service<http::Request<Body>> for $fake {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Answer<http::Response<Body>, Infallible>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                let world = self.0.clone();
                match request.uri().path().rsplit('/').next().unwrap_or_default() {
                    $($method => unary(world, $method, $act, request),)+
                    method => panic!("nobody plays {method}"),
                }
            }
        }
    };
}

fake!(
    CartFake, "cartwright.cart.v1.CartService",
    "GetCart" => get_cart, "ReopenCart" => reopen_cart
);
fake!(CatalogFake, "cartwright.catalog.v1.CatalogService", "BatchGetVariants" => batch_get_variants);
fake!(IdentityFake, "cartwright.identity.v1.IdentityService", "GetContact" => get_contact);
fake!(
    InventoryFake, "cartwright.inventory.v1.InventoryService",
    "BatchGetStock" => batch_get_stock, "ReserveStock" => reserve_stock, "ReleaseReservation" => release_reservation
);
fake!(
    NotificationFake, "cartwright.notification.v1.NotificationService",
    "SendNotification" => send_notification
);
fake!(
    PaymentFake, "cartwright.payment.v1.PaymentService",
    "AuthorizePayment" => authorize_payment, "VoidPayment" => void_payment
);
fake!(
    PromotionFake, "cartwright.promotion.v1.PromotionService",
    "EvaluateDiscounts" => evaluate_discounts, "RedeemCoupon" => redeem_coupon, "ReleaseCoupon" => release_coupon
);
fake!(ShippingFake, "cartwright.shipping.v1.ShippingService", "QuoteShipping" => quote_shipping);

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

fn unary<R, A>(
    world: World,
    method: &'static str,
    act: fn(&mut Facts, R) -> Result<A, Status>,
    request: http::Request<Body>,
) -> Answer<http::Response<Body>, Infallible>
where
    R: prost::Message + Default + Input + Send + 'static,
    A: prost::Message + Default + Send + 'static,
{
    Box::pin(async move {
        let call = Call { world, method, act };
        Ok(Grpc::new(Codec::<A, R>::default()).unary(call, request).await)
    })
}

struct Call<R, A> {
    world: World,
    method: &'static str,
    act: fn(&mut Facts, R) -> Result<A, Status>,
}

impl<R: Send + 'static, A: Send + 'static> UnaryService<R> for Call<R, A> {
    type Response = A;
    type Future = Answer<Response<A>, Status>;

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let (world, method, act) = (self.world.clone(), self.method, self.act);
        let asker = subject_of(request.metadata());
        Box::pin(async move { world.play(method, asker, request.into_inner(), act).await.map(Response::new) })
    }
}
