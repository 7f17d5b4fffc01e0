//! The inbox in the shop, as it fills.
use std::time::Duration;

use contract::{
    notification::v1::{self as pb, template::Channel},
    order::v1::{OrderConfirmed, OrderDelivered},
};
use tokio::time::timeout;

use super::support::{ANN, BOB, ORDER, Shop};

#[tokio::test]
async fn a_watcher_sees_each_own_message_once() {
    let shop = Shop::start().await;
    let before = format!("{ORDER}0");
    shop.announce(
        &before,
        &OrderConfirmed { order: before.clone(), customer: ANN.into(), ..Default::default() },
    )
    .await;
    shop.ended(ANN, "order-confirmed", Channel::Inbox).await;

    let mut inbox = shop.customer(ANN).watch_inbox(pb::WatchInboxRequest {}).await.unwrap().into_inner();
    for (order, customer) in [(format!("{ORDER}1"), BOB), (format!("{ORDER}2"), ANN)] {
        shop.announce(&order, &OrderDelivered { order: order.clone(), customer: customer.into() }).await;
    }
    let told = timeout(Duration::from_secs(10), inbox.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(
        (told.recipient.as_str(), told.kind.as_str(), told.channel()),
        (ANN, "order-delivered", Channel::Inbox)
    );
    assert!(!told.body.is_empty());
    // Nothing more comes, and the stream ends with the server.
    assert!(timeout(Duration::from_millis(1500), inbox.message()).await.is_err());
    shop.host.process().shutdown().cancel();
    let end = timeout(Duration::from_secs(10), inbox.message()).await.unwrap();
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
}
