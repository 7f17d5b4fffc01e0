//! What becomes of orders that are paid or cancelled.
use contract::common::v1::PostalAddress;
use contract::identity::v1::UserErased;
use contract::order::v1::order::{PaymentState, State as OrderState};
use contract::order::v1::{Order, OrderCancelled, OrderClaimed, OrderConfirmed};
use contract::shipping::v1::shipment::State;
use contract::shipping::v1::{ShipmentCancelled, ShipmentCreated};
use tonic::Code;

use super::support::{Depot, STREET, a_paid_order, an_order, flat, gbp, line, lines};

#[tokio::test]
async fn a_paid_order_gets_its_shipment_once() {
    let depot = Depot::open().await;
    let zone = depot.zone(&["GB"]).await;
    let rate = depot.rate(&zone, flat("Standard", 300)).await;
    let order = Order { shipping_rate: rate.name.clone(), ..an_order() };
    depot.book.enter(order.clone());
    let event = depot.paid(&order.name).await;
    let shipment = depot.only_shipment(&order.name).await;
    assert_eq!(shipment.state(), State::Pending);
    assert_eq!((&shipment.order, &shipment.customer), (&order.name, &order.customer));
    assert_eq!(shipment.lines, lines(&[("BAG", 1), ("HAT", 2)]));
    assert_eq!((&shipment.rate, shipment.carrier.as_str()), (&rate.name, "Post"));
    assert_eq!(shipment.address, order.shipping_address);
    assert!(shipment.tracking_number.starts_with("CW"));
    assert!(shipment.tracking_events.is_empty());

    depot.announce_again(event).await;
    // The same news under another id changes nothing either.
    depot.paid(&order.name).await;
    depot.shipment_of(&an_order()).await;
    assert_eq!(depot.shipments(&order.name).await, std::slice::from_ref(&shipment));
    let created = depot.announced::<ShipmentCreated>().await;
    let of_order: Vec<_> = created.iter().filter(|created| created.order == order.name).collect();
    let expected = ShipmentCreated { shipment: shipment.name, order: order.name, customer: order.customer };
    assert_eq!(of_order, [&expected]);
    depot.balances().await;
}

#[tokio::test]
async fn an_order_waits_for_its_shipment_while_nobody_can_be_asked() {
    let depot = Depot::open().await;
    let order = an_order();
    for fault in [Code::Unavailable, Code::Internal] {
        depot.book.fail(Some(fault));
        depot.paid(&order.name).await;
        chassis::testing::eventually(async || (depot.pending_work().await == 1).then_some(())).await;
    }
    // It is told of before order itself has it.
    let asked = depot.book.asked();
    depot.book.fail(None);
    chassis::testing::eventually(async || (depot.book.asked() > asked).then_some(())).await;
    depot.book.enter(order.clone());
    depot.only_shipment(&order.name).await;
    assert_eq!(depot.pending_work().await, 0);
}

#[tokio::test]
async fn an_order_that_does_not_show_as_confirmed_yet_is_asked_about_again() {
    let depot = Depot::open().await;
    let order = an_order();
    depot.book.enter(Order { state: OrderState::Placed.into(), ..order.clone() });
    depot.paid(&order.name).await;
    chassis::testing::eventually(async || (depot.book.asked() > 0).then_some(())).await;
    depot.book.enter(order.clone());
    depot.only_shipment(&order.name).await;
}

#[tokio::test]
async fn an_order_of_nothing_that_is_sent_needs_no_shipment() {
    let depot = Depot::open().await;
    let digital = Order { lines: vec![line("GIFT-CARD", 2, false)], ..an_order() };
    let imported = Order { external_id: "536365".to_owned(), ..an_order() };
    let refunded = Order { payment_state: PaymentState::Refunded.into(), ..an_order() };
    for order in [digital, imported, refunded] {
        depot.book.enter(order.clone());
        depot.paid(&order.name).await;
        depot.until(&order.name, "UNNEEDED").await;
        assert!(depot.shipments(&order.name).await.is_empty());
    }
    assert!(depot.announced::<ShipmentCreated>().await.is_empty());
}

#[tokio::test]
async fn an_order_that_costs_nothing_is_sent_without_a_payment() {
    let depot = Depot::open().await;
    let order = Order { total: Some(gbp(0)), payment_state: PaymentState::Unspecified.into(), ..an_order() };
    let dear = an_order();
    for order in [&order, &dear] {
        depot.book.enter(order.clone());
        let event =
            OrderConfirmed { order: order.name.clone(), total: order.total.clone(), ..Default::default() };
        let event = depot.announce(&order.name, &event).await;
        depot.announce_again(event).await;
    }
    depot.only_shipment(&order.name).await;
    assert!(depot.shipments(&dear.name).await.is_empty());
}

