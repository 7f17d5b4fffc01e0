//! What people want to be told.
use contract::{
    notification::v1::{self as pb, notification::State, template::Channel},
    order::v1::{OrderConfirmed, OrderShipped},
};
use prost_types::FieldMask;
use tonic::Code;

use super::support::{ANN, BOB, ORDER, Shop, request_id};

fn update(preferences: pb::Preferences, paths: &[&str]) -> pb::UpdatePreferencesRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() });
    pb::UpdatePreferencesRequest { preferences: Some(preferences), update_mask, request_id: request_id() }
}

#[tokio::test]
async fn who_mutes_shipping_updates_still_hears_of_orders() {
    let shop = Shop::start().await;
    let muted = pb::Preferences { shipping_updates_muted: true, ..pb::Preferences::default() };
    shop.customer(ANN).update_preferences(update(muted, &[])).await.unwrap();
    for customer in [ANN, BOB] {
        let order = format!("{ORDER}{}", &customer[customer.len() - 1..]);
        shop.announce(
            &order,
            &OrderConfirmed { order: order.clone(), customer: customer.into(), ..Default::default() },
        )
        .await;
        shop.announce(
            &order,
            &OrderShipped { order: order.clone(), customer: customer.into(), ..Default::default() },
        )
        .await;
    }
    assert_eq!(shop.ended(ANN, "order-confirmed", Channel::Email).await.state(), State::Sent);
    assert_eq!(shop.ended(ANN, "order-shipped", Channel::Email).await.state(), State::Suppressed);
    assert_eq!(shop.ended(ANN, "order-shipped", Channel::Inbox).await.state(), State::Suppressed);
    assert_eq!(shop.ended(BOB, "order-shipped", Channel::Email).await.state(), State::Sent);
}

#[tokio::test]
async fn a_switch_turns_both_ways_and_each_alone() {
    let shop = Shop::start().await;
    let mut ann = shop.customer(ANN);
    let both = pb::Preferences {
        name: format!("{ANN}/preferences"),
        shipping_updates_muted: true,
        marketing_muted: true,
    };
    let none = pb::Preferences { shipping_updates_muted: false, marketing_muted: false, ..both.clone() };
    assert_eq!(ann.update_preferences(update(both.clone(), &[])).await.unwrap().into_inner(), both);
    let one = ann.update_preferences(update(none.clone(), &["marketing_muted"])).await.unwrap().into_inner();
    assert_eq!(one, pb::Preferences { marketing_muted: false, ..both.clone() });
    assert_eq!(ann.get_preferences(pb::GetPreferencesRequest {}).await.unwrap().into_inner(), one);
    assert_eq!(ann.update_preferences(update(none.clone(), &["*"])).await.unwrap().into_inner(), none);
    assert_eq!(
        ann.update_preferences(update(none.clone(), &["name"])).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let theirs = shop.customer(BOB).update_preferences(update(both, &[])).await.unwrap_err();
    assert_eq!(theirs.code(), Code::InvalidArgument);
    assert_eq!(
        shop.anyone().get_preferences(pb::GetPreferencesRequest {}).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}
