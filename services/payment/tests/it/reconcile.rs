//! Our books against the statements of channels.
use chassis::testing::{Client, eventually};
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use contract::payment::v1::reconciliation::State as Report;
use contract::payment::v1::reconciliation_break::Kind;
use contract::payment::v1::reconciliation_service_client::ReconciliationServiceClient;
use provider_simulator::{Adjusted, Kind as Done, Operation, Script};
use sea_orm::Statement;
use tonic::Code;

use super::provider::Provider;
use super::support::{Shop, gbp, money, refund, refused};

impl Shop {
    fn reconciler(&self) -> ReconciliationServiceClient<Client> {
        ReconciliationServiceClient::new(self.host.as_staff(&["reconcile.run", "ledger.read"]))
    }

    /// Compares today.
    async fn reconcile(&self) -> pb::Reconciliation {
        let day = chrono::Utc::now().format("%Y-%m-%d").to_string();
        let request = pb::RunReconciliationRequest { channel: "sandbox".to_owned(), day };
        self.reconciler().run_reconciliation(request).await.expect("a report").into_inner()
    }

    async fn breaks(&self, report: &pb::Reconciliation, show_resolved: bool) -> Vec<pb::ReconciliationBreak> {
        let parent = report.name.clone();
        let request = pb::ListReconciliationBreaksRequest { parent, show_resolved, ..Default::default() };
        let answer = self.reconciler().list_reconciliation_breaks(request).await;
        answer.expect("breaks").into_inner().reconciliation_breaks
    }
}

/// A shop that takes nothing for merely under way, beside a provider.
async fn world() -> (Provider, Shop) {
    let provider = Provider::start(Script::default()).await;
    let config = payment::Config { payment_reconcile_tolerance_seconds: 0, ..provider.config() };
    let shop = Shop::with(config).await;
    (provider, shop)
}

fn state(provider: &Provider, kind: Done, payment: &pb::Payment) -> Operation {
    provider.done(kind, &payment.order).remove(0)
}

#[tokio::test]
async fn what_both_sides_say_alike_is_matched_and_adds_up() {
    let (provider, shop) = world().await;
    for _ in 0..3 {
        let payment = shop.captured("tok_visa").await;
        shop.finance().refund_payment(refund(&payment, 15)).await.unwrap();
    }
    shop.authorized("tok_visa").await; // moved nothing
    let report = shop.reconcile().await;
    assert_eq!((report.state(), report.operation_count, report.break_count), (Report::Matched, 6, 0));
    assert_eq!(report.totals.len(), 1);
    let total = &report.totals[0];
    assert_eq!((&total.captured, &total.channel_captured), (&gbp(120), &gbp(120)));
    assert_eq!((&total.refunded, &total.channel_refunded), (&gbp(45), &gbp(45)));
    assert!(shop.breaks(&report, true).await.is_empty());
    provider.agrees(&shop).await;
}

