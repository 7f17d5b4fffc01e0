//! A broker that is killed, and one that takes nothing more: the shop goes on, and its events arrive afterwards.
use std::time::Duration;

use chassis::testing::eventually;
use e2e::servers::{control, database, number, start};
use e2e::{Crowd, Scene, Setting};
use tokio_util::sync::CancellationToken;

/// What waits to be announced.
const WAITING: &str = "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL";
const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn nothing_is_lost_when_the_broker_is_killed() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        for _ in 0..2 {
            crowd.given(5, WITHIN).await?;
            control("rabbitmq", &["crash"]).await?;
            crowd.given(5, WITHIN).await?;
            start("rabbitmq").await?;
        }
        crowd.given(5, WITHIN).await
    });
    broken?;
    assert_eq!(crowd.counts().refused, 0, "orders do not need the broker\n{}", scene.shop.logs());
    crowd.settle(&scene, told).await?;
    Ok(())
}

#[tokio::test]
async fn orders_go_on_while_the_broker_takes_nothing() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::OneProcess).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let orders = database(&scene.shop, "order").await?;
    let process = scene.shop.program("order")?.id().unwrap();
    let over = CancellationToken::new();
    let (told, broken) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(20, WITHIN).await?;
        let before = Process::of(process)?;
        control("rabbitmq", &["block"]).await?;
        crowd.given(40, WITHIN).await?;
        let waiting = number(&orders, WAITING).await?;
        // Longer than a confirm is waited for, so that what waits for one has given up and begun anew.
        tokio::time::sleep(Duration::from_secs(6)).await;
        crowd.given(5, WITHIN).await?;
        let more = number(&orders, WAITING).await?;
        let during = Process::of(process)?;
        println!("waiting in order's outbox: {waiting}, then {more}; {before:?}, then {during:?}");
        anyhow::ensure!(0 < waiting && waiting < more, "the broker took events: {waiting}, then {more}");
        anyhow::ensure!(during.threads <= before.threads + 8, "threads are stuck: {before:?}, {during:?}");
        anyhow::ensure!(during.resident_kib <= before.resident_kib * 2, "{before:?}, then {during:?}");
        control("rabbitmq", &["unblock"]).await?;
        crowd.given(5, WITHIN).await
    });
    // Later cases need it.
    control("rabbitmq", &["unblock"]).await?;
    broken?;
    assert_eq!(crowd.counts().refused, 0, "orders do not need the broker\n{}", scene.shop.logs());
    eventually(async || (number(&orders, WAITING).await.ok()? == 0).then_some(())).await;
    crowd.settle(&scene, told).await?;
    Ok(())
}

/// What a process takes of the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) resident_kib: u64,
    pub(super) threads: u64,
}

impl Process {
    pub(super) fn of(process: u32) -> anyhow::Result<Process> {
        let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let field = |name: &str| -> anyhow::Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            Ok(line.trim_start_matches(':').split_whitespace().next().unwrap_or_default().parse()?)
        };
        Ok(Process { resident_kib: field("VmRSS")?, threads: field("Threads")? })
    }
}
