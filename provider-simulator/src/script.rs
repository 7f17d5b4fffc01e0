//! How the provider misbehaves: by the token, as planned for the next calls, or by seeded rates.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::book::{Kind, Operation};

/// Something that goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is done, and never answered.
    Hang,
    /// It is done, and answered 503.
    Fail,
    /// Nothing is done, and the answer is 503.
    Closed,
    /// Nothing is done, and the answer is 429.
    TooMany,
    /// It is done, and answered so many milliseconds later.
    Delay(u64),
}

/// What goes wrong with the next calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Planned {
    /// With which calls; with any where nothing is said. Asking about an operation is no such call.
    #[serde(default)]
    pub on: Option<Kind>,
    /// What goes wrong.
    pub fault: Fault,
    /// How often.
    pub times: u32,
}

/// How many of a thousand calls go wrong. Which of them follows from the seed, the call's key and how often it was asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Another seed has other calls go wrong.
    pub seed: u64,
    /// Done, and never answered.
    pub hang: u16,
    /// Done, and answered 503.
    pub fail: u16,
    /// Not done, and answered 503.
    pub closed: u16,
    /// Not done, and answered 429.
    pub too_many: u16,
    /// Done, and answered `delay_ms` later.
    pub delay: u16,
    /// How late.
    pub delay_ms: u64,
    /// How often the same call may go wrong; without end where 0.
    pub times_max: u32,
}

/// How operations are announced. The rates are of a thousand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhooks {
    /// Where they are sent, over plain HTTP; nowhere where empty.
    pub url: String,
    /// The secrets they are signed with, each as `whsec_` and base64. While one replaces another there are two.
    pub secrets: Vec<String>,
    /// Sent before the call is answered.
    pub early: u16,
    /// Sent three times.
    pub triple: u16,
    /// Sent up to `late_ms` later, so that they overtake each other.
    pub late: u16,
    /// How late at most.
    pub late_ms: u64,
}

/// What a statement says that did not happen so.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Adjusted {
    /// The keys of operations that it leaves out.
    pub without: Vec<String>,
    /// Other amounts, by key.
    pub amounts: BTreeMap<String, i64>,
    /// What it says besides.
    pub with: Vec<Operation>,
}

/// How the provider behaves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// What goes wrong next; each is used up.
    pub planned: Vec<Planned>,
    /// What goes wrong now and then.
    pub rates: Rates,
    /// How operations are announced.
    pub webhooks: Webhooks,
    /// What the statements say otherwise.
    pub statement: Adjusted,
}

impl Script {
    /// What goes wrong with a call that is asked for the so-many-th time. What is planned is used up.
    pub fn fault(&mut self, kind: Kind, key: &str, token: &str, attempt: u32) -> Option<Fault> {
        if let Some(fault) = of_token(kind, token, attempt) {
            return Some(fault);
        }
        let planned = self
            .planned
            .iter_mut()
            .find(|planned| planned.times > 0 && planned.on.is_none_or(|on| on == kind));
        if let Some(planned) = planned {
            planned.times -= 1;
            return Some(planned.fault);
        }
        self.rates.fault(key, attempt)
    }
}

/// What the token's card is for.
fn of_token(kind: Kind, token: &str, attempt: u32) -> Option<Fault> {
    let first = attempt == 1;
    match (kind, token) {
        (Kind::Authorize, "tok_timeout" | "tok_timeout_declined") => Some(Fault::Hang),
        (Kind::Authorize, "tok_503") => Some(Fault::Fail),
        (Kind::Authorize, "tok_429_once") if first => Some(Fault::TooMany),
        (Kind::Authorize, "tok_unavailable_once")
        | (Kind::Capture, "tok_capture_fails_once")
        | (Kind::Refund, "tok_refund_fails_once")
            if first =>
        {
            Some(Fault::Closed)
        }
        (Kind::Capture, "tok_capture_hangs_once") | (Kind::Refund, "tok_refund_hangs_once") if first => {
            Some(Fault::Hang)
        }
        _ => None,
    }
}

impl Rates {
    fn fault(&self, key: &str, attempt: u32) -> Option<Fault> {
        if self.times_max > 0 && attempt > self.times_max {
            return None;
        }
        let mut drawn = draw(self.seed, &["call", key, &attempt.to_string()], 1000);
        let faults = [
            (self.hang, Fault::Hang),
            (self.fail, Fault::Fail),
            (self.closed, Fault::Closed),
            (self.too_many, Fault::TooMany),
            (self.delay, Fault::Delay(self.delay_ms)),
        ];
        for (rate, fault) in faults {
            match drawn.checked_sub(rate.into()) {
                None => return Some(fault),
                Some(rest) => drawn = rest,
            }
        }
        None
    }
}

/// How an operation is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) early: bool,
    pub(crate) times: u32,
    pub(crate) delay_ms: u64,
}

impl Script {
    pub(crate) fn announcement(&self, key: &str) -> Announcement {
        let webhooks = &self.webhooks;
        let falls = |what: &str, rate: u16| draw(self.rates.seed, &[what, key], 1000) < rate.into();
        let late = falls("late", webhooks.late);
        Announcement {
            early: falls("early", webhooks.early),
            times: if falls("triple", webhooks.triple) { 3 } else { 1 },
            delay_ms: if late { draw(self.rates.seed, &["delay", key], webhooks.late_ms.max(1)) } else { 0 },
        }
    }
}

/// A number below `end` that follows from the seed and the words, and from nothing else.
fn draw(seed: u64, words: &[&str], end: u64) -> u64 {
    let text = format!("{seed} {}", words.join(" "));
    let hash = digest(&SHA256, text.as_bytes());
    let bytes = hash.as_ref().first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes) % end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_has_the_same_calls_go_wrong() {
        let rates = Rates { seed: 7, hang: 200, fail: 100, ..Rates::default() };
        let faults = |rates: &Rates| (0..2000).map(|n| rates.fault(&n.to_string(), 1)).collect::<Vec<_>>();
        let drawn = faults(&rates);
        assert_eq!(drawn, faults(&rates));
        assert_ne!(drawn, faults(&Rates { seed: 8, ..rates }));
        let count = |fault| drawn.iter().filter(|drawn| **drawn == fault).count();
        assert!((300..500).contains(&count(Some(Fault::Hang))), "{}", count(Some(Fault::Hang)));
        assert!((130..270).contains(&count(Some(Fault::Fail))), "{}", count(Some(Fault::Fail)));
        assert!(count(None) > 1200);
    }

    #[test]
    fn what_is_planned_is_used_up() {
        let planned = Planned { on: Some(Kind::Capture), fault: Fault::Hang, times: 1 };
        let mut script = Script { planned: vec![planned], ..Script::default() };
        assert_eq!(script.fault(Kind::Refund, "k", "tok_visa", 1), None);
        assert_eq!(script.fault(Kind::Capture, "k", "tok_visa", 1), Some(Fault::Hang));
        assert_eq!(script.fault(Kind::Capture, "k", "tok_visa", 2), None);
    }
}
