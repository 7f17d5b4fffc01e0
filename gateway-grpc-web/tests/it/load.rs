//! Many at once: bursts pass, and what is too much is refused in words.
use std::time::{Duration, Instant};

use chassis::status;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::order::v1::{GetOrderRequest, PlaceOrderRequest, WatchOrderRequest};
use futures::future::{join_all, try_join_all};
use tonic::Code;
use tonic::transport::Endpoint;

use crate::desk::Reply;
use crate::shop::{Shop, signed};

#[tokio::test]
async fn two_hundred_buyers_at_once_are_all_served() {
    let shop = Shop::open().await;
    shop.desks.reply_with(Reply::After(Duration::from_secs(2)));
    let token = shop.token("users/ann", &[]);
    let channel = shop.channel();
    let started = Instant::now();
    let buyers = (0..200).map(|_| {
        let (mut orders, order) =
            (OrderServiceClient::new(channel.clone()), signed(PlaceOrderRequest::default(), &token));
        async move { orders.place_order(order).await }
    });
    try_join_all(buyers).await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "side by side, not in turns: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn more_than_the_edge_may_ask_of_a_service_is_refused_with_a_time_to_come_back() {
    let shop = Shop::open_with(|settings| settings.peer_in_flight_max = 2, &[]).await;
    shop.desks.reply_with(Reply::After(Duration::from_millis(1500)));
    let token = shop.token("users/ann", &[]);
    let channel = shop.channel();
    let calls = (0..5).map(|_| {
        let (mut orders, call) =
            (OrderServiceClient::new(channel.clone()), signed(GetOrderRequest::default(), &token));
        async move { orders.get_order(call).await }
    });
    let answers = join_all(calls).await;
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 3);
    for refusal in refused {
        assert_eq!(refusal.code(), Code::ResourceExhausted);
        assert_eq!(status::reason(&refusal).as_deref(), Some("PEER_BUSY"));
    }
}

#[tokio::test]
async fn calls_do_not_wait_behind_open_streams() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    shop.desks.reply_with(Reply::Open(Vec::new()));
    // The edge allows one client two hundred streams on a connection.
    let channels = [shop.channel(), shop.channel(), shop.channel()];
    let watchers = (0..450).map(|each| {
        let mut orders = OrderServiceClient::new(channels[each % 3].clone());
        let watch = signed(WatchOrderRequest::default(), &token);
        async move { orders.watch_order(watch).await }
    });
    let _open = try_join_all(watchers).await.unwrap();
    shop.desks.reply_with(Reply::After(Duration::ZERO));
    shop.orders().get_order(signed(GetOrderRequest::default(), &token)).await.unwrap();
}

#[tokio::test]
async fn the_edge_adds_little_to_a_call() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    // The service itself takes any caller's word here, but wants one it can read.
    let inside = chassis::auth::token::internal(&shop.edge.keys, "order", None).unwrap();
    let direct = Endpoint::from_shared(format!("http://{}", shop.services["order"])).unwrap().connect_lazy();
    let direct = median(OrderServiceClient::new(direct), &inside).await;
    let through = median(shop.orders(), &token).await;
    eprintln!("a call takes {direct:?} directly and {through:?} through the edge");
    assert!(through < direct + Duration::from_millis(50));
}

async fn median(mut orders: OrderServiceClient<tonic::transport::Channel>, token: &str) -> Duration {
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        orders.get_order(signed(GetOrderRequest::default(), token)).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[100]
}
