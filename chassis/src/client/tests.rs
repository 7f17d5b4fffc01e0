//! The channel against peers that refuse, hang, vanish and come back.

mod peer;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::inventory::v1::{GetStockRequest, Stock, WatchStockRequest};
use tokio::time::Instant;
use tonic::{Code, Status};

use self::peer::{Peer, Reply};
use super::{Channel, STREAMS_MAX, as_subject};
use crate::auth::{AccessPolicies, Keyring, Verifier};
use crate::caller::Caller;
use crate::{deadline, status};

fn keys(noun: &'static str) -> Keyring {
    static KEYS: LazyLock<HashMap<&'static str, Keyring>> =
        LazyLock::new(|| Keyring::ephemeral_set(&["order", "inventory"]).unwrap());
    KEYS[noun].clone()
}

fn channel(urls: &str) -> Channel {
    Channel::new(&keys("order"), "inventory", urls).unwrap()
}

async fn ask(channel: &Channel) -> Result<(), Status> {
    let request = GetStockRequest { name: "stocks/SHIRT".to_owned() };
    InventoryServiceClient::new(channel.clone()).get_stock(request).await.map(drop)
}

#[tokio::test]
async fn a_call_carries_our_token_the_deadline_and_the_trace() {
    use opentelemetry::trace::TracerProvider;
    use tracing_subscriber::prelude::*;

    let tracer = opentelemetry_sdk::trace::SdkTracerProvider::builder().build().tracer("test");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    let _guard = tracing::subscriber::set_default(subscriber);

    let peer = Peer::start(Reply::Fine);
    ask(&channel(&peer.url())).await.unwrap();
    let headers = peer.calls().remove(0);
    let verifier = Verifier::new(keys("inventory"), AccessPolicies::default());
    assert_eq!(verifier.caller(&headers).unwrap(), Caller::service_named("order"));
    let timeout = headers["grpc-timeout"].to_str().unwrap();
    let micros: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
    assert!((1_900_000..=2_000_000).contains(&micros), "GetStock declares two seconds: {timeout}");
    let traceparent = headers["traceparent"].to_str().unwrap();
    assert!(traceparent.starts_with("00-") && !traceparent.contains("-0000000000000000-"), "{traceparent}");
}

#[tokio::test]
async fn the_person_we_serve_is_forwarded_and_never_mixed_up() {
    let peer = Peer::start(Reply::Fine);
    let channel = channel(&peer.url());
    let verifier = Verifier::new(keys("inventory"), AccessPolicies::default());
    let ann = Caller::person("users/ann", Some("sessions/1".to_owned()), ["stock.read".to_owned()]);
    let demoted = Caller::person("users/ann", Some("sessions/1".to_owned()), []);
    let ben = Caller::person("users/ben", None, []);
    for caller in [&ann, &ben, &demoted, &ann] {
        let request = GetStockRequest { name: "stocks/SHIRT".to_owned() };
        InventoryServiceClient::new(channel.clone()).get_stock(as_subject(caller, request)).await.unwrap();
        let headers = peer.calls().pop().unwrap();
        assert_eq!(verifier.caller(&headers).unwrap(), caller.clone().through("order"));
    }
    let calls = peer.calls();
    assert_eq!(calls[0]["authorization"], calls[3]["authorization"], "signed once");
}

#[tokio::test]
async fn a_peer_that_hangs_ends_in_deadline_exceeded_before_our_caller_gives_up() {
    for reply in [Reply::Hang, Reply::HangInBody] {
        let peer = Peer::start(reply);
        let channel = channel(&peer.url());
        let at = Instant::now() + Duration::from_millis(400);
        let refused = deadline::scope(at, ask(&channel)).await.unwrap_err();
        assert_eq!(refused.code(), Code::DeadlineExceeded, "{reply:?}");
        assert!(Instant::now() < at, "{reply:?}");
    }
}

#[tokio::test]
async fn without_time_left_no_call_is_made() {
    let peer = Peer::start(Reply::Fine);
    let refused = deadline::scope(Instant::now(), ask(&channel(&peer.url()))).await.unwrap_err();
    assert_eq!(refused.code(), Code::DeadlineExceeded);
    assert!(peer.calls().is_empty());
}

