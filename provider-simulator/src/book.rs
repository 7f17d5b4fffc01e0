//! What the provider has done, and what it would do: rules without input or output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To promise money.
    Authorize,
    /// To take it.
    Capture,
    /// To forget the promise.
    Void,
    /// To give back what was taken.
    Refund,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was done.
    Succeeded,
    /// Nothing was done, for a reason.
    Declined,
}

/// What was done under a key. It is never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The caller's key.
    pub key: String,
    /// What was asked.
    pub kind: Kind,
    /// The key of the authorization that it concerns; for one, its own.
    pub authorization: String,
    /// What the money is for, as the caller calls it.
    pub order: String,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: String,
    /// What came of it.
    pub status: Status,
    /// Why it was declined; empty where it was not.
    pub reason: String,
    /// What the provider calls the money of the authorization.
    pub reference: String,
    /// What the provider keeps of it, in minor units.
    pub fee_minor: i64,
    /// What the customer recognises the card by.
    pub method_summary: String,
    /// When, in microseconds since 1970.
    pub time: i64,
}

/// What is asked under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The caller's key.
    pub key: String,
    /// What is asked.
    pub kind: Kind,
    /// The key of the authorization that it concerns; for one, its own.
    pub authorization: String,
    /// What the money is for; said by authorizations alone.
    #[serde(default)]
    pub order: String,
    /// The card's token; said by authorizations alone.
    #[serde(default)]
    pub token: String,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Of which currency.
    pub currency: String,
}

#[derive(Deserialize)]
struct Authorization {
    order: String,
    token: String,
    amount_minor: i64,
    currency: String,
}

#[derive(Deserialize)]
struct Movement {
    authorization: String,
    amount_minor: i64,
    currency: String,
}

impl Ask {
    /// Reads a call on a collection, such as `captures`; nothing where there is no such call.
    ///
    /// # Errors
    ///
    /// When the body is not what the call takes.
    pub fn read(collection: &str, key: &str, body: &[u8]) -> serde_json::Result<Option<Ask>> {
        let key = key.to_owned();
        let kind = match collection {
            "authorizations" => {
                let asked: Authorization = serde_json::from_slice(body)?;
                return Ok(Some(Ask {
                    authorization: key.clone(),
                    key,
                    kind: Kind::Authorize,
                    order: asked.order,
                    token: asked.token,
                    amount_minor: asked.amount_minor,
                    currency: asked.currency,
                }));
            }
            "captures" => Kind::Capture,
            "voids" => Kind::Void,
            "refunds" => Kind::Refund,
            _ => return Ok(None),
        };
        let Movement { authorization, amount_minor, currency } = serde_json::from_slice(body)?;
        Ok(Some(Ask {
            key,
            kind,
            authorization,
            order: String::new(),
            token: String::new(),
            amount_minor,
            currency,
        }))
    }
}

/// A line of the journal: what was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What was asked.
    pub ask: Ask,
    /// What came of it.
    pub operation: Operation,
}

/// The key has been used for something else.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key has been used for something else")]
pub struct KeyReused;

/// The money of one authorization.
#[derive(Clone, Debug, Default)]
struct Charge {
    order: String,
    token: String,
    currency: String,
    authorized: i64,
    captured: i64,
    refunded: i64,
    voided: bool,
}

/// Everything that was done, as the journal tells it.
#[derive(Debug, Default)]
pub struct Book {
    entries: BTreeMap<String, Entry>,
    /// The keys in the order in which they were done.
    order: Vec<String>,
    charges: BTreeMap<String, Charge>,
}

/// What the provider keeps of what it takes: 1.4 % and twenty minor units.
fn fee(amount: i64) -> i64 {
    amount.saturating_mul(14).saturating_add(500) / 1000 + 20
}

/// What a token's card is declined for. Empty is nothing.
fn refusal_of(token: &str) -> &'static str {
    match token {
        "tok_declined" | "tok_timeout_declined" => "CARD_DECLINED",
        "tok_insufficient_funds" => "INSUFFICIENT_FUNDS",
        _ if card_of(token).is_none() => "UNKNOWN_TOKEN",
        _ => "",
    }
}