#[tokio::test]
async fn each_difference_is_a_break_that_names_both_sides() {
    let (provider, shop) = world().await;
    let (unstated, other, foreign, undone, fine) = (
        shop.captured("tok_visa").await,
        shop.captured("tok_visa").await,
        shop.captured("tok_visa").await,
        shop.authorized("tok_visa").await,
        shop.captured("tok_visa").await,
    );
    let captured = |payment| state(&provider, Done::Capture, payment);
    let strange = Operation {
        key: "a key of theirs".to_owned(),
        order: "orders/of-nobody".to_owned(),
        ..captured(&fine)
    };
    // The capture of an order whose money we only have promised, under the key that we would use.
    let capture = Operation { key: capture_key(&undone), order: undone.order.clone(), ..captured(&fine) };
    let in_yen = Operation { currency: "JPY".to_owned(), ..captured(&foreign) };
    let statement = Adjusted {
        without: vec![captured(&unstated).key, captured(&foreign).key],
        amounts: [(captured(&other).key, 3999)].into(),
        with: vec![strange, capture, in_yen],
    };
    provider.simulator.script(|script| script.statement = statement);
    let report = shop.reconcile().await;
    assert_eq!((report.state(), report.break_count), (Report::Broken, 5));
    let breaks = shop.breaks(&report, false).await;
    let of = |kind: Kind| {
        let found: Vec<_> = breaks.iter().filter(|found| found.kind() == kind).collect();
        assert_eq!(found.len(), 1, "{kind:?}");
        found[0]
    };
    let missing = of(Kind::MissingAtChannel);
    assert_eq!(
        (&missing.payment, &missing.amount, &missing.channel_amount),
        (&unstated.name, &gbp(40), &None)
    );
    let unknown = of(Kind::MissingHere);
    assert_eq!((unknown.operation_key.as_str(), &unknown.amount), ("a key of theirs", &None));
    assert_eq!((&unknown.channel_amount, unknown.payment.as_str()), (&gbp(40), ""));
    let amount = of(Kind::AmountDiffers);
    assert_eq!((&amount.order, &amount.amount), (&other.order, &gbp(40)));
    assert_ne!(amount.channel_amount, gbp(40));
    let currency = of(Kind::CurrencyDiffers);
    assert_eq!((&currency.order, &currency.channel_amount), (&foreign.order, &money("JPY", 4000)));
    let status = of(Kind::StatusDiffers);
    assert_eq!(
        (&status.payment, status.status.as_str(), &status.amount),
        (&undone.name, "AUTHORIZED", &None)
    );
    assert!(breaks.iter().all(|found| found.name.starts_with(&report.name) && found.operation == "capture"));

    // Found again it is told again to nobody, and found no more it is over.
    let again = shop.reconcile().await;
    assert_eq!((&again.name, again.run_count, again.break_count), (&report.name, 2, 5));
    assert_eq!(shop.breaks(&again, true).await, breaks);
    assert_eq!(shop.count("SELECT COUNT(*) FROM reconciliation_breaks WHERE first_run = 2").await, 0);
    provider.simulator.script(|script| script.statement = Adjusted::default());
    let mended = shop.reconcile().await;
    assert_eq!((mended.state(), mended.break_count), (Report::Matched, 0));
    assert!(shop.breaks(&mended, false).await.is_empty());
    let over = shop.breaks(&mended, true).await;
    assert!(over.len() == 5 && over.iter().all(|found| found.resolve_time.is_some()));
}

fn capture_key(payment: &pb::Payment) -> String {
    let id = payment.name.strip_prefix("payments/").expect("a name");
    chassis::id::Id::<()>::derived(&["capture", id]).to_string()
}

