//! Shows a cart at prices and stock of now, with what stands in the way of buying it. Whoever cannot be asked is left
//! out: a cart without its discount is better than none.

mod offers;

use std::collections::HashMap;
use std::time::Duration;

use chassis::cache::{Cache, Redis, Settings};
use chassis::caller::Caller;
use chassis::client::{Channel, as_subject};
use chassis::host::Host;
use chassis::money::Money;
use contract::cart::v1 as pb;
use contract::cart::v1::cart_problem::Kind;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::promotion::v1::promotion_service_client::PromotionServiceClient;
use contract::promotion::v1::{EvaluateDiscountsRequest, PricedLine};
use tonic::{Code, Status};

use crate::config::Config;
use crate::domain::Offer;

/// Variants, and SKUs, remembered at once.
const CAPACITY: u64 = 20_000;

/// Asks the catalog, inventory and promotion.
#[derive(Clone)]
pub(crate) struct Preview {
    catalog: CatalogServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
    promotion: PromotionServiceClient<Channel>,
    offers: Cache<Offer>,
    stock: Cache<i64>,
}

impl Preview {
    pub(crate) fn new(host: &Host, config: &Config) -> Result<Self, chassis::Error> {
        let redis = host.settings.redis_url.as_ref().map(|url| Redis::new(url.expose())).transpose()?;
        let ttl = Duration::from_millis(config.cart_preview_ms);
        // Nothing is remembered of what is absent: it may be made the next moment.
        let settings = Settings { capacity: CAPACITY, ttl, absent_ttl: Duration::ZERO, redis };
        Ok(Self {
            catalog: CatalogServiceClient::new(host.client("catalog")?),
            inventory: InventoryServiceClient::new(host.client("inventory")?),
            promotion: PromotionServiceClient::new(host.client("promotion")?),
            offers: Cache::new("cart.offers", settings.clone()),
            stock: Cache::new("cart.stock", settings),
        })
    }

    /// The cart as it is shown to the caller.
    pub(crate) async fn show(&self, caller: &Caller, mut cart: pb::Cart) -> pb::Cart {
        let offers = self.offers(cart.lines.iter().map(|line| line.variant.clone()).collect()).await;
        let offers = offers.inspect_err(|status| away("catalog", status)).ok();
        let mut problems = Vec::new();
        if let Some(offers) = &offers {
            for line in &mut cart.lines {
                problems.extend(price(line, offers.get(&line.variant)));
            }
            cart.subtotal = subtotal(&cart.lines);
        } else {
            // What it cost then is only told beside what it costs now.
            cart.lines.iter_mut().for_each(|line| line.added_price = None);
        }
        let (lacking, (discount, objection)) =
            tokio::join!(self.lacking(&cart, offers.as_ref()), self.discount(caller, &cart));
        problems.extend(lacking);
        problems.extend(objection);
        pb::Cart { discount, problems, ..cart }
    }

    /// What there is less of than is wanted.
    async fn lacking(
        &self,
        cart: &pb::Cart,
        offers: Option<&HashMap<String, Offer>>,
    ) -> Vec<pb::CartProblem> {
        let stocked = |line: &&pb::CartLine| {
            offers
                .and_then(|offers| offers.get(&line.variant))
                .is_some_and(|offer| offer.stocked && offer.on_sale)
        };
        let lines: Vec<&pb::CartLine> = cart.lines.iter().filter(stocked).collect();
        let stock = match self.stock(lines.iter().map(|line| line.sku.clone()).collect()).await {
            Ok(stock) => stock,
            Err(status) => {
                away("inventory", &status);
                return Vec::new();
            }
        };
        let short = |line: &pb::CartLine| {
            let available = stock.get(&line.sku).copied().unwrap_or_default();
            (available < line.quantity).then(|| pb::CartProblem {
                kind: Kind::OutOfStock.into(),
                variant: line.variant.clone(),
                available,
                message: match available {
                    0 => format!("{} is out of stock", line.title),
                    few => format!("only {few} of {} are in stock", line.title),
                },
            })
        };
        lines.into_iter().filter_map(short).collect()
    }

