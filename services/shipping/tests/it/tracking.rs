//! How shipments get on.
use chassis::time::Timestamp;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;
use contract::shipping::v1::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched};
use tonic::Code;

use super::support::{Depot, a_request, an_order, cancel, reason, record};

#[tokio::test]
async fn a_shipment_is_followed_to_the_door() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    let along = [State::Dispatched, State::InTransit, State::OutForDelivery, State::Delivered];
    for state in along {
        let told = depot.record(&shipment.name, state).await.unwrap();
        assert_eq!(told.state(), state);
        assert_eq!(told.address, order.shipping_address);
        // The same news again is fine, and no news.
        assert_eq!(depot.record(&shipment.name, state).await.unwrap(), told);
    }
    let shipment = depot.shipment(&shipment.name).await;
    let seen: Vec<_> = shipment.tracking_events.iter().map(pb::TrackingEvent::state).collect();
    assert_eq!(seen, along);
    let dispatched = ShipmentDispatched {
        shipment: shipment.name.clone(),
        order: order.name.clone(),
        customer: order.customer.clone(),
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
    };
    assert_eq!(depot.announced::<ShipmentDispatched>().await, [dispatched]);
    let delivered =
        ShipmentDelivered { shipment: shipment.name, order: order.name, customer: order.customer };
    assert_eq!(depot.announced::<ShipmentDelivered>().await, [delivered]);
    depot.balances().await;
}

#[tokio::test]
async fn a_shipment_does_not_go_back() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    for state in [State::Dispatched, State::InTransit, State::Delivered] {
        depot.record(&shipment.name, state).await.unwrap();
    }
    for state in [State::Pending, State::Dispatched, State::InTransit, State::OutForDelivery] {
        let refusal = depot.record(&shipment.name, state).await.unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::FailedPrecondition, "SHIPMENT_BACKWARDS")
        );
    }
    assert_eq!(depot.shipment(&shipment.name).await.state(), State::Delivered);
}

#[tokio::test]
async fn a_late_copy_of_old_news_is_no_step_back() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    let at = |state: State, seconds: i64| pb::RecordTrackingRequest {
        tracking_event: Some(pb::TrackingEvent {
            state: state.into(),
            time: Some(Timestamp::from_micros(seconds * 1_000_000).into()),
            location: "Leeds".to_owned(),
            ..Default::default()
        }),
        ..record(&shipment.name, state)
    };
    for news in [
        at(State::InTransit, 30),
        at(State::InTransit, 10),
        at(State::Delivered, 60),
        at(State::InTransit, 30),
    ] {
        depot.staff().record_tracking(news).await.unwrap();
    }
    let told = depot.shipment(&shipment.name).await;
    assert_eq!(told.state(), State::Delivered);
    let times: Vec<_> = told.tracking_events.iter().map(|event| event.time.unwrap().seconds).collect();
    assert_eq!(times, [10, 30, 60]);
    let other = depot.staff().record_tracking(at(State::InTransit, 31)).await.unwrap_err();
    assert_eq!(reason(&other), "SHIPMENT_BACKWARDS");
}

#[tokio::test]
async fn a_delivery_nobody_saw_leave_is_told_as_leaving_first() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    depot.record(&shipment.name, State::Delivered).await.unwrap();
    assert_eq!(depot.announced::<ShipmentDispatched>().await.len(), 1);
    assert_eq!(depot.announced::<ShipmentDelivered>().await.len(), 1);
    depot.balances().await;
}

#[tokio::test]
async fn a_dispatched_shipment_cannot_be_cancelled_and_a_cancelled_one_not_dispatched() {
    let depot = Depot::open().await;
    let (gone, kept) = (depot.shipment_of(&an_order()).await, depot.shipment_of(&an_order()).await);
    depot.record(&gone.name, State::Dispatched).await.unwrap();
    let refusal = depot.staff().cancel_shipment(cancel(&gone.name)).await.unwrap_err();
    assert_eq!(
        (refusal.code(), reason(&refusal).as_str()),
        (Code::FailedPrecondition, "SHIPMENT_DISPATCHED")
    );
    let cancelled = depot.staff().cancel_shipment(cancel(&kept.name)).await.unwrap().into_inner();
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!(depot.staff().cancel_shipment(cancel(&kept.name)).await.unwrap().into_inner(), cancelled);
    let refusal = depot.record(&kept.name, State::Dispatched).await.unwrap_err();
    assert_eq!(reason(&refusal), "SHIPMENT_CANCELLED");
    let told = depot.announced::<ShipmentCancelled>().await;
    assert_eq!(told, [ShipmentCancelled { shipment: kept.name, order: kept.order }]);
    depot.balances().await;
}

#[tokio::test]
async fn of_a_dispatch_and_a_cancellation_at_once_one_wins() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    let mut staff = depot.staff();
    let (dispatched, cancelled) = tokio::join!(
        depot.record(&shipment.name, State::Dispatched),
        staff.cancel_shipment(cancel(&shipment.name))
    );
    assert_ne!(dispatched.is_ok(), cancelled.is_ok());
    depot.balances().await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    let request =
        pb::RecordTrackingRequest { request_id: a_request(), ..record(&shipment.name, State::Dispatched) };
    let first = depot.clerk().record_tracking(request.clone()).await.unwrap().into_inner();
    depot.record(&shipment.name, State::InTransit).await.unwrap();
    assert_eq!(depot.clerk().record_tracking(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::RecordTrackingRequest {
        request_id: request.request_id,
        ..record(&shipment.name, State::Delivered)
    };
    assert_eq!(reason(&depot.clerk().record_tracking(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    assert_eq!(depot.shipment(&shipment.name).await.state(), State::InTransit);
}
