//! Services killed in mid-checkout, and a broker that goes away: every started order still comes to its end.
use std::time::{Duration, Instant};

use contract::order::v1::order::State;
use contract::order::v1::{ListOrdersRequest, PlaceOrderRequest};
use e2e::servers::control;
use e2e::{Person, Scene, Setting};
use tonic::Code;

#[path = "faults/broker.rs"]
mod broker;
#[path = "faults/cache.rs"]
mod cache;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/database.rs"]
mod database;
#[path = "faults/disks.rs"]
mod disks;
#[path = "faults/events.rs"]
mod events;
#[path = "faults/overload.rs"]
mod overload;
#[path = "faults/provider.rs"]
mod provider;
#[path = "faults/replicas.rs"]
mod replicas;

/// How long a started order may take to end once everything is there again.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
const BUYERS: usize = 6;
const ORDERS_EACH: usize = 8;

#[tokio::test]
async fn orders_end_although_order_is_killed() -> anyhow::Result<()> {
    orders_end_although_a_service_is_killed("order").await
}

#[tokio::test]
async fn orders_end_although_payment_is_killed() -> anyhow::Result<()> {
    orders_end_although_a_service_is_killed("payment").await
}

#[tokio::test]
async fn orders_end_although_inventory_is_killed() -> anyhow::Result<()> {
    orders_end_although_a_service_is_killed("inventory").await
}

async fn orders_end_although_a_service_is_killed(noun: &'static str) -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::Separate).await? else { return Ok(()) };
    let mug = scene.variant("MUG-STONE").await?;
    let buyers = futures::future::try_join_all((0..BUYERS).map(|_| scene.guest())).await?;
    let buying = futures::future::join_all(buyers.iter().map(|buyer| buy(buyer, &mug)));

    let program = scene.shop.program(noun)?;
    let killing = async {
        for pause_ms in [150, 400, 900] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            program.kill().await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            program.start_again()?;
            // The next kill comes when it works again, so that it hits checkouts and not the start.
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        anyhow::Ok(())
    };
    let (placed, killed) = futures::join!(buying, killing);
    killed?;
    scene.shop.ready().await?;
    let placed: usize = placed.into_iter().sum();
    assert_eq!(placed, BUYERS * ORDERS_EACH, "every request was answered in the end\n{}", scene.shop.logs());
    every_order_ends(&scene, &buyers).await?;
    scene.shop.audit().await?;
    Ok(())
}

#[tokio::test]
async fn orders_go_on_while_the_broker_is_away() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::Separate).await? else { return Ok(()) };
    let mug = scene.variant("MUG-STONE").await?;
    let buyers = futures::future::try_join_all((0..2).map(|_| scene.guest())).await?;
    let stopped = Instant::now();
    control("rabbitmq", &["stop"]).await?;
    let placed: usize =
        futures::future::join_all(buyers.iter().map(|buyer| buy(buyer, &mug))).await.into_iter().sum();
    assert_eq!(placed, 2 * ORDERS_EACH);
    every_order_ends(&scene, &buyers).await?;
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(stopped.elapsed())).await;
    control("rabbitmq", &["start"]).await?;
    // The audit waits until every event has arrived, and fails where one has not.
    scene.shop.audit().await?;
    Ok(())
}

/// Places orders one after the other, each until it is answered, and tells how many were.
async fn buy(buyer: &Person, variant: &str) -> usize {
    let mut answered = 0;
    for _ in 0..ORDERS_EACH {
        if place_until_answered(buyer, buyer.order_of(variant, 1, "tok_visa")).await {
            answered += 1;
        }
    }
    answered
}

/// Sends the same request until there is an answer that is final, as a careful client does.
async fn place_until_answered(buyer: &Person, request: PlaceOrderRequest) -> bool {
    let until = Instant::now() + ENDS_WITHIN;
    while Instant::now() < until {
        match buyer.place(request.clone()).await {
            Ok(_) => return true,
            Err(refusal) => match refusal.code() {
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::Unknown
                | Code::Cancelled
                | Code::ResourceExhausted => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Code::FailedPrecondition => return true,
                other @ (Code::Ok
                | Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::OutOfRange
                | Code::Unimplemented
                | Code::Internal
                | Code::DataLoss
                | Code::Unauthenticated) => panic!("{other:?} {}", refusal.message()),
            },
        }
    }
    false
}

async fn every_order_ends(scene: &Scene, buyers: &[Person]) -> anyhow::Result<()> {
    let until = Instant::now() + ENDS_WITHIN;
    loop {
        let mut under_way = Vec::new();
        for buyer in buyers {
            let request = ListOrdersRequest { page_size: 1000, ..ListOrdersRequest::default() };
            let orders = buyer.orders().list_orders(request).await?.into_inner().orders;
            assert!(!orders.is_empty());
            under_way.extend(
                orders.into_iter().filter(|order| order.state() == State::Placed).map(|order| order.name),
            );
        }
        if under_way.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < until, "still under way: {under_way:?}\n{}", scene.shop.logs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