/// The card behind a token. `tok_visa_*` and `tok_mastercard_*` are cards of their own.
pub(crate) fn card_of(token: &str) -> Option<&str> {
    match token {
        "tok_mastercard" => Some(token),
        _ if token.starts_with("tok_visa_") || token.starts_with("tok_mastercard_") => Some(token),
        "tok_visa"
        | "tok_declined"
        | "tok_insufficient_funds"
        | "tok_timeout"
        | "tok_timeout_declined"
        | "tok_503"
        | "tok_429_once"
        | "tok_unavailable_once"
        | "tok_capture_fails_once"
        | "tok_capture_hangs_once"
        | "tok_refund_fails_once"
        | "tok_refund_hangs_once"
        | "tok_other_amount" => Some("tok_visa"),
        _ => None,
    }
}

impl Book {
    /// What was done under a key.
    pub fn find(&self, key: &str) -> Option<&Operation> {
        self.entries.get(key).map(|entry| &entry.operation)
    }

    /// The token that an authorization was asked with.
    pub fn token(&self, authorization: &str) -> &str {
        self.charges.get(authorization).map_or("", |charge| charge.token.as_str())
    }

    /// Everything, oldest first.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.order.iter().filter_map(|key| self.find(key))
    }

    /// Whether this was done before under its key.
    pub fn done(&self, ask: &Ask) -> Result<Option<&Operation>, KeyReused> {
        match self.entries.get(&ask.key) {
            None => Ok(None),
            // A void that came first books the authorization as declined: that one has no other content.
            Some(entry) if entry.ask == *ask || entry.ask.token == FORESTALLED => Ok(Some(&entry.operation)),
            Some(_) => Err(KeyReused),
        }
    }

    /// What is to be booked for a call that was not made before, in order.
    pub fn decide(&self, ask: &Ask, now: i64) -> Vec<Entry> {
        let charge = self.charges.get(&ask.authorization).cloned().unwrap_or_default();
        let mut entries = Vec::new();
        let reason = match ask.kind {
            Kind::Authorize => refusal_of(&ask.token),
            _ if ask.kind != Kind::Void && charge.currency != ask.currency => "OTHER_CURRENCY",
            Kind::Capture if charge.voided => "ALREADY_VOIDED",
            Kind::Capture if charge.captured > 0 => "ALREADY_CAPTURED",
            Kind::Capture if charge.authorized < ask.amount_minor => "NOT_AUTHORIZED",
            Kind::Void if charge.captured > 0 => "ALREADY_CAPTURED",
            Kind::Refund if charge.captured - charge.refunded < ask.amount_minor => "NOT_CAPTURED",
            Kind::Capture | Kind::Void | Kind::Refund => "",
        };
        if ask.kind == Kind::Void && !self.entries.contains_key(&ask.authorization) {
            let forestalled = Ask {
                key: ask.authorization.clone(),
                kind: Kind::Authorize,
                token: FORESTALLED.to_owned(),
                ..ask.clone()
            };
            entries.push(entry(forestalled, "", "ALREADY_VOIDED", now));
        }
        let order = if ask.kind == Kind::Authorize { &ask.order } else { &charge.order };
        entries.push(entry(ask.clone(), order, reason, now));
        entries
    }

    /// Takes a line of the journal in.
    pub fn apply(&mut self, entry: Entry) {
        let Entry { ask, operation } = &entry;
        if operation.status == Status::Succeeded {
            let charge = self.charges.entry(operation.authorization.clone()).or_default();
            match operation.kind {
                Kind::Authorize => {
                    charge.order.clone_from(&operation.order);
                    charge.token.clone_from(&ask.token);
                    charge.currency.clone_from(&operation.currency);
                    charge.authorized = operation.amount_minor;
                }
                Kind::Capture => charge.captured += operation.amount_minor,
                Kind::Void => charge.voided = true,
                Kind::Refund => charge.refunded += operation.amount_minor,
            }
        }
        self.order.push(ask.key.clone());
        self.entries.insert(ask.key.clone(), entry);
    }
}

