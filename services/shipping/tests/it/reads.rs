//! Who sees which shipments.
use contract::order::v1::Order;
use contract::shipping::v1 as pb;
use tonic::{Code, Status};

use super::support::{Depot, a_request, an_order, cancel, get};

fn told(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

fn track(number: &str) -> pb::TrackShipmentRequest {
    pb::TrackShipmentRequest { tracking_number: number.to_owned() }
}

#[tokio::test]
async fn somebody_elses_shipment_looks_like_none() {
    let depot = Depot::open().await;
    let order = an_order();
    let shipment = depot.shipment_of(&order).await;
    let (mut owner, mut other) = (depot.customer(&order.customer), depot.customer("users/other"));
    assert_eq!(owner.get_shipment(get(&shipment.name)).await.unwrap().into_inner(), shipment);
    assert_eq!(
        owner.track_shipment(track(&shipment.tracking_number.to_lowercase())).await.unwrap().into_inner(),
        shipment
    );
    let watch = |name: &str| pb::WatchShipmentRequest { name: name.to_owned() };
    let absent = format!("shipments/{}", a_request());
    let refusals = [
        other.get_shipment(get(&shipment.name)).await.unwrap_err(),
        other.get_shipment(get(&absent)).await.unwrap_err(),
        other.track_shipment(track(&shipment.tracking_number)).await.unwrap_err(),
        other.track_shipment(track("CW000000000000")).await.unwrap_err(),
        other.watch_shipment(watch(&shipment.name)).await.unwrap_err(),
        other.watch_shipment(watch(&absent)).await.unwrap_err(),
    ];
    assert_eq!(refusals[0].code(), Code::NotFound);
    for refusal in &refusals {
        assert_eq!(told(refusal), told(&refusals[0]));
    }
    assert_eq!(
        depot.anyone().get_shipment(get(&shipment.name)).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let refusal = owner.cancel_shipment(cancel(&shipment.name)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_guest_follows_their_own_shipment() {
    let depot = Depot::open().await;
    let order = Order { customer: format!("guests/{}", a_request()), ..an_order() };
    let shipment = depot.shipment_of(&order).await;
    assert_eq!(
        depot.customer(&order.customer).get_shipment(get(&shipment.name)).await.unwrap().into_inner(),
        shipment
    );
}

#[tokio::test]
async fn shipments_are_listed_newest_first_to_whom_they_belong() {
    let depot = Depot::open().await;
    let order = an_order();
    let first = depot.shipment_of(&order).await;
    let second = depot.shipment_of(&Order { customer: order.customer.clone(), ..an_order() }).await;
    let foreign = depot.shipment_of(&an_order()).await;
    let list = |order: &str, page_size, page_token: &str| pb::ListShipmentsRequest {
        page_size,
        page_token: page_token.to_owned(),
        order: order.to_owned(),
    };
    let mut owner = depot.customer(&order.customer);
    let page = owner.list_shipments(list("", 1, "")).await.unwrap().into_inner();
    assert_eq!(page.shipments, std::slice::from_ref(&second));
    let next = page.next_page_token;
    let page = owner.list_shipments(list("", 1, &next)).await.unwrap().into_inner();
    assert_eq!((page.shipments, page.next_page_token.as_str()), (vec![first.clone()], ""));
    let page = owner.list_shipments(list(&first.order, 0, "")).await.unwrap().into_inner();
    assert_eq!(page.shipments, std::slice::from_ref(&first));
    // Somebody else's order is one without shipments, and somebody else's token is none.
    assert!(
        owner.list_shipments(list(&foreign.order, 0, "")).await.unwrap().into_inner().shipments.is_empty()
    );
    let refusal = depot.customer("users/other").list_shipments(list("", 1, &next)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    assert_eq!(owner.list_shipments(list("carts/1", 0, "")).await.unwrap_err().code(), Code::InvalidArgument);

    let all = depot.staff().list_shipments(list("", 0, "")).await.unwrap().into_inner().shipments;
    assert_eq!(all, [foreign, second, first]);
}
