//! Watching a shipment.
use std::time::Duration;

use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;

use super::support::{Depot, an_order, cancel};

async fn next(stream: &mut tonic::Streaming<pb::Shipment>) -> Option<State> {
    let next = tokio::time::timeout(Duration::from_secs(10), stream.message()).await;
    next.expect("news in time").expect("no failure").map(|shipment| shipment.state())
}

#[tokio::test]
async fn a_watcher_sees_the_shipment_and_each_change_until_it_arrives() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    let watch = pb::WatchShipmentRequest { name: shipment.name.clone() };
    let mut stream =
        depot.customer(&order.customer).watch_shipment(watch.clone()).await.unwrap().into_inner();
    assert_eq!(next(&mut stream).await, Some(State::Pending));
    for state in [State::Dispatched, State::OutForDelivery, State::Delivered] {
        depot.record(&shipment.name, state).await.unwrap();
        assert_eq!(next(&mut stream).await, Some(state));
    }
    assert_eq!(next(&mut stream).await, None);
    let mut stream = depot.customer(&order.customer).watch_shipment(watch).await.unwrap().into_inner();
    assert_eq!((next(&mut stream).await, next(&mut stream).await), (Some(State::Delivered), None));
}

#[tokio::test]
async fn a_watch_ends_when_the_shipment_is_cancelled_or_the_service_stops() {
    let depot = Depot::open().await;
    let (one, other) = (depot.shipment_of(&an_order()).await, depot.shipment_of(&an_order()).await);
    let watch = |name: &str| pb::WatchShipmentRequest { name: name.to_owned() };
    let mut cancelled = depot.staff().watch_shipment(watch(&one.name)).await.unwrap().into_inner();
    let mut stopped = depot.staff().watch_shipment(watch(&other.name)).await.unwrap().into_inner();
    assert_eq!(next(&mut cancelled).await, Some(State::Pending));
    depot.staff().cancel_shipment(cancel(&one.name)).await.unwrap();
    assert_eq!((next(&mut cancelled).await, next(&mut cancelled).await), (Some(State::Cancelled), None));

    assert_eq!(next(&mut stopped).await, Some(State::Pending));
    depot.host.process().shutdown().cancel();
    let end = tokio::time::timeout(Duration::from_secs(10), stopped.message()).await;
    assert!(!matches!(end.expect("an end in time"), Ok(Some(_))));
}
