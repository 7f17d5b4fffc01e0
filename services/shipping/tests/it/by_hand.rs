//! Shipments that staff makes.
use chassis::status;
use contract::order::v1::Order;
use contract::order::v1::order::State as OrderState;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;
use tonic::Code;

use super::support::{Depot, a_paid_order, a_request, an_order, by_hand, cancel, gbp, lines, reason};

#[tokio::test]
async fn only_a_paid_order_is_sent() {
    let depot = Depot::open().await;
    let cancelled = Order { state: OrderState::Cancelled.into(), ..a_paid_order() };
    let placed = Order { state: OrderState::Placed.into(), ..an_order() };
    for (order, expected) in
        [(an_order(), "ORDER_NOT_PAID"), (placed, "ORDER_NOT_PAID"), (cancelled, "ORDER_CANCELLED")]
    {
        depot.book.enter(order.clone());
        let refusal = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::FailedPrecondition, expected));
        assert!(depot.shipments(&order.name).await.is_empty());
    }
    let free = Order { total: Some(gbp(0)), ..an_order() };
    depot.book.enter(free.clone());
    depot.staff().create_shipment(by_hand(&free.name, &[])).await.unwrap();
}

#[tokio::test]
async fn an_order_may_be_sent_in_parts_but_never_more_of_it_than_was_bought() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    let whole = depot.shipment_of(&order).await;
    let refusal = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::FailedPrecondition, "NOTHING_TO_SHIP"));
    depot.staff().cancel_shipment(cancel(&whole.name)).await.unwrap();
    let part = depot.staff().create_shipment(by_hand(&order.name, &[("HAT", 1)])).await.unwrap().into_inner();
    assert_eq!((part.state(), &part.lines), (State::Pending, &lines(&[("HAT", 1)])));
    assert_eq!(part.address, order.shipping_address);
    assert_ne!(part.tracking_number, whole.tracking_number);
    for (sku, wanted, left) in [("HAT", 2, "1"), ("GIFT-CARD", 1, "0"), ("SCARF", 1, "0")] {
        let refusal =
            depot.staff().create_shipment(by_hand(&order.name, &[(sku, wanted)])).await.unwrap_err();
        assert_eq!(reason(&refusal), "SHIPMENT_EXCEEDS_ORDER", "{sku}");
        assert_eq!(status::metadata(&refusal)["left"], left, "{sku}");
    }
    // Order says it is shipped as soon as a part is on its way.
    depot.book.enter(Order { state: OrderState::Shipped.into(), ..order.clone() });
    let rest = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap().into_inner();
    assert_eq!(rest.lines, lines(&[("BAG", 1), ("HAT", 1)]));
    assert_eq!(depot.shipments(&order.name).await.len(), 3);
    depot.balances().await;
}

#[tokio::test]
async fn what_is_asked_for_twice_at_once_is_packed_once() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    let whole = depot.shipment_of(&order).await;
    depot.staff().cancel_shipment(cancel(&whole.name)).await.unwrap();
    let (mut one, mut other) = (depot.staff(), depot.staff());
    let (one, other) = tokio::join!(
        one.create_shipment(by_hand(&order.name, &[])),
        other.create_shipment(by_hand(&order.name, &[("HAT", 2)]))
    );
    assert!(one.is_ok() || other.is_ok());
    depot.balances().await;
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_shipment() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    depot.book.enter(order.clone());
    let request = pb::CreateShipmentRequest { request_id: a_request(), ..by_hand(&order.name, &[]) };
    let first = depot.clerk().create_shipment(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.address, order.shipping_address);
    depot.book.enter(Order { state: OrderState::Cancelled.into(), ..order.clone() });
    assert_eq!(depot.clerk().create_shipment(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::CreateShipmentRequest { lines: lines(&[("HAT", 1)]), ..request };
    assert_eq!(reason(&depot.clerk().create_shipment(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    // News of the payment that comes later finds everything packed.
    depot.paid(&order.name).await;
    chassis::testing::eventually(async || (depot.pending_work().await == 0).then_some(())).await;
    assert_eq!(depot.shipments(&order.name).await.len(), 1);
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_not_sent() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    let refusal = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::NotFound, "ORDER_NOT_FOUND"));
    depot.book.enter(order.clone());
    for fault in [Code::Unavailable, Code::Internal, Code::PermissionDenied] {
        depot.book.fail(Some(fault));
        let refusal = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::Unavailable, "ORDER_UNAVAILABLE"),
            "{fault:?}"
        );
    }
    let refusal =
        depot.customer(&order.customer).create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_order_whose_cancellation_came_first_is_not_sent_by_hand_either() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    depot.book.enter(order.clone());
    depot.cancelled(&order.name).await;
    depot.until(&order.name, "CANCELLED").await;
    let refusal = depot.staff().create_shipment(by_hand(&order.name, &[])).await.unwrap_err();
    assert_eq!(reason(&refusal), "ORDER_CANCELLED");
}
