//! Services that are away, slow or break off, and the edge's own end.
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::status;
use chassis::testing::eventually;
use contract::order::v1::{GetOrderRequest, Order, PlaceOrderRequest, WatchOrderRequest};
use http::Version;
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tonic::Code;
use tonic_types::StatusExt;

use crate::desk::Reply;
use crate::shop::{Shop, signed};

fn asked() -> GetOrderRequest {
    GetOrderRequest { name: "orders/1".to_owned(), ..Default::default() }
}

fn watched() -> WatchOrderRequest {
    WatchOrderRequest { name: "orders/1".to_owned() }
}

#[tokio::test]
async fn a_service_that_is_down_is_told_at_once_and_when_to_come_back() {
    let shop = Shop::open_with(|_| {}, &["order"]).await;
    // Nobody listens there any more.
    let gone = shop.services["order"];
    eventually(async || TcpStream::connect(gone).await.is_err().then_some(())).await;
    let token = shop.token("users/ann", &[]);
    for attempt in 0..10 {
        let started = Instant::now();
        let native = shop.orders().get_order(signed(asked(), &token)).await.unwrap_err();
        let web = shop.web_orders(Version::HTTP_11).get_order(signed(asked(), &token)).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(1), "attempt {attempt}: {:?}", started.elapsed());
        for refusal in [native, web] {
            assert_eq!(refusal.code(), Code::Unavailable);
            assert!(refusal.get_details_retry_info().unwrap().retry_delay.is_some());
        }
    }
    // The others go on.
    let mut catalog =
        contract::catalog::v1::catalog_service_client::CatalogServiceClient::new(shop.channel());
    catalog.get_product(contract::catalog::v1::GetProductRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_call_has_the_time_the_contract_gives_it_or_less_where_its_caller_asks() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    let left = || {
        let header = shop.desks.seen().pop().unwrap().headers["grpc-timeout"].to_str().unwrap().to_owned();
        let micros: u64 = header.strip_suffix('u').unwrap().parse().unwrap();
        Duration::from_micros(micros)
    };
    let near = |left: Duration, millis: u64| {
        left <= Duration::from_millis(millis) && left > Duration::from_millis(millis / 2)
    };
    let mut orders = shop.orders();
    orders.get_order(signed(asked(), &token)).await.unwrap();
    assert!(near(left(), 2_000), "{:?}", left());
    orders.place_order(signed(PlaceOrderRequest::default(), &token)).await.unwrap();
    assert!(near(left(), 10_000), "{:?}", left());
    let mut wish = signed(asked(), &token);
    wish.set_timeout(Duration::from_secs(1));
    orders.get_order(wish).await.unwrap();
    assert!(near(left(), 1_000), "{:?}", left());
    let mut wish = signed(asked(), &token);
    wish.set_timeout(Duration::from_secs(60));
    orders.get_order(wish).await.unwrap();
    assert!(near(left(), 2_000), "{:?}", left());
}

#[tokio::test]
async fn a_service_that_hangs_ends_in_deadline_exceeded() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    for reply in [Reply::Wait(Arc::new(Notify::new())), Reply::Open(Vec::new())] {
        shop.desks.reply_with(reply);
        let started = Instant::now();
        let (mut native, mut web) = (shop.orders(), shop.web_orders(Version::HTTP_11));
        let (native, web) =
            tokio::join!(native.get_order(signed(asked(), &token)), web.get_order(signed(asked(), &token)));
        for refusal in [native.unwrap_err(), web.unwrap_err()] {
            assert_eq!(refusal.code(), Code::DeadlineExceeded);
            assert_eq!(status::reason(&refusal).as_deref(), Some("DEADLINE_EXCEEDED"));
        }
        assert!(started.elapsed() < Duration::from_secs(4), "GetOrder has two seconds");
    }
}

#[tokio::test]
async fn a_stream_that_is_torn_ends_in_words() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    let first = Order { name: "orders/1".to_owned(), ..Order::default() };
    shop.desks.reply_with(Reply::Torn(vec![first.encode_to_vec().into()]));
    let native = shop.orders().watch_order(signed(watched(), &token)).await.unwrap().into_inner();
    let mut streams = vec![native];
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let web = shop.web_orders(version).watch_order(signed(watched(), &token)).await.unwrap();
        streams.push(web.into_inner());
    }
    for mut stream in streams {
        assert_eq!(stream.message().await.unwrap().as_ref(), Some(&first));
        let end = stream.message().await.unwrap_err();
        assert_eq!(
            (end.code(), status::reason(&end).as_deref()),
            (Code::Unavailable, Some("PEER_UNREACHABLE"))
        );
        assert!(end.get_details_retry_info().is_some());
    }
}

#[tokio::test]
async fn a_stopping_edge_ends_streams_lets_calls_end_and_takes_no_new_ones() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    shop.desks.reply_with(Reply::Open(Vec::new()));
    let mut streams = Vec::new();
    streams.push(shop.orders().watch_order(signed(watched(), &token)).await.unwrap().into_inner());
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let web = shop.web_orders(version).watch_order(signed(watched(), &token)).await.unwrap();
        streams.push(web.into_inner());
    }
    let go = Arc::new(Notify::new());
    shop.desks.reply_with(Reply::Wait(go.clone()));
    let (mut native, mut web) = (shop.orders(), shop.web_orders(Version::HTTP_11));
    let (first, second) = (signed(asked(), &token), signed(asked(), &token));
    let calls =
        chassis::task::spawn(
            "calls",
            async move { tokio::join!(native.get_order(first), web.get_order(second)) },
        );
    eventually(async || (shop.desks.seen().len() == 5).then_some(())).await;

    shop.process.shutdown().cancel();
    for mut stream in streams {
        let end = stream.message().await.unwrap_err();
        assert_eq!(
            (end.code(), status::reason(&end).as_deref()),
            (Code::Unavailable, Some("SERVER_STOPPING"))
        );
    }
    eventually(async || TcpStream::connect(shop.address).await.is_err().then_some(())).await;
    assert!(!calls.is_finished() && !shop.serving.is_finished());
    go.notify_one();
    go.notify_one();
    go.notify_waiters();
    let (native, web) = calls.await.unwrap();
    native.unwrap();
    web.unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(5), shop.serving).await;
    stopped.expect("stops once the last call has ended").unwrap().unwrap();
}
