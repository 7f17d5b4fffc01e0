//! A payment provider in its worst hour before the whole shop: afterwards its book is ours.
use std::collections::BTreeMap;
use std::time::Duration;

use contract::payment::v1::ListPaymentsRequest;
use e2e::{Crowd, Scene, Setting};
use provider_simulator::{Config, Kind, Rates, Script, Simulator, Status, Webhooks};
use tokio_util::sync::CancellationToken;

const API_KEY: &str = "a key for tests";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn nothing_is_taken_twice_nor_lost_when_the_provider_is_in_trouble() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let simulator = Simulator::start(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        journal: folder.path().join("journal"),
        api_key: API_KEY.into(),
        script: Script::default(),
    })
    .await?;
    let url = simulator.url();
    let settings = [
        ("SANDBOX_URL", url.as_str()),
        ("SANDBOX_API_KEY", API_KEY),
        ("SANDBOX_WEBHOOK_SECRETS", SECRET),
        ("PAYMENT_CHANNEL_TIMEOUT_MS", "500"),
    ];
    let Some(scene) = Scene::open_with(Setting::Separate, &settings).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 6).await?;
    // What a provider announces comes through the edge, before the answer, after it, three times, out of turn.
    let webhooks = Webhooks {
        url: format!("{}/webhooks/payments/sandbox", scene.shop.edge()),
        secrets: vec![SECRET.into()],
        early: 200,
        triple: 300,
        late: 500,
        late_ms: 2_000,
    };
    let rates =
        Rates { seed: 19, hang: 150, fail: 150, closed: 50, too_many: 50, times_max: 3, ..Rates::default() };
    simulator.script(|script| *script = Script { webhooks, rates, ..Script::default() });
    let over = CancellationToken::new();
    let (told, given) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        crowd.given(40, WITHIN).await
    });
    given.map_err(|error| error.context(scene.shop.logs()))?;
    // The rest of its announcements come while the shop looks for what is under way.
    crowd.settle(&scene, told).await?;

    let mut theirs: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut twice = 0;
    for done in simulator.operations().iter().filter(|done| done.status == Status::Succeeded) {
        twice += u32::from(simulator.asked(&done.key) > 1);
        let (taken, back) = theirs.entry(done.order.clone()).or_default();
        match done.kind {
            Kind::Capture => *taken += done.amount_minor,
            Kind::Refund => *back += done.amount_minor,
            Kind::Authorize | Kind::Void => {}
        }
    }
    theirs.retain(|_, sums| *sums != (0, 0));
    let ours = booked(&scene).await?;
    println!("{} orders paid; {twice} operations were asked for again", ours.len());
    assert_eq!(ours, theirs, "the provider's book is not ours");
    assert!(ours.len() >= 20 && twice > 0, "the provider was in no trouble");
    Ok(())
}

/// What was taken and given back for each order, in minor units.
async fn booked(scene: &Scene) -> anyhow::Result<BTreeMap<String, (i64, i64)>> {
    let mut ours = BTreeMap::new();
    let mut request = ListPaymentsRequest { page_size: 1000, ..ListPaymentsRequest::default() };
    loop {
        let page = scene.admin.payments().list_payments(request.clone()).await?.into_inner();
        for payment in page.payments {
            let minor = |money: &Option<contract::Money>| -> anyhow::Result<i64> {
                let Some(money) = money else { return Ok(0) };
                Ok(chassis::money::Money::try_from(money)?.minor)
            };
            let sums = (minor(&payment.captured)?, minor(&payment.refunded)?);
            if sums != (0, 0) {
                ours.insert(payment.order, sums);
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(ours);
        }
        request.page_token = page.next_page_token;
    }
}
