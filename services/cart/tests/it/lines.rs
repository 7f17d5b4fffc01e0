//! Filling a cart.
use chassis::status;
use contract::cart::v1 as pb;
use futures::future::join_all;
use tonic::Code;

use super::support::{BAG, CURRENT, HAT, Shop, add, content, gbp, variant};

#[tokio::test]
async fn a_shopper_has_one_open_cart_from_the_first_look() {
    let shop = Shop::open().await;
    for subject in ["users/ada", "guests/bob"] {
        let shopper = shop.shopper(subject);
        let first = shopper.cart().await;
        assert_eq!((first.owner.as_str(), first.state()), (subject, pb::cart::State::Open));
        assert_eq!(shopper.cart().await.name, first.name);
        assert_eq!(shopper.get(&first.name).await.unwrap().name, first.name);
    }
}

#[tokio::test]
async fn what_is_put_in_adds_up_and_is_priced() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 1).await.unwrap();
    ada.add(BAG, 1).await.unwrap();
    let cart = ada.add(HAT, 2).await.unwrap();
    assert_eq!(content(&cart), [("HAT", 3), ("BAG", 1)]);
    assert_eq!(cart.lines[0].unit_price, Some(gbp(1250)));
    assert_eq!(cart.lines[0].total, Some(gbp(3750)));
    assert_eq!(cart.lines[0].title, "A HAT");
    assert_eq!(cart.subtotal, Some(gbp(7750)));
    assert!(cart.problems.is_empty(), "{:?}", cart.problems);
    shop.balances().await;
}

#[tokio::test]
async fn quantities_are_set_and_nothing_takes_a_line_out() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 1).await.unwrap();
    ada.add(BAG, 1).await.unwrap();
    let five = ada.set(HAT, 5).await.unwrap();
    assert_eq!(content(&five), [("HAT", 5), ("BAG", 1)]);
    let same = ada.set(HAT, 5).await.unwrap();
    assert_eq!(same.etag, five.etag);
    let none = ada.set(HAT, 0).await.unwrap();
    assert_eq!(content(&none), [("BAG", 1)]);
    assert_ne!(none.etag, five.etag);
    assert_eq!(content(&ada.set(HAT, 0).await.unwrap()), [("BAG", 1)]);
    assert_eq!(ada.set(HAT, 1).await.unwrap_err().code(), Code::NotFound);

    let remove =
        pb::RemoveItemRequest { cart: CURRENT.to_owned(), variant: BAG.to_owned(), ..Default::default() };
    for _ in 0..2 {
        assert!(ada.0.clone().remove_item(remove.clone()).await.unwrap().into_inner().lines.is_empty());
    }
}

#[tokio::test]
async fn clearing_takes_everything_out_the_coupon_too() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 1).await.unwrap();
    ada.apply("ten").await.unwrap();
    let clear = pb::ClearCartRequest { cart: CURRENT.to_owned(), ..Default::default() };
    let cart = ada.0.clone().clear_cart(clear).await.unwrap().into_inner();
    assert_eq!((cart.lines.len(), cart.coupon_code.as_str(), cart.subtotal), (0, "", None));
}

#[tokio::test]
async fn the_same_request_twice_puts_in_once() {
    let shop = Shop::open().await;
    let mut ada = shop.shopper("users/ada").0;
    let request = add(HAT, 2);
    let first = ada.add_item(request.clone()).await.unwrap().into_inner();
    assert_eq!(ada.add_item(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::AddItemRequest { quantity: 3, ..request.clone() };
    assert_eq!(ada.add_item(other).await.unwrap_err().code(), Code::AlreadyExists);
    // The same key of somebody else is another key.
    assert_eq!(
        content(&shop.shopper("users/bob").0.add_item(request).await.unwrap().into_inner()),
        [("HAT", 2)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_at_the_same_moment_all_count() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    for answer in join_all((0..20).map(|_| ada.add(HAT, 1))).await {
        answer.expect("room for all");
    }
    assert_eq!(content(&ada.cart().await), [("HAT", 20)]);
    shop.balances().await;
}

#[tokio::test]
async fn somebody_elses_cart_is_not_there() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada").add(HAT, 1).await.unwrap();
    let bob = shop.shopper("users/bob");
    let absent = format!("carts/{}", uuid::Uuid::now_v7());
    let [foreign, missing] = [bob.get(&ada.name).await.unwrap_err(), bob.get(&absent).await.unwrap_err()];
    assert_eq!(foreign.code(), Code::NotFound);
    assert_eq!((foreign.message(), foreign.details()), (missing.message(), missing.details()));
    let request = pb::AddItemRequest { cart: ada.name.clone(), ..add(HAT, 1) };
    assert_eq!(bob.0.clone().add_item(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn limits_of_a_cart_are_told_by_their_reasons() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 999).await.unwrap();
    let too_many = ada.add(HAT, 1).await.unwrap_err();
    let other_currency = {
        let price = chassis::money::Money::new(100, "EUR".parse().unwrap());
        let imported = contract::catalog::v1::Variant {
            price: Some(price.into()),
            ..variant("products/3/variants/tie", 0)
        };
        shop.sell(imported, 1);
        ada.add("products/3/variants/tie", 1).await.unwrap_err()
    };
    for number in 0..99 {
        let name = format!("products/9/variants/{number}");
        shop.sell(variant(&name, 100), 1);
        ada.add(&name, 1).await.unwrap();
    }
    let full = ada.add(BAG, 1).await.unwrap_err();
    for (refusal, reason) in
        [(too_many, "QUANTITY_TOO_LARGE"), (other_currency, "CURRENCY_MISMATCH"), (full, "CART_FULL")]
    {
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{reason}");
        assert_eq!(status::reason(&refusal).as_deref(), Some(reason));
    }
    assert_eq!(ada.cart().await.lines.len(), 100);
    shop.balances().await;
}

#[tokio::test]
async fn only_what_is_sold_can_be_put_in() {
    let shop = Shop::open().await;
    let archived = contract::catalog::v1::product::State::Archived.into();
    shop.sell(
        contract::catalog::v1::Variant { product_state: archived, ..variant("products/3/variants/old", 100) },
        1,
    );
    let ada = shop.shopper("users/ada");
    let table = [
        ("products/0/variants/none", Code::NotFound, "VARIANT_NOT_FOUND"),
        ("products/3/variants/old", Code::FailedPrecondition, "VARIANT_NOT_ON_SALE"),
    ];
    for (name, code, reason) in table {
        let refusal = ada.add(name, 1).await.unwrap_err();
        assert_eq!((refusal.code(), status::reason(&refusal).as_deref()), (code, Some(reason)));
    }
}
