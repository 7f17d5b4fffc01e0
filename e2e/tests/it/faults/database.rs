//! A database that stands still, and one whose row somebody holds: every call ends in time, and so does every order.
use std::time::Duration;

use e2e::crowd::is_unclear;
use e2e::servers::{control, database, number};
use e2e::{Crowd, Scene, Setting};
use sea_orm::{ConnectionTrait, TransactionTrait};
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn calls_end_in_time_although_the_database_stands_still() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 6).await?;
    let orders = database(&scene.shop, "order").await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(6, WITHIN).await?;
        control("postgres", &["freeze"]).await?;
        let refused = crowd.refused(6, WITHIN).await;
        // As long as it takes for nobody to be waiting on a connection from before any more.
        tokio::time::sleep(Duration::from_secs(5)).await;
        control("postgres", &["thaw"]).await?;
        refused?;
        crowd.given(12, WITHIN).await?;
        bounded(&scene, &orders).await
    });
    // Later cases need it.
    control("postgres", &["thaw"]).await?;
    broken?;
    assert_unclear(&told);
    crowd.settle(&scene, told).await?;
    Ok(())
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "whoever holds the row is no service")]
async fn calls_end_in_time_although_somebody_holds_the_stock() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 6).await?;
    let inventory = database(&scene.shop, "inventory").await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(12, WITHIN).await?;
        let holding = inventory.begin().await?;
        let held = "SELECT sku FROM stock WHERE sku = 'MUG-STONE' FOR UPDATE";
        holding
            .query_one_raw(sea_orm::Statement::from_string(inventory.get_database_backend(), held))
            .await?;
        // The others go on meanwhile.
        let (_, seen) = tokio::join!(holding.execute_unprepared("SELECT pg_sleep(12)"), async {
            tokio::time::sleep(Duration::from_secs(6)).await;
            tokio::time::timeout(Duration::from_secs(2), scene.stock("MUG-STONE")).await
        });
        holding.rollback().await?;
        seen??;
        crowd.given(12, WITHIN).await?;
        bounded(&scene, &inventory).await
    });
    broken?;
    assert_unclear(&told);
    crowd.settle(&scene, told).await?;
    Ok(())
}

/// Each service keeps within its pool, and nobody idles inside a transaction.
async fn bounded(scene: &Scene, database: &sea_orm::DatabaseConnection) -> anyhow::Result<()> {
    let unique = scene.shop.database("order")?.replace("order_", "");
    let of = format!("FROM pg_stat_activity WHERE datname LIKE '%\\_{unique}'");
    let most = format!("SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) n {of} GROUP BY datname) each");
    let most = number(database, &most).await?;
    println!("the largest pool has {most} connections");
    // Twenty, the watchers of the test, and one that is being replaced.
    anyhow::ensure!((1..=24).contains(&most), "a pool has {most} connections");
    let idle = format!("{of} AND state = 'idle in transaction' AND now() - state_change > interval '5 s'");
    let idle = number(database, &format!("SELECT COUNT(*) {idle}")).await?;
    anyhow::ensure!(idle == 0, "{idle} sessions idle inside a transaction");
    Ok(())
}

fn assert_unclear(told: &[e2e::crowd::Told]) {
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(is_unclear(refusal), "a slow database is nobody's fault who calls: {refusal:?}");
    }
}
