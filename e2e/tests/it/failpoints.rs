//! The shop is broken at each place on an order's way: its process ends there, is held up there, or does what it was
//! asked and gives no answer. The places are K0 to K11 of the fault matrix in `docs/faults.md`.
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::order::v1::order::State;
use contract::order::v1::{ListOrdersRequest, Order, PlaceOrderRequest};
use contract::payment::v1::ListPaymentsRequest;
use e2e::{Person, Scene, Setting};
use tonic::Code;

/// Where the order's way is broken, and whose process is there.
struct Place {
    name: &'static str,
    noun: &'static str,
}

const fn at(name: &'static str, noun: &'static str) -> Place {
    Place { name, noun }
}

/// Every place.
const WAY: [Place; 15] = [
    at("accepting", "order"),                   // K0: before the order is committed
    at("accepted", "order"),                    // K1: committed, and nothing else
    at("publishing:OrderPlaced", "order"),      // K1: committed, not published
    at("published:OrderPlaced", "order"),       // K2: published, not marked
    at("replying:ReserveStock", "inventory"),   // K3: stock reserved, reply lost
    at("replying:RedeemCoupon", "promotion"),   // K4: coupon redeemed, reply lost
    at("asking:authorize", "payment"),          // K5: payment stored, provider not called
    at("asked:authorize", "payment"),           // K6: provider executed, answer lost
    at("replying:AuthorizePayment", "payment"), // K7: what it announces overtakes the reply
    at("appended:Confirmed", "order"),          // K8: event appended, projection not updated
    at("applied:inventory/OrderConfirmed", "inventory"), // K9: stock committed
    at("applied:shipping/PaymentCaptured", "shipping"), // K9: shipment created
    at(UNDOING, "inventory"),                   // K10: compensation half done
    at("applied:payment/OrderConfirmed", "payment"), // K11: consumer applied, not acknowledged
    at("applied:order/PaymentCaptured", "order"), // K11
];
/// Met only by an order that is given up.
const UNDOING: &str = "replying:ReleaseReservation";
/// On servers each end of the order service costs its lease of fifteen seconds, so each kind of place is met once.
const ON_SERVERS: [&str; 7] = [
    "published:OrderPlaced",
    "replying:ReserveStock",
    "asking:authorize",
    "asked:authorize",
    "applied:shipping/PaymentCaptured",
    UNDOING,
    "applied:order/PaymentCaptured",
];

/// How long anything may take to be there, or to end.
const WITHIN: Duration = Duration::from_secs(60);
/// How long something is held up: longer than what waits for it asks again at first.
const HELD: Duration = Duration::from_millis(400);

#[tokio::test]
async fn orders_end_wherever_the_shop_dies() -> anyhow::Result<()> {
    let Some(mut broken) = Broken::open(Setting::Embedded).await? else { return Ok(()) };
    for place in &WAY {
        broken.dies_at(place).await?;
    }
    broken.audit().await
}

#[tokio::test]
async fn orders_end_wherever_one_of_the_services_dies() -> anyhow::Result<()> {
    let Some(mut broken) = Broken::open(Setting::Separate).await? else { return Ok(()) };
    for place in WAY.iter().filter(|place| ON_SERVERS.contains(&place.name)) {
        broken.dies_at(place).await?;
    }
    broken.audit().await
}

#[tokio::test]
async fn orders_end_wherever_the_shop_is_held_up() -> anyhow::Result<()> {
    let Some(mut broken) = Broken::open(Setting::Embedded).await? else { return Ok(()) };
    for place in &WAY {
        broken.is_held_up_at(place).await?;
    }
    broken.audit().await
}

#[tokio::test]
async fn orders_end_wherever_an_answer_is_lost() -> anyhow::Result<()> {
    let Some(mut broken) = Broken::open(Setting::Embedded).await? else { return Ok(()) };
    for place in &WAY {
        broken.answers_nothing_at(place).await?;
    }
    broken.audit().await
}

/// A shop with failpoints.
struct Broken {
    scene: Scene,
    /// What is armed stands here.
    armed: PathBuf,
    mug: String,
    _folder: tempfile::TempDir,
}

impl Broken {
    async fn open(setting: Setting) -> anyhow::Result<Option<Broken>> {
        let folder = tempfile::tempdir()?;
        let armed = folder.path().join("failpoints");
        let settings = [("FAILPOINTS", armed.to_str().unwrap()), ("PAYMENT_CHANNEL_TIMEOUT_MS", "500")];
        let Some(scene) = Scene::open_with(setting, &settings).await? else { return Ok(None) };
        let mug = scene.variant("MUG-STONE").await?;
        Ok(Some(Broken { scene, armed, mug, _folder: folder }))
    }

