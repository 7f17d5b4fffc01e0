//! A cart is shown at prices and stock of now, and without those who cannot be asked.
use chassis::caller::Caller;
use contract::cart::v1 as pb;
use contract::cart::v1::cart_problem::Kind;
use contract::catalog::v1 as catalog;
use tonic::Code;

use super::support::{BAG, HAT, Shop, content, gbp, problems, variant};

#[tokio::test]
async fn a_changed_price_is_shown_beside_the_old_one() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 2).await.unwrap();
    shop.sell(variant(HAT, 1500), 10);
    let cart = ada.cart().await;
    assert_eq!(problems(&cart), [Kind::PriceChanged]);
    assert_eq!(cart.lines[0].unit_price, Some(gbp(1500)));
    assert_eq!(cart.lines[0].added_price, Some(gbp(1250)));
    assert_eq!(cart.subtotal, Some(gbp(3000)));
}

#[tokio::test]
async fn what_stands_in_the_way_is_listed() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 5).await.unwrap();
    ada.add(BAG, 1).await.unwrap();
    shop.peers.facts().stock.insert("HAT".to_owned(), 3);
    let archived = catalog::variant::State::Archived.into();
    shop.sell(catalog::Variant { state: archived, ..variant(BAG, 4000) }, 10);
    let cart = ada.cart().await;
    assert_eq!(problems(&cart), [Kind::Unavailable, Kind::OutOfStock]);
    assert_eq!((cart.problems[0].variant.as_str(), cart.problems[1].variant.as_str()), (BAG, HAT));
    assert_eq!(cart.problems[1].available, 3);
    // What cannot be bought costs nothing.
    assert_eq!(cart.subtotal, Some(gbp(6250)));

    shop.peers.facts().stock.remove("HAT");
    assert_eq!(ada.cart().await.problems[1].available, 0);
}

#[tokio::test]
async fn what_no_stock_is_kept_of_is_never_out_of_stock() {
    let shop = Shop::open().await;
    shop.sell(catalog::Variant { stocked: false, ..variant(HAT, 1250) }, 0);
    assert!(shop.shopper("users/ada").add(HAT, 5).await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_cart_is_shown_without_those_who_are_away() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 11).await.unwrap();
    ada.apply("TEN").await.unwrap();
    shop.peers.facts().away = vec!["BatchGetStock", "EvaluateDiscounts"];
    let cart = ada.cart().await;
    assert_eq!((cart.subtotal, cart.discount, cart.coupon_code.as_str()), (Some(gbp(13750)), None, "TEN"));
    assert!(cart.problems.is_empty(), "{:?}", cart.problems);

    shop.peers.facts().away.push("BatchGetVariants");
    let cart = ada.cart().await;
    assert_eq!((content(&cart), cart.lines[0].title.as_str()), (vec![("HAT", 11)], "A HAT"));
    assert_eq!((cart.subtotal, cart.lines[0].added_price.clone()), (None, None));
    // Without the catalog nothing new can be put in.
    assert_eq!(ada.add(BAG, 1).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn prices_are_asked_for_together_and_remembered_for_a_moment() {
    let shop = Shop::with(cart::Config { cart_preview_ms: 60_000, ..cart::Config::default() }).await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 1).await.unwrap();
    ada.add(BAG, 1).await.unwrap();
    for _ in 0..5 {
        ada.cart().await;
    }
    let calls = shop.peers.facts().calls["BatchGetVariants"];
    assert_eq!(calls, 2);
}

#[tokio::test]
async fn an_order_reads_its_customers_cart_without_prices() {
    let shop = Shop::open().await;
    let cart = shop.shopper("users/ada").add(HAT, 2).await.unwrap();
    let calls = shop.peers.facts().calls.clone();
    let read = async |caller: Caller| {
        let client = shop.host.as_service_for("order", &caller);
        let mut client = pb::cart_service_client::CartServiceClient::new(client);
        client.get_cart(pb::GetCartRequest { name: cart.name.clone() }).await.map(tonic::Response::into_inner)
    };
    assert_eq!(content(&read(Caller::person("users/ada", None, [])).await.unwrap()), [("HAT", 2)]);
    assert_eq!(content(&read(Caller::anonymous()).await.unwrap()), [("HAT", 2)]);
    assert_eq!(read(Caller::person("users/bob", None, [])).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(shop.peers.facts().calls, calls);
}
