//! Events of many orders that come together.

use chassis::consumer::Consumer;
use chassis::event::{Envelope, Event};
use chassis::testing::TestDb;
use contract::inventory::v1::StockChanged;
use prost::Name;
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

use super::*;
use crate::domain::{LocationId, Reservation};
use crate::error::Error;
use crate::service::reservations::{self, Wish};
use crate::service::stock::{Receipt, receive};
use crate::store;

/// Fifty hats and fifty bags, and who is told of orders.
struct Warehouse {
    db: TestDb,
    consumer: Consumer,
}

/// An order, and how many hats and bags it is for.
type Order = (String, [i64; 2]);

impl Warehouse {
    async fn open() -> Warehouse {
        let db = TestDb::new::<crate::Migrator>().await;
        let service = Service { db: db.clone(), watch: Default::default(), holding: crate::holding::of(&db) };
        let consumer = Consumer::new(&db, "inventory")
            .on::<OrderConfirmed>(service.clone())
            .on::<OrderCancelled>(service.clone())
            .on::<OrderReturned>(service.clone())
            .on::<OrderImported>(service);
        let location = LocationId::default_one();
        let receipts = ["HAT", "BAG"].map(|sku| Receipt {
            sku: Sku::stored(sku.to_owned()),
            location: location.clone(),
            quantity: 50,
            reason: String::new(),
        });
        db.write(async |tx| receive(tx, &receipts, &because("goods")).await).await.expect("received");
        Warehouse { db, consumer }
    }

    /// New orders that hold a hat each, and every second of them two bags.
    async fn held(&self, count: usize) -> Vec<Order> {
        let orders: Vec<Order> =
            (0..count).map(|number| (an_order(), if number % 2 == 0 { [1, 2] } else { [1, 0] })).collect();
        for order in &orders {
            self.hold(order).await.expect("held");
        }
        orders
    }

    async fn hold(&self, (order, quantities): &Order) -> Result<Reservation, Error> {
        let wish = Wish {
            order: order.clone(),
            wanted: stocked(&lines(quantities)).expect("lines"),
            expire_time: Timestamp::now(),
            request_id: String::new(),
            cause: because(order),
        };
        self.db.write(async |tx| reservations::reserve(tx, &[wish]).await).await?.pop().expect("an answer")
    }

    async fn receive(&self, events: &[Envelope]) {
        self.consumer.receive_all(events).await.expect("taken over");
    }

    /// What is on hand and reserved of hats and bags.
    async fn levels(&self) -> [(i64, i64); 2] {
        let level = async |sku: &str| {
            let skus = [Sku::stored(sku.to_owned())].into();
            let found = store::stock::find(self.db.writer(), &skus).await.expect("stock");
            (found[0].level.on_hand, found[0].level.reserved)
        };
        [level("HAT").await, level("BAG").await]
    }

    /// How many events told of changed stock.
    async fn announced(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM outbox WHERE kind = $1", &StockChanged::full_name()).await
    }

    /// How many events could not be applied and wait to be tried again.
    async fn failed(&self) -> i64 {
        self.count("SELECT COUNT(*) FROM parked WHERE state = $1", "RETRYING").await
    }

    async fn count(&self, sql: &str, value: &str) -> i64 {
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, [value.into()]);
        let row = self.db.writer().query_one_raw(statement).await.expect("a count").expect("a count");
        row.try_get_by_index(0).expect("a count")
    }

    async fn balances(&self) {
        for invariant in &store::audit::INVARIANTS {
            let (_, offenders) = store::audit::check(self.db.writer(), invariant).await.expect("checked");
            assert!(offenders.is_empty(), "{}: {offenders:?}", invariant.what);
        }
    }
}

fn an_order() -> String {
    format!("orders/{}", Uuid::now_v7())
}

fn because(reference: &str) -> Cause {
    Cause {
        reference: reference.to_owned(),
        actor: "service:order".to_owned(),
        reason: String::new(),
        time: Timestamp::now(),
    }
}

fn lines(quantities: &[i64; 2]) -> Vec<EventLine> {
    let line = |(sku, quantity): (&str, &i64)| EventLine {
        sku: sku.to_owned(),
        quantity: *quantity,
        stocked: true,
        ..Default::default()
    };
    ["HAT", "BAG"].into_iter().zip(quantities).filter(|(_, quantity)| **quantity != 0).map(line).collect()
}

fn events<E: Event>(orders: &[Order], event: impl Fn(String, Vec<EventLine>) -> E) -> Vec<Envelope> {
    let envelope =
        |(order, quantities): &Order| Envelope::new("order", order, &event(order.clone(), lines(quantities)));
    orders.iter().map(envelope).collect()
}

fn confirmed(orders: &[Order]) -> Vec<Envelope> {
    events(orders, |order, lines| OrderConfirmed { order, lines, ..Default::default() })
}

fn cancelled(orders: &[Order]) -> Vec<Envelope> {
    events(orders, |order, lines| OrderCancelled { order, lines, confirmed: true, ..Default::default() })
}

fn returned(orders: &[Order]) -> Vec<Envelope> {
    events(orders, |order, lines| OrderReturned { order, lines, ..Default::default() })
}