    async fn dies_at(&mut self, place: &Place) -> anyhow::Result<()> {
        let (buyer, request) = self.arm(place, "exit").await?;
        let program = self.scene.shop.program(place.noun)?;
        let (_, ended) = tokio::join!(
            tokio::time::timeout(WITHIN, buyer.place(request.clone())),
            tokio::time::timeout(WITHIN, program.ended()),
        );
        assert_eq!(ended??.code(), Some(137), "{} ended the process", place.name);
        self.disarm()?;
        if self.scene.shop.setting() == Setting::Separate {
            self.scene.shop.program(place.noun)?.start_again()?;
            self.scene.shop.ready().await?;
        } else {
            self.scene.shop.restart_together().await?;
            self.scene.admin = self.scene.admin.at(self.scene.shop.edge()).await?;
        }
        self.ends(place, &buyer.at(self.scene.shop.edge()).await?, &request).await?;
        Ok(())
    }

    async fn is_held_up_at(&mut self, place: &Place) -> anyhow::Result<()> {
        let (buyer, request) = self.arm(place, "hold").await?;
        let (placed, released) = tokio::join!(place_until_answered(&buyer, &request), async {
            self.reached(place).await?;
            tokio::time::sleep(HELD).await;
            self.disarm()
        });
        placed?;
        released?;
        let order = self.ends(place, &buyer, &request).await?;
        assert_eq!(order.state(), carried_out(place), "{}: {}", place.name, order.cancel_reason);
        Ok(())
    }

    async fn answers_nothing_at(&mut self, place: &Place) -> anyhow::Result<()> {
        let (buyer, request) = self.arm(place, "lost").await?;
        place_until_answered(&buyer, &request).await?;
        self.reached(place).await?;
        let order = self.ends(place, &buyer, &request).await?;
        assert_eq!(order.state(), carried_out(place), "{}: {}", place.name, order.cancel_reason);
        self.disarm()
    }

    /// Arms a place, and brings somebody whose order will come by there.
    async fn arm(&self, place: &Place, action: &str) -> anyhow::Result<(Person, PlaceOrderRequest)> {
        let buyer = self.scene.guest().await?;
        let card = if place.name == UNDOING { "tok_declined" } else { "tok_visa" };
        let request =
            PlaceOrderRequest { coupon_code: "WELCOME10".into(), ..buyer.order_of(&self.mug, 1, card) };
        std::fs::write(&self.armed, format!("{}={action}", place.name))?;
        Ok((buyer, request))
    }

    fn disarm(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(&self.armed, "")?)
    }

    /// Waits until the place was met: a case that meets nothing would prove nothing.
    async fn reached(&self, place: &Place) -> anyhow::Result<()> {
        let log = self.scene.shop.folder().join("cartwright.log");
        let until = Instant::now() + WITHIN;
        while !says(&log, &format!("failpoint=\"{}\"", place.name)) {
            anyhow::ensure!(Instant::now() < until, "nobody came by {}", place.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The same request again is answered, its order ends, and it is the only one, with one payment at most.
    async fn ends(
        &self,
        place: &Place,
        buyer: &Person,
        request: &PlaceOrderRequest,
    ) -> anyhow::Result<Order> {
        let placed = place_until_answered(buyer, request).await?;
        let until = Instant::now() + WITHIN;
        let order = loop {
            let seen = buyer.see(&placed.name).await?;
            if seen.state() != State::Placed {
                break seen;
            }
            anyhow::ensure!(Instant::now() < until, "{}: still {:?}", place.name, seen.state());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let orders = buyer.orders().list_orders(ListOrdersRequest::default()).await?.into_inner().orders;
        assert_eq!(orders.len(), 1, "{}: one request makes one order", place.name);
        let of_order = ListPaymentsRequest { order: order.name.clone(), ..ListPaymentsRequest::default() };
        let payments = self.scene.admin.payments().list_payments(of_order).await?.into_inner().payments;
        let paid = order.state() != State::Cancelled;
        assert!(payments.len() == 1 || (!paid && payments.is_empty()), "{}: {payments:?}", place.name);
        Ok(order)
    }

    /// A mail that was being sent when the shop died is taken up again after its minute.
    async fn audit(&self) -> anyhow::Result<()> {
        self.scene.shop.audit_within(90).await.map(drop)
    }
}

/// How an order ends that only has to wait: as if nothing had been.
fn carried_out(place: &Place) -> State {
    if place.name == UNDOING { State::Cancelled } else { State::Confirmed }
}

fn says(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(words))
}

/// Sends the same request until there is an answer, as a careful client does.
async fn place_until_answered(buyer: &Person, request: &PlaceOrderRequest) -> anyhow::Result<Order> {
    let until = Instant::now() + WITHIN;
    loop {
        match buyer.place(request.clone()).await {
            Ok(order) => return Ok(order),
            Err(refusal) => {
                let unclear = matches!(
                    refusal.code(),
                    Code::Unavailable
                        | Code::DeadlineExceeded
                        | Code::Aborted
                        | Code::Unknown
                        | Code::Cancelled
                );
                anyhow::ensure!(unclear && Instant::now() < until, "{refusal:?}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
