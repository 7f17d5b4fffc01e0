//! Orders that are told of together.

use std::collections::BTreeMap;

use chassis::consumer::Consumer;
use chassis::event::Envelope;
use chassis::testing::TestDb;
use sea_orm::{ConnectionTrait, Statement};

use super::*;
use crate::guesses::Guesses;

fn lines(products: &[&str]) -> Vec<EventLine> {
    let line = |product: &&str| EventLine {
        variant: format!("products/{product}/variants/1"),
        quantity: 1,
        ..Default::default()
    };
    products.iter().map(line).collect()
}

fn confirmed(order: &str, products: &[&str]) -> Envelope {
    let event = OrderConfirmed { order: order.to_owned(), lines: lines(products), ..Default::default() };
    Envelope::new("order", order, &event)
}

fn imported(order: &str, products: &[&str]) -> Envelope {
    let event = OrderImported { order: order.to_owned(), lines: lines(products), ..Default::default() };
    Envelope::new("order", order, &event)
}

fn cancelled(order: &str, coupon_code: &str) -> Envelope {
    let event = OrderCancelled {
        order: order.to_owned(),
        confirmed: true,
        coupon_code: coupon_code.to_owned(),
        ..Default::default()
    };
    Envelope::new("order", order, &event)
}

fn consumer(db: &TestDb) -> Consumer {
    let service = Service { db: (*db).clone(), guesses: Guesses::new(10) };
    Consumer::new(db, "promotion")
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderImported>(service.clone())
        .on::<OrderCancelled>(service)
}

/// Words and numbers that a query finds.
async fn counts(db: &TestDb, sql: &str) -> BTreeMap<String, i64> {
    let statement = Statement::from_string(db.backend(), sql);
    let rows = db.writer().query_all_raw(statement).await.expect("rows");
    let read = |row: &sea_orm::QueryResult| {
        (row.try_get_by_index(0).expect("a word"), row.try_get_by_index(1).expect("a number"))
    };
    rows.iter().map(read).collect()
}

fn expected<const N: usize>(counts: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect()
}

#[tokio::test]
async fn what_orders_bought_is_counted_once_for_each_of_those_told_together() {
    let db = TestDb::new::<crate::Migrator>().await;
    let consumer = consumer(&db);
    let known = confirmed("orders/1", &["a", "b"]);
    consumer.receive_all(std::slice::from_ref(&known)).await.expect("taken over");
    let all = [
        known,
        confirmed("orders/2", &["b", "a", "b"]),
        confirmed("orders/3", &["c"]),
        confirmed("orders/4", &["c", "a"]),
        confirmed("orders/5", &[]),
        imported("orders/6", &["a"]),
        imported("orders/7", &["a", "c"]),
    ];
    consumer.receive_all(&all).await.expect("taken over");
    // News that nobody can read is not the others' undoing.
    let damaged = Envelope { payload: vec![255].into(), ..confirmed("orders/8", &[]) };
    let all = [damaged, confirmed("orders/9", &["b"]), imported("orders/10", &["b"])];
    consumer.receive_all(&all).await.expect("taken over");

    let products = counts(&db, "SELECT product, orders FROM products_bought").await;
    assert_eq!(products, expected([("products/a", 5), ("products/b", 4), ("products/c", 3)]));
    let pairs = counts(&db, "SELECT product || '+' || other, orders FROM bought_together").await;
    let pair = [("a", "b", 2), ("a", "c", 2), ("b", "a", 2), ("c", "a", 2)]
        .map(|(one, other, orders)| (format!("products/{one}+products/{other}"), orders));
    assert_eq!(pairs, pair.into_iter().collect());
    assert_eq!(
        counts(&db, "SELECT state, COUNT(*) FROM parked GROUP BY state").await,
        expected([("PARKED", 1)])
    );
}

#[tokio::test]
async fn orders_cancelled_together_before_their_coupons_were_used_use_none_later() {
    let db = TestDb::new::<crate::Migrator>().await;
    let consumer = consumer(&db);
    let known = cancelled("orders/1", "SPRING");
    consumer.receive_all(std::slice::from_ref(&known)).await.expect("taken over");
    let all =
        [known, cancelled("orders/2", "SPRING"), cancelled("orders/3", "AUTUMN"), cancelled("orders/4", "")];
    consumer.receive_all(&all).await.expect("taken over");
    assert_eq!(counts(&db, "SELECT 'applied', COUNT(*) FROM inbox").await, expected([("applied", 4)]));
    assert!(counts(&db, "SELECT state, COUNT(*) FROM parked GROUP BY state").await.is_empty());
}