#[tokio::test]
async fn a_cancelled_order_is_not_sent_whatever_news_comes_first() {
    let depot = Depot::open().await;
    let (early, late) = (an_order(), an_order());
    depot.book.enter(early.clone());
    depot.cancelled(&early.name).await;
    depot.until(&early.name, "CANCELLED").await;
    depot.paid(&early.name).await;

    let shipment = depot.shipment_of(&late).await;
    let event = depot.cancelled(&late.name).await;
    depot.announce_again(event).await;
    depot.until(&late.name, "CANCELLED").await;
    assert_eq!(depot.shipment(&shipment.name).await.state(), State::Cancelled);
    depot.paid(&late.name).await;

    assert!(depot.shipments(&early.name).await.is_empty());
    let told = depot.announced::<ShipmentCancelled>().await;
    assert_eq!(told, [ShipmentCancelled { shipment: shipment.name, order: late.name }]);
    depot.balances().await;
}

#[tokio::test]
async fn an_order_that_order_says_is_cancelled_is_not_sent() {
    let depot = Depot::open().await;
    let order = Order { state: OrderState::Cancelled.into(), ..a_paid_order() };
    depot.book.enter(order.clone());
    depot.paid(&order.name).await;
    depot.until(&order.name, "CANCELLED").await;
    assert!(depot.shipments(&order.name).await.is_empty());
}

#[tokio::test]
async fn goods_on_their_way_are_not_stopped_by_a_cancellation() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    depot.record(&shipment.name, State::Dispatched).await.unwrap();
    depot.cancelled(&order.name).await;
    depot.until(&order.name, "CANCELLED").await;
    assert_eq!(depot.shipment(&shipment.name).await.state(), State::Dispatched);
    assert!(depot.announced::<ShipmentCancelled>().await.is_empty());
    depot.record(&shipment.name, State::Delivered).await.unwrap();
    depot.balances().await;
}

#[tokio::test]
async fn an_order_that_was_never_confirmed_concerns_nobody_here() {
    let depot = Depot::open().await;
    let order = an_order();
    let event = OrderCancelled { order: order.name.clone(), confirmed: false, ..Default::default() };
    depot.announce(&order.name, &event).await;
    let address = PostalAddress { line1: STREET.to_owned(), ..order.shipping_address.clone().unwrap() };
    assert_eq!(depot.shipment_of(&order).await.address, Some(address));
}

#[tokio::test]
async fn two_replicas_make_one_shipment_of_each_order() {
    let depot = Depot::open().await;
    let other = depot.host.process().host("shipping");
    other.serve(shipping::serve(other.host(), shipping::Config { shipping_pack_every_ms: 20 }));
    let orders: Vec<_> = (0..20).map(|_| an_order()).collect();
    for order in &orders {
        depot.book.enter(order.clone());
    }
    futures::future::join_all(orders.iter().map(|order| depot.paid(&order.name))).await;
    for order in &orders {
        depot.until(&order.name, "MADE").await;
    }
    assert_eq!(depot.announced::<ShipmentCreated>().await.len(), orders.len());
    assert_eq!(depot.book.asked(), orders.len());
    depot.balances().await;
}

fn claimed(order: &Order, customer: &str) -> OrderClaimed {
    OrderClaimed {
        order: order.name.clone(),
        customer: customer.into(),
        previous_customer: order.customer.clone(),
    }
}

#[tokio::test]
async fn the_shipment_of_a_claimed_order_is_the_users() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    let event = depot.announce(&order.name, &claimed(&order, "users/bob")).await;
    depot.announce_again(event).await;
    let theirs = chassis::testing::eventually(async || {
        Some(depot.shipment(&shipment.name).await).filter(|it| it.customer == "users/bob")
    })
    .await;
    assert_eq!(theirs.address, order.shipping_address);
    let get = contract::shipping::v1::GetShipmentRequest { name: shipment.name.clone() };
    assert!(depot.customer("users/bob").get_shipment(get.clone()).await.is_ok());
    assert_eq!(depot.customer(&order.customer).get_shipment(get).await.unwrap_err().code(), Code::NotFound);
    depot.balances().await;
}

#[tokio::test]
async fn who_claims_an_order_and_is_erased_leaves_no_address_in_whatever_order_that_is_heard() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    depot.announce("users/bob", &UserErased { user: "users/bob".into() }).await;
    chassis::testing::eventually(async || {
        depot.announce(&order.name, &claimed(&order, "users/bob")).await;
        depot.shipment(&shipment.name).await.address.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_shipment_that_waits_while_its_order_is_claimed_is_made_for_the_user() {
    let depot = Depot::open().await;
    let order = an_order();
    depot.book.fail(Some(Code::Unavailable));
    depot.paid(&order.name).await;
    chassis::testing::eventually(async || (depot.pending_work().await == 1).then_some(())).await;
    depot.announce(&order.name, &claimed(&order, "users/bob")).await;
    depot.book.enter(Order { customer: "users/bob".into(), ..order.clone() });
    depot.book.fail(None);
    assert_eq!(depot.only_shipment(&order.name).await.customer, "users/bob");
}
