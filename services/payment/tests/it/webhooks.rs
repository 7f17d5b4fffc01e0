//! What the provider announces by itself, through the edge: early, late, thrice, out of order, or not by the provider.
use std::net::SocketAddr;

use chassis::testing::{TestHost, eventually};
use chassis::time::Timestamp;
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use contract::payment::v1::payment_service_client::PaymentServiceClient;
use contract::payment::v1::webhook_event::State as Taken;
use provider_simulator::webhook::{Signed, announcement, sign};
use provider_simulator::{Kind, Operation, Rates, Script, Status, Webhooks};
use tonic::Code;

use super::provider::{Provider, SECRET, lives, world};
use super::support::{Shop, an_order, confirmed, gbp, pay, refund, refused};

/// The way in from outside.
struct Edge {
    address: SocketAddr,
    _host: TestHost,
}

impl Edge {
    fn open(shop: &Shop) -> Edge {
        let host = shop.host.process().host("gateway");
        let config = gateway::Config { storefront_dir: None, cors_origins: Vec::new() };
        host.serve(gateway::serve(host.host(), config));
        Edge { address: host.address().expect("an address"), _host: host }
    }

    fn url(&self) -> String {
        format!("http://{}/webhooks/payments/sandbox", self.address)
    }

    /// Sends an announcement, and returns the status of the answer.
    async fn send(&self, signed: &Signed) -> u16 {
        let request = reqwest::Client::builder().no_proxy().build().expect("a client").post(self.url());
        let request = request
            .header("webhook-id", &signed.id)
            .header("webhook-timestamp", signed.timestamp)
            .header("webhook-signature", &signed.signature)
            .body(signed.body.clone());
        request.send().await.expect("an answer").status().as_u16()
    }
}

fn secrets() -> Vec<String> {
    vec![SECRET.to_owned()]
}

fn now() -> i64 {
    Timestamp::now().micros() / 1_000_000
}

async fn events(shop: &Shop, state: Taken) -> Vec<pb::WebhookEvent> {
    let request = pb::ListWebhookEventsRequest { state: state.into(), ..Default::default() };
    shop.finance().list_webhook_events(request).await.expect("events").into_inner().webhook_events
}

/// What the provider would say it did with a payment's money.
fn operation(of: &pb::Payment, kind: Kind, minor: i64, status: Status) -> Operation {
    let key = |operation: &str| {
        let id = of.name.trim_start_matches("payments/");
        chassis::id::Id::<()>::derived(&[operation, id]).to_string()
    };
    let name = match kind {
        Kind::Authorize => "authorize",
        Kind::Capture => "capture",
        Kind::Void => "void",
        Kind::Refund => "refund",
    };
    Operation {
        key: key(name),
        kind,
        authorization: key("authorize"),
        order: of.order.clone(),
        amount_minor: minor,
        currency: "GBP".to_owned(),
        status,
        reason: if status == Status::Declined { "CARD_DECLINED".to_owned() } else { String::new() },
        reference: "sim_1".to_owned(),
        fee_minor: 0,
        method_summary: "Visa ending 4242".to_owned(),
        time: 0,
    }
}

