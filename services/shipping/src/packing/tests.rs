//! Orders that are paid, cancelled and packed together.

use std::collections::BTreeMap;

use chassis::consumer::Consumer;
use chassis::event::{Envelope, Event};
use chassis::testing::{TestHost, TestProcess};
use contract::order::v1::OrderCancelled;
use contract::payment::v1::PaymentCaptured;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use uuid::Uuid;

use super::*;
use crate::domain::fulfillment::Stage;
use crate::domain::{Address, Order, Payment, sum};

struct Shop {
    _host: TestHost,
    packing: Packing,
    consumer: Consumer,
}

impl Shop {
    async fn open() -> Shop {
        let process = TestProcess::new().await;
        let host = process.host("shipping");
        let db = host.db::<crate::Migrator>().await.expect("a database");
        let orders = Orders::of(&host.host()).expect("a client");
        let service = crate::Service {
            db: db.clone(),
            orders: orders.clone(),
            watch: crate::watch::Watch::default(),
            tariffs: crate::tariffs::Tariffs::new(&db),
        };
        let consumer = Consumer::new(&db, "shipping")
            .on::<PaymentCaptured>(service.clone())
            .on::<OrderCancelled>(service);
        Shop { _host: host, packing: Packing { db, orders, every: LEASE }, consumer }
    }

    async fn receive(&self, events: &[Envelope]) {
        self.consumer.receive_all(events).await.expect("taken over");
    }

    /// Takes what is due, which order answers like this.
    async fn asked(&self, answer: impl Fn(&str) -> Result<Order, &'static str>) -> Vec<Asked> {
        let lease = async |tx: &_| store::fulfillments::lease_due(tx, LEASE, ROUND_MAX).await;
        let leased = self.packing.db.write(lease).await.expect("leased");
        leased.into_iter().map(|leased| Asked { answer: answer(&leased.order), leased }).collect()
    }

    /// How many shipments each order has, and how far we are with it.
    async fn progress(&self) -> BTreeMap<String, (i64, String)> {
        let sql = "SELECT f.order_name, COUNT(s.id), f.progress FROM fulfillments f
                   LEFT JOIN shipments s ON s.order_name = f.order_name GROUP BY f.order_name, f.progress";
        let read = |row: &QueryResult| {
            let column = |place| row.try_get_by_index(place).expect("a word");
            (column(0), (row.try_get_by_index(1).expect("a count"), column(2)))
        };
        self.rows(sql).await.iter().map(read).collect()
    }

    async fn rows(&self, sql: &str) -> Vec<QueryResult> {
        let statement = Statement::from_string(self.packing.db.backend(), sql);
        self.packing.db.writer().query_all_raw(statement).await.expect("rows")
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|_| format!("orders/{}", Uuid::now_v7())).collect()
}

fn events<E: Event>(orders: &[String], event: impl Fn(String) -> E) -> Vec<Envelope> {
    orders.iter().map(|order| Envelope::new("order", order, &event(order.clone()))).collect()
}

fn paid(orders: &[String]) -> Vec<Envelope> {
    events(orders, |order| PaymentCaptured { order, ..Default::default() })
}

fn cancelled(orders: &[String]) -> Vec<Envelope> {
    events(orders, |order| OrderCancelled { order, confirmed: true, ..Default::default() })
}

fn order(name: &str) -> Order {
    Order {
        name: name.to_owned(),
        customer: "users/1".to_owned(),
        stage: Stage::Confirmed,
        payment: Payment::Taken,
        lines: sum([("HAT".to_owned(), 1), ("BAG".to_owned(), 2)]),
        address: Some(Address { city: "Leeds".to_owned(), ..Address::default() }),
        rate: String::new(),
    }
}

