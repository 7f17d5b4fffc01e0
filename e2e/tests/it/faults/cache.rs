//! A Redis that has no memory left, forgets everything, or answers late: the shop sells on, at the right price.
use std::time::Duration;

use e2e::servers::control;
use e2e::{Crowd, Scene, Setting};
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_shop_sells_on_whatever_its_cache_does() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        for trouble in ["full", "flush", "pause"] {
            crowd.given(5, WITHIN).await?;
            control("redis", &[trouble]).await?;
            crowd.given(10, WITHIN).await?;
        }
        control("redis", &["roomy"]).await?;
        crowd.given(10, WITHIN).await
    });
    // Later cases need it.
    control("redis", &["roomy"]).await?;
    broken?;
    assert_eq!(crowd.counts().refused, 0, "orders do not need the cache\n{}", scene.shop.logs());
    let orders = crowd.settle(&scene, told).await?;
    let totals: std::collections::BTreeSet<_> =
        orders.iter().map(|order| order.total.as_ref().map(|total| (total.units, total.nanos))).collect();
    assert_eq!(totals.len(), 1, "the same mug costs the same: {totals:?}");
    Ok(())
}