#[tokio::test]
async fn only_what_the_provider_signed_is_believed() {
    let (_provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let payment = shop.authorized("tok_visa").await;
    let told = announcement(&operation(&payment, Kind::Authorize, 4000, Status::Succeeded), &secrets());
    let text = String::from_utf8(told.body.clone()).unwrap();
    let signed = |at: i64| sign(&told.id, at, told.body.clone(), &secrets());
    let again = |change: fn(&mut Signed)| {
        let mut signed = told.clone();
        change(&mut signed);
        signed
    };
    let reserialised = Signed { body: text.replace("\":", "\": ").into_bytes(), ..told.clone() };
    let forged = sign(&told.id, now(), told.body.clone(), &["whsec_bm90IHRoZSBzZWNyZXQ=".to_owned()]);
    let shifted = Signed { id: format!("{}.{}", told.id, told.timestamp), ..told.clone() };
    for (what, signed) in [
        ("no signature", again(|signed| signed.signature.clear())),
        ("no id", again(|signed| signed.id.clear())),
        ("forged", forged),
        ("written anew", reserialised),
        ("shifted across a dot", shifted),
        ("too old", signed(now() - 301)),
        ("too new", signed(now() + 302)),
    ] {
        assert_eq!(edge.send(&signed).await, 401, "{what}");
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM webhook_events").await, 0);

    let mut among = signed(now() - 295);
    among.signature = format!("v1,AAAA v1a,BBBB {}", among.signature);
    assert_eq!(edge.send(&among).await, 200, "one of three signatures is right");
    let senseless = sign("evt_senseless", now(), b"{}".to_vec(), &secrets());
    assert_eq!(edge.send(&senseless).await, 400);
    assert_eq!(shop.count("SELECT COUNT(*) FROM webhook_events").await, 1);
}

#[tokio::test]
async fn nobody_but_the_edge_hands_announcements_in() {
    let shop = Shop::open().await;
    let request = pb::ReceiveWebhookRequest { channel: "sandbox".to_owned(), ..Default::default() };
    for mut caller in [shop.order(), shop.finance(), shop.customer("users/ann")] {
        let refusal = caller.receive_webhook(request.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::PermissionDenied, "{refusal:?}");
    }
    let mut edge = PaymentServiceClient::new(shop.host.as_service("gateway"));
    // Without a secret nobody can have signed anything.
    refused(edge.receive_webhook(request).await, Code::NotFound, "WEBHOOK_CHANNEL_UNKNOWN");
}

#[tokio::test]
async fn an_announcement_resolves_what_the_provider_cannot_be_asked_about() {
    let (provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let asked = [pay(&an_order(), "tok_timeout"), pay(&an_order(), "tok_timeout_declined")];
    for asked in &asked {
        refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
    }
    let done = provider.simulator.operations();
    provider
        .crash(async || {
            for done in &done {
                assert_eq!(edge.send(&announcement(done, &secrets())).await, 200);
                assert_eq!(edge.send(&announcement(done, &secrets())).await, 200, "again");
            }
            shop.until_order(&asked[0].order, State::Authorized).await;
            shop.until_order(&asked[1].order, State::Declined).await;
        })
        .await;
    assert_eq!(shop.entries(&asked[0].order).await, ["authorize"]);
    assert_eq!(shop.count("SELECT COUNT(*) FROM webhook_events").await, 2);
    shop.balances().await;
}

#[tokio::test]
async fn an_announcement_of_an_unknown_payment_waits_for_it() {
    let (_provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let asked = pay(&an_order(), "tok_visa");
    let id = chassis::id::Id::<()>::derived(&["payment", &asked.order]);
    let coming =
        pb::Payment { name: format!("payments/{id}"), order: asked.order.clone(), ..Default::default() };
    for minor in [4000, 4100] {
        let mut told = operation(&coming, Kind::Authorize, minor, Status::Succeeded);
        told.reference = format!("sim_{minor}");
        let body = announcement(&told, &secrets()).body;
        assert_eq!(edge.send(&sign(&format!("evt_{minor}"), now(), body, &secrets())).await, 200);
    }
    let parked = events(&shop, Taken::Parked).await;
    assert_eq!(parked.len(), 2);
    assert_eq!((parked[0].kind.as_str(), &parked[0].order), ("authorize.succeeded", &asked.order));

    let payment =
        eventually(async || shop.order().authorize_payment(asked.clone()).await.ok()).await.into_inner();
    assert_eq!(payment.state(), State::Authorized);
    eventually(async || events(&shop, Taken::Parked).await.is_empty().then_some(())).await;
    assert_eq!(shop.entries(&asked.order).await, ["authorize"]);
    let flagged = events(&shop, Taken::Flagged).await;
    assert_eq!((flagged.len(), flagged[0].reason.as_str()), (1, "AMOUNT_MISMATCH"));
    shop.balances().await;
}

#[tokio::test]
async fn another_amount_is_flagged_and_the_order_not_confirmed() {
    let (provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let asked = pay(&an_order(), "tok_timeout");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
    let mut done = provider.simulator.operations().remove(0);
    let _provider = provider
        .crash(async || {
            done.amount_minor -= 1;
            assert_eq!(edge.send(&announcement(&done, &secrets())).await, 200);
            refused(
                shop.order().authorize_payment(asked.clone()).await,
                Code::FailedPrecondition,
                "PAYMENT_VOIDED",
            );
        })
        .await;
    assert_eq!(events(&shop, Taken::Flagged).await[0].reason, "AMOUNT_MISMATCH");
    let payment = shop.until_order(&asked.order, State::Voided).await;
    assert_eq!(payment.attention, "AMOUNT_MISMATCH");
    let request = pb::ListPaymentsRequest { needs_attention: true, ..Default::default() };
    let listed = shop.finance().list_payments(request).await.unwrap().into_inner().payments;
    assert_eq!(listed, std::slice::from_ref(&payment));
    let request = pb::GetPaymentRequest { name: payment.name };
    let own = shop.customer("users/ann").get_payment(request).await.unwrap().into_inner();
    assert_eq!((own.attention.as_str(), own.fee), ("", None), "that is not the customer's business");
    shop.balances().await;
}

#[tokio::test]
async fn what_was_taken_never_steps_back() {
    let (_provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let payment = shop.captured("tok_visa").await;
    for (event, kind) in [("evt_1", Kind::Authorize), ("evt_2", Kind::Capture), ("evt_3", Kind::Void)] {
        let body = announcement(&operation(&payment, kind, 4000, Status::Declined), &secrets()).body;
        assert_eq!(edge.send(&sign(event, now(), body, &secrets())).await, 200);
    }
    assert_eq!(events(&shop, Taken::Ignored).await.len(), 3);
    assert_eq!(shop.get(&payment).await, payment);
    assert_eq!(shop.announced::<pb::PaymentFailed>(&payment).await.len(), 0);
    shop.balances().await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_shown_to_an_operator() {
    let (_provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let (held, taken) = (shop.authorized("tok_visa").await, shop.captured("tok_visa").await);
    for (payment, kind) in [(&held, Kind::Capture), (&taken, Kind::Refund)] {
        let told = announcement(&operation(payment, kind, 4000, Status::Succeeded), &secrets());
        assert_eq!(edge.send(&told).await, 200);
        assert_eq!(shop.get(payment).await.attention, "UNASKED");
        assert_eq!(shop.get(payment).await.state(), payment.state());
    }
    assert_eq!(events(&shop, Taken::Flagged).await.len(), 2);
    shop.balances().await;
}

#[tokio::test]
async fn an_announcement_before_the_answer_is_the_answer() {
    let provider = Provider::start(Script::default()).await;
    let shop = Shop::with(provider.config()).await;
    let edge = Edge::open(&shop);
    provider.simulator.script(|script| {
        script.webhooks =
            Webhooks { url: edge.url(), secrets: secrets(), early: 1000, ..Webhooks::default() };
    });
    let payment = shop.captured("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 40)).await.unwrap();
    shop.until(&payment, State::Refunded).await;
    eventually(async || (events(&shop, Taken::Applied).await.len() == 3).then_some(())).await;
    // An answer that never comes: its announcement did.
    let silent = pay(&an_order(), "tok_timeout");
    let promised = shop.order().authorize_payment(silent).await.unwrap().into_inner();
    assert_eq!(promised.state(), State::Authorized);
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn in_a_storm_of_announcements_everything_is_booked_once() {
    let rates = Rates { seed: 5, hang: 200, fail: 100, closed: 50, times_max: 2, ..Rates::default() };
    let provider = Provider::start(Script { rates, ..Script::default() }).await;
    let shop = Shop::with(payment::Config { payment_channel_timeout_ms: 300, ..provider.config() }).await;
    let edge = Edge::open(&shop);
    provider.simulator.script(|script| {
        script.webhooks = Webhooks {
            url: edge.url(),
            secrets: secrets(),
            early: 200,
            triple: 300,
            late: 500,
            late_ms: 2000,
        };
    });
    lives(&provider, &shop, 16).await;
    // A call that its caller has given up may still be on its way to the provider: what is done is counted each time.
    eventually(async || {
        let heard = shop.count("SELECT COUNT(*) FROM webhook_events").await;
        (usize::try_from(heard).ok() == Some(provider.simulator.operations().len())).then_some(())
    })
    .await;
    assert!(events(&shop, Taken::Flagged).await.is_empty());
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn the_edge_refuses_what_is_too_large_and_what_is_no_announcement() {
    let (_provider, shop) = world(Script::default()).await;
    let edge = Edge::open(&shop);
    let large = sign("evt_1", now(), vec![b' '; 2 * 1024 * 1024], &secrets());
    assert_eq!(edge.send(&large).await, 413);
    let read = reqwest::Client::builder().no_proxy().build().unwrap().get(edge.url()).send().await.unwrap();
    assert_eq!(read.status().as_u16(), 405);
    let payment = shop.authorized("tok_visa").await;
    shop.announce(&payment.order, &confirmed(&payment)).await;
    assert_eq!(shop.until(&payment, State::Captured).await.captured, gbp(40));
}
