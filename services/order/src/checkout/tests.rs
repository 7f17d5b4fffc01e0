//! The checkout may be cut, repeated and undone at any point: nothing is held twice, and nothing is left behind.

#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the service's own tests break more things down")]
mod world;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use chassis::caller::Caller;
use chassis::saga::testing::{
    a_refusal_at_any_step_leaves_nothing_held, each_compensation_may_run_twice, each_step_may_run_twice,
};
use chassis::saga::{Outcome, Runner, Settings, Started};
use chassis::testing::{TestDb, TestProcess, eventually};

use super::*;
use crate::Migrator;
use crate::domain::{Address, Goods, Item, Placed, State as OrderState};
use world::World;

/// Patient enough for a slow machine, and quick to take over.
fn patience() -> Settings {
    Settings {
        lease: Duration::from_millis(40),
        delay_first: Duration::from_millis(2),
        delay_max: Duration::from_millis(10),
        ..Settings::default()
    }
}

/// A world of peers, and the order service's database.
struct Shop {
    world: World,
    db: TestDb,
    peers: Peers,
    _process: Arc<TestProcess>,
}

impl Shop {
    async fn start() -> Shop {
        let process = TestProcess::new().await;
        let (world, host) = (World::default(), process.host("order"));
        world.facts().stock.insert("CUP".into(), 1_000);
        world.open(&process);
        let peers = Peers::of(&host).expect("peers");
        Shop { world, db: TestDb::new::<Migrator>().await, peers, _process: process }
    }

    fn runner(&self) -> Runner<Checkout> {
        let (db, peers) = (self.db.clone(), self.peers.clone());
        Runner::new(&self.db, "order", patience(), move |ticket, state| {
            Checkout::new(&db, &peers, ticket, state)
        })
    }

    /// An order of two cups with a coupon, accepted.
    async fn accept(&self, runner: &Runner<Checkout>, token: &str) -> (Checkout, Started<Checkout>) {
        let pound = Money::new(1250, "GBP".parse().expect("a currency"));
        let item = Item {
            variant: "products/p1/variants/cup".into(),
            sku: "CUP".into(),
            title: "Cup".into(),
            quantity: 2,
            unit_price: pound,
            price_version: 1,
            stocked: true,
            weight_grams: 300,
        };
        let goods = Goods::of(vec![item]).expect("goods");
        let amounts = goods.amounts(Money::zero(pound.currency), 2000).expect("amounts");
        let id = Id::<Order>::new();
        let request =
            Key::of(&Caller::service_named("order"), "PlaceOrder", &id.to_string(), &pb::Order::default());
        let coupon =
            Coupon { code: "TENTH".into(), discount: Money::zero(pound.currency), subtotal: goods.subtotal };
        let state = State {
            order: id,
            customer: "users/ada".into(),
            coupon: Some(coupon),
            stock: vec![("CUP".into(), 2)],
            stock_expire_time: i64::MAX / 1_000_000,
            total: amounts.total,
            channel: "sandbox".into(),
            token: token.into(),
            payment: None,
            request: request.clone(),
        };
        let placed = Placed {
            customer: "users/ada".into(),
            cart: String::new(),
            lines: goods.lines,
            amounts,
            coupon_code: "TENTH".into(),
            shipping_rate: String::new(),
            country: "GB".into(),
        };
        let started = self.db.write(async |tx| {
            once::claim::<pb::Order>(tx, &request).await?;
            store::create(tx, id, placed, &Address::default(), "customers").await?;
            Ok::<_, Error>(runner.start(tx, id.uuid(), &id.name(), &state, Duration::from_secs(60)).await?)
        });
        let started = started.await.expect("accepted");
        (Checkout::new(&self.db, &self.peers, started.ticket(), state), started)
    }

    async fn order(&self, id: Id<Order>) -> Order {
        store::load(self.db.writer(), Owner::Anyone, id).await.expect("a database").expect("an order")
    }

    async fn answered(&self, of: &State) -> bool {
        let answer =
            self.db.write(async |tx| once::claim::<pb::Order>(tx, &of.request).await.map_err(Error::from));
        matches!(answer.await, Ok(once::Claim::Done(_)))
    }
}

/// Polls a future at most so many times and then drops it, as a crash at an await does. `None`: it was cut.
async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Makes checkouts each in a shop of its own, and looks at what is so there.
#[derive(Default)]
struct Shops(Mutex<HashMap<Id<Order>, Arc<Shop>>>);

impl Shops {
    async fn make(&self) -> Checkout {
        let shop = Shop::start().await;
        let (checkout, _) = shop.accept(&shop.runner(), "ok").await;
        self.0.lock().expect("shops").insert(checkout.state.order, Arc::new(shop));
        checkout
    }

    async fn probe(&self, checkout: &Checkout) -> ((usize, i64, usize), i64, OrderState, i64, bool) {
        let shop = Arc::clone(&self.0.lock().expect("shops")[&checkout.state.order]);
        let order = shop.order(checkout.state.order).await;
        let stock = shop.world.facts().stock["CUP"];
        let answered = order.state != OrderState::Placed && shop.answered(&checkout.state).await;
        (shop.world.held(), stock, order.state, order.version, answered)
    }
}

#[tokio::test]
async fn each_step_of_a_checkout_may_run_twice() {
    let shops = Shops::default();
    each_step_may_run_twice(async || shops.make().await, async |checkout| shops.probe(checkout).await).await;
}