#[tokio::test]
async fn orders_paid_together_wait_for_their_shipments_once() {
    let shop = Shop::open().await;
    let orders = names(5);
    let known = paid(&orders[..1]);
    shop.receive(&known).await;
    let mut all = [known, paid(&orders[1..])].concat();
    // The same news under another id, and news of nothing, which is nobody's undoing.
    all.extend(paid(&orders[1..2]));
    all.insert(2, Envelope::new("payment", "payments/1", &PaymentCaptured::default()));
    shop.receive(&all).await;
    let progress = shop.progress().await;
    assert!(progress.values().all(|progress| *progress == (0, "WAITING".to_owned())), "{progress:?}");
    assert_eq!(progress.len(), 5);
    assert_eq!(shop.rows("SELECT 1 FROM parked WHERE state = 'PARKED'").await.len(), 1);
}

#[tokio::test]
async fn orders_packed_together_have_one_shipment_each() {
    let shop = Shop::open().await;
    let orders = names(6);
    shop.receive(&paid(&orders)).await;
    let asked = shop
        .asked(|name| match orders.iter().position(|order| order == name) {
            Some(0) => Err("order could not be asked"),
            Some(1) => Ok(Order { stage: Stage::Placed, ..order(name) }),
            Some(2) => Ok(Order { payment: Payment::Returned, ..order(name) }),
            _ => Ok(order(name)),
        })
        .await;
    assert_eq!(asked.len(), 6);
    // Cancelled while order was asked.
    shop.receive(&cancelled(&orders[3..4])).await;
    for _ in 0..2 {
        shop.packing.pack_all(&asked).await;
        let progress = shop.progress().await;
        let expected = ["WAITING", "WAITING", "UNNEEDED", "CANCELLED", "MADE", "MADE"];
        for (name, expected) in orders.iter().zip(expected) {
            assert_eq!(progress[name], (i64::from(expected == "MADE"), expected.to_owned()));
        }
        assert_eq!(shop.rows("SELECT 1 FROM shipment_lines").await.len(), 4);
        assert_eq!(shop.rows("SELECT 1 FROM outbox").await.len(), 2);
    }
    let later = shop.rows("SELECT 1 FROM fulfillments WHERE progress = 'WAITING' AND last_error <> ''").await;
    assert_eq!(later.len(), 2);
}

#[tokio::test]
async fn an_order_that_cannot_be_packed_is_not_the_undoing_of_those_packed_with_it() {
    let shop = Shop::open().await;
    let orders = names(4);
    shop.receive(&paid(&orders)).await;
    let damaged = |name: &str| match name == orders[1] {
        true => Order { lines: sum([("HAT".to_owned(), 1), ("BAG".to_owned(), 0)]), ..order(name) },
        false => order(name),
    };
    shop.packing.pack_all(&shop.asked(|name| Ok(damaged(name))).await).await;
    let progress = shop.progress().await;
    let made: Vec<i64> = orders.iter().map(|order| progress[order].0).collect();
    assert_eq!(made, [1, 0, 1, 1]);
}

#[tokio::test]
async fn orders_cancelled_together_have_nothing_sent_whether_packed_or_not() {
    let shop = Shop::open().await;
    let orders = names(6);
    shop.receive(&paid(&orders[..3])).await;
    shop.packing.pack_all(&shop.asked(|name| Ok(order(name))).await).await;
    shop.receive(&paid(&orders[3..5])).await;
    let all = cancelled(&orders);
    shop.receive(&all[..1]).await;
    shop.receive(&all).await;
    // News of a payment that comes after all changes nothing.
    shop.receive(&paid(&orders[5..])).await;
    let progress = shop.progress().await;
    assert!(progress.values().all(|(_, progress)| progress == "CANCELLED"), "{progress:?}");
    assert_eq!(progress.len(), 6);
    assert_eq!(shop.rows("SELECT 1 FROM shipments WHERE state = 'CANCELLED'").await.len(), 3);
    assert_eq!(shop.rows("SELECT 1 FROM outbox WHERE kind LIKE '%.ShipmentCancelled'").await.len(), 3);
}