    /// What the coupon takes off, or why it does not apply.
    async fn discount(
        &self,
        caller: &Caller,
        cart: &pb::Cart,
    ) -> (Option<contract::Money>, Option<pb::CartProblem>) {
        if cart.coupon_code.is_empty() {
            return (None, None);
        }
        match self.evaluate(caller, cart, &cart.coupon_code).await {
            Ok(discount) => (discount, None),
            Err(status) if refuses(&status) => {
                let message = status.message().to_owned();
                let problem =
                    pb::CartProblem { kind: Kind::CouponInvalid.into(), message, ..Default::default() };
                (None, Some(problem))
            }
            Err(status) => {
                away("promotion", &status);
                (None, None)
            }
        }
    }

    /// Asks promotion what a coupon takes off a cart that is priced, for the caller: it counts who guesses at codes. Of a
    /// cart without priced lines it is not asked.
    async fn evaluate(
        &self,
        caller: &Caller,
        cart: &pb::Cart,
        code: &str,
    ) -> Result<Option<contract::Money>, Status> {
        let priced = |line: &pb::CartLine| {
            let total = line.total.clone()?;
            Some(PricedLine { variant: line.variant.clone(), quantity: line.quantity, total: Some(total) })
        };
        let lines: Vec<_> = cart.lines.iter().filter_map(priced).collect();
        if lines.is_empty() || cart.subtotal.is_none() {
            return Ok(None);
        }
        let request =
            EvaluateDiscountsRequest { coupon_code: code.to_owned(), lines, customer: cart.owner.clone() };
        let asked = as_subject(caller, request);
        Ok(self.promotion.clone().evaluate_discounts(asked).await?.into_inner().discount)
    }

    /// Whether a coupon may be put on a cart: only promotion's own refusal says no.
    pub(crate) async fn try_coupon(&self, caller: &Caller, cart: pb::Cart, code: &str) -> Result<(), Status> {
        let bare = pb::Cart { coupon_code: String::new(), ..cart };
        match self.evaluate(caller, &self.show(caller, bare).await, code).await {
            Err(status) if refuses(&status) || status.code() == Code::ResourceExhausted => {
                Err(passed_on(&status))
            }
            Err(status) => {
                away("promotion", &status);
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}

/// Whether promotion has looked at the coupon and says no; anything else says nothing about the coupon.
fn refuses(status: &Status) -> bool {
    [Code::NotFound, Code::FailedPrecondition, Code::InvalidArgument, Code::AlreadyExists]
        .contains(&status.code())
}

/// Another service's refusal as our own answer: its reason and words, without the headers it came with.
fn passed_on(status: &Status) -> Status {
    Status::with_details(status.code(), status.message(), status.details().to_vec().into())
}

/// Prices a line, and tells what is the matter with it.
fn price(line: &mut pb::CartLine, offer: Option<&Offer>) -> Option<pb::CartProblem> {
    let added = line.added_price.take();
    let problem = |kind: Kind, message: String| {
        Some(pb::CartProblem { kind: kind.into(), variant: line.variant.clone(), available: 0, message })
    };
    let Some(offer) = offer.filter(|offer| offer.on_sale) else {
        return problem(Kind::Unavailable, format!("{} is no longer sold", line.title));
    };
    let now = contract::Money::from(offer.price);
    let changed = added.as_ref().is_some_and(|added| *added != now);
    let told = changed.then(|| problem(Kind::PriceChanged, format!("the price of {} changed", offer.title)));
    line.title.clone_from(&offer.title);
    line.sku.clone_from(&offer.sku);
    line.image.clone_from(&offer.image);
    line.total = offer.price.times(line.quantity).ok().map(contract::Money::from);
    line.added_price = added.filter(|_| changed);
    line.unit_price = Some(now);
    told.flatten()
}

/// The sum of the lines that have a price, where all are in one currency.
fn subtotal(lines: &[pb::CartLine]) -> Option<contract::Money> {
    let totals = lines.iter().filter_map(|line| Money::try_from(line.total.as_ref()?).ok());
    totals.map(Some).reduce(|sum, total| sum?.plus(total?).ok())?.map(contract::Money::from)
}

fn away(who: &str, status: &Status) {
    tracing::warn!(peer = who, code = ?status.code(), "a cart is shown without what a service would say to it");
}
