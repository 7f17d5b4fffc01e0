//! Two hundred buyers at once for fifty units.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chassis::status;
use contract::order::v1::order::State;
use contract::order::v1::{Order, PlaceOrderRequest};
use e2e::{Person, Scene, Setting};
use futures::{StreamExt, TryStreamExt};
use tonic::{Code, Status};

const BUYERS: usize = 200;
const UNITS: i64 = 50;
/// The race is for the goods, not for the door.
const GUESTS_AT_ONCE: usize = 16;

#[tokio::test]
async fn fifty_units_make_fifty_orders_on_sqlite() -> anyhow::Result<()> {
    fifty_units_make_fifty_orders(Setting::Embedded).await
}

#[tokio::test]
async fn fifty_units_make_fifty_orders_on_servers() -> anyhow::Result<()> {
    fifty_units_make_fifty_orders(Setting::OneProcess).await
}

async fn fifty_units_make_fifty_orders(setting: Setting) -> anyhow::Result<()> {
    let Some(scene) = Scene::open(setting).await? else { return Ok(()) };
    let sku = "CANDLE-BEES";
    scene.receive(sku, UNITS - scene.stock(sku).await?.available).await?;
    let candle = scene.variant(sku).await?;
    // Guests are known without a password, so that the race is for the stock and not for the hasher.
    let guests = futures::stream::iter((0..BUYERS).map(|_| scene.guest()));
    let buyers: Vec<Person> = guests.buffered(GUESTS_AT_ONCE).try_collect().await?;

    let outcomes = futures::future::join_all(buyers.iter().map(|buyer| async {
        let placed = place_until_decided(buyer, buyer.order_of(&candle, 1, "tok_visa")).await;
        match placed {
            // One that is still under way after its deadline is followed to its end.
            Ok(order) if order.state() == State::Placed => {
                let ended = chassis::testing::eventually(async || {
                    buyer.see(&order.name).await.ok().filter(|seen| seen.state() != State::Placed)
                });
                ended_as(&ended.await)
            }
            Ok(order) => ended_as(&order),
            Err(refusal) => format!("{:?} {}", refusal.code(), status::reason(&refusal).unwrap_or_default()),
        }
    }))
    .await;

    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counted.entry(outcome).or_default() += 1;
    }
    let confirmed = counted.remove("Confirmed ").unwrap_or_default();
    let refused: usize = counted
        .iter()
        .filter(|(outcome, _)| outcome.contains("INSUFFICIENT_STOCK"))
        .map(|(_, count)| count)
        .sum();
    assert_eq!(
        (confirmed, refused),
        (50, BUYERS - 50),
        "besides {confirmed} confirmed: {counted:?}\n{}",
        scene.shop.logs()
    );
    assert_eq!(scene.stock(sku).await?.available, 0);
    scene.shop.audit().await?;
    let after = scene.stock(sku).await?;
    assert_eq!((after.on_hand, after.reserved), (0, 0));
    Ok(())
}

/// Sends the same request again while the shop says that it is too busy and has done nothing, as a careful client does.
async fn place_until_decided(buyer: &Person, request: PlaceOrderRequest) -> Result<Order, Status> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let placed = buyer.place(request.clone()).await;
        let busy = placed.as_ref().is_err_and(|refusal| {
            matches!(
                refusal.code(),
                Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::DeadlineExceeded
            )
        });
        if !busy || Instant::now() >= until {
            return placed;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn ended_as(order: &Order) -> String {
    format!("{:?} {}", order.state(), order.cancel_reason)
}
