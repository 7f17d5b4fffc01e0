//! Customers who never give up: each asks until it knows what became of its order. And a supplier.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use contract::cart::v1::AddItemRequest;
use contract::inventory::v1::ReceiveStockRequest;
use contract::order::v1::order::State;
use contract::order::v1::{CancelOrderRequest, LineRequest, Order, PlaceOrderRequest};
use e2e::{Person, Transport};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::journal::{Journal, Line};
use crate::world::{COUPON, SKUS, World};

/// How long a customer asks before the order counts as lost: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(300);
/// Tokens last ten minutes.
const KNOWN_FOR: Duration = Duration::from_secs(240);
/// How orders are paid, most of them without trouble.
const CARDS: [&str; 8] = [
    "tok_visa",
    "tok_visa",
    "tok_visa",
    "tok_mastercard",
    "tok_declined",
    "tok_timeout",
    "tok_unavailable_once",
    "tok_capture_fails_once",
];

/// What one customer was told of one order in the end.
pub(crate) struct Told {
    pub(crate) request: PlaceOrderRequest,
    pub(crate) outcome: Outcome,
    /// How long it took to know.
    pub(crate) waited: Duration,
    /// Whether cancelling it was accepted afterwards.
    pub(crate) cancelled: bool,
}

/// What became of it.
pub(crate) enum Outcome {
    /// An order was made; this is how it ended.
    Order(Box<Order>),
    /// It was refused, and no order was made.
    Refused(String),
    /// Nobody ever said.
    Unknown(String),
}

/// Buys until told to stop, and tells what came of each order.
pub(crate) async fn live(
    number: u16,
    seed: u64,
    world: Arc<World>,
    journal: Arc<Journal>,
    stop: CancellationToken,
) -> Vec<Told> {
    let mut chance = StdRng::seed_from_u64(seed ^ (u64::from(number) + 1));
    let mut told = Vec::new();
    'life: while !stop.is_cancelled() {
        let Some(person) = become_known(&world.edge, &stop).await else { break };
        let since = Instant::now();
        while since.elapsed() < KNOWN_FOR {
            if stop.is_cancelled() {
                break 'life;
            }
            let mut request = wish(&person, &world, &mut chance);
            if chance.random_bool(0.3) {
                request = by_cart(&person, request, &journal).await;
            }
            let (twice, regrets) = (chance.random_bool(0.1), chance.random_bool(0.1));
            let mut result = buy(&person, request, twice, &world, &journal).await;
            if let (true, Outcome::Order(order)) = (regrets, &result.outcome)
                && order.state() == State::Confirmed
            {
                result.cancelled = cancel(&person, &order.name, &journal).await;
            }
            told.push(result);
            tokio::time::sleep(Duration::from_millis(chance.random_range(20..200))).await;
        }
    }
    told
}

