//! Watching stock change.
use contract::inventory::v1 as pb;

use super::support::{Warehouse, an_order, receive, reserve};

#[tokio::test]
async fn a_watcher_sees_stock_as_it_is_and_then_each_change() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let skus = ["HAT", "NEW"].map(String::from).to_vec();
    let mut stream =
        warehouse.anyone().watch_stock(pb::WatchStockRequest { skus }).await.unwrap().into_inner();
    let mut next = async || {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), stream.message()).await;
        let stock = next.expect("a change in time").unwrap().expect("a change");
        (stock.sku, stock.available)
    };
    assert_eq!(next().await, ("HAT".to_owned(), 5));
    warehouse.order().reserve_stock(reserve(&an_order(), &[("HAT", 2)])).await.unwrap();
    assert_eq!(next().await, ("HAT".to_owned(), 3));
    warehouse.staff().receive_stock(receive("NEW", 7)).await.unwrap();
    assert_eq!(next().await, ("NEW".to_owned(), 7));
}

#[tokio::test]
async fn a_watch_ends_when_the_service_stops() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let watch = pb::WatchStockRequest { skus: vec!["HAT".to_owned()] };
    let mut stream = warehouse.anyone().watch_stock(watch).await.unwrap().into_inner();
    stream.message().await.unwrap().expect("stock as it is");
    warehouse.host.process().shutdown().cancel();
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), stream.message()).await;
    assert!(!matches!(end.expect("an end in time"), Ok(Some(_))));
}
