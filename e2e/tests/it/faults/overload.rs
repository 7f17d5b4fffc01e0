//! Ten times as many people as the shop can serve come at once, and go again.
use std::time::Duration;

use e2e::crowd::is_unclear;
use e2e::{Crowd, Scene, Setting};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt;

use super::broker::Process;

/// As many as keep two cores busy.
const USUAL: usize = 4;
const LASTING: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_rush_of_ten_times_as_many_is_served_or_told_to_come_back() -> anyhow::Result<()> {
    // No more of them at once than the machine can serve in time: the rest wait a moment, and are told to come back.
    let settings = [("PEER_IN_FLIGHT_MAX", "8")];
    let Some(mut scene) = Scene::open_with(Setting::OneProcess, &settings).await? else { return Ok(()) };
    let process = scene.shop.program("order")?.id().unwrap();
    let crowd = Crowd::gather(&scene, USUAL * 10).await?;
    let mut told = Vec::new();
    let mut served = Vec::new();
    let mut resident = Vec::new();
    for size in [USUAL, USUAL * 10, USUAL] {
        let over = CancellationToken::new();
        let before = crowd.counts();
        let (asked, count) = tokio::join!(crowd.buy_as(&over, size), async {
            tokio::time::sleep(LASTING).await;
            over.cancel();
            crowd.counts().placed - before.placed
        });
        println!(
            "{size} people: {count} orders in {LASTING:?}, {} refused",
            crowd.counts().refused - before.refused
        );
        served.push(count);
        resident.push(Process::of(process)?.resident_kib);
        told.extend(asked);
    }
    println!("goodput in the rush: {} of 100; resident {resident:?} KiB", served[1] * 100 / served[0].max(1));
    assert!(served[1] > 0, "nobody is served in the rush: {served:?}");
    assert!(served[2] * 2 >= served[0], "the shop does not come back from the rush: {served:?}");
    assert!(resident[1] <= resident[0] * 2, "the rush is kept in memory: {resident:?} KiB");
    let mut refused = 0;
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(is_unclear(refusal), "{refusal:?}");
        if matches!(refusal.code(), Code::ResourceExhausted | Code::Unavailable) {
            refused += 1;
            assert!(refusal.get_details_retry_info().is_some(), "nobody is told when: {refusal:?}");
        }
    }
    assert!(refused > 0, "ten times as many are no rush");
    crowd.settle(&scene, told).await?;
    Ok(())
}
