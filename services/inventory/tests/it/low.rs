//! Stock that runs low is told once for each crossing.
use contract::inventory::v1 as pb;
use futures::future::join_all;

use super::support::{Warehouse, an_order, commit, receive, release, reserve};

fn threshold(sku: &str, low_threshold: i64) -> pb::SetLowStockThresholdRequest {
    pb::SetLowStockThresholdRequest { name: format!("stock/{sku}"), low_threshold }
}

#[tokio::test]
async fn low_stock_is_told_once_for_each_crossing() {
    let warehouse = Warehouse::with(&[("HAT", 10)]).await;
    warehouse.staff().set_low_stock_threshold(threshold("HAT", 5)).await.unwrap();
    let told = async || {
        warehouse.announced::<pb::StockLow>().await.iter().map(|event| event.available).collect::<Vec<_>>()
    };
    assert!(told().await.is_empty());

    let (first, second) = (an_order(), an_order());
    warehouse.order().reserve_stock(reserve(&first, &[("HAT", 5)])).await.unwrap();
    warehouse.order().reserve_stock(reserve(&second, &[("HAT", 1)])).await.unwrap();
    warehouse.order().commit_reservation(commit(&second)).await.unwrap();
    assert_eq!(told().await, [5]);
    let low = warehouse
        .staff()
        .list_low_stock(pb::ListLowStockRequest::default())
        .await
        .unwrap()
        .into_inner()
        .stock;
    assert_eq!((low.len(), low[0].low), (1, true));

    warehouse.order().release_reservation(release(&first)).await.unwrap();
    let low = warehouse
        .staff()
        .list_low_stock(pb::ListLowStockRequest::default())
        .await
        .unwrap()
        .into_inner()
        .stock;
    assert!(low.is_empty());
    warehouse.order().reserve_stock(reserve(&an_order(), &[("HAT", 6)])).await.unwrap();
    assert_eq!(told().await, [5, 3]);
}

#[tokio::test]
async fn a_threshold_above_what_there_is_tells_at_once_and_only_once() {
    let warehouse = Warehouse::with(&[("HAT", 3)]).await;
    for _ in 0..2 {
        let stock =
            warehouse.staff().set_low_stock_threshold(threshold("HAT", 3)).await.unwrap().into_inner();
        assert!(stock.low);
    }
    assert_eq!(warehouse.announced::<pb::StockLow>().await.len(), 1);
    assert!(!warehouse.staff().receive_stock(receive("HAT", 1)).await.unwrap().into_inner().low);
    assert!(!warehouse.staff().set_low_stock_threshold(threshold("HAT", 0)).await.unwrap().into_inner().low);
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_who_cross_the_threshold_together_tell_it_once() {
    let warehouse = Warehouse::with(&[("HAT", 40)]).await;
    warehouse.staff().set_low_stock_threshold(threshold("HAT", 20)).await.unwrap();
    let buyers = (0..30).map(|_| {
        let (mut order, request) = (warehouse.order(), reserve(&an_order(), &[("HAT", 1)]));
        async move { order.reserve_stock(request).await }
    });
    for answer in join_all(buyers).await {
        answer.unwrap();
    }
    assert_eq!(warehouse.announced::<pb::StockLow>().await.len(), 1);
}
