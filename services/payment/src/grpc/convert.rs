//! Messages from and to the domain.

use chassis::id::Id;
use chassis::money::Money;
use chassis::{status, wire};
use contract::payment::v1 as pb;
use tonic::Status;

use crate::channel::Outcome;
use crate::domain::refund::State as RefundState;
use crate::domain::risk::{self, Review};
use crate::domain::{Entry, Payment, Refund, State};
use crate::service::Intent;
use crate::store::webhooks::{Event, State as Taken, movement_name};

pub(super) fn intent(request: &pb::AuthorizePaymentRequest) -> Result<Intent, Status> {
    Ok(Intent {
        order: wire::foreign_name("order", "orders/{id}", &request.order)?,
        customer: customer("customer", &request.customer)?,
        channel: request.channel.clone(),
        amount: positive("amount", request.amount.as_ref())?,
    })
}

/// Who pays: a user or a guest.
pub(super) fn customer(field: &str, name: &str) -> Result<String, Status> {
    wire::foreign_name(field, "users/{id}", name).or_else(|_| wire::foreign_name(field, "guests/{id}", name))
}

/// An amount of money that can be moved.
pub(super) fn positive(field: &str, amount: Option<&contract::Money>) -> Result<Money, Status> {
    let amount = wire::money(field, amount)?;
    if amount.minor > 0 { Ok(amount) } else { Err(status::invalid(field, "must be more than nothing")) }
}

/// The id in a refund's name.
pub(super) fn refund_id(name: &str) -> Result<Id<Refund>, Status> {
    let id = name.rsplit_once("/refunds/").and_then(|(_, id)| id.parse().ok());
    id.ok_or_else(|| status::invalid("name", "must be a name like payments/{uuid}/refunds/{uuid}"))
}

impl From<State> for pb::payment::State {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Unknown => Self::Unknown,
            State::Authorized => Self::Authorized,
            State::Captured => Self::Captured,
            State::Voided => Self::Voided,
            State::Refunded => Self::Refunded,
            State::PartiallyRefunded => Self::PartiallyRefunded,
            State::Declined => Self::Declined,
        }
    }
}

impl From<Payment> for pb::Payment {
    fn from(payment: Payment) -> Self {
        let under_review = payment.is_under_review();
        pb::Payment {
            name: payment.id.name(),
            order: payment.order,
            customer: payment.customer,
            state: pb::payment::State::from(payment.state).into(),
            channel: payment.channel,
            amount: Some(payment.amount.into()),
            captured: Some(payment.captured.into()),
            refunded: Some(payment.refunded.into()),
            decline_reason: payment.decline_reason,
            channel_reference: payment.channel_reference,
            method_summary: payment.method_summary,
            create_time: Some(payment.create_time.into()),
            update_time: Some(payment.update_time.into()),
            attention: match payment.attention.as_str() {
                "" if under_review => risk::REVIEW.to_owned(),
                _ => payment.attention,
            },
            fee: (payment.fee.minor != 0).then(|| payment.fee.into()),
            review: match payment.review {
                Review::None => pb::payment::Review::Unspecified,
                Review::Waiting | Review::Held => pb::payment::Review::Waiting,
                Review::Approved => pb::payment::Review::Approved,
                Review::Refused => pb::payment::Review::Refused,
            }
            .into(),
            risk_rules: payment.risk_rules,
            reviewer: payment.reviewer,
            review_note: payment.review_note,
        }
    }
}

/// A payment without what is the shop's own business.
pub(super) fn for_customer(payment: pb::Payment) -> pb::Payment {
    pb::Payment {
        attention: String::new(),
        fee: None,
        review: pb::payment::Review::Unspecified.into(),
        risk_rules: Vec::new(),
        reviewer: String::new(),
        review_note: String::new(),
        ..payment
    }
}

/// The state to list by, where one is given.
pub(super) fn webhook_state(state: pb::webhook_event::State) -> Option<Taken> {
    match state {
        pb::webhook_event::State::Unspecified => None,
        pb::webhook_event::State::Applied => Some(Taken::Applied),
        pb::webhook_event::State::Ignored => Some(Taken::Ignored),
        pb::webhook_event::State::Parked => Some(Taken::Parked),
        pb::webhook_event::State::Flagged => Some(Taken::Flagged),
    }
}

impl From<Event> for pb::WebhookEvent {
    fn from(event: Event) -> Self {
        let state = match event.state {
            Taken::Applied => pb::webhook_event::State::Applied,
            Taken::Ignored => pb::webhook_event::State::Ignored,
            Taken::Parked => pb::webhook_event::State::Parked,
            Taken::Flagged => pb::webhook_event::State::Flagged,
        };
        let (outcome, amount) = match event.notice.outcome {
            Outcome::Accepted(done) => ("succeeded", Some(done.amount.into())),
            Outcome::Refused(_) => ("declined", None),
        };
        pb::WebhookEvent {
            name: event.id.name(),
            channel: event.channel,
            external_id: event.notice.event,
            kind: format!("{}.{outcome}", movement_name(event.notice.movement)),
            order: event.notice.order,
            amount,
            state: state.into(),
            reason: event.reason,
            receive_time: Some(event.receive_time.into()),
        }
    }
}

impl From<Refund> for pb::Refund {
    fn from(refund: Refund) -> Self {
        let state = match refund.state {
            RefundState::Pending => pb::refund::State::Pending,
            RefundState::Succeeded => pb::refund::State::Succeeded,
            RefundState::Failed => pb::refund::State::Failed,
        };
        pb::Refund {
            name: refund.name(),
            amount: Some(refund.amount.into()),
            state: state.into(),
            reason: refund.reason,
            actor: refund.actor,
            create_time: Some(refund.create_time.into()),
            attention: refund.attention,
        }
    }
}

impl From<Entry> for pb::JournalEntry {
    fn from(entry: Entry) -> Self {
        let line = |line: crate::domain::Line| pb::JournalLine {
            account: account_name(&line.account),
            amount: Some(line.amount.into()),
        };
        pb::JournalEntry {
            name: entry.id.name(),
            kind: entry.kind,
            payment: entry.payment.name(),
            order: entry.order,
            lines: entry.lines.into_iter().map(line).collect(),
            post_time: Some(entry.post_time.into()),
        }
    }
}

fn account_name(account: &str) -> String {
    format!("accounts/{account}")
}

/// One message for each account, with its balances in each currency. They arrive in order of account.
pub(super) fn account_balances(
    balances: Vec<(String, Money)>,
    title: fn(&str) -> String,
) -> Vec<pb::AccountBalance> {
    let mut accounts: Vec<pb::AccountBalance> = Vec::new();
    for (account, balance) in balances {
        let name = account_name(&account);
        match accounts.last_mut() {
            Some(last) if last.name == name => last.balances.push(balance.into()),
            _ => accounts.push(pb::AccountBalance {
                name,
                title: title(&account),
                balances: vec![balance.into()],
            }),
        }
    }
    accounts
}
