//! Services that are stopped one by one while people buy, and one that stands still while its twin takes over.
use std::time::{Duration, Instant};

use chassis::config::NOUNS;
use contract::order::v1::ListOrdersRequest;
use contract::order::v1::order::State;
use e2e::crowd::is_unclear;
use e2e::{Crowd, Scene, Setting};
use tokio_util::sync::CancellationToken;

const WITHIN: Duration = Duration::from_secs(60);
/// How long a service may take to end what is under way.
const DRAIN_MAX: Duration = Duration::from_secs(30);
/// How long the order service's lease on a checkout lasts, and a while for the twin to notice.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(15 + 15);

#[tokio::test]
async fn a_stop_of_each_service_loses_nothing() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::Separate).await? else { return Ok(()) };
    let crowd = Crowd::gather(&scene, 4).await?;
    let over = CancellationToken::new();
    let shop = &mut scene.shop;
    let (told, stopped) = tokio::join!(crowd.buy_until(&over), async {
        let _over = over.clone().drop_guard();
        for noun in NOUNS.into_iter().chain(["gateway"]) {
            crowd.given(2, WITHIN).await?;
            let program = shop.program(noun)?;
            let asked = Instant::now();
            program.stop().await?;
            let took = asked.elapsed();
            println!("{noun} ended after {took:?}");
            anyhow::ensure!(took < DRAIN_MAX, "{noun} took {took:?} to end");
            program.start_again()?;
            shop.ready().await?;
        }
        crowd.given(2, WITHIN).await
    });
    stopped.map_err(|error| error.context(scene.shop.logs()))?;
    for refusal in told.iter().filter_map(|told| told.answer.as_ref().err()) {
        assert!(is_unclear(refusal), "{refusal:?}");
    }
    println!("{:?}", crowd.counts());
    crowd.settle(&scene, told).await?;
    Ok(())
}

#[tokio::test]
async fn a_twin_ends_the_checkout_of_one_that_stands_still() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let armed = folder.path().join("failpoints");
    std::fs::write(&armed, "")?;
    let settings = [("FAILPOINTS", armed.to_str().unwrap())];
    let Some(mut scene) = Scene::open_with(Setting::Separate, &settings).await? else { return Ok(()) };
    let twin = scene.shop.start_another("order", "order-twin", &[]).await?;
    let edge = scene.shop.start_another("gateway", "gateway-twin", &[("ORDER_URL", &twin)]).await?;
    let buyer = scene.guest().await?;
    let at_twin = buyer.at(&edge).await?;
    let request = buyer.order_of(&scene.variant("MUG-STONE").await?, 1, "tok_visa");
    // The payment is authorized, and the answer does not come before the one who asked stands still.
    std::fs::write(&armed, "replying:AuthorizePayment=hold")?;
    let (first, ended) = tokio::join!(buyer.place(request.clone()), async {
        let log = scene.shop.folder().join("payment.log");
        chassis::testing::eventually(async || {
            std::fs::read_to_string(&log)
                .ok()?
                .contains("failpoint=\"replying:AuthorizePayment\"")
                .then_some(())
        })
        .await;
        let owner = scene.shop.program("order")?;
        owner.signal("STOP").await?;
        let still = Instant::now();
        std::fs::write(&armed, "")?;
        let ended = loop {
            let orders = at_twin.orders().list_orders(ListOrdersRequest::default()).await;
            let order = orders.ok().and_then(|orders| orders.into_inner().orders.pop());
            if let Some(order) = order.filter(|order| order.state() != State::Placed) {
                break Ok(order);
            }
            if still.elapsed() > TAKEN_OVER_WITHIN {
                break Err(anyhow::anyhow!("nobody took over within {TAKEN_OVER_WITHIN:?}"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        println!("the twin had ended it after {:?}", still.elapsed());
        owner.signal("CONT").await?;
        ended
    });
    let ended = ended.map_err(|error| error.context(scene.shop.logs()))?;
    assert_eq!(ended.state(), State::Confirmed, "{}", ended.cancel_reason);
    assert!(first.as_ref().map_or_else(is_unclear, |order| order.name == ended.name), "{first:?}");
    // Awake again it finds that the checkout is not its own any more.
    scene.shop.ready().await?;
    let again = chassis::testing::eventually(async || buyer.place(request.clone()).await.ok()).await;
    assert_eq!(again.name, ended.name);
    let orders = buyer.orders().list_orders(ListOrdersRequest::default()).await?.into_inner().orders;
    assert_eq!(orders.len(), 1);
    scene.shop.audit_within(90).await?;
    Ok(())
}
