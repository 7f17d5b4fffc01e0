//! The checkout may be cut, repeated and undone at any point: nothing is held twice, and nothing is left behind.

#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the service's own tests break more things down")]
mod world;

use std::sync::Arc;
use std::time::Duration;

use chassis::caller::Caller;
use chassis::saga::testing::{Faulty, Trial};
use chassis::saga::{Outcome, Runner, Settings, Started};
use chassis::testing::{TestDb, TestProcess, eventually};
use uuid::Uuid;

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
        runner(&self.db, &self.peers, patience())
    }

    /// An order of two cups with a coupon, accepted.
    async fn accept<S: Saga<State = State>>(
        &self,
        runner: &Runner<S>,
        token: &str,
    ) -> (Checkout, Started<S>) {
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
        let request = request(id);
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
            at_hand: AtHand::default(),
        };
        let placed = Placed {
            customer: "users/ada".into(),
            cart: String::new(),
            lines: goods.lines,
            amounts,
            coupon_code: "TENTH".into(),
            shipping_rate: String::new(),
            country: "GB".into(),
            expire_time: chassis::time::Timestamp::from_micros(900_000_000),
        };
        let started = self.db.write(async |tx| {
            once::claim::<pb::Order>(tx, &request).await?;
            let accepted = store::Accepted { id, placed, address: Address::default() };
            store::create(tx, vec![accepted], "customers").await?;
            Ok::<_, Error>(runner.start(tx, id.uuid(), &id.name(), &state, Duration::from_secs(60)).await?)
        });
        let started = started.await.expect("accepted");
        (factory(&self.db, &self.peers)(started.ticket(), state), started)
    }

    async fn order(&self, id: Id<Order>) -> Order {
        store::load(self.db.writer(), Owner::Anyone, id).await.expect("a database").expect("an order")
    }

    async fn is_answered(&self, id: Id<Order>) -> bool {
        let key = request(id);
        let answer = self.db.write(async |tx| once::claim::<pb::Order>(tx, &key).await.map_err(Error::from));
        matches!(answer.await, Ok(once::Claim::Done(_)))
    }
}

/// The request that waits for an order.
fn request(id: Id<Order>) -> Key {
    Key::of(&Caller::service_named("order"), "PlaceOrder", &id.to_string(), &pb::Order::default())
}

/// What is so of one order: what its peers hold, how it stands, and whether its request is answered.
type Left = ((bool, i64, bool), OrderState, bool);

impl Shop {
    async fn left(&self, id: Uuid) -> Left {
        let order = self.order(id.into()).await;
        let name = order.id.name();
        let held = {
            let facts = self.world.facts();
            let reserved = facts.reservations.get(&name).into_iter().flatten().flatten();
            (
                facts.redemptions.get(&name).is_some_and(Option::is_some),
                reserved.map(|(_, quantity)| quantity).sum(),
                facts.payments.get(&name).is_some_and(Option::is_some),
            )
        };
        (held, order.state, self.is_answered(order.id).await)
    }

    fn factory(&self) -> impl Fn(Ticket, State) -> Checkout + Send + Sync + use<> {
        factory(&self.db, &self.peers)
    }
}

/// A checkout on trial. All of them are in one shop: one of its own for each would cost more than it tells.
macro_rules! trial {
    ($shop:ident) => {{
        let accept = async |runner: &Runner<Faulty<Checkout>>| $shop.accept(runner, "ok").await.1;
        Trial::new(&$shop.db, $shop.factory(), accept, async |id| $shop.left(id).await)
    }};
}

#[tokio::test]
async fn lost_answers_change_nothing_about_a_checkout() {
    let shop = Shop::start().await;
    trial!(shop).lost_answers_change_nothing().await;
}

#[tokio::test]
async fn a_refused_checkout_leaves_nothing_held_whatever_goes_wrong_besides() {
    let shop = Shop::start().await;
    trial!(shop).refusals_leave_nothing().await;
    assert_eq!((shop.world.held(), shop.world.facts().stock["CUP"]), ((0, 0, 0), 1_000));
}

#[tokio::test]
async fn a_checkout_that_cannot_give_one_thing_back_gives_the_others_back() {
    let shop = Shop::start().await;
    trial!(shop).a_compensation_that_fails_stops_no_other().await;
}

#[tokio::test]
async fn a_checkout_whose_process_dies_anywhere_is_finished_by_another() {
    let shop = Shop::start().await;
    trial!(shop).crashes_change_nothing().await;
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
