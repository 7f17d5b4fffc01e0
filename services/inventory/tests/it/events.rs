//! What orders do to stock.
use chassis::time::Timestamp;
use contract::inventory::v1 as pb;
use contract::inventory::v1::movement::Kind;
use contract::order::v1::{OrderCancelled, OrderConfirmed, OrderImported, OrderReturned};

use super::support::{Warehouse, an_order, event_lines, release, reserve, reserve_briefly};

fn confirmed(order: &str, lines: &[(&str, i64)]) -> OrderConfirmed {
    OrderConfirmed { order: order.to_owned(), lines: event_lines(lines), ..Default::default() }
}

fn cancelled(order: &str, lines: &[(&str, i64)]) -> OrderCancelled {
    OrderCancelled {
        order: order.to_owned(),
        confirmed: true,
        lines: event_lines(lines),
        ..Default::default()
    }
}

fn returned(order: &str, lines: &[(&str, i64)]) -> OrderReturned {
    OrderReturned { order: order.to_owned(), lines: event_lines(lines), ..Default::default() }
}

#[tokio::test]
async fn a_confirmed_order_takes_its_goods_out_once() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap();
    let event = warehouse.announce(&order, &confirmed(&order, &[("HAT", 3)])).await;
    warehouse.until("HAT", (2, 0, 2)).await;
    warehouse.announce_again(event).await;
    // The same news under another id changes nothing either.
    warehouse.announce(&order, &confirmed(&order, &[("HAT", 3)])).await;

    warehouse.announce(&order, &returned(&order, &[("HAT", 1)])).await;
    warehouse.until("HAT", (3, 0, 3)).await;
    assert_eq!(
        warehouse.movements(&order).await,
        [(Kind::Return, 1, 0), (Kind::Sale, -3, -3), (Kind::Reserve, 0, 3)]
    );
    warehouse.balances().await;
}

#[tokio::test]
async fn an_order_cancelled_while_held_gives_its_goods_back_once() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap();
    let event = warehouse.announce(&order, &cancelled(&order, &[("HAT", 3)])).await;
    warehouse.until("HAT", (5, 0, 5)).await;
    warehouse.announce_again(event).await;
    // A confirmation that comes after all takes nothing out.
    warehouse.announce(&order, &confirmed(&order, &[("HAT", 3)])).await;
    let next = an_order();
    warehouse.order().reserve_stock(reserve(&next, &[("HAT", 1)])).await.unwrap();
    warehouse.announce(&next, &confirmed(&next, &[("HAT", 1)])).await;
    warehouse.until("HAT", (4, 0, 4)).await;
    assert_eq!(warehouse.movements(&order).await, [(Kind::Release, 0, -3), (Kind::Reserve, 0, 3)]);
    warehouse.balances().await;
}

#[tokio::test]
async fn an_order_cancelled_after_its_goods_went_out_brings_back_what_has_not_come_back_yet() {
    let warehouse = Warehouse::with(&[("HAT", 5), ("BAG", 2)]).await;
    let (order, lines) = (an_order(), [("HAT", 3), ("BAG", 1)]);
    warehouse.order().reserve_stock(reserve(&order, &lines)).await.unwrap();
    warehouse.announce(&order, &confirmed(&order, &lines)).await;
    warehouse.announce(&order, &returned(&order, &[("HAT", 1)])).await;
    warehouse.announce(&order, &cancelled(&order, &lines)).await;
    warehouse.announce(&order, &cancelled(&order, &lines)).await;
    warehouse.until("HAT", (5, 0, 5)).await;
    warehouse.until("BAG", (2, 0, 2)).await;
    assert!(warehouse.facts("inventory.sold").await.is_empty());
    warehouse.balances().await;
}

#[tokio::test]
async fn an_order_cancelled_before_anything_was_held_holds_nothing_later() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.announce(&order, &cancelled(&order, &[("HAT", 3)])).await;
    let refusal = warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap_err();
    assert_eq!(chassis::status::reason(&refusal).as_deref(), Some("RESERVATION_RELEASED"));
    assert_eq!(
        warehouse.order().release_reservation(release(&order)).await.unwrap_err().code(),
        tonic::Code::NotFound
    );
}

#[tokio::test]
async fn a_confirmation_later_than_the_expiry_takes_the_goods_all_the_same() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve_briefly(&order, &[("HAT", 3)])).await.unwrap();
    warehouse.until("HAT", (5, 0, 5)).await;
    warehouse.announce(&order, &confirmed(&order, &[("HAT", 3)])).await;
    warehouse.until("HAT", (2, 0, 2)).await;
    assert_eq!(warehouse.facts("inventory.sold").await[0].quantity, 3);
    warehouse.balances().await;
}

#[tokio::test]
async fn a_confirmation_later_than_the_expiry_and_the_cancellation_takes_nothing() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve_briefly(&order, &[("HAT", 3)])).await.unwrap();
    warehouse.until("HAT", (5, 0, 5)).await;
    let event = warehouse.announce(&order, &cancelled(&order, &[("HAT", 3)])).await;
    warehouse.announce_again(event).await;
    // It had been parked, and an operator has it tried again.
    warehouse.announce(&order, &confirmed(&order, &[("HAT", 3)])).await;
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
    assert!(warehouse.facts("inventory.sold").await.is_empty());
    assert_eq!(warehouse.movements(&order).await, [(Kind::Release, 0, -3), (Kind::Reserve, 0, 3)]);
    warehouse.balances().await;
}

#[tokio::test]
async fn an_imported_order_leaves_stock_as_it_is_and_its_return_adds_to_it() {
    let warehouse = Warehouse::with(&[("SKU-7", 5)]).await;
    let order = an_order();
    let skus: Vec<String> = (0..2000).map(|number| format!("SKU-{number}")).collect();
    let mut lines = event_lines(&skus.iter().map(|sku| (sku.as_str(), 2)).collect::<Vec<_>>());
    lines.extend(event_lines(&[("SKU-7", 1)]));
    lines.push(contract::order::v1::EventLine {
        sku: "POSTAGE".to_owned(),
        quantity: 1,
        stocked: false,
        ..Default::default()
    });
    let order_time = Some(Timestamp::from_micros(1_290_000_000_000_000).into());
    let event = OrderImported { order: order.clone(), lines, order_time, ..Default::default() };
    let id = warehouse.announce(&order, &event).await;
    warehouse.announce_again(id).await;
    warehouse.until("SKU-1999", (0, 0, 0)).await;
    assert_eq!(warehouse.levels("SKU-7").await, (5, 0, 5));
    assert_eq!(warehouse.facts("inventory.sold").await[0].quantity, 4001);

    let request =
        pb::ListMovementsRequest { reference: order.clone(), sku: "SKU-7".to_owned(), ..Default::default() };
    let movements = warehouse.staff().list_movements(request).await.unwrap().into_inner().movements;
    let mut kinds: Vec<_> =
        movements.iter().map(|one| (one.kind(), one.on_hand_delta, one.create_time)).collect();
    kinds.sort_by_key(|(_, delta, _)| *delta);
    assert_eq!(kinds, [(Kind::Sale, -3, order_time), (Kind::Receipt, 3, order_time)]);

    let back = OrderReturned { imported: true, return_time: order_time, ..returned(&order, &[("SKU-7", 2)]) };
    warehouse.announce(&order, &back).await;
    warehouse.until("SKU-7", (7, 0, 7)).await;
    assert_eq!(warehouse.facts("inventory.sold").await[0].quantity, 3999);
    warehouse.balances().await;
}
