//! Payments that are denied, or looked at first.
use std::time::Duration;

use chassis::testing::{Client, eventually};
use contract::payment::v1 as pb;
use contract::payment::v1::payment::{Review, State};
use contract::payment::v1::risk_rule::{Outcome, Scope};
use contract::payment::v1::risk_service_client::RiskServiceClient;
use futures::future::join_all;
use tonic::Code;

use super::support::{
    ANN, Shop, a_request, an_order, cancelled, capture, confirmed, gbp, money, pay, refused,
};

type Risk = RiskServiceClient<Client>;

impl Shop {
    fn risk(&self) -> Risk {
        RiskServiceClient::new(
            self.host.as_user("users/rita", &["risk.read", "risk.write", "payment.review"]),
        )
    }

    async fn rule(&self, rule: pb::RiskRule) -> pb::RiskRule {
        let request = pb::CreateRiskRuleRequest { risk_rule: Some(rule), request_id: a_request() };
        self.risk().create_risk_rule(request).await.expect("a rule").into_inner()
    }

    /// A payment of forty pounds that somebody has to look at.
    async fn reviewed(&self) -> pb::Payment {
        self.rule(above(39, Outcome::Review)).await;
        self.authorized("tok_visa").await
    }

    async fn under_review(&self) -> Vec<pb::Payment> {
        let request = pb::ListPaymentsRequest { under_review: true, ..Default::default() };
        self.finance().list_payments(request).await.expect("payments").into_inner().payments
    }
}

fn above(pounds: i64, outcome: Outcome) -> pb::RiskRule {
    pb::RiskRule { amount_max: gbp(pounds), outcome: outcome.into(), ..Default::default() }
}

fn velocity(attempts_max: i32, outcome: Outcome) -> pb::RiskRule {
    pb::RiskRule { attempts_max, window: span(60), outcome: outcome.into(), ..Default::default() }
}

fn span(minutes: u64) -> Option<prost_types::Duration> {
    Duration::from_secs(minutes * 60).try_into().ok()
}

fn approve(payment: &pb::Payment) -> pb::ApprovePaymentRequest {
    pb::ApprovePaymentRequest {
        name: payment.name.clone(),
        note: "she called back".to_owned(),
        request_id: a_request(),
    }
}

fn refuse(payment: &pb::Payment) -> pb::RefusePaymentRequest {
    pb::RefusePaymentRequest {
        name: payment.name.clone(),
        note: "the card is stolen".to_owned(),
        request_id: a_request(),
    }
}

#[tokio::test]
async fn without_rules_everything_is_allowed() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    assert_eq!((payment.review(), payment.risk_rules.len()), (Review::Unspecified, 0));
    assert!(shop.under_review().await.is_empty());
}