/// What stands for the token of an authorization that was voided before it arrived.
const FORESTALLED: &str = "forestalled";

fn entry(ask: Ask, order: &str, reason: &str, now: i64) -> Entry {
    let succeeded = reason.is_empty();
    let card = card_of(&ask.token).unwrap_or_default();
    let summary =
        if card.starts_with("tok_mastercard") { "Mastercard ending 4444" } else { "Visa ending 4242" };
    let is_authorized = succeeded && ask.kind == Kind::Authorize;
    let operation = Operation {
        key: ask.key.clone(),
        kind: ask.kind,
        authorization: ask.authorization.clone(),
        order: order.to_owned(),
        // One card is promised another amount than was asked, as a provider's mistake would be.
        amount_minor: ask.amount_minor + i64::from(is_authorized && ask.token == "tok_other_amount"),
        currency: ask.currency.clone(),
        status: if succeeded { Status::Succeeded } else { Status::Declined },
        reason: reason.to_owned(),
        reference: format!("sim_{}", ask.authorization.replace('-', "")),
        fee_minor: if succeeded && ask.kind == Kind::Capture { fee(ask.amount_minor) } else { 0 },
        method_summary: if is_authorized { summary.to_owned() } else { String::new() },
        time: now,
    };
    Entry { ask, operation }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(kind: Kind, key: &str, amount_minor: i64) -> Ask {
        Ask {
            key: key.to_owned(),
            kind,
            authorization: "a".to_owned(),
            order: "orders/1".to_owned(),
            token: if kind == Kind::Authorize { "tok_visa".to_owned() } else { String::new() },
            amount_minor,
            currency: "GBP".to_owned(),
        }
    }

    /// Does something, or repeats it.
    fn act(book: &mut Book, ask: &Ask) -> Operation {
        if let Some(known) = book.done(ask).expect("the same call") {
            return known.clone();
        }
        for entry in book.decide(ask, 0) {
            book.apply(entry);
        }
        book.find(&ask.key).expect("it is done").clone()
    }

    #[test]
    fn a_void_that_comes_first_wins() {
        let mut book = Book::default();
        assert_eq!(act(&mut book, &ask(Kind::Void, "v", 0)).status, Status::Succeeded);
        let late = act(&mut book, &ask(Kind::Authorize, "a", 4000));
        assert_eq!((late.status, late.reason.as_str()), (Status::Declined, "ALREADY_VOIDED"));
    }

    #[test]
    fn a_key_means_one_thing() {
        let mut book = Book::default();
        let first = act(&mut book, &ask(Kind::Authorize, "a", 4000));
        assert_eq!(act(&mut book, &ask(Kind::Authorize, "a", 4000)), first);
        assert_eq!(book.done(&ask(Kind::Authorize, "a", 4001)), Err(KeyReused));
    }

    proptest! {
        #[test]
        fn no_more_is_taken_than_promised_nor_given_back_than_taken(
            asks in proptest::collection::vec((0..4_usize, 0..8_u8, 1..50_i64), 1..40),
        ) {
            let mut book = Book::default();
            for (kind, key, amount) in asks {
                let kind = [Kind::Authorize, Kind::Capture, Kind::Void, Kind::Refund][kind];
                let key = if kind == Kind::Authorize { "a".to_owned() } else { format!("{kind:?}{key}") };
                let asked = ask(kind, &key, amount);
                if book.done(&asked).is_ok() {
                    act(&mut book, &asked);
                }
                let done = |kind| -> i64 {
                    book.operations()
                        .filter(|operation| operation.kind == kind && operation.status == Status::Succeeded)
                        .map(|operation| operation.amount_minor)
                        .sum()
                };
                prop_assert!(done(Kind::Capture) <= done(Kind::Authorize));
                prop_assert!(done(Kind::Refund) <= done(Kind::Capture));
            }
        }
    }
}
