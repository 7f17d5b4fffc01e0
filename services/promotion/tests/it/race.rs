//! Many customers at once for few uses.
use contract::promotion::v1 as pb;
use futures::future::join_all;
use tonic::{Code, Status};

use super::support::{Shop, an_order, pence, redeem, release, ten_percent};

/// How many of so many uses at once go well; each customer's number is that of the use, by `customers`.
async fn at_once(shop: &Shop, code: &str, uses: usize, customers: usize) -> (usize, Vec<Status>) {
    let calls = (0..uses).map(|number| {
        let customer = format!("users/{}", number % customers);
        let (mut order, asked) =
            (shop.order(), pb::RedeemCouponRequest { customer, ..redeem(code, &an_order()) });
        async move { order.redeem_coupon(asked).await }
    });
    let answers = join_all(calls).await;
    let went_well = answers.iter().filter(|answer| answer.is_ok()).count();
    (went_well, answers.into_iter().filter_map(Result::err).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_customers_at_once_use_a_coupon_for_ten_exactly_ten_times() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(pb::Coupon { redemption_limit: 10, ..ten_percent("TEN") }).await;
    let (used, refusals) = at_once(&shop, "TEN", 100, 100).await;
    assert_eq!(used, 10);
    for refusal in refusals {
        assert_eq!(chassis::status::reason(&refusal).as_deref(), Some("COUPON_EXHAUSTED"), "{refusal:?}");
    }
    assert_eq!(shop.read(&coupon).await.redemption_count, 10);
    assert_eq!(shop.redemptions(&coupon).await.len(), 10);
    shop.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_for_each_customer_holds_whatever_they_try_at_once() {
    let shop = Shop::open().await;
    shop.coupon(pb::Coupon { redemption_limit_per_customer: 2, ..ten_percent("TWICE") }).await;
    let (used, refusals) = at_once(&shop, "TWICE", 40, 4).await;
    assert_eq!(used, 8);
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
    }
    shop.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_holds_whoever_comes_at_once() {
    let shop = Shop::open().await;
    // Each use takes off a pound.
    let coupon = shop.coupon(pb::Coupon { discount_budget: pence(750), ..ten_percent("SEVEN") }).await;
    let (used, refusals) = at_once(&shop, "SEVEN", 40, 40).await;
    assert_eq!(used, 7);
    for refusal in refusals {
        assert_eq!(chassis::status::reason(&refusal).as_deref(), Some("COUPON_EXHAUSTED"), "{refusal:?}");
    }
    assert_eq!(shop.read(&coupon).await.discount_total, pence(700));
    shop.balances().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn using_and_giving_back_at_once_leave_no_use_without_its_order() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(pb::Coupon { redemption_limit: 5, ..ten_percent("FIVE") }).await;
    let orders: Vec<String> = (0..20).map(|_| an_order()).collect();
    let calls =
        orders.iter().flat_map(|order| [false, true, true].map(|back| (order, back))).map(|(order, back)| {
            let mut client = shop.order();
            async move {
                let _ = match back {
                    true => client.release_coupon(release(order)).await.map(drop),
                    false => client.redeem_coupon(redeem("FIVE", order)).await.map(drop),
                };
            }
        });
    join_all(calls).await;
    assert_eq!(shop.read(&coupon).await.redemption_count, 0);
    shop.balances().await;
}
