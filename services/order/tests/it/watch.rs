//! Watching an order until it is settled.

use chassis::testing::eventually;
use contract::order::v1 as pb;
use pb::order::State;
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn a_watcher_sees_an_order_change_until_it_arrives() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let request = pb::WatchOrderRequest { name: order.name.clone() };
    let mut stream = shop.customer("users/ada").watch_order(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap(), order);
    shop.announce(&order.name, &dispatched(&order)).await;
    assert_eq!(stream.message().await.unwrap().unwrap().state(), State::Shipped);
    shop.announce(&order.name, &arrived(&order)).await;
    let last = stream.message().await.unwrap().unwrap();
    assert_eq!((last.state(), last.shipping_address), (State::Delivered, Some(address())));
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_settled_order_is_told_once() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let request = pb::WatchOrderRequest { name: order.name.clone() };
    let mut stream = shop.customer("users/ada").watch_order(request.clone()).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().state(), State::Delivered);
    assert!(stream.message().await.unwrap().is_none());
    let refusal = shop.customer("users/mallory").watch_order(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
}

#[tokio::test]
async fn a_stopping_service_lets_its_watchers_go() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let request = pb::WatchOrderRequest { name: order.name };
    let mut stream = shop.customer("users/ada").watch_order(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    shop.host.process().shutdown().cancel();
    let ended = eventually(async || Some(())).await;
    assert!(matches!(stream.message().await, Ok(None) | Err(_)), "{ended:?}");
}
