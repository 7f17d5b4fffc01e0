//! Taking goods in, correcting, and looking.
use chassis::status;
use contract::inventory::v1 as pb;
use contract::inventory::v1::movement::Kind;
use tonic::Code;

use super::support::{Warehouse, a_request, an_order, receive, reserve};

fn adjust(sku: &str, delta: i64) -> pb::AdjustStockRequest {
    pb::AdjustStockRequest { sku: sku.to_owned(), delta, reason: "counted".to_owned(), ..Default::default() }
}

#[tokio::test]
async fn goods_taken_in_can_be_sold_and_are_journalled() {
    let warehouse = Warehouse::open().await;
    let request = pb::ReceiveStockRequest {
        reason: "from Lyon".to_owned(),
        request_id: a_request(),
        ..receive("red/large", 5)
    };
    let stock = warehouse.staff().receive_stock(request.clone()).await.unwrap().into_inner();
    let again = warehouse.staff().receive_stock(request).await;
    // Another member of staff has other keys.
    assert_eq!(again.unwrap().into_inner().on_hand, 10);

    assert_eq!(stock.name, "stock/red%2Flarge");
    assert_eq!((stock.on_hand, stock.available, stock.low), (5, 5, false));
    assert_eq!(stock.locations[0].location, "locations/default");
    let request = pb::ListMovementsRequest { sku: "red/large".to_owned(), ..Default::default() };
    let movements = warehouse.staff().list_movements(request).await.unwrap().into_inner().movements;
    assert_eq!(movements.len(), 2);
    assert_eq!((movements[0].kind(), movements[0].reason.as_str()), (Kind::Receipt, "from Lyon"));
    assert!(movements[0].actor.starts_with("users/"));
    let changed = warehouse.announced::<pb::StockChanged>().await;
    let levels: Vec<_> = changed.into_iter().flat_map(|event| event.levels).collect();
    assert_eq!(levels[0].stock, stock.name);
    assert_eq!(levels.iter().map(|level| level.available).collect::<Vec<_>>(), [5, 10]);
}

