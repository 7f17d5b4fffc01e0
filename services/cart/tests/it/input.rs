//! Bad input is named and changes nothing.
use chassis::status;
use contract::cart::v1 as pb;
use contract::cart::v1::cart_service_client::CartServiceClient;
use tonic::Code;

use super::support::{CURRENT, HAT, Shop, add};

#[tokio::test]
async fn quantities_out_of_range_are_refused() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    for quantity in [0, -1, 1000, 1 << 31] {
        assert_eq!(ada.add(HAT, quantity).await.unwrap_err().code(), Code::InvalidArgument, "{quantity}");
    }
    for quantity in [-1, 1000] {
        assert_eq!(ada.set(HAT, quantity).await.unwrap_err().code(), Code::InvalidArgument, "{quantity}");
    }
    assert!(ada.cart().await.lines.is_empty());
}

#[tokio::test]
async fn names_of_nothing_are_refused_by_their_field() {
    let shop = Shop::open().await;
    let mut ada = shop.shopper("users/ada").0;
    let table = [
        ("cart", pb::AddItemRequest { cart: "orders/1".to_owned(), ..add(HAT, 1) }),
        ("variant", add("hat", 1)),
        ("request_id", pb::AddItemRequest { request_id: "twice".to_owned(), ..add(HAT, 1) }),
    ];
    for (field, request) in table {
        let refusal = ada.add_item(request).await.unwrap_err();
        assert_eq!(
            (refusal.code(), status::violations(&refusal)[0].0.as_str()),
            (Code::InvalidArgument, field)
        );
    }
    let unknown = pb::GetCartRequest { name: "carts/1".to_owned() };
    assert_eq!(ada.get_cart(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_stranger_has_no_cart() {
    let shop = Shop::open().await;
    let mut stranger = CartServiceClient::new(shop.host.as_anyone());
    let refusal = stranger.get_cart(pb::GetCartRequest { name: CURRENT.to_owned() }).await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert_eq!(stranger.add_item(add(HAT, 1)).await.unwrap_err().code(), Code::Unauthenticated);
}
