//! A provider over the network, at its best and at its worst.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use chassis::testing::eventually;
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use futures::future::join_all;
use provider_simulator::{Kind, Operation, Rates, Script, Simulator, Status};
use sea_orm::{ConnectionTrait, Statement};
use tonic::Code;

use super::support::{Shop, an_order, cancelled, confirmed, gbp, pay, refund, refused, void};

const API_KEY: &str = "a key for tests";
/// What announcements are signed with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A provider with a journal of its own.
pub(crate) struct Provider {
    pub(crate) simulator: Simulator,
    folder: tempfile::TempDir,
}

impl Provider {
    pub(crate) async fn start(script: Script) -> Provider {
        let folder = tempfile::tempdir().expect("a folder");
        let simulator = Self::on(folder.path(), SocketAddr::from(([127, 0, 0, 1], 0)), script).await;
        Provider { simulator, folder }
    }

    async fn on(folder: &std::path::Path, listen: SocketAddr, script: Script) -> Simulator {
        let config = provider_simulator::Config {
            listen,
            journal: folder.join("journal"),
            api_key: API_KEY.to_owned(),
            script,
        };
        Simulator::start(config).await.expect("a provider")
    }

    /// How a shop is told of it.
    pub(crate) fn config(&self) -> payment::Config {
        payment::Config {
            payment_channel_timeout_ms: 1000,
            sandbox_url: Some(self.simulator.url()),
            sandbox_api_key: Some(API_KEY.to_owned().into()),
            sandbox_webhook_secrets: Some(format!("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD,{SECRET}").into()),
            ..payment::Config::default()
        }
    }

    /// Crashes, and comes back at the same address after something has happened.
    pub(crate) async fn crash(self, meanwhile: impl AsyncFnOnce()) -> Provider {
        let Provider { simulator, folder } = self;
        let address = simulator.url().trim_start_matches("http://").parse().expect("an address");
        simulator.stop().await;
        meanwhile().await;
        let simulator = Self::on(folder.path(), address, Script::default()).await;
        Provider { simulator, folder }
    }

    pub(crate) fn done(&self, kind: Kind, order: &str) -> Vec<Operation> {
        let done = self.simulator.operations().into_iter();
        done.filter(|done| done.kind == kind && done.order == order && done.status == Status::Succeeded)
            .collect()
    }

    /// That we and the provider say the same about every order: what was taken, given back, and let go.
    pub(crate) async fn agrees(&self, shop: &Shop) {
        shop.quiet().await;
        let mut theirs: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for done in self.simulator.operations().iter().filter(|done| done.status == Status::Succeeded) {
            let (taken, back) = theirs.entry(done.order.clone()).or_default();
            match done.kind {
                Kind::Capture => *taken += done.amount_minor,
                Kind::Refund => *back += done.amount_minor,
                Kind::Authorize | Kind::Void => {}
            }
        }
        theirs.retain(|_, sums| *sums != (0, 0));
        let text = "SELECT order_name, captured_minor, refunded_minor FROM payments WHERE captured_minor > 0";
        let rows = shop.db.writer().query_all_raw(Statement::from_string(shop.db.backend(), text)).await;
        let ours: BTreeMap<String, (i64, i64)> = rows
            .expect("payments")
            .iter()
            .map(|row| {
                let number = |place| row.try_get_by_index(place).expect("an amount");
                (row.try_get_by_index(0).expect("an order"), (number(1), number(2)))
            })
            .collect();
        assert_eq!(ours, theirs);
        shop.balances().await;
    }
}

pub(crate) async fn world(script: Script) -> (Provider, Shop) {
    let provider = Provider::start(script).await;
    let shop = Shop::with(provider.config()).await;
    (provider, shop)
}

