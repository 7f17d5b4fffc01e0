//! Bad input is named and changes nothing.
use chassis::status;
use chassis::time::Timestamp;
use contract::inventory::v1 as pb;
use tonic::Code;

use super::support::{Warehouse, an_order, receive, reserve};

#[tokio::test]
async fn quantities_out_of_range_are_refused() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    for quantity in [0, -1, 1_000_001, i64::MAX] {
        let refusal =
            warehouse.order().reserve_stock(reserve(&an_order(), &[("HAT", quantity)])).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "reserve {quantity}");
    }
    for quantity in [0, -1, 1_000_000_001] {
        let refusal = warehouse.staff().receive_stock(receive("HAT", quantity)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "receive {quantity}");
    }
    for delta in [0, 1_000_000_001, -1_000_000_001, i64::MIN] {
        let request = pb::AdjustStockRequest {
            sku: "HAT".to_owned(),
            delta,
            reason: "counted".to_owned(),
            ..Default::default()
        };
        let refusal = warehouse.staff().adjust_stock(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "adjust {delta}");
    }
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
}

#[tokio::test]
async fn on_hand_has_a_limit() {
    let warehouse = Warehouse::open().await;
    let requests = vec![receive("SAND", 1_000_000_000); 1000];
    let batch = pb::BatchReceiveStockRequest { requests, ..Default::default() };
    warehouse.staff().batch_receive_stock(batch).await.unwrap();
    let refusal = warehouse.staff().receive_stock(receive("SAND", 1)).await.unwrap_err();
    assert_eq!(status::violations(&refusal)[0].0, "quantity");
}

#[tokio::test]
async fn a_reservation_without_sense_is_refused_by_its_field() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let sound = || reserve(&an_order(), &[("HAT", 1)]);
    let past = Some(Timestamp::from_micros(0).into());
    let table = [
        ("order", pb::ReserveStockRequest { order: "carts/1".to_owned(), ..sound() }),
        ("lines", pb::ReserveStockRequest { lines: vec![], ..sound() }),
        ("expire_time", pb::ReserveStockRequest { expire_time: None, ..sound() }),
        ("expire_time", pb::ReserveStockRequest { expire_time: past, ..sound() }),
        ("request_id", pb::ReserveStockRequest { request_id: String::new(), ..sound() }),
    ];
    for (field, request) in table {
        let refusal = warehouse.order().reserve_stock(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
}

#[tokio::test]
async fn names_of_nothing_are_refused() {
    let warehouse = Warehouse::open().await;
    for name in ["stock/%zz", "hat", "stock/"] {
        let refusal =
            warehouse.anyone().get_stock(pb::GetStockRequest { name: name.to_owned() }).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{name}");
    }
    let location = |id: &str| pb::CreateLocationRequest {
        location_id: id.to_owned(),
        location: Some(pb::Location { title: "A".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    for id in ["Upper", "a b", "a/b"] {
        let refusal = warehouse.staff().create_location(location(id)).await.unwrap_err();
        assert_eq!(status::violations(&refusal)[0].0, "location_id", "{id}");
    }
    let page = pb::ListStockRequest { page_token: "forged".to_owned(), ..Default::default() };
    assert_eq!(warehouse.staff().list_stock(page).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn customers_do_not_touch_stock() {
    let warehouse = Warehouse::open().await;
    let customer = || {
        contract::inventory::v1::inventory_service_client::InventoryServiceClient::new(
            warehouse.host.as_customer(&format!("users/{}", uuid::Uuid::now_v7())),
        )
    };
    let adjust = pb::AdjustStockRequest {
        sku: "HAT".to_owned(),
        delta: 1,
        reason: "mine".to_owned(),
        ..Default::default()
    };
    assert_eq!(customer().adjust_stock(adjust).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(customer().receive_stock(receive("HAT", 1)).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(
        customer().list_stock(pb::ListStockRequest::default()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}
