//! Checkouts whose process dies, again and again, by chance that is drawn from a seed.
//!
//! The order service's own code, on SQLite, between peers that keep books of their own (`tests/it/world.rs`) and refuse,
//! do not answer, or are asked too often. A life is a runtime of its own; dying drops it with everything in it, wherever
//! that is at the moment. In the next life the same customers ask again under the same ids. In the end every order has
//! ended, every customer knows, and the books of all parts agree. The seed decides what goes wrong; when exactly a life
//! ends also depends on the machine, so that a seed that fails may have to be run more than once.

#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the service's own tests break more things down")]
#[allow(clippy::duplicate_mod, reason = "the tests of the checkout play the same world")]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::caller::Caller;
use chassis::db::Db;
use chassis::saga::Settings;
use chassis::testing::{TestDb, TestProcess};
use contract::catalog::v1 as catalog;
use contract::common::v1::PostalAddress;
use contract::order::v1 as pb;
use contract::order::v1::order::State;
use contract::order::v1::order_service_server::OrderService;
use contract::shipping::v1::ShippingOption;
use sea_orm::{ConnectionTrait, Statement};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use world::{Fault, World, gbp};

use crate::claims::Claims;
use crate::peers::Peers;
use crate::{Config, Migrator, Service};

/// Seeds tried where nobody says otherwise.
const SEEDS: u64 = 60;
/// Cups there are, of which most customers want some.
const CUPS: i64 = 5;
const CUSTOMERS: u64 = 3;
const DEATHS_MAX: u64 = 4;
const CUP: &str = "products/p1/variants/cup";
/// The longest that customers keep asking in one life.
const PATIENCE: Duration = Duration::from_secs(30);

/// Chance that can be had again (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).expect("few")]
    }
}

/// What lasts from life to life.
struct Stage {
    process: Arc<TestProcess>,
    world: World,
    url: chassis::db::Url,
}