#[tokio::test]
async fn money_goes_through_the_provider_and_its_fee_is_booked() {
    let (provider, shop) = world(Script::default()).await;
    let payment = shop.captured("tok_mastercard").await;
    assert_eq!(payment.method_summary, "Mastercard ending 4444");
    assert!(payment.channel_reference.starts_with("sim_"));
    shop.finance().refund_payment(refund(&payment, 15)).await.unwrap();
    let mut entries = shop.entries(&payment.order).await;
    entries.sort(); // the fee is posted at the same moment as the capture
    assert_eq!(entries, ["authorize", "capture", "fee", "refund"]);
    let balances = shop.finance().list_account_balances(pb::ListAccountBalancesRequest {}).await.unwrap();
    let of = |account: &str| {
        let balances = &balances.get_ref().account_balances;
        let account = balances.iter().find(|balance| balance.name == account).expect("an account");
        chassis::money::Money::try_from(&account.balances[0]).expect("money").minor
    };
    assert_eq!(
        (of("accounts/channel-fees"), of("accounts/channel-clearing-sandbox")),
        (76, 4000 - 1500 - 76)
    );

    let given_up = shop.authorized("tok_visa").await;
    shop.order().void_payment(void(&given_up.order)).await.unwrap();
    assert_eq!(shop.get(&given_up).await.state(), State::Voided);
    for (token, reason) in [("tok_declined", "CARD_DECLINED"), ("tok_of_nobody", "UNKNOWN_TOKEN")] {
        let refusal = shop.order().authorize_payment(pay(&an_order(), token)).await;
        let refusal = refused(refusal, Code::FailedPrecondition, "PAYMENT_DECLINED");
        assert_eq!(chassis::status::metadata(&refusal)["decline_reason"], reason);
    }
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn what_was_done_and_not_answered_is_asked_about_and_never_done_again() {
    let (provider, shop) = world(Script::default()).await;
    for (token, state) in [
        ("tok_timeout", State::Authorized),
        ("tok_503", State::Authorized),
        ("tok_timeout_declined", State::Declined),
    ] {
        let asked = pay(&an_order(), token);
        refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
        shop.until_order(&asked.order, state).await;
    }
    let operations = provider.simulator.operations();
    assert_eq!(operations.len(), 3);
    assert!(
        operations.iter().all(|done| provider.simulator.asked(&done.key) == 1),
        "asked under one key, once"
    );
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn a_capture_or_refund_without_an_answer_is_repeated_under_its_key() {
    let (provider, shop) = world(Script::default()).await;
    let payment = shop.captured("tok_capture_hangs_once").await;
    let returned = shop.captured("tok_refund_hangs_once").await;
    shop.announce(&returned.order, &cancelled(&returned)).await;
    shop.until(&returned, State::Refunded).await;
    for (kind, order) in [(Kind::Capture, &payment.order), (Kind::Refund, &returned.order)] {
        let done = provider.done(kind, order);
        assert_eq!(done.len(), 1);
        assert_eq!(provider.simulator.asked(&done[0].key), 2);
    }
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn a_provider_that_did_nothing_may_be_asked_again() {
    let (provider, shop) = world(Script::default()).await;
    let asked = pay(&an_order(), "tok_429_once");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "CHANNEL_UNAVAILABLE");
    let payment = loop {
        match shop.order().authorize_payment(asked.clone()).await {
            Ok(payment) => break payment.into_inner(),
            Err(busy) => assert_eq!(busy.code(), Code::Aborted, "{busy:?}"),
        }
    };
    assert_eq!(payment.state(), State::Authorized);
    assert_eq!(provider.done(Kind::Authorize, &payment.order).len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_gone_holds_nothing_up_for_good() {
    let (provider, shop) = world(Script::default()).await;
    let (taken, back) = (shop.authorized("tok_visa").await, shop.captured("tok_visa").await);
    let asked = pay(&an_order(), "tok_visa");
    let provider = provider
        .crash(async || {
            let refusal = shop.order().authorize_payment(asked.clone()).await;
            refused(refusal, Code::Unavailable, "CHANNEL_UNAVAILABLE");
            shop.announce(&taken.order, &confirmed(&taken)).await;
            shop.announce(&back.order, &cancelled(&back)).await;
            eventually(async || {
                shop.row("SELECT 1 FROM payments WHERE goal = 'CAPTURE' AND last_error <> ''").await
            })
            .await;
        })
        .await;
    shop.until(&taken, State::Captured).await;
    shop.until(&back, State::Refunded).await;
    eventually(async || shop.order().authorize_payment(asked.clone()).await.ok()).await;
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn another_amount_than_was_asked_is_given_up() {
    let (provider, shop) = world(Script::default()).await;
    let asked = pay(&an_order(), "tok_other_amount");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::FailedPrecondition, "PAYMENT_VOIDED");
    let payment = shop.until_order(&asked.order, State::Voided).await;
    assert_eq!(payment.decline_reason, "AMOUNT_MISMATCH");
    assert!(shop.entries(&asked.order).await.is_empty());
    assert_eq!(provider.done(Kind::Void, &asked.order).len(), 1);
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments WHERE attention = 'AMOUNT_MISMATCH'").await, 1);
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn what_stays_unknown_is_asked_ever_more_rarely_and_shown_to_an_operator() {
    let provider = Provider::start(Script::default()).await;
    let config = payment::Config { payment_attention_seconds: 1, ..provider.config() };
    let shop = Shop::with(config).await;
    let asked = pay(&an_order(), "tok_timeout");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
    let provider = provider
        .crash(async || {
            eventually(async || {
                shop.row("SELECT 1 FROM payments WHERE state = 'UNKNOWN' AND attention = 'UNRESOLVED'").await
            })
            .await;
            let due =
                "SELECT CAST(next_check_at - update_time AS BIGINT) FROM payments WHERE lease_until = 0";
            let mut waits = Vec::new();
            while waits.len() < 3 {
                let wait = eventually(async || shop.row(due).await).await.try_get_by_index::<i64>(0).unwrap();
                if waits.last() != Some(&wait) {
                    waits.push(wait);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let seconds: Vec<i64> = waits.iter().map(|micros| (micros + 250_000) / 500_000).collect();
            assert!(seconds.is_sorted() && seconds[0] < seconds[2], "{waits:?}");
        })
        .await;
    let payment = shop.until_order(&asked.order, State::Authorized).await;
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments WHERE attention <> ''").await, 0);
    assert_eq!(provider.done(Kind::Authorize, &payment.order).len(), 1);
}

/// Everything at once: a fifth of the calls is done and never answered, and more goes wrong besides.
#[tokio::test]
async fn in_a_storm_nothing_is_taken_twice_nor_lost() {
    let rates = Rates {
        seed: 11,
        hang: 200,
        fail: 100,
        closed: 50,
        too_many: 50,
        delay: 100,
        delay_ms: 100,
        times_max: 3, // each time is waited for twice as long
    };
    let provider = Provider::start(Script { rates, ..Script::default() }).await;
    let shop = Shop::with(payment::Config { payment_channel_timeout_ms: 300, ..provider.config() }).await;
    lives(&provider, &shop, 24).await;
}

/// So many payments that live side by side, whatever the provider does to them.
pub(crate) async fn lives(provider: &Provider, shop: &Shop, count: usize) {
    let lives = (0..count).map(|number| live(shop, number % 4));
    for (payment, live) in join_all(lives).await.into_iter().zip(0..) {
        let captures = provider.done(Kind::Capture, &payment.order).len();
        assert_eq!(provider.done(Kind::Authorize, &payment.order).len(), 1);
        match live % 4 {
            0 => assert_eq!((payment.state(), captures), (State::Captured, 1)),
            1 => assert!(matches!((payment.state(), captures), (State::Voided, 0) | (State::Refunded, 1))),
            2 => assert_eq!((payment.state(), captures), (State::Voided, 0)),
            _ => assert_eq!((payment.refunded.clone(), captures), (gbp(15), 1)),
        }
    }
    provider.agrees(shop).await;
}

/// One of the lives of a payment, among others that keep the shop busy: what is refused for now is asked again as it was.
async fn live(shop: &Shop, which: usize) -> pb::Payment {
    let asked = pay(&an_order(), "tok_visa");
    let payment =
        eventually(async || shop.order().authorize_payment(asked.clone()).await.ok()).await.into_inner();
    let until = async |holds: fn(&pb::Payment) -> bool| {
        let request = pb::GetPaymentRequest { name: payment.name.clone() };
        eventually(async || {
            let payment = shop.finance().get_payment(request.clone()).await.ok()?.into_inner();
            holds(&payment).then_some(payment)
        })
        .await
    };
    if which != 2 {
        shop.announce(&payment.order, &confirmed(&payment)).await;
    }
    match which {
        0 => until(|payment| payment.state() == State::Captured).await,
        1 => {
            shop.announce(&payment.order, &cancelled(&payment)).await;
            until(|payment| matches!(payment.state(), State::Voided | State::Refunded)).await
        }
        2 => {
            let asked = void(&payment.order);
            eventually(async || shop.order().void_payment(asked.clone()).await.ok()).await.into_inner()
        }
        _ => {
            let taken = until(|payment| payment.state() == State::Captured).await;
            // The same person asks again: a request id is its caller's own.
            let (asked, finance) = (refund(&taken, 15), shop.finance());
            eventually(async || finance.clone().refund_payment(asked.clone()).await.ok()).await;
            until(|payment| payment.state() == State::PartiallyRefunded).await
        }
    }
}