#[tokio::test]
async fn the_same_receipt_sent_twice_is_taken_in_once() {
    let warehouse = Warehouse::open().await;
    let mut staff = warehouse.staff();
    let request = pb::ReceiveStockRequest { request_id: a_request(), ..receive("HAT", 5) };
    let first = staff.receive_stock(request.clone()).await.unwrap().into_inner();
    assert_eq!(staff.receive_stock(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::ReceiveStockRequest { quantity: 6, ..request };
    assert_eq!(staff.receive_stock(other).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
}

#[tokio::test]
async fn a_batch_is_taken_in_whole_and_answered_in_its_order() {
    let warehouse = Warehouse::open().await;
    let requests: Vec<_> = (0..700).map(|number| receive(&format!("SKU-{number:03}"), number + 1)).collect();
    let batch =
        pb::BatchReceiveStockRequest { requests: requests.into_iter().rev().collect(), ..Default::default() };
    let stock = warehouse.staff().batch_receive_stock(batch).await.unwrap().into_inner().stock;
    assert_eq!(stock.len(), 700);
    assert_eq!((stock[0].sku.as_str(), stock[0].on_hand), ("SKU-699", 700));

    let nowhere = pb::ReceiveStockRequest { location: "locations/moon".to_owned(), ..receive("HAT", 1) };
    let batch =
        pb::BatchReceiveStockRequest { requests: vec![receive("SKU-000", 1), nowhere], ..Default::default() };
    let refusal = warehouse.staff().batch_receive_stock(batch).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("LOCATION_NOT_FOUND"));
    assert_eq!(warehouse.levels("SKU-000").await, (1, 0, 1));
    warehouse.balances().await;
}

#[tokio::test]
async fn a_correction_never_takes_what_is_reserved() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    warehouse.order().reserve_stock(reserve(&an_order(), &[("HAT", 3)])).await.unwrap();
    assert_eq!(warehouse.staff().adjust_stock(adjust("HAT", -2)).await.unwrap().into_inner().available, 0);
    let refusal = warehouse.staff().adjust_stock(adjust("HAT", -1)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(status::reason(&refusal).as_deref(), Some("STOCK_BELOW_RESERVED"));
    warehouse.staff().adjust_stock(adjust("HAT", 4)).await.unwrap();
    assert_eq!(warehouse.levels("HAT").await, (7, 3, 4));
    warehouse.balances().await;
}

#[tokio::test]
async fn what_was_never_received_is_not_corrected_into_being() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    for delta in [1, -1] {
        let refusal = warehouse.staff().adjust_stock(adjust("HATT", delta)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::NotFound);
        assert_eq!(status::reason(&refusal).as_deref(), Some("STOCK_NOT_FOUND"));
    }
    let stock = warehouse.staff().list_stock(pb::ListStockRequest::default()).await.unwrap().into_inner();
    assert_eq!(stock.stock.len(), 1);
}

#[tokio::test]
async fn a_correction_takes_only_what_lies_in_its_location() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let attic = pb::Location { title: "Attic".to_owned(), priority: 5, ..Default::default() };
    let request = pb::CreateLocationRequest {
        location_id: "attic".to_owned(),
        location: Some(attic),
        ..Default::default()
    };
    warehouse.staff().create_location(request.clone()).await.unwrap();
    let refusal = warehouse.staff().create_location(request).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("LOCATION_EXISTS"));

    let request = pb::AdjustStockRequest { location: "locations/attic".to_owned(), ..adjust("HAT", -1) };
    let refusal = warehouse.staff().adjust_stock(request).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("STOCK_BELOW_RESERVED"));
    let locations = warehouse
        .staff()
        .list_locations(pb::ListLocationsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .locations;
    assert_eq!(
        locations.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["locations/default", "locations/attic"]
    );
    warehouse.balances().await;
}

#[tokio::test]
async fn stock_is_listed_page_by_page_and_read_in_bulk() {
    let warehouse = Warehouse::with(&[("c", 3), ("a", 1), ("B", 2)]).await;
    let mut staff = warehouse.staff();
    let request = pb::ListStockRequest { page_size: 2, ..Default::default() };
    let first = staff.list_stock(request.clone()).await.unwrap().into_inner();
    let second = staff
        .list_stock(pb::ListStockRequest { page_token: first.next_page_token.clone(), ..request })
        .await
        .unwrap()
        .into_inner();
    let skus: Vec<_> = first.stock.iter().chain(&second.stock).map(|stock| stock.sku.as_str()).collect();
    assert_eq!(skus, ["B", "a", "c"]);
    assert_eq!(second.next_page_token, "");

    let wanted = ["c", "GHOST", "a"].map(String::from).to_vec();
    let found = warehouse
        .anyone()
        .batch_get_stock(pb::BatchGetStockRequest { skus: wanted })
        .await
        .unwrap()
        .into_inner()
        .stock;
    assert_eq!(
        found.iter().map(|stock| (stock.sku.as_str(), stock.available)).collect::<Vec<_>>(),
        [("c", 3), ("a", 1)]
    );
    let refusal = warehouse
        .anyone()
        .get_stock(pb::GetStockRequest { name: "stock/GHOST".to_owned() })
        .await
        .unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("STOCK_NOT_FOUND"));
}

#[tokio::test]
async fn movements_are_listed_newest_first_without_gaps() {
    let warehouse = Warehouse::with(&[("HAT", 1), ("HAT", 2), ("HAT", 3), ("BAG", 9)]).await;
    let mut staff = warehouse.staff();
    let mut request = pb::ListMovementsRequest { page_size: 2, sku: "HAT".to_owned(), ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = staff.list_movements(request.clone()).await.unwrap().into_inner();
        seen.extend(page.movements.iter().map(|movement| movement.on_hand_delta));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, [3, 2, 1]);
}
