//! Using a coupon for an order, and giving it back.
use contract::promotion::v1 as pb;
use contract::promotion::v1::redemption::State;
use tonic::Code;

use super::support::{
    ANN, Shop, a_request, an_order, euros, evaluate, pence, redeem, refused, release, ten_percent,
};

#[tokio::test]
async fn a_coupon_is_used_once_and_given_back_once() {
    let shop = Shop::open().await;
    let (coupon, order) = (shop.coupon(ten_percent("C")).await, an_order());
    let asked = redeem("c", &order);
    let used = shop.order_for(ANN).redeem_coupon(asked.clone()).await.unwrap().into_inner();
    let again = shop.order().redeem_coupon(asked.clone()).await.unwrap().into_inner();
    assert_eq!((used.state(), &used), (State::Redeemed, &again));
    assert_eq!((&used.coupon, &used.order, &used.customer), (&coupon.name, &order, &ANN.to_owned()));
    assert_eq!(shop.read(&coupon).await.redemption_count, 1);
    let other = pb::RedeemCouponRequest { discount: pence(99), ..asked };
    refused(shop.order().redeem_coupon(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    refused(
        shop.order().redeem_coupon(redeem("C", &order)).await,
        Code::AlreadyExists,
        "COUPON_ALREADY_REDEEMED",
    );
    let facts = shop.facts().await;
    assert_eq!(
        (facts.len(), &facts[0].subject, &facts[0].amount, facts[0].reference.as_str()),
        (1, &order, &pence(100), "c")
    );

    for _ in 0..2 {
        let released = shop.order().release_coupon(release(&order)).await.unwrap().into_inner();
        assert_eq!((released.state(), &released.name), (State::Released, &used.name));
    }
    assert_eq!(shop.read(&coupon).await.redemption_count, 0);
    refused(
        shop.order().redeem_coupon(redeem("C", &order)).await,
        Code::FailedPrecondition,
        "COUPON_RELEASED",
    );
    assert!(shop.facts().await.is_empty());
    assert_eq!(shop.announced::<pb::CouponRedeemed>().await.len(), 1);
    assert_eq!(shop.announced::<pb::CouponReleased>().await.len(), 1);
    shop.balances().await;
}

#[tokio::test]
async fn giving_back_first_wins_over_a_use_that_comes_late() {
    let shop = Shop::open().await;
    let (coupon, order) = (shop.coupon(ten_percent("C")).await, an_order());
    for _ in 0..2 {
        refused(shop.order().release_coupon(release(&order)).await, Code::NotFound, "REDEMPTION_NOT_FOUND");
    }
    refused(
        shop.order().redeem_coupon(redeem("C", &order)).await,
        Code::FailedPrecondition,
        "COUPON_RELEASED",
    );
    assert_eq!(shop.read(&coupon).await.redemption_count, 0);
    assert!(shop.redemptions(&coupon).await.is_empty());
}

#[tokio::test]
async fn a_use_that_was_given_back_is_there_for_the_next() {
    let shop = Shop::open().await;
    let limited = pb::Coupon { redemption_limit: 1, redemption_limit_per_customer: 1, ..ten_percent("ONE") };
    shop.coupon(limited).await;
    let (first, second) = (an_order(), an_order());
    shop.order().redeem_coupon(redeem("ONE", &first)).await.unwrap();
    refused(
        shop.order().redeem_coupon(redeem("ONE", &second)).await,
        Code::FailedPrecondition,
        "COUPON_EXHAUSTED",
    );
    shop.order().release_coupon(release(&first)).await.unwrap();
    shop.order().redeem_coupon(redeem("ONE", &second)).await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn what_is_given_back_is_in_the_budget_again() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(pb::Coupon { discount_budget: pence(150), ..ten_percent("C") }).await;
    let (first, second) = (an_order(), an_order());
    shop.order().redeem_coupon(redeem("C", &first)).await.unwrap();
    let refusal = shop.order().redeem_coupon(redeem("C", &second)).await;
    refused(refusal, Code::FailedPrecondition, "COUPON_EXHAUSTED");
    let told = shop.anyone().evaluate_discounts(evaluate("C", &[1000])).await;
    refused(told, Code::FailedPrecondition, "COUPON_EXHAUSTED");
    for _ in 0..2 {
        shop.order().release_coupon(release(&first)).await.unwrap();
    }
    assert_eq!(shop.read(&coupon).await.discount_total, pence(0));
    shop.order().redeem_coupon(redeem("C", &second)).await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn a_use_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    shop.coupon(ten_percent("C")).await;
    refused(
        shop.order().redeem_coupon(redeem("UNKNOWN", &an_order())).await,
        Code::NotFound,
        "COUPON_NOT_FOUND",
    );
    let good = || redeem("C", &an_order());
    let changed = pb::RedeemCouponRequest { discount: pence(200), ..good() };
    refused(shop.order().redeem_coupon(changed).await, Code::FailedPrecondition, "COUPON_CHANGED");
    for (what, asked) in [
        ("more than there is", pb::RedeemCouponRequest { discount: pence(1001), ..good() }),
        ("less than nothing", pb::RedeemCouponRequest { discount: pence(-1), ..good() }),
        ("another currency", pb::RedeemCouponRequest { discount: euros(1), ..good() }),
        ("no order", pb::RedeemCouponRequest { order: "carts/1".to_owned(), ..good() }),
        ("no customer", pb::RedeemCouponRequest { customer: "ann".to_owned(), ..good() }),
        ("no request id", pb::RedeemCouponRequest { request_id: String::new(), ..good() }),
        ("no code", pb::RedeemCouponRequest { coupon_code: "C D".to_owned(), ..good() }),
    ] {
        assert_eq!(
            shop.order().redeem_coupon(asked).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{what}"
        );
    }
    let nameless = pb::ReleaseCouponRequest { order: "1".to_owned(), request_id: a_request() };
    assert_eq!(shop.order().release_coupon(nameless).await.unwrap_err().code(), Code::InvalidArgument);
    refused(shop.customer(ANN).redeem_coupon(good()).await, Code::PermissionDenied, "INTERNAL_ONLY");
    shop.balances().await;
}
