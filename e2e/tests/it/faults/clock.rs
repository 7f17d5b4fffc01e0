//! Clocks that jump under the services: no stock of a paid order is given back, orders end, and the books balance.
use std::path::Path;
use std::time::Duration;

use chassis::config::NOUNS;
use e2e::crowd::is_unclear;
use e2e::{Crowd, Scene, Setting};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// Where Debian's package `faketime` puts it.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn orders_end_and_stay_paid_although_clocks_jump() -> anyhow::Result<()> {
    let Some(library) = LIBRARIES.into_iter().find(|library| Path::new(library).exists()) else {
        eprintln!("SKIPPED: this test needs libfaketime: apt-get install faketime");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    // Each program has a clock of its own; intervals go on as they do.
    let clock = |program: &str, offset: &str| std::fs::write(folder.path().join(program), offset);
    for program in NOUNS.into_iter().chain(["gateway", "cartwright"]) {
        clock(program, "+0")?;
    }
    let clocks = folder.path().join("{program}");
    let settings = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clocks.to_str().unwrap()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("FAKETIME_CACHE_DURATION", "1"),
    ];
    let Some(scene) = Scene::open_with(Setting::Separate, &settings).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let over = CancellationToken::new();
    let (told, jumped) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(4, WITHIN).await?;
        for program in ["order", "inventory", "payment", "identity"] {
            for offset in ["+2h", "-2h", "+2m", "-2m"] {
                clock(program, offset)?;
                tokio::time::sleep(Duration::from_millis(1500)).await;
                clock(program, "+0")?;
                let given = crowd.given(2, WITHIN).await;
                given.map_err(|error| error.context(format!("after {program} was at {offset}")))?;
            }
        }
        anyhow::Ok(())
    });
    jumped.map_err(|error| error.context(scene.shop.logs()))?;
    println!("{:?}", crowd.counts());
    assert!(crowd.counts().refused > 0, "nobody noticed, so that no clock can have jumped");
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        let of_time = matches!(refusal.code(), Code::Unauthenticated | Code::FailedPrecondition);
        assert!(of_time || is_unclear(refusal), "{refusal:?}");
    }
    crowd.settle(&scene, told).await?;
    Ok(())
}