#[tokio::test]
async fn what_is_denied_reaches_no_channel_and_says_no_more_than_that() {
    let shop = Shop::open().await;
    let rule = shop.rule(above(39, Outcome::Deny)).await;
    let asked = pay(&an_order(), "tok_visa");
    for _ in 0..2 {
        let refusal = shop.order().authorize_payment(asked.clone()).await;
        let refusal = refused(refusal, Code::FailedPrecondition, "PAYMENT_DENIED");
        let id = rule.name.strip_prefix("riskRules/").unwrap();
        assert_eq!(chassis::status::metadata(&refusal)["rules"], id);
    }
    let payment = shop.until_order(&asked.order, State::Declined).await;
    assert_eq!(
        (payment.decline_reason.as_str(), &payment.risk_rules),
        ("RISK_DENIED", &vec![rule.name.clone()])
    );
    let failures = shop.announced::<pb::PaymentFailed>(&payment).await;
    assert_eq!(failures.len(), 1);
    assert_eq!((failures[0].stage.as_str(), failures[0].reason.as_str()), ("authorize", "RISK_DENIED"));
    assert_eq!(shop.count("SELECT COUNT(*) FROM sandbox_calls").await, 0);
    // Its customer sees that it was refused, and not by which rule.
    let request = pb::GetPaymentRequest { name: payment.name.clone() };
    let shown = shop.customer(ANN).get_payment(request).await.unwrap().into_inner();
    assert_eq!((shown.state(), shown.risk_rules.len()), (State::Declined, 0));

    // Yen are not pounds, and less is allowed.
    let yen = pb::AuthorizePaymentRequest { amount: money("JPY", 4000), ..pay(&an_order(), "tok_visa") };
    shop.order().authorize_payment(yen).await.unwrap();
    let less = pb::AuthorizePaymentRequest { amount: gbp(39), ..pay(&an_order(), "tok_visa") };
    shop.order().authorize_payment(less).await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn who_is_blocked_pays_nothing_until_unblocked() {
    let shop = Shop::open().await;
    let entry =
        pb::BlocklistEntry { customer: ANN.to_owned(), reason: "fraud".to_owned(), ..Default::default() };
    let request = pb::CreateBlocklistEntryRequest { blocklist_entry: Some(entry), request_id: a_request() };
    let entry = shop.risk().create_blocklist_entry(request.clone()).await.unwrap().into_inner();
    assert_eq!(shop.risk().create_blocklist_entry(request.clone()).await.unwrap().into_inner(), entry);
    let another = pb::CreateBlocklistEntryRequest { request_id: a_request(), ..request };
    let twice = shop.risk().create_blocklist_entry(another.clone()).await;
    refused(twice, Code::AlreadyExists, "CUSTOMER_BLOCKED");

    let refusal = shop.order().authorize_payment(pay(&an_order(), "tok_visa")).await;
    refused(refusal, Code::FailedPrecondition, "PAYMENT_DENIED");
    let bob =
        pb::AuthorizePaymentRequest { customer: "users/bob".to_owned(), ..pay(&an_order(), "tok_visa") };
    shop.order().authorize_payment(bob).await.unwrap();

    let request = pb::DeleteBlocklistEntryRequest { name: entry.name.clone(), request_id: String::new() };
    let ended = shop.risk().delete_blocklist_entry(request.clone()).await.unwrap().into_inner();
    assert_eq!(shop.risk().delete_blocklist_entry(request).await.unwrap().into_inner(), ended);
    assert!(ended.delete_time.is_some());
    shop.authorized("tok_visa").await;
    let list = |show_deleted| pb::ListBlocklistEntriesRequest { show_deleted, ..Default::default() };
    let held = shop.risk().list_blocklist_entries(list(false)).await.unwrap().into_inner();
    assert!(held.blocklist_entries.is_empty());
    let all = shop.risk().list_blocklist_entries(list(true)).await.unwrap().into_inner();
    assert_eq!(all.blocklist_entries, [ended]);
    shop.risk().create_blocklist_entry(another).await.unwrap();
}

#[tokio::test]
async fn of_many_at_once_as_many_pass_as_may() {
    let shop = Shop::open().await;
    shop.rule(velocity(5, Outcome::Deny)).await;
    let calls = (0..20).map(|_| {
        let (mut order, asked) = (shop.order(), pay(&an_order(), "tok_visa"));
        async move { order.authorize_payment(asked).await }
    });
    let answers = join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    for answer in answers.into_iter().filter(Result::is_err) {
        refused(answer, Code::FailedPrecondition, "PAYMENT_DENIED");
    }
    let bob =
        pb::AuthorizePaymentRequest { customer: "users/bob".to_owned(), ..pay(&an_order(), "tok_visa") };
    shop.order().authorize_payment(bob).await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn money_counts_while_it_is_wanted_and_attempts_whatever_became_of_them() {
    let shop = Shop::open().await;
    shop.rule(pb::RiskRule { amount_max: gbp(100), ..velocity(0, Outcome::Deny) }).await;
    for _ in 0..3 {
        let declined = shop.order().authorize_payment(pay(&an_order(), "tok_declined")).await;
        refused(declined, Code::FailedPrecondition, "PAYMENT_DECLINED");
    }
    shop.authorized("tok_visa").await;
    shop.authorized("tok_visa").await;
    let third = shop.order().authorize_payment(pay(&an_order(), "tok_visa")).await;
    refused(third, Code::FailedPrecondition, "PAYMENT_DENIED");
    // What was asked for before the window counts no more.
    let long_ago = "UPDATE payments SET create_time = create_time - 3600000000";
    let long_ago = sea_orm::Statement::from_string(shop.db.backend(), long_ago);
    shop.db.execute(long_ago).await.unwrap();
    shop.authorized("tok_visa").await;

    shop.rule(pb::RiskRule { scope: Scope::CustomerAndChannel.into(), ..velocity(1, Outcome::Deny) }).await;
    let again = shop.order().authorize_payment(pay(&an_order(), "tok_visa")).await;
    refused(again, Code::FailedPrecondition, "PAYMENT_DENIED");
}

#[tokio::test]
async fn what_is_under_review_is_promised_and_taken_once_approved() {
    let shop = Shop::open().await;
    let payment = shop.reviewed().await;
    assert_eq!((payment.state(), payment.review()), (State::Authorized, Review::Waiting));
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.announce(&payment.order, &confirmed(&payment)).await; // as another event
    eventually(async || shop.row("SELECT 1 FROM payments WHERE review = 'HELD'").await).await;
    shop.quiet().await;
    assert_eq!(shop.get(&payment).await.state(), State::Authorized);
    refused(
        shop.finance().capture_payment(capture(&payment)).await,
        Code::FailedPrecondition,
        "PAYMENT_UNDER_REVIEW",
    );
    let listed = shop.under_review().await;
    assert_eq!((listed.len(), listed[0].attention.as_str()), (1, "RISK_REVIEW"));
    let held = shop.facts("payment.held").await;
    assert_eq!((held.len(), held[0].state.as_str()), (1, "REVIEW"));
    shop.balances().await;

    let asked = approve(&payment);
    let approved = shop.risk().approve_payment(asked.clone()).await.unwrap().into_inner();
    assert_eq!(shop.risk().approve_payment(asked).await.unwrap().into_inner(), approved);
    let taken = shop.until(&payment, State::Captured).await;
    assert_eq!((taken.review(), taken.review_note.as_str()), (Review::Approved, "she called back"));
    assert_eq!(taken.reviewer, "users/rita");
    assert!(shop.under_review().await.is_empty());
    refused(
        shop.risk().refuse_payment(refuse(&payment)).await,
        Code::FailedPrecondition,
        "PAYMENT_NOT_UNDER_REVIEW",
    );
    shop.balances().await;
}

#[tokio::test]
async fn what_is_approved_early_is_taken_when_its_order_is_confirmed() {
    let shop = Shop::open().await;
    let payment = shop.reviewed().await;
    shop.risk().approve_payment(approve(&payment)).await.unwrap();
    shop.quiet().await;
    assert_eq!(shop.get(&payment).await.state(), State::Authorized);
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.until(&payment, State::Captured).await;
    shop.balances().await;
}

#[tokio::test]
async fn what_is_refused_is_given_up_and_its_order_is_told_once_it_is_confirmed() {
    let shop = Shop::open().await;
    let (late, early) = (shop.reviewed().await, shop.authorized("tok_visa").await);
    shop.announce(&late.order, &confirmed(&late)).await;
    eventually(async || shop.row("SELECT 1 FROM payments WHERE review = 'HELD'").await).await;
    shop.risk().refuse_payment(refuse(&late)).await.unwrap();
    shop.risk().refuse_payment(refuse(&early)).await.unwrap();
    shop.until(&early, State::Voided).await;
    assert!(shop.announced::<pb::PaymentFailed>(&early).await.is_empty());
    shop.announce(&early.order, &confirmed(&early)).await;
    for payment in [&late, &early] {
        shop.until(payment, State::Voided).await;
        let failures = eventually(async || {
            Some(shop.announced::<pb::PaymentFailed>(payment).await).filter(|failures| !failures.is_empty())
        })
        .await;
        assert_eq!((failures.len(), failures[0].stage.as_str()), (1, "capture"));
        assert_eq!(failures[0].reason, "RISK_REFUSED");
        assert_eq!(shop.entries(&payment.order).await, ["authorize", "void"]);
    }
    shop.balances().await;
}

#[tokio::test]
async fn an_order_cancelled_under_review_needs_no_decision() {
    let shop = Shop::open().await;
    let payment = shop.reviewed().await;
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.announce(&payment.order, &cancelled(&payment)).await;
    shop.until(&payment, State::Voided).await;
    assert!(shop.under_review().await.is_empty());
    refused(shop.risk().approve_payment(approve(&payment)).await, Code::FailedPrecondition, "PAYMENT_VOIDED");
    shop.balances().await;
}

#[tokio::test]
async fn of_approving_refusing_and_confirming_at_once_one_wins() {
    let shop = Shop::open().await;
    shop.rule(above(39, Outcome::Review)).await;
    for _ in 0..8 {
        let payment = shop.authorized("tok_visa").await;
        let (mut yes, mut no, order) = (shop.risk(), shop.risk(), confirmed(&payment));
        let (yes, no, _) = tokio::join!(
            yes.approve_payment(approve(&payment)),
            no.refuse_payment(refuse(&payment)),
            shop.announce(&payment.order, &order),
        );
        assert!(yes.is_ok() != no.is_ok(), "{yes:?} {no:?}");
        let ends = if yes.is_ok() { State::Captured } else { State::Voided };
        shop.until(&payment, ends).await;
    }
    shop.quiet().await;
    shop.balances().await;
}

#[tokio::test]
async fn nobody_decides_about_their_own_payment() {
    let shop = Shop::open().await;
    shop.rule(above(39, Outcome::Review)).await;
    let staff = RiskServiceClient::new(shop.host.as_user(ANN, &["payment.review"]));
    let payment = shop.authorized("tok_visa").await;
    refused(staff.clone().approve_payment(approve(&payment)).await, Code::PermissionDenied, "OWN_PAYMENT");
    refused(staff.clone().refuse_payment(refuse(&payment)).await, Code::PermissionDenied, "OWN_PAYMENT");
}

#[tokio::test]
async fn a_rule_is_never_changed_and_what_was_ended_can_be_read() {
    let shop = Shop::open().await;
    let rule = shop.rule(pb::RiskRule { title: "large".to_owned(), ..above(39, Outcome::Deny) }).await;
    assert_eq!(rule.creator, "users/rita");
    let request = pb::DeleteRiskRuleRequest { name: rule.name.clone(), request_id: String::new() };
    shop.risk().delete_risk_rule(request).await.unwrap();
    shop.authorized("tok_visa").await;
    let read = pb::GetRiskRuleRequest { name: rule.name.clone() };
    let read = shop.risk().get_risk_rule(read).await.unwrap().into_inner();
    assert_eq!((read.title.as_str(), read.deleter.as_str()), ("large", "users/rita"));
    let held = shop.risk().list_risk_rules(pb::ListRiskRulesRequest::default()).await.unwrap().into_inner();
    assert!(held.risk_rules.is_empty());
    let all = pb::ListRiskRulesRequest { show_deleted: true, ..Default::default() };
    assert_eq!(shop.risk().list_risk_rules(all).await.unwrap().into_inner().risk_rules, [read]);
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    for (rule, field) in [
        (pb::RiskRule::default(), "risk_rule.outcome"),
        (pb::RiskRule { outcome: Outcome::Deny.into(), ..Default::default() }, "risk_rule.amount_max"),
        (above(0, Outcome::Deny), "risk_rule.amount_max"),
        (pb::RiskRule { window: None, ..velocity(5, Outcome::Deny) }, "risk_rule.window"),
        (pb::RiskRule { window: span(60 * 24 * 32), ..velocity(5, Outcome::Deny) }, "risk_rule.window"),
        (velocity(0, Outcome::Deny), "risk_rule.attempts_max"),
        (velocity(-1, Outcome::Deny), "risk_rule.attempts_max"),
    ] {
        let request = pb::CreateRiskRuleRequest { risk_rule: Some(rule), request_id: String::new() };
        let refusal = shop.risk().create_risk_rule(request).await.expect_err(field);
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert_eq!(chassis::status::violations(&refusal)[0].0, field);
    }
}
