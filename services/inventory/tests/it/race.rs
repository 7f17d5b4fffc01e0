//! Many buyers, few goods.
use chassis::status;
use contract::inventory::v1 as pb;
use futures::future::join_all;
use tonic::{Code, Status};

use super::support::{Inventory, Warehouse, an_order, commit, release, reserve};

/// Asks until there is an answer, as a saga does: under load a call may end without one, and each may be repeated.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
    loop {
        let answer = ask().await;
        let unknown = |status: &Status| {
            [Code::DeadlineExceeded, Code::Unavailable, Code::Aborted].contains(&status.code())
        };
        if !answer.as_ref().is_err_and(unknown) {
            return answer;
        }
    }
}

/// Two hundred ask at once for goods that fifty can have, by lines that add up to one unit for each buyer's share.
async fn race(lines: &[(&str, i64)], on_hand: i64) {
    let warehouse = Warehouse::with(&[("SHOE", on_hand)]).await;
    let buyers = (0..200).map(|_| {
        let order = warehouse.order();
        let request = reserve(&an_order(), lines);
        async move { patiently(async || order.clone().reserve_stock(request.clone()).await).await }
    });
    let answers = join_all(buyers).await;

    let (held, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (50, 150));
    for refusal in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
        assert_eq!(status::reason(&refusal).as_deref(), Some("INSUFFICIENT_STOCK"));
        let metadata = status::metadata(&refusal);
        assert_eq!(metadata["sku"], "SHOE");
        assert_eq!(metadata["available"], "0");
    }
    assert_eq!(warehouse.levels("SHOE").await, (on_hand, on_hand, 0));
    warehouse.balances().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_want_one_of_fifty_exactly_fifty_get_it() {
    race(&[("SHOE", 1)], 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_on_two_lines_counts_twice_in_the_race() {
    race(&[("SHOE", 1), ("SHOE", 1)], 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_cannot_have_does_not_spoil_it_for_those_who_ask_at_the_same_time() {
    let warehouse = Warehouse::with(&[("SHOE", 100)]).await;
    let known = reserve(&an_order(), &[("SHOE", 1)]);
    warehouse.order().reserve_stock(known.clone()).await.unwrap();
    let released = an_order();
    warehouse.order().release_reservation(release(&released)).await.unwrap_err();
    let buyers = (0..60).map(|buyer| {
        let (request, reason) = match buyer % 6 {
            0 => (reserve(&an_order(), &[("SHOE", 101)]), Some("INSUFFICIENT_STOCK")),
            1 => (reserve(&an_order(), &[("SHOE", 1), ("GHOST", 1)]), Some("INSUFFICIENT_STOCK")),
            2 => (reserve(&known.order, &[("SHOE", 2)]), Some("RESERVATION_EXISTS")),
            3 => {
                let request_id = known.request_id.clone();
                let other = reserve(&an_order(), &[("SHOE", 1)]);
                (pb::ReserveStockRequest { request_id, ..other }, Some("REQUEST_ID_REUSED"))
            }
            4 => (reserve(&released, &[("SHOE", 1)]), Some("RESERVATION_RELEASED")),
            _ => (reserve(&an_order(), &[("SHOE", 1)]), None),
        };
        let order = warehouse.order();
        async move {
            let answer = patiently(async || order.clone().reserve_stock(request.clone()).await).await;
            (answer.map(drop).map_err(|refusal| status::reason(&refusal)), reason)
        }
    });
    for (answer, reason) in join_all(buyers).await {
        assert_eq!(answer.err().flatten().as_deref(), reason);
    }
    assert_eq!(warehouse.levels("SHOE").await, (100, 11, 89));
    warehouse.balances().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_together_sell_no_more_than_there_is() {
    let warehouse = Warehouse::with(&[("SHOE", 20), ("SOCK", 60)]).await;
    let replica = warehouse.host.process().host("inventory");
    replica.serve(inventory::serve(replica.host(), inventory::Config::default()));
    let second = Inventory::new(replica.as_service("order"));
    let buyers = (0..80).map(|buyer| {
        let order = if buyer % 2 == 0 { warehouse.order() } else { second.clone() };
        let lines = if buyer % 4 < 2 { [("SHOE", 1), ("SOCK", 2)] } else { [("SOCK", 2), ("SHOE", 1)] };
        let request = reserve(&an_order(), &lines);
        async move { patiently(async || order.clone().reserve_stock(request.clone()).await).await }
    });
    let answers = join_all(buyers).await;

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
    assert_eq!(warehouse.levels("SHOE").await, (20, 20, 0));
    assert_eq!(warehouse.levels("SOCK").await, (60, 40, 20));
    warehouse.balances().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buyers_of_the_same_goods_in_opposite_order_never_wait_for_each_other_forever() {
    let skus: Vec<String> = (0..10).map(|number| format!("SKU-{number}")).collect();
    let stock: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 1000)).collect();
    let warehouse = Warehouse::with(&stock).await;
    let buyers = (0..60).map(|buyer| {
        let order = warehouse.order();
        let mut lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
        if buyer % 2 == 0 {
            lines.reverse();
        }
        let name = an_order();
        let request = reserve(&name, &lines);
        async move {
            let hold = async || order.clone().reserve_stock(request.clone()).await;
            patiently(hold).await?;
            match buyer % 3 {
                0 => {
                    patiently(async || order.clone().commit_reservation(commit(&name)).await).await.map(drop)
                }
                1 => patiently(async || order.clone().release_reservation(release(&name)).await)
                    .await
                    .map(drop),
                _ => Ok(()),
            }
        }
    });
    for answer in join_all(buyers).await {
        answer.expect("enough for everybody");
    }
    assert_eq!(warehouse.levels("SKU-3").await, (960, 40, 920));
    warehouse.balances().await;
}
