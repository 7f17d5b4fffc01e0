//! Events that arrive late, out of turn and many times, and from a release that is newer than those who read them.
use std::time::Duration;

use chassis::bus::AmqpBus;
use chassis::config::NOUNS;
use chassis::db::{Db, Url};
use chassis::testing::WildRelay;
use e2e::{Crowd, Scene, Setting};
use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;

const SEED: u64 = 12;

#[tokio::test]
async fn each_event_counts_once_however_often_and_whenever_it_comes() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let bus = AmqpBus::connect(scene.shop.told("AMQP_URL")?, scene.shop.told("AMQP_PREFIX")?);
    let relays = try_join_all(NOUNS.iter().zip(SEED..).map(async |(noun, seed)| {
        let db = Db::connect(&Url::from(scene.shop.database_url(noun)?)).await?;
        anyhow::Ok(WildRelay::seize(db, noun, &bus, seed).await?)
    }))
    .await?;
    // Until the real relays have looked at their leases.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (bought, settled) = (CancellationToken::new(), CancellationToken::new());
    let (sent, ended) =
        tokio::join!(try_join_all(relays.into_iter().map(|relay| relay.run(&settled))), async {
            let _settled = settled.clone().drop_guard();
            let (told, given) = tokio::join!(crowd.buy_until(&bought), async {
                let _bought = bought.clone().drop_guard();
                crowd.given(30, Duration::from_secs(60)).await
            });
            given?;
            crowd.settle(&scene, told).await
        });
    ended?;
    let (events, copies) =
        sent?.into_iter().fold((0, 0), |(all, twice), (one, two)| (all + one, twice + two));
    println!("seed {SEED}: {events} events, each with a field of the future, and {copies} copies");
    assert!(events > 100 && copies > events / 2, "{events} events and {copies} copies prove little");
    Ok(())
}
