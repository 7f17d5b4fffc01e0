//! Orders that happened elsewhere.

use contract::order::v1 as pb;
use pb::import_result::Outcome;
use pb::order::{PaymentState, State};
use prost_types::Timestamp;
use tonic::Code;

use crate::support::*;

fn imported(external_id: &str) -> pb::ImportedOrder {
    let line = |sku: &str, quantity, minor| pb::ImportedLine {
        variant: format!("products/p/variants/{sku}"),
        sku: sku.into(),
        title: "Holder".into(),
        quantity,
        unit_price: Some(gbp(minor)),
        stocked: sku != "POST",
    };
    pb::ImportedOrder {
        external_id: external_id.into(),
        customer: "users/17850".into(),
        order_time: Some(Timestamp { seconds: 1_291_191_960, nanos: 0 }),
        country: "United Kingdom".into(),
        currency_code: "GBP".into(),
        lines: vec![line("85123A", 6, 255), line("POST", 1, 1800)],
        returns: vec![pb::ImportedReturn {
            external_id: format!("C{external_id}"),
            return_time: Some(Timestamp { seconds: 1_291_278_360, nanos: 0 }),
            lines: vec![pb::ReturnLine { line_id: "1".into(), quantity: 2, refund: None }],
        }],
    }
}

fn batch(orders: Vec<pb::ImportedOrder>) -> pb::ImportOrdersRequest {
    pb::ImportOrdersRequest { source: "online-retail".into(), orders }
}

async fn import(shop: &Shop, orders: Vec<pb::ImportedOrder>) -> Vec<pb::ImportResult> {
    shop.staff(&["order.import"]).import_orders(batch(orders)).await.unwrap().into_inner().results
}

#[tokio::test]
async fn an_order_from_elsewhere_keeps_its_price_and_its_time() {
    let shop = Shop::start().await;
    let result = import(&shop, vec![imported("536365")]).await.remove(0);
    assert_eq!(
        (result.outcome(), result.external_id.as_str(), result.reason.as_str()),
        (Outcome::Imported, "536365", "")
    );
    let order = shop.get(&result.order).await;
    assert_eq!((order.state(), order.payment_state()), (State::Delivered, PaymentState::Captured));
    assert_eq!((order.total.clone(), order.tax.clone()), (Some(gbp(3330)), Some(gbp(255 + 300))));
    assert_eq!(order.create_time, imported("").order_time);
    assert_eq!((order.external_id.as_str(), order.lines[0].returned_quantity), ("536365", 2));
    assert!(order.payment.starts_with("payments/"));
    assert_eq!(shop.announced(&order.name).await, ["OrderImported", "OrderReturned"]);
    let said = shop.said::<pb::OrderImported>(&order.name).await.remove(0);
    assert_eq!(
        (said.total, said.country, said.order_time),
        (order.total, "United Kingdom".to_owned(), order.create_time)
    );
    let returned = shop.said::<pb::OrderReturned>(&order.name).await.remove(0);
    assert_eq!((returned.imported, returned.refund, returned.payment), (true, Some(gbp(510)), order.payment));
    assert_eq!(returned.return_time, imported("").returns[0].return_time);
    assert_eq!(shop.world.held(), (0, 0, 0));
    shop.audit().await;
}

#[tokio::test]
async fn the_same_order_imported_twice_is_one() {
    let shop = Shop::start().await;
    let first = import(&shop, vec![imported("1"), imported("2"), imported("1")]).await;
    let outcomes: Vec<_> = first.iter().map(pb::ImportResult::outcome).collect();
    assert_eq!(outcomes, [Outcome::Imported, Outcome::Imported, Outcome::Unchanged]);
    assert_eq!(first[0].order, first[2].order);
    let events = shop.count("SELECT COUNT(*) FROM outbox").await;
    let changed = pb::ImportedOrder { country: "France".into(), ..imported("1") };
    let again = import(&shop, vec![changed, imported("2"), imported("3")]).await;
    let outcomes: Vec<_> = again.iter().map(pb::ImportResult::outcome).collect();
    assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Unchanged, Outcome::Imported]);
    assert_eq!(again[0].order, first[0].order);
    assert_eq!(shop.count("SELECT COUNT(*) FROM outbox").await, events + 2);
    assert_eq!(shop.count("SELECT COUNT(*) FROM orders").await, 3);
    shop.audit().await;
}

#[tokio::test]
async fn an_order_at_fault_is_refused_alone() {
    let shop = Shop::start().await;
    type Spoil = fn(&mut pb::ImportedOrder);
    let spoils: [Spoil; 7] = [
        |order| order.currency_code = "XXX".into(),
        |order| order.customer = "customers/1".into(),
        |order| order.lines[0].unit_price = Some(money(255, "EUR")),
        |order| order.lines[0].unit_price = Some(gbp(-1)),
        |order| order.returns[0].lines[0].quantity = 7,
        |order| order.returns[0].lines[0].line_id = "9".into(),
        |order| order.returns[0].return_time = Some(Timestamp { seconds: 1, nanos: 0 }),
    ];
    let mut orders: Vec<_> = (1..)
        .zip(spoils)
        .map(|(number, spoil)| {
            let mut order = imported(&i32::to_string(&number));
            spoil(&mut order);
            order
        })
        .collect();
    orders.insert(3, imported("good"));
    let results = import(&shop, orders).await;
    for (place, result) in results.iter().enumerate() {
        let expected = if place == 3 { Outcome::Imported } else { Outcome::Refused };
        assert_eq!(result.outcome(), expected, "{result:?}");
        assert_eq!(result.reason.is_empty(), place == 3, "{result:?}");
    }
    assert_eq!(
        (results[3].external_id.as_str(), shop.count("SELECT COUNT(*) FROM orders").await),
        ("good", 1)
    );
}

#[tokio::test]
async fn a_large_batch_with_large_orders_is_taken_over_at_once() {
    let shop = Shop::start().await;
    let large = |number: i32| {
        let mut order = imported(&number.to_string());
        order.lines = std::iter::repeat_n(order.lines[0].clone(), 60).collect();
        order
    };
    let results = import(&shop, (0..200).map(large).collect()).await;
    assert!(results.iter().all(|result| result.outcome() == Outcome::Imported));
    assert_eq!(shop.count("SELECT COUNT(*) FROM order_events").await, 600);
    let mut request =
        pb::ListOrdersRequest { customer: "customers/-".into(), page_size: 1000, ..Default::default() };
    let mut pages = Vec::new();
    while pages.is_empty() || !request.page_token.is_empty() {
        let page = shop.staff(&["order.read.any"]).list_orders(request.clone()).await.unwrap().into_inner();
        request.page_token = page.next_page_token;
        pages.push(page.orders.len());
    }
    assert!(pages.len() > 1, "a page is cut to what one answer holds");
    assert_eq!(pages.iter().sum::<usize>(), 200);
    shop.audit().await;
}

#[tokio::test]
async fn only_an_importer_imports() {
    let shop = Shop::start().await;
    let refusal = shop.customer("users/ada").import_orders(batch(vec![imported("1")])).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    let nothing = shop.staff(&["order.import"]).import_orders(batch(Vec::new())).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
}
