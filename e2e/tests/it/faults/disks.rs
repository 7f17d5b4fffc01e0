//! Disks that are full: nothing new is taken in, what is there is shown, and nothing that was acknowledged is lost.
use std::time::Duration;

use e2e::crowd::is_unclear;
use e2e::installation::DATABASE_SERVER;
use e2e::servers::{SmallServer, database, number, start};
use e2e::{Crowd, Scene, Setting};
use sea_orm::ConnectionTrait;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_shop_takes_no_orders_while_its_disk_is_full_and_goes_on_afterwards() -> anyhow::Result<()> {
    let Some(disk) = SmallServer::start("data").await? else { return Ok(()) };
    let settings = [(DATABASE_SERVER, disk.url.as_str())];
    let Some(scene) = Scene::open_with(Setting::OneProcess, &settings).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(5, WITHIN).await?;
        disk.fill().await?;
        // Pages that are there already still take rows, until they are full.
        crowd.refused(8, WITHIN).await?;
        let (given, seen) = (crowd.counts().placed, scene.stock("MUG-STONE").await?);
        println!("{given} orders were given before and while the disk was full");
        anyhow::ensure!(seen.on_hand > 0, "what is there is shown");
        scene.shop.wait_until("gateway", ServingStatus::Serving, Duration::from_secs(5)).await?;
        disk.free().await?;
        crowd.given(5, Duration::from_secs(10)).await
    });
    disk.free().await?;
    broken?;
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(is_unclear(refusal), "a full disk is nobody's fault who calls: {refusal:?}");
    }
    let unavailable =
        told.iter().filter(|told| told.answer.as_ref().is_err_and(|e| e.code() == Code::Unavailable));
    assert!(unavailable.count() > 0, "somebody was told to come again");
    crowd.settle(&scene, told).await?;
    drop(scene);
    disk.end().await
}

#[tokio::test]
async fn no_order_is_lost_when_the_database_panics_for_want_of_room() -> anyhow::Result<()> {
    let Some(disk) = SmallServer::start("wal").await? else { return Ok(()) };
    let settings = [(DATABASE_SERVER, disk.url.as_str())];
    let Some(scene) = Scene::open_with(Setting::OneProcess, &settings).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let orders = database(&scene.shop, "order").await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(5, WITHIN).await?;
        disk.fill().await?;
        // Segments that are kept for later use are used up first.
        let filler = "SELECT pg_logical_emit_message(false, 'ballast', repeat('.', 1000000))";
        let mut written = 0;
        while orders.execute_unprepared(filler).await.is_ok() {
            written += 1;
            anyhow::ensure!(written < 500, "the disk is never full");
        }
        crowd.refused(4, WITHIN).await?;
        anyhow::ensure!(number(&orders, "SELECT 1").await.is_err(), "the server has panicked");
        disk.free().await?;
        start("small").await?;
        crowd.given(5, WITHIN).await
    });
    broken?;
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(is_unclear(refusal), "a full disk is nobody's fault who calls: {refusal:?}");
    }
    crowd.settle(&scene, told).await?;
    drop(scene);
    disk.end().await
}