#[tokio::test]
async fn refunds_are_compared_as_well() {
    let (provider, shop) = world().await;
    let payment = shop.captured("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 15)).await.unwrap();
    let key = state(&provider, Done::Refund, &payment).key;
    provider.simulator.script(|script| script.statement.amounts = [(key.clone(), 1)].into());
    let report = shop.reconcile().await;
    let breaks = shop.breaks(&report, false).await;
    assert_eq!((breaks.len(), breaks[0].operation.as_str(), &breaks[0].amount), (1, "refund", &gbp(15)));
    provider.simulator.script(|script| {
        script.statement = Adjusted { without: vec![key.clone()], ..Adjusted::default() };
    });
    let report = shop.reconcile().await;
    let breaks = shop.breaks(&report, false).await;
    assert_eq!((breaks.len(), breaks[0].kind()), (1, Kind::MissingAtChannel));
}

#[tokio::test]
async fn what_is_merely_under_way_is_no_break() {
    let provider = Provider::start(Script::default()).await;
    let shop = Shop::with(provider.config()).await; // a quarter of an hour is left in peace
    let payment = shop.captured("tok_visa").await;
    let key = state(&provider, Done::Capture, &payment).key;
    provider.simulator.script(|script| {
        script.statement = Adjusted { without: vec![key.clone()], ..Adjusted::default() };
    });
    let report = shop.reconcile().await;
    assert_eq!((report.state(), report.operation_count), (Report::Matched, 0));
}

#[tokio::test]
async fn a_statement_that_cannot_be_read_says_so_and_is_read_another_time() {
    let (provider, shop) = world().await;
    let payment = shop.captured("tok_visa").await;
    let provider = provider
        .crash(async || {
            let day = chrono::Utc::now().format("%Y-%m-%d").to_string();
            let request = pb::RunReconciliationRequest { channel: "sandbox".to_owned(), day };
            let refusal = shop.reconciler().run_reconciliation(request).await;
            refused(refusal, Code::Unavailable, "CHANNEL_UNAVAILABLE");
            assert_eq!(shop.count("SELECT COUNT(*) FROM reconciliations WHERE error <> ''").await, 1);
        })
        .await;
    let report = shop.reconcile().await;
    assert_eq!((report.state(), report.error.as_str(), report.run_count), (Report::Matched, "", 2));
    provider.agrees(&shop).await;
    assert_eq!(shop.get(&payment).await.state(), State::Captured);
}

#[tokio::test]
async fn a_day_is_compared_by_one_at_a_time() {
    let (_provider, shop) = world().await;
    shop.captured("tok_visa").await;
    let report = shop.reconcile().await;
    let held = "UPDATE reconciliations SET state = 'RUNNING', lease_until = 9000000000000000";
    shop.db.execute(Statement::from_string(shop.db.backend(), held)).await.unwrap();
    let request = pb::RunReconciliationRequest { channel: "sandbox".to_owned(), day: report.day.clone() };
    let refusal = shop.reconciler().run_reconciliation(request.clone()).await;
    refused(refusal, Code::Aborted, "RECONCILIATION_RUNNING");
    let over = "UPDATE reconciliations SET lease_until = 0";
    shop.db.execute(Statement::from_string(shop.db.backend(), over)).await.unwrap();
    assert_eq!(
        shop.reconciler().run_reconciliation(request).await.unwrap().into_inner().state(),
        Report::Matched
    );
}

#[tokio::test]
async fn the_day_before_is_compared_by_itself_and_the_sandbox_states_its_own_book() {
    let config = payment::Config {
        payment_reconcile_hour: 0,
        payment_reconcile_tolerance_seconds: 0,
        ..payment::Config::default()
    };
    let shop = Shop::with(config).await;
    let yesterday = eventually(async || {
        let request = pb::ListReconciliationsRequest::default();
        let reports = shop.reconciler().list_reconciliations(request).await.ok()?.into_inner();
        reports.reconciliations.into_iter().find(|report| report.state() == Report::Matched)
    })
    .await;
    assert_eq!((yesterday.actor.as_str(), yesterday.run_count), ("service:payment", 1));

    let payment = shop.captured("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 15)).await.unwrap();
    let report = shop.reconcile().await;
    assert_eq!((report.state(), report.operation_count), (Report::Matched, 2));
    assert!(report.day > yesterday.day);
    let lost = "DELETE FROM sandbox_calls WHERE kind = 'CAPTURE'";
    shop.db.execute(Statement::from_string(shop.db.backend(), lost)).await.unwrap();
    let report = shop.reconcile().await;
    assert_eq!(shop.breaks(&report, false).await[0].kind(), Kind::MissingAtChannel);
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let shop = Shop::open().await;
    for (channel, day, field) in [
        ("imported", "", "channel"),
        ("nobody", "", "channel"),
        ("sandbox", "yesterday", "day"),
        ("sandbox", "2026-02-30", "day"),
        ("sandbox", "9999-01-01", "day"),
    ] {
        let request = pb::RunReconciliationRequest { channel: channel.to_owned(), day: day.to_owned() };
        let refusal = shop.reconciler().run_reconciliation(request).await.expect_err(day);
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert_eq!(chassis::status::violations(&refusal)[0].0, field, "{channel} {day}");
    }
    let name = "reconciliations/01a21f9e-3a77-75c4-9063-b3421ef5a89b".to_owned();
    let unknown = shop.reconciler().get_reconciliation(pb::GetReconciliationRequest { name }).await;
    refused(unknown, Code::NotFound, "RECONCILIATION_NOT_FOUND");
}