#[tokio::test]
async fn orders_confirmed_together_take_their_goods_out_once_and_tell_of_it_once() {
    let warehouse = Warehouse::open().await;
    let confirmed = confirmed(&warehouse.held(20).await);
    warehouse.receive(&confirmed[..1]).await;
    assert_eq!(warehouse.levels().await, [(49, 19), (48, 18)]);
    let before = warehouse.announced().await;
    // The first of them is known.
    warehouse.receive(&confirmed).await;
    assert_eq!(warehouse.levels().await, [(30, 0), (30, 0)]);
    assert_eq!(warehouse.announced().await - before, 1);
    warehouse.balances().await;
}

#[tokio::test]
async fn an_order_that_holds_nothing_is_not_the_undoing_of_those_confirmed_with_it() {
    let warehouse = Warehouse::open().await;
    let mut orders = warehouse.held(4).await;
    orders.insert(1, (an_order(), [3, 0]));
    // A line of nothing, which nobody can apply.
    orders.insert(3, (an_order(), [-1, 0]));
    warehouse.receive(&confirmed(&orders)).await;
    assert_eq!(warehouse.levels().await, [(46, 0), (46, 0)]);
    assert_eq!(warehouse.failed().await, 1);
    warehouse.balances().await;
}

#[tokio::test]
async fn of_orders_confirmed_together_some_ran_out_and_some_were_released() {
    let warehouse = Warehouse::open().await;
    let orders = warehouse.held(6).await;
    let (late, released) = (&orders[1].0, &orders[3].0);
    let end = async |tx: &_| {
        reservations::expire(tx, late, &because(late)).await?;
        reservations::release(tx, released, &because(released)).await.map(drop)
    };
    warehouse.db.write(end).await.expect("ended");
    assert_eq!(warehouse.levels().await, [(50, 4), (50, 6)]);
    warehouse.receive(&confirmed(&orders)).await;
    assert_eq!(warehouse.levels().await, [(45, 0), (44, 0)]);
    assert_eq!(warehouse.failed().await, 0);
    warehouse.balances().await;
}

#[tokio::test]
async fn orders_cancelled_together_keep_nothing_whether_held_sold_or_unknown() {
    let warehouse = Warehouse::open().await;
    let mut orders = warehouse.held(12).await;
    warehouse.receive(&confirmed(&orders[..6])).await;
    orders.push((an_order(), [1, 0]));
    let cancelled = cancelled(&orders);
    warehouse.receive(&cancelled[..1]).await;
    assert_eq!(warehouse.levels().await, [(45, 6), (46, 6)]);
    let before = warehouse.announced().await;
    warehouse.receive(&cancelled).await;
    assert_eq!(warehouse.levels().await, [(50, 0), (50, 0)]);
    assert_eq!(warehouse.announced().await - before, 1);
    // What was asked to be held for the unknown one is late.
    assert!(warehouse.hold(&orders[12]).await.is_err());
    warehouse.balances().await;
}

#[tokio::test]
async fn orders_returned_together_bring_back_what_they_bought_and_no_more() {
    let warehouse = Warehouse::open().await;
    let mut orders = warehouse.held(6).await;
    warehouse.receive(&confirmed(&orders)).await;
    let before = warehouse.announced().await;
    warehouse.receive(&returned(&orders[..3])).await;
    assert_eq!(warehouse.levels().await, [(47, 0), (48, 0)]);
    assert_eq!(warehouse.announced().await - before, 1);
    // The fifth did not buy two.
    orders[4].1 = [2, 0];
    warehouse.receive(&returned(&orders[3..])).await;
    assert_eq!(warehouse.levels().await, [(49, 0), (48, 0)]);
    assert_eq!(warehouse.failed().await, 1);
    warehouse.balances().await;
}

#[tokio::test]
async fn what_has_not_gone_out_does_not_come_back_until_it_is_known_as_sold() {
    let warehouse = Warehouse::open().await;
    let orders = warehouse.held(3).await;
    let late = &orders[2].0;
    let expire = async |tx: &_| reservations::expire(tx, late, &because(late)).await;
    assert!(warehouse.db.write(expire).await.expect("ended"));
    // News that the others were sold could not be applied, and waits for an operator.
    warehouse.receive(&confirmed(&orders[..1])).await;
    assert_eq!(warehouse.levels().await, [(49, 1), (48, 0)]);
    warehouse.receive(&returned(&orders)).await;
    assert_eq!(warehouse.levels().await, [(50, 1), (50, 0)]);
    assert_eq!(warehouse.failed().await, 2);
    warehouse.balances().await;
}

#[tokio::test]
async fn orders_imported_together_leave_stock_as_it_is_and_each_is_taken_over_once() {
    let warehouse = Warehouse::open().await;
    let orders: Vec<Order> = (0..10).map(|_| (an_order(), [2, 1])).collect();
    let imported = events(&orders, |order, lines| OrderImported { order, lines, ..Default::default() });
    warehouse.receive(&imported[..1]).await;
    // The same news under another id changes nothing either.
    let again = events(&orders[1..2], |order, lines| OrderImported { order, lines, ..Default::default() });
    warehouse.receive(&[imported, again].concat()).await;
    assert_eq!(warehouse.levels().await, [(50, 0), (50, 0)]);
    let sold = store::audit::sold(warehouse.db.writer(), "", 100).await.expect("sold");
    assert_eq!(sold.iter().map(|(_, quantity)| *quantity).collect::<Vec<_>>(), [3; 10]);
    warehouse.balances().await;
}