#[tokio::test]
async fn a_refusal_at_any_step_of_a_checkout_leaves_nothing_held() {
    let shops = Shops::default();
    a_refusal_at_any_step_leaves_nothing_held(
        async || shops.make().await,
        async |checkout| shops.probe(checkout).await,
    )
    .await;
}

#[tokio::test]
async fn each_compensation_of_a_checkout_may_run_twice() {
    let shops = Shops::default();
    each_compensation_may_run_twice(
        async || shops.make().await,
        async |checkout| shops.probe(checkout).await,
    )
    .await;
}

#[tokio::test]
async fn a_checkout_cut_at_any_point_is_finished_by_another_runner() {
    let shop = Shop::start().await;
    let (first, second) = (shop.runner(), shop.runner());
    for polls in 0.. {
        let (mut checkout, started) = shop.accept(&first, "ok").await;
        drop(started);
        // Nothing of what was done is noted: the crash comes before each save.
        let whole = cut(polls, async {
            for step in Checkout::STEPS {
                checkout.run(*step).await.expect("a step");
            }
        });
        let whole = whole.await.is_some();
        let id = checkout.state.order;
        let outcome = eventually(async || {
            let outcome = second.resume(id.uuid()).await.expect("a database");
            (outcome != Outcome::Pending).then_some(outcome)
        });
        assert_eq!(outcome.await, Outcome::Completed, "cut after {polls} polls");
        let order = shop.order(id).await;
        assert_eq!((order.state, order.version), (OrderState::Confirmed, 2), "cut after {polls} polls");
        assert!(shop.answered(&checkout.state).await, "cut after {polls} polls");
        let orders = polls + 1;
        assert_eq!(shop.world.held(), (orders, i64::try_from(orders).expect("few") * 2, orders));
        if whole {
            assert!(polls > 5, "a checkout waits more often");
            return;
        }
    }
}

#[tokio::test]
async fn a_checkout_cut_before_its_refusal_is_undone_by_another_runner() {
    let shop = Shop::start().await;
    let (first, second) = (shop.runner(), shop.runner());
    for polls in 0.. {
        let (mut checkout, started) = shop.accept(&first, "declined").await;
        drop(started);
        let whole = cut(polls, async {
            checkout.run(Step::RedeemCoupon).await.expect("a coupon");
            checkout.run(Step::ReserveStock).await.expect("stock");
            checkout.run(Step::AuthorizePayment).await.expect_err("declined");
        });
        let whole = whole.await.is_some();
        let id = checkout.state.order;
        let outcome = eventually(async || {
            let outcome = second.resume(id.uuid()).await.expect("a database");
            (outcome != Outcome::Pending).then_some(outcome)
        });
        let Outcome::Compensated(refusal) = outcome.await else {
            panic!("cut after {polls} polls: not undone")
        };
        assert_eq!(refusal.reason, "PAYMENT_DECLINED");
        let order = shop.order(id).await;
        assert_eq!((order.state, order.cancel_reason.as_str()), (OrderState::Cancelled, "PAYMENT_DECLINED"));
        assert!(shop.answered(&checkout.state).await, "cut after {polls} polls");
        assert_eq!((shop.world.held(), shop.world.facts().stock["CUP"]), ((0, 0, 0), 1_000));
        if whole {
            return;
        }
    }
}

#[tokio::test]
async fn an_owner_that_lost_its_checkout_confirms_nothing() {
    let shop = Shop::start().await;
    let (mut zombie, started) = shop.accept(&shop.runner(), "ok").await;
    drop(started);
    for step in [Step::RedeemCoupon, Step::ReserveStock, Step::AuthorizePayment] {
        zombie.run(step).await.expect("a step");
    }
    shop.db
        .write(async |tx| {
            let order = store::load(tx, Owner::Anyone, zombie.state.order).await?.expect("an order");
            let asked = order.cancel("CANCELLED_BY_CUSTOMER")?.expect("news");
            store::append(tx, &order, asked, "customers").await
        })
        .await
        .expect("asked to cancel");
    let second = shop.runner();
    let outcome = eventually(async || {
        let outcome = second.resume(zombie.state.order.uuid()).await.expect("a database");
        (outcome != Outcome::Pending).then_some(outcome)
    });
    assert!(matches!(outcome.await, Outcome::Compensated(_)));
    zombie.run(Step::Confirm).await.expect_err("the saga is somebody else's");
    assert_eq!(shop.order(zombie.state.order).await.state, OrderState::Cancelled);
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn a_checkout_past_its_deadline_is_undone() {
    let shop = Shop::start().await;
    let runner = shop.runner();
    let (checkout, started) = shop.accept(&runner, "ok").await;
    let late = "UPDATE saga SET deadline_at = 1, lease_until = 0";
    shop.db.execute(sea_orm::Statement::from_string(shop.db.backend(), late)).await.expect("time passes");
    drop(started);
    shop.world.fault("RedeemCoupon", world::Fault::LoseAnswer(Code::Unavailable));
    let outcome = runner.resume(checkout.state.order.uuid()).await.expect("a database");
    assert!(matches!(outcome, Outcome::Compensated(_)), "{outcome:?}");
    assert_eq!(shop.order(checkout.state.order).await.state, OrderState::Cancelled);
    assert_eq!(shop.world.held(), (0, 0, 0));
}
