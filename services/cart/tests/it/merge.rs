//! A guest who signs in keeps what was in the cart.
use contract::cart::v1::cart::State;
use tonic::Code;

use super::support::{BAG, HAT, Shop, content};

#[tokio::test]
async fn a_guests_cart_is_added_to_the_users_once() {
    let shop = Shop::open().await;
    shop.peers.facts().coupons.insert("TEN".to_owned(), Some(10));
    let (guest, ada) = (shop.shopper("guests/g"), shop.shopper("users/ada"));
    guest.add(HAT, 600).await.unwrap();
    guest.add(BAG, 1).await.unwrap();
    let left = guest.apply("TEN").await.unwrap();
    ada.add(HAT, 600).await.unwrap();
    let token = shop.host.access_token("guests/g");
    let merged = ada.merge(&token).await.unwrap();
    assert_eq!(content(&merged), [("HAT", 999), ("BAG", 1)]);
    assert_eq!(merged.coupon_code, "TEN");
    assert_eq!(content(&ada.merge(&token).await.unwrap()), content(&merged));

    assert_eq!(guest.get(&left.name).await.unwrap().state(), State::Merged);
    assert!(guest.cart().await.lines.is_empty());
    shop.balances().await;
}

#[tokio::test]
async fn only_the_guests_own_token_proves_whose_cart_it_is() {
    let shop = Shop::open().await;
    let guest = shop.shopper("guests/g");
    guest.add(HAT, 1).await.unwrap();
    let ada = shop.shopper("users/ada");
    for token in [
        "guests/g".to_owned(),
        shop.host.access_token("users/bob"),
        format!("{}x", shop.host.access_token("guests/g")),
    ] {
        assert_eq!(ada.merge(&token).await.unwrap_err().code(), Code::InvalidArgument);
    }
    // A guest has no account to merge into.
    assert_eq!(
        guest.merge(&shop.host.access_token("guests/g")).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(content(&guest.cart().await), [("HAT", 1)]);
}
