//! Coupons on carts: a preview, never a promise.
use chassis::status;
use contract::cart::v1 as pb;
use contract::cart::v1::cart_problem::Kind;
use tonic::Code;

use super::support::{CURRENT, HAT, Shop, gbp, problems};

#[tokio::test]
async fn a_coupon_shows_what_it_takes_off() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 2).await.unwrap();
    let cart = ada.apply(" ten ").await.unwrap();
    assert_eq!((cart.coupon_code.as_str(), cart.discount), ("TEN", Some(gbp(250))));
    assert_eq!(ada.add(HAT, 2).await.unwrap().discount, Some(gbp(500)));

    let remove = pb::RemoveCouponRequest { cart: CURRENT.to_owned(), ..Default::default() };
    let cart = ada.0.clone().remove_coupon(remove).await.unwrap().into_inner();
    assert_eq!((cart.coupon_code.as_str(), cart.discount), ("", None));
}

#[tokio::test]
async fn a_coupon_that_does_not_apply_is_refused_in_promotions_words() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("OLD".to_owned(), None);
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 2).await.unwrap();
    for (code, expected, reason) in
        [("NONE", Code::NotFound, "COUPON_NOT_FOUND"), ("OLD", Code::FailedPrecondition, "COUPON_EXPIRED")]
    {
        let refusal = ada.apply(code).await.unwrap_err();
        assert_eq!((refusal.code(), status::reason(&refusal).as_deref()), (expected, Some(reason)));
    }
    assert_eq!(ada.cart().await.coupon_code, "");
}

#[tokio::test]
async fn a_coupon_that_ends_while_it_is_on_the_cart_becomes_a_problem() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 2).await.unwrap();
    ada.apply("TEN").await.unwrap();
    shop.peers.facts().coupons.insert("TEN".to_owned(), None);
    let cart = ada.cart().await;
    assert_eq!((problems(&cart), cart.discount), (vec![Kind::CouponInvalid], None));
}

#[tokio::test]
async fn codes_cannot_be_guessed_through_a_cart() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let (mallory, ada) = (shop.shopper("users/mallory"), shop.shopper("users/ada"));
    mallory.add(HAT, 1).await.unwrap();
    ada.add(HAT, 1).await.unwrap();
    for guess in 0..30 {
        assert_eq!(mallory.apply(&format!("GUESS{guess}")).await.unwrap_err().code(), Code::NotFound);
    }
    let refusal = mallory.apply("TEN").await.unwrap_err();
    assert_eq!(
        (refusal.code(), status::reason(&refusal).as_deref()),
        (Code::ResourceExhausted, Some("TOO_MANY_UNKNOWN_CODES"))
    );
    assert_eq!(ada.apply("TEN").await.unwrap().coupon_code, "TEN", "nobody else is hindered");
}

#[tokio::test]
async fn a_code_put_on_an_empty_cart_counts_when_it_is_looked_at() {
    let shop = Shop::open().await;
    let mallory = shop.shopper("users/mallory");
    mallory.apply("GUESS").await.unwrap();
    assert_eq!(problems(&mallory.add(HAT, 1).await.unwrap()), [Kind::CouponInvalid]);
    assert_eq!(shop.peers.facts().guesses.get("users/mallory"), Some(&1));
}
