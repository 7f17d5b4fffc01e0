//! Catalog, inventory and promotion, played: they know what a test tells them, and are away when it says so.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use chassis::testing::{TestProcess, subject_of};
use contract::codec::Codec;
use contract::validate::Input;
use contract::{Money, catalog, inventory, promotion};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};

/// Everything the peers know. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Mutex<Facts>>);

#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) variants: HashMap<String, catalog::v1::Variant>,
    pub(crate) stock: HashMap<String, i64>,
    /// What each code takes off, in percent; nothing where it has expired.
    pub(crate) coupons: HashMap<String, Option<i64>>,
    /// The methods that nobody answers.
    pub(crate) away: Vec<&'static str>,
    /// Unknown codes by who tried them.
    pub(crate) guesses: HashMap<String, usize>,
    /// For whom the call under way is made.
    asker: Option<String>,
    /// How often each method was called.
    pub(crate) calls: HashMap<&'static str, usize>,
}

/// Unknown codes that one subject may try.
const GUESSES_MAX: usize = 30;

impl Peers {
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Puts the peers where cart finds them.
    pub(crate) fn open(&self, process: &TestProcess) {
        process.stand_in("catalog", Catalog(self.clone()));
        process.stand_in("inventory", Inventory(self.clone()));
        process.stand_in("promotion", Promotion(self.clone()));
    }
}

pub(crate) fn gbp(minor: i64) -> Money {
    chassis::money::Money::new(minor, "GBP".parse().expect("a currency")).into()
}

fn minor(money: Option<&Money>) -> i64 {
    chassis::money::Money::try_from(money.expect("an amount")).expect("a sound amount").minor
}

fn batch_get_variants(
    facts: &mut Facts,
    request: catalog::v1::BatchGetVariantsRequest,
) -> Result<catalog::v1::BatchGetVariantsResponse, Status> {
    let variants = request.names.iter().filter_map(|name| facts.variants.get(name).cloned()).collect();
    Ok(catalog::v1::BatchGetVariantsResponse { variants })
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

fn evaluate_discounts(
    facts: &mut Facts,
    request: promotion::v1::EvaluateDiscountsRequest,
) -> Result<promotion::v1::EvaluateDiscountsResponse, Status> {
    let refused =
        |code, reason| chassis::status::plain(code, reason, "promotion.cartwright", "no such luck", &[]);
    let asker = facts.asker.clone().unwrap_or_default();
    if facts.guesses.get(&asker).is_some_and(|guesses| *guesses >= GUESSES_MAX) {
        return Err(refused(Code::ResourceExhausted, "TOO_MANY_UNKNOWN_CODES"));
    }
    let percent = match facts.coupons.get(&request.coupon_code) {
        None => {
            *facts.guesses.entry(asker).or_default() += 1;
            return Err(refused(Code::NotFound, "COUPON_NOT_FOUND"));
        }
        Some(None) => return Err(refused(Code::FailedPrecondition, "COUPON_EXPIRED")),
        Some(Some(percent)) => percent,
    };
    let total: i64 = request.lines.iter().map(|line| minor(line.total.as_ref())).sum();
    Ok(promotion::v1::EvaluateDiscountsResponse {
        discount: Some(gbp(total * percent / 100)),
        ..Default::default()
    })
}

macro_rules! fake {
    ($fake:ident, $service:literal, $method:literal, $act:ident) => {
        #[derive(Clone)]
        struct $fake(Peers);

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
                assert!(request.uri().path().ends_with($method), "nobody plays {}", request.uri());
                unary(Call { peers: self.0.clone(), method: $method, act: $act }, request)
            }
        }
    };
}

fake!(Catalog, "cartwright.catalog.v1.CatalogService", "BatchGetVariants", batch_get_variants);
fake!(Inventory, "cartwright.inventory.v1.InventoryService", "BatchGetStock", batch_get_stock);
fake!(Promotion, "cartwright.promotion.v1.PromotionService", "EvaluateDiscounts", evaluate_discounts);

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

struct Call<R, A> {
    peers: Peers,
    method: &'static str,
    act: fn(&mut Facts, R) -> Result<A, Status>,
}

fn unary<R, A>(call: Call<R, A>, request: http::Request<Body>) -> Answer<http::Response<Body>, Infallible>
where
    R: prost::Message + Default + Input + Send + 'static,
    A: prost::Message + Default + Send + 'static,
{
    Box::pin(async move { Ok(Grpc::new(Codec::<A, R>::default()).unary(call, request).await) })
}

impl<R: Send + 'static, A: Send + 'static> UnaryService<R> for Call<R, A> {
    type Response = A;
    type Future = Answer<Response<A>, Status>;

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let mut facts = self.peers.facts();
        facts.asker = subject_of(request.metadata());
        *facts.calls.entry(self.method).or_default() += 1;
        let answer = match facts.away.contains(&self.method) {
            true => Err(Status::unavailable("nobody is there")),
            false => (self.act)(&mut facts, request.into_inner()).map(Response::new),
        };
        Box::pin(std::future::ready(answer))
    }
}
