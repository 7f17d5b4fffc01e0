//! The ledger: every movement of money as an entry whose lines sum to zero.
//!
//! While money is promised, `customer-receivable` says what customers still owe and `authorization-holds` that it is
//! not ours yet. Taking it clears both, and turns the promise into what the channel owes us and what we have sold.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;

use super::{Payment, Refund};

/// What customers have promised and not paid.
pub(crate) const RECEIVABLE: &str = "customer-receivable";
/// The other side of promises: money that is not ours until it is taken.
pub(crate) const HOLDS: &str = "authorization-holds";
/// What was sold and paid.
pub(crate) const SALES: &str = "sales-revenue";
/// What was given back of it.
pub(crate) const REFUNDS: &str = "sales-refunds";
/// What each channel has taken for us, less what it gave back and kept: one account a channel.
pub(crate) const CLEARING: &str = "channel-clearing";
/// What channels kept for their work.
pub(crate) const FEES: &str = "channel-fees";

/// One posting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: Id<Entry>,
    pub(crate) kind: String,
    pub(crate) payment: Id<Payment>,
    pub(crate) order: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) post_time: Timestamp,
}

impl Resource for Entry {
    const COLLECTION: &'static str = "journalEntries";
}

/// A movement on one account: debits are positive, credits negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) account: String,
    pub(crate) amount: Money,
}

impl Entry {
    /// The channel promised the money.
    pub(crate) fn authorize(payment: &Payment, at: Timestamp) -> Entry {
        Entry::of(payment, "authorize", at, transfer(HOLDS, RECEIVABLE, payment.amount))
    }

    /// The promise was given up.
    pub(crate) fn void(payment: &Payment, at: Timestamp) -> Entry {
        Entry::of(payment, "void", at, transfer(RECEIVABLE, HOLDS, payment.amount))
    }

    /// The promised money was taken, or a part of it and the rest given up.
    pub(crate) fn capture(payment: &Payment, at: Timestamp) -> Entry {
        let mut lines = transfer(RECEIVABLE, &clearing(&payment.channel), payment.captured);
        lines.extend(transfer(SALES, HOLDS, payment.captured));
        let rest = Money::new(payment.amount.minor - payment.captured.minor, payment.amount.currency);
        if rest.minor > 0 {
            lines.extend(transfer(RECEIVABLE, HOLDS, rest));
        }
        Entry::of(payment, "capture", at, lines)
    }

    /// The money had been taken elsewhere, without a promise here.
    pub(crate) fn capture_elsewhere(payment: &Payment, at: Timestamp) -> Entry {
        Entry::of(payment, "capture", at, transfer(SALES, &clearing(&payment.channel), payment.captured))
    }

    /// The channel kept its fee of what was taken.
    pub(crate) fn fee(payment: &Payment, at: Timestamp) -> Entry {
        Entry::of(payment, "fee", at, transfer(&clearing(&payment.channel), FEES, payment.fee))
    }

    /// Money was given back.
    pub(crate) fn refund(payment: &Payment, refund: &Refund, at: Timestamp) -> Entry {
        let lines = transfer(&clearing(&payment.channel), REFUNDS, refund.amount);
        let id = Id::derived(&["entry", "refund", &refund.id.to_string()]);
        Entry { id, ..Entry::of(payment, "refund", at, lines) }
    }

    fn of(payment: &Payment, kind: &str, at: Timestamp, lines: Vec<Line>) -> Entry {
        Entry {
            // What happens once has one entry: posting it again collides.
            id: Id::derived(&["entry", kind, &payment.id.to_string()]),
            kind: kind.to_owned(),
            payment: payment.id,
            order: payment.order.clone(),
            lines,
            post_time: at,
        }
    }
}

/// The account of a channel.
pub(crate) fn clearing(channel: &str) -> String {
    format!("{CLEARING}-{channel}")
}

/// What an account holds, in words.
pub(crate) fn title(account: &str) -> String {
    match account {
        RECEIVABLE => "Promised by customers and not yet taken".to_owned(),
        HOLDS => "Held by authorizations, not ours yet".to_owned(),
        SALES => "Sold and paid".to_owned(),
        REFUNDS => "Given back to customers".to_owned(),
        FEES => "Kept by channels for their work".to_owned(),
        other => match other.strip_prefix(CLEARING).and_then(|rest| rest.strip_prefix('-')) {
            Some(channel) => format!("Taken for us by the channel {channel}, less refunds and fees"),
            None => other.to_owned(),
        },
    }
}

/// Moves an amount: a credit where it comes from, a debit where it goes.
fn transfer(from: &str, to: &str, amount: Money) -> Vec<Line> {
    vec![Line { account: to.to_owned(), amount }, Line { account: from.to_owned(), amount: amount.negated() }]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn balances(entries: &[Entry]) -> BTreeMap<String, i64> {
        let mut balances = BTreeMap::new();
        for line in entries.iter().flat_map(|entry| &entry.lines) {
            *balances.entry(line.account.clone()).or_default() += line.amount.minor;
        }
        balances
    }

    proptest! {
        #[test]
        fn every_entry_sums_to_zero_and_promises_end(minor in 1_i64..10_000_000_000_000, part in 1_i64..=10_000, share in 0_i64..=10_000, fee in 0_i64..=10_000) {
            let at = Timestamp::from_micros(0);
            let amount = Money::new(minor, "EUR".parse().expect("a currency"));
            let intended = Payment::intended("orders/1", "users/1", "sandbox", amount, at);
            let captured = Money::new(amount.share(part).expect("a share").minor.max(1), amount.currency);
            let fee = captured.share(fee).expect("a share");
            let payment = Payment { captured, fee, ..intended };
            let back = captured.share(share).expect("a share");
            let refund = Refund::asked(Id::derived(&["r"]), &payment, back, "", "", at);
            let entries = [
                Entry::authorize(&payment, at),
                Entry::capture(&payment, at),
                Entry::fee(&payment, at),
                Entry::refund(&payment, &refund, at),
            ];
            for entry in &entries {
                prop_assert_eq!(entry.lines.iter().map(|line| line.amount.minor).sum::<i64>(), 0);
            }
            let after = balances(&entries);
            prop_assert_eq!((after[RECEIVABLE], after[HOLDS]), (0, 0));
            prop_assert_eq!(after[&clearing("sandbox")], captured.minor - back.minor - fee.minor);
            prop_assert_eq!(after[FEES], fee.minor);
            let given_up = balances(&[Entry::authorize(&payment, at), Entry::void(&payment, at)]);
            prop_assert!(given_up.values().all(|balance| *balance == 0));
        }
    }
}
