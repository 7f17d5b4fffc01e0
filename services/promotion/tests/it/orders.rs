//! Orders that are cancelled.
use chassis::testing::eventually;
use contract::order::v1::OrderCancelled;
use tonic::Code;

use super::support::{Shop, an_order, redeem, refused, ten_percent};

fn cancelled(order: &str) -> OrderCancelled {
    OrderCancelled {
        order: order.to_owned(),
        confirmed: true,
        coupon_code: "C".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_cancelled_order_gives_its_coupon_back_once() {
    let shop = Shop::open().await;
    let (coupon, order, other) = (shop.coupon(ten_percent("C")).await, an_order(), an_order());
    shop.order().redeem_coupon(redeem("C", &order)).await.unwrap();
    shop.order().redeem_coupon(redeem("C", &other)).await.unwrap();
    let event = shop.announce(&order, &cancelled(&order)).await;
    eventually(async || (shop.read(&coupon).await.redemption_count == 1).then_some(())).await;
    shop.announce_again(event).await;
    let again = shop.announce(&order, &cancelled(&order)).await;
    shop.applied(again).await;
    assert_eq!(shop.read(&coupon).await.redemption_count, 1);
    shop.balances().await;
}

#[tokio::test]
async fn an_order_that_was_never_confirmed_is_left_to_who_placed_it() {
    let shop = Shop::open().await;
    let (coupon, order) = (shop.coupon(ten_percent("C")).await, an_order());
    shop.order().redeem_coupon(redeem("C", &order)).await.unwrap();
    let event = shop.announce(&order, &OrderCancelled { confirmed: false, ..cancelled(&order) }).await;
    shop.applied(event).await;
    assert_eq!(shop.read(&coupon).await.redemption_count, 1);
}

#[tokio::test]
async fn a_cancellation_that_overtakes_the_use_wins() {
    let shop = Shop::open().await;
    let (_, order) = (shop.coupon(ten_percent("C")).await, an_order());
    let event = shop.announce(&order, &cancelled(&order)).await;
    shop.applied(event).await;
    refused(
        shop.order().redeem_coupon(redeem("C", &order)).await,
        Code::FailedPrecondition,
        "COUPON_RELEASED",
    );
}