#[tokio::test]
async fn a_server_that_answers_its_own_deadline_as_cancelled_is_understood() {
    let peer = Peer::start(Reply::Refuse(Code::Cancelled, "Timeout expired"));
    assert_eq!(ask(&channel(&peer.url())).await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_peer_that_keeps_failing_is_left_alone_and_asked_again_after_a_while() {
    let peer = Peer::start(Reply::Refuse(Code::Unavailable, "no"));
    let channel = channel(&peer.url());
    for _ in 0..5 {
        assert_eq!(ask(&channel).await.unwrap_err().message(), "no");
    }
    assert!(channel.is_down());
    let started = Instant::now();
    let refused = ask(&channel).await.unwrap_err();
    assert_eq!((refused.code(), status::reason(&refused).as_deref()), (Code::Unavailable, Some("PEER_DOWN")));
    assert!(started.elapsed() < Duration::from_millis(100));
    assert_eq!(peer.calls().len(), 5, "the peer is not bothered");
    peer.reply_with(Reply::Fine);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    ask(&channel).await.unwrap();
    ask(&channel).await.unwrap();
    assert!(!channel.is_down());
}

#[tokio::test]
async fn a_refusal_says_nothing_bad_about_the_peer() {
    let peer = Peer::start(Reply::Refuse(Code::FailedPrecondition, "no"));
    let channel = channel(&peer.url());
    for _ in 0..20 {
        assert_eq!(ask(&channel).await.unwrap_err().code(), Code::FailedPrecondition);
    }
    assert!(!channel.is_down());
}

#[tokio::test]
async fn a_peer_that_lacks_something_itself_is_there_all_the_same() {
    for (domain, down) in [("inventory.cartwright", false), (status::DOMAIN, true)] {
        let peer = Peer::start(Reply::Lacks(domain));
        let channel = channel(&peer.url());
        for _ in 0..5 {
            assert_eq!(ask(&channel).await.unwrap_err().message(), "not now");
        }
        assert_eq!(channel.is_down(), down, "{domain}");
    }
}

#[tokio::test]
async fn a_dead_peer_is_found_again_once_it_is_back_on_the_same_port() {
    let peer = Peer::start(Reply::Fine);
    let channel = channel(&peer.url());
    ask(&channel).await.unwrap();
    let port = peer.kill();
    assert_eq!(ask(&channel).await.unwrap_err().code(), Code::Unavailable);
    let _back = Peer::start_on(port, Reply::Fine);
    let healed = async {
        while ask(&channel).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), healed).await.unwrap();
}

#[tokio::test]
async fn calls_take_turns_and_pass_over_a_dead_endpoint() {
    let peers = [Peer::start(Reply::Fine), Peer::start(Reply::Fine), Peer::start(Reply::Fine)];
    let urls = peers.iter().map(Peer::url).collect::<Vec<_>>().join(", ");
    let channel = channel(&urls);
    for _ in 0..9 {
        ask(&channel).await.unwrap();
    }
    assert_eq!(peers.iter().map(|peer| peer.calls().len()).collect::<Vec<_>>(), [3, 3, 3]);
    let [dead, second, third] = peers;
    dead.kill();
    let mut failed = 0;
    for _ in 0..12 {
        failed += usize::from(ask(&channel).await.is_err());
    }
    assert_eq!(failed, 1, "one call finds out");
    assert_eq!(second.calls().len() + third.calls().len(), 6 + 11);
}

#[tokio::test]
async fn endpoints_may_change_under_way() {
    let (first, second) = (Peer::start(Reply::Fine), Peer::start(Reply::Fine));
    let channel = channel(&first.url());
    ask(&channel).await.unwrap();
    channel.set_urls(&second.url()).unwrap();
    ask(&channel).await.unwrap();
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
    assert!(channel.set_urls("not a url").is_err());
    channel.set_urls("").unwrap();
    let refused = ask(&channel).await.unwrap_err();
    assert_eq!(status::reason(&refused).as_deref(), Some("PEER_DOWN"));
}

#[tokio::test]
async fn a_slow_peer_does_not_take_more_than_its_places() {
    let peer = Peer::start(Reply::Hang);
    const PLACES: u16 = 8;
    let channel = Channel::bounded(&keys("order"), "inventory", &peer.url(), PLACES).unwrap();
    let slow: Vec<_> = (0..PLACES)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { ask(&channel).await })
        })
        .collect();
    while peer.calls().len() < PLACES.into() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = ask(&channel).await.unwrap_err();
    assert_eq!(status::reason(&refused).as_deref(), Some("PEER_BUSY"));
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // Callers who go away give their places back.
    for call in &slow {
        call.abort();
    }
    futures::future::join_all(slow).await;
    peer.reply_with(Reply::Fine);
    ask(&channel).await.unwrap();
}

#[tokio::test]
async fn a_stream_outlives_the_deadline_and_takes_no_place_of_calls() {
    let peer = Peer::start(Reply::HangInBody);
    let channel = Channel::bounded(&keys("order"), "inventory", &peer.url(), 1).unwrap();
    let at = Instant::now() + Duration::from_millis(300);
    let mut stream = deadline::scope(at, watch(&channel)).await.unwrap();
    assert!(!peer.calls()[0].contains_key("grpc-timeout"));
    let silent = tokio::time::timeout(Duration::from_millis(600), stream.message()).await;
    assert!(silent.is_err(), "still open");
    peer.reply_with(Reply::Fine);
    ask(&channel).await.unwrap();
}

#[tokio::test]
async fn streams_are_bounded_too_and_give_their_places_back() {
    let peer = Peer::start(Reply::HangInBody);
    let channel = channel(&peer.url());
    let all = usize::from(STREAMS_MAX);
    let mut streams = futures::future::try_join_all((0..all).map(|_| watch(&channel))).await.unwrap();
    let refused = watch(&channel).await.unwrap_err();
    assert_eq!(status::reason(&refused).as_deref(), Some("PEER_BUSY"));
    streams.pop();
    watch(&channel).await.unwrap();
}

async fn watch(channel: &Channel) -> Result<tonic::Streaming<Stock>, Status> {
    let request = WatchStockRequest { ..Default::default() };
    Ok(InventoryServiceClient::new(channel.clone()).watch_stock(request).await?.into_inner())
}