/// A customer and what it asks for.
#[derive(Clone)]
struct Wish {
    customer: Caller,
    request: pb::PlaceOrderRequest,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn checkouts_end_and_books_agree_however_often_the_process_dies() {
    let (first, seeds) = (told("SIMULATE_SEED"), told("SIMULATE_SEEDS").unwrap_or(SEEDS));
    let first = first.unwrap_or_else(|| chassis::Timestamp::now().micros().unsigned_abs());
    println!("{seeds} seeds from {first}");
    let began = Instant::now();
    let db = TestDb::new::<Migrator>().await;
    let (process, world) = (TestProcess::new().await, World::default());
    world.open(&process);
    let stage = Arc::new(Stage { process, world, url: db.url().clone() });
    let mut ended = [0_u64; 3];
    for seed in first..first + seeds {
        let on = Arc::clone(&stage);
        let lived = tokio::task::spawn_blocking(move || on.play(seed)).await;
        for (sum, one) in
            ended.iter_mut().zip(lived.unwrap_or_else(|_| panic!("seed {seed} (SIMULATE_SEED)")))
        {
            *sum += one;
        }
    }
    let [confirmed, cancelled, deaths] = ended;
    println!("{confirmed} confirmed, {cancelled} cancelled, {deaths} deaths in {:?}", began.elapsed());
    assert!(confirmed > 0 && cancelled > 0 && deaths > 0, "nothing was tried");
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the simulation says how long")]
fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Stage {
    /// Plays one seed to its end. Answers how many orders were confirmed and cancelled, and how often the process died.
    fn play(&self, seed: u64) -> [u64; 3] {
        let mut chance = Chance(seed);
        self.set_up(&mut chance);
        let wishes: Vec<Wish> = (0..CUSTOMERS).map(|number| wish(seed, number, &mut chance)).collect();
        let deaths = chance.below(DEATHS_MAX + 1);
        for _ in 0..deaths {
            // Early and late deaths are equally likely, whatever a machine makes of a tick.
            let scale = chance.below(15);
            let ticks = chance.below(1 << scale);
            self.live(&wishes, Some(ticks));
        }
        let answers = self.live(&wishes, None).expect("nobody dies in the last life");
        let [confirmed, cancelled] = self.audit(&wishes, &answers);
        [confirmed, cancelled, deaths]
    }

    /// Goods, and what will go wrong with them.
    fn set_up(&self, chance: &mut Chance) {
        let mut variant = catalog::Variant {
            name: CUP.to_owned(),
            sku: "CUP".into(),
            price: Some(gbp(1250)),
            weight_grams: 300,
            stocked: true,
            ..Default::default()
        };
        variant.set_state(catalog::variant::State::Active);
        variant.set_product_state(catalog::product::State::Active);
        let post = ShippingOption { rate: "post".into(), price: Some(gbp(350)), ..Default::default() };
        let mut facts = self.world.facts();
        *facts = world::Facts::default();
        facts.stock.insert("CUP".into(), CUPS);
        facts.variants.insert(CUP.to_owned(), variant);
        facts.shipping.insert("GB".into(), vec![post]);
        facts.coupons.insert("TENTH".into(), 10);
        drop(facts);
        let steps = ["RedeemCoupon", "ReserveStock", "AuthorizePayment"];
        let undos = ["ReleaseCoupon", "ReleaseReservation", "VoidPayment"];
        for _ in 0..chance.below(6) {
            let silent = chance.of(&[Code::Unavailable, Code::DeadlineExceeded, Code::Internal]);
            let (method, fault) = match chance.below(4) {
                0 => (chance.of(&steps), Fault::Refuse(Code::FailedPrecondition, "REFUSED")),
                1 => (chance.of(&steps), Fault::Refuse(Code::Unavailable, "AWAY")),
                2 => (chance.of(&steps), Fault::LoseAnswer(silent)),
                _ => (chance.of(&undos), Fault::LoseAnswer(silent)),
            };
            self.world.fault(method, fault);
        }
    }

    /// One life of the process: until it dies, or every customer knows and no saga is under way.
    fn live(&self, wishes: &[Wish], dies_after: Option<u64>) -> Option<Vec<Result<pb::Order, Status>>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let lived = runtime.block_on(async {
            let death = async {
                match dies_after {
                    Some(ticks) => {
                        for _ in 0..ticks {
                            tokio::task::yield_now().await;
                        }
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = death => None,
                answers = self.serve(wishes) => Some(answers),
            }
        });
        // A death leaves nothing running: what is dropped here is dropped wherever it was.
        runtime.shutdown_timeout(Duration::from_secs(5));
        lived
    }

    async fn serve(&self, wishes: &[Wish]) -> Vec<Result<pb::Order, Status>> {
        let db = Db::connect(&self.url).await.expect("the database");
        let peers = Peers::of(&self.process.host("order")).expect("peers");
        let claims = Claims::open(&db, &peers).await.expect("claims");
        let patience = Settings {
            lease: Duration::from_millis(40),
            delay_first: Duration::from_millis(2),
            delay_max: Duration::from_millis(10),
            poll: Duration::from_millis(10),
            ..Settings::default()
        };
        let service = Service::new(&db, peers, claims, Config::default(), patience);
        let runner = service.runner.clone();
        let recovering = runner.recover(CancellationToken::new());
        let asking = async {
            let answers = futures::future::join_all(wishes.iter().map(|wish| ask(&service, wish))).await;
            until_none(&db, "SELECT COUNT(*) FROM saga WHERE state IN ('RUNNING', 'COMPENSATING')").await;
            answers
        };
        let answers = tokio::select! {
            answers = asking => answers,
            () = recovering => panic!("nobody has stopped it"),
        };
        let needy = count(&db, "SELECT COUNT(*) FROM saga WHERE state = 'NEEDS_ATTENTION'").await;
        assert_eq!(needy, 0, "a saga needs attention");
        let _ = db.close().await;
        answers
    }

    /// What customers were told, against what the peers hold.
    fn audit(&self, wishes: &[Wish], answers: &[Result<pb::Order, Status>]) -> [u64; 2] {
        let (mut confirmed, mut cancelled, mut cups, mut coupons) = (0, 0, 0, 0);
        for (wish, answer) in wishes.iter().zip(answers) {
            match answer {
                Ok(order) if order.state() == State::Confirmed => {
                    confirmed += 1;
                    cups += wish.request.lines[0].quantity;
                    coupons += usize::from(!wish.request.coupon_code.is_empty());
                }
                Ok(order) => {
                    assert_eq!(order.state(), State::Cancelled, "{order:?}");
                    cancelled += 1;
                }
                Err(refusal) => assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}"),
            }
        }
        let payments = usize::try_from(confirmed).expect("few");
        assert_eq!(self.world.held(), (coupons, cups, payments), "coupons, cups and payments held");
        assert_eq!(self.world.facts().stock["CUP"] + cups, CUPS, "no cup is lost, none is there twice");
        let orders = answers.iter().flatten().map(|order| &order.name);
        let distinct: std::collections::BTreeSet<_> = orders.clone().collect();
        assert_eq!(distinct.len(), orders.count(), "each request has an order of its own");
        [confirmed, cancelled]
    }
}

fn wish(seed: u64, number: u64, chance: &mut Chance) -> Wish {
    let quantity = i64::try_from(chance.below(3)).expect("few") + 1;
    let token = if chance.below(4) == 0 { "declined" } else { "ok" };
    let request = pb::PlaceOrderRequest {
        lines: vec![pb::LineRequest { variant: CUP.into(), quantity }],
        coupon_code: chance.of(&["", "TENTH"]).into(),
        shipping_address: Some(PostalAddress {
            recipient: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country_code: "GB".into(),
            ..Default::default()
        }),
        payment_method: Some(pb::PaymentMethod { channel: "sandbox".into(), token: token.into() }),
        expected_total: Some(gbp(1_000_000)),
        request_id: uuid::Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let name = format!("users/{seed}-{number}");
    Wish { customer: Caller::person(name, None, []), request }
}

/// Asks until the answer is final, as a careful client does.
async fn ask(service: &Service, wish: &Wish) -> Result<pb::Order, Status> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut request = Request::new(wish.request.clone());
        request.extensions_mut().insert(wish.customer.clone());
        match service.place_order(request).await {
            Ok(order) if order.get_ref().state() != State::Placed => return Ok(order.into_inner()),
            Err(refusal) if refusal.code() == Code::FailedPrecondition => return Err(refusal),
            unclear => assert!(Instant::now() < until, "never answered: {unclear:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_none(db: &Db, sql: &str) {
    let until = Instant::now() + PATIENCE;
    while count(db, sql).await > 0 {
        assert!(Instant::now() < until, "under way for ever: {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn count(db: &Db, sql: &str) -> i64 {
    let row = db.writer().query_one_raw(Statement::from_string(db.backend(), sql)).await;
    row.expect("a count").expect("one row").try_get_by_index(0).expect("a number")
}