/// A new guest, as soon as the shop lets one in.
async fn become_known(edge: &str, stop: &CancellationToken) -> Option<Person> {
    while !stop.is_cancelled() {
        match tokio::time::timeout(Duration::from_secs(10), Person::guest(edge, Transport::Grpc)).await {
            Ok(Ok(person)) => return Some(person),
            Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
    None
}

fn wish(person: &Person, world: &World, chance: &mut StdRng) -> PlaceOrderRequest {
    let card = CARDS.choose(chance).copied().unwrap_or("tok_visa");
    // Now and then the same goods stand on two lines.
    let lines = (0..chance.random_range(1..=3))
        .map(|_| LineRequest {
            variant: world.variants.choose(chance).cloned().unwrap_or_default(),
            quantity: chance.random_range(1..=2),
        })
        .collect();
    let coupon_code = if chance.random_bool(0.2) { COUPON.to_owned() } else { String::new() };
    PlaceOrderRequest { lines, coupon_code, ..person.order_of("", 1, card) }
}

/// Puts what is wanted into the cart, and wants what is in it.
async fn by_cart(person: &Person, wish: PlaceOrderRequest, journal: &Journal) -> PlaceOrderRequest {
    for line in &wish.lines {
        let request = AddItemRequest {
            cart: "carts/current".into(),
            variant: line.variant.clone(),
            quantity: line.quantity,
            request_id: e2e::scene::new_request_id(),
        };
        let content = format!("{} x {}", line.quantity, line.variant);
        note(journal, "ask", "AddItem", &request.request_id, &content);
        let asked = Instant::now();
        let mut told = "unknown";
        while asked.elapsed() < PATIENCE {
            let put_in =
                bounded(async { Ok(person.cart().add_item(request.clone()).await?.into_inner()) }).await;
            match put_in {
                Ok(_) => {
                    told = "put in";
                    break;
                }
                Err(refusal) if is_final(&refusal) => {
                    told = "refused";
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
        note(journal, "told", "AddItem", &request.request_id, told);
    }
    PlaceOrderRequest { cart: "carts/current".into(), lines: Vec::new(), ..wish }
}

async fn buy(
    person: &Person,
    request: PlaceOrderRequest,
    twice: bool,
    world: &World,
    journal: &Journal,
) -> Told {
    let asked = Instant::now();
    let content: Vec<String> =
        request.lines.iter().map(|line| format!("{} x {}", line.quantity, line.variant)).collect();
    let content = if request.cart.is_empty() { content.join(", ") } else { request.cart.clone() };
    note(journal, "ask", "PlaceOrder", &request.request_id, &content);
    let mut outcome = Outcome::Unknown("not asked".into());
    while asked.elapsed() < PATIENCE {
        world.placing.fetch_add(1, Ordering::Relaxed);
        // Impatient people press the button twice: both are the same request.
        let (first, second) = tokio::join!(place(person, &request), async {
            if twice { Some(place(person, &request).await) } else { None }
        });
        world.placing.fetch_sub(1, Ordering::Relaxed);
        let answer = match second {
            Some(Ok(order)) if first.is_err() => Ok(order),
            _ => first,
        };
        match answer {
            Ok(order) if order.state() == State::Placed => {
                outcome = follow(person, order, asked).await;
                break;
            }
            Ok(order) => {
                outcome = Outcome::Order(Box::new(order));
                break;
            }
            Err(refusal) if is_final(&refusal) => {
                outcome = Outcome::Refused(describe(&refusal));
                break;
            }
            Err(unclear) => outcome = Outcome::Unknown(describe(&unclear)),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let words = match &outcome {
        Outcome::Order(order) => format!("{} {:?} {}", order.name, order.state(), order.cancel_reason),
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Unknown(why) => format!("unknown: {why}"),
    };
    note(journal, "told", "PlaceOrder", &request.request_id, &words);
    Told { request, outcome, waited: asked.elapsed(), cancelled: false }
}

/// Waits for the end of an order that was accepted.
async fn follow(person: &Person, order: Order, asked: Instant) -> Outcome {
    while asked.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(300)).await;
        if let Ok(seen) = bounded(person.see(&order.name)).await
            && seen.state() != State::Placed
        {
            return Outcome::Order(Box::new(seen));
        }
    }
    Outcome::Order(Box::new(order))
}

async fn place(person: &Person, request: &PlaceOrderRequest) -> Result<Order, Status> {
    bounded(person.place(request.clone())).await
}

/// Asks to cancel until the answer is clear.
async fn cancel(person: &Person, order: &str, journal: &Journal) -> bool {
    let request = CancelOrderRequest {
        name: order.into(),
        reason: "changed my mind".into(),
        request_id: e2e::scene::new_request_id(),
    };
    note(journal, "ask", "CancelOrder", &request.request_id, order);
    let asked = Instant::now();
    let mut cancelled = false;
    while asked.elapsed() < PATIENCE {
        match bounded(async { Ok(person.orders().cancel_order(request.clone()).await?.into_inner()) }).await {
            Ok(_) => {
                cancelled = true;
                break;
            }
            Err(refusal) if is_final(&refusal) => break,
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
    note(
        journal,
        "told",
        "CancelOrder",
        &request.request_id,
        if cancelled { "cancelled" } else { "refused" },
    );
    cancelled
}

/// Brings goods until told to stop; tells how many of each SKU the shop has acknowledged.
pub(crate) async fn supply(
    seed: u64,
    world: Arc<World>,
    journal: Arc<Journal>,
    stop: CancellationToken,
) -> Vec<(String, i64)> {
    let mut chance = StdRng::seed_from_u64(seed ^ 0x5a5a);
    let mut supplied = Vec::new();
    let mut admin: Option<(Person, Instant)> = None;
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(chance.random_range(300..1_500))).await;
        let (sku, quantity) =
            (SKUS.choose(&mut chance).copied().unwrap_or(SKUS[0]), chance.random_range(5..=40));
        let request = ReceiveStockRequest {
            sku: sku.into(),
            quantity,
            reason: "delivery".into(),
            request_id: e2e::scene::new_request_id(),
            ..ReceiveStockRequest::default()
        };
        note(&journal, "ask", "ReceiveStock", &request.request_id, &format!("{quantity} x {sku}"));
        // A delivery that was begun is finished, whoever says stop meanwhile: half a delivery would not count.
        loop {
            let fresh = admin.take().filter(|(_, since)| since.elapsed() < KNOWN_FOR);
            let person = match fresh {
                Some(known) => Some(known),
                None => bounded_by(Person::admin(&world.edge)).await.map(|person| (person, Instant::now())),
            };
            let Some((person, since)) = person else {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            };
            let answer =
                bounded(async { Ok(person.inventory().receive_stock(request.clone()).await?.into_inner()) })
                    .await;
            admin = Some((person, since));
            match answer {
                Ok(_) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        note(&journal, "told", "ReceiveStock", &request.request_id, "received");
        supplied.push((sku.to_owned(), quantity));
    }
    supplied
}

/// A call that a frozen part must not hold for ever.
async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Err(Status::deadline_exceeded("the client waited for fifteen seconds"));
    tokio::time::timeout(Duration::from_secs(15), call).await.unwrap_or_else(late)
}

async fn bounded_by<T>(call: impl Future<Output = anyhow::Result<T>>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(10), call).await.ok()?.ok()
}

/// Whether an answer says for certain that nothing was done and nothing will be.
fn is_final(refusal: &Status) -> bool {
    matches!(
        refusal.code(),
        Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::AlreadyExists
    )
}

fn describe(refusal: &Status) -> String {
    let reason = chassis::status::reason(refusal).unwrap_or_default();
    format!("{:?} {reason} {}", refusal.code(), refusal.message())
}

fn note(journal: &Journal, what: &str, call: &str, request_id: &str, content: &str) {
    if let Err(error) = journal.write(&Line { what, call, request_id, content }) {
        eprintln!("the journal cannot be written: {error}");
    }
}
