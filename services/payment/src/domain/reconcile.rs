//! Reconciliation: what a channel's statement and our books say of the same operations, and where they differ.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;
use chrono::{DateTime, Days, NaiveDate, NaiveTime};

use super::Payment;

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(NaiveDate);

impl Day {
    /// Reads `2026-11-20`.
    pub(crate) fn parse(text: &str) -> Option<Day> {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Day)?;
        (day.to_string() == text).then_some(day)
    }

    /// The day of a moment.
    pub(crate) fn of(time: Timestamp) -> Day {
        Day(DateTime::from_timestamp_micros(time.micros()).unwrap_or_default().date_naive())
    }

    /// Its first moment.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
    }

    #[must_use]
    pub(crate) fn minus(self, days: u64) -> Day {
        Day(self.0.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN))
    }

    #[must_use]
    pub(crate) fn next(self) -> Day {
        Day(self.0.succ_opt().unwrap_or(NaiveDate::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%d"))
    }
}

/// What was done with money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Captured,
    Refunded,
}

impl Moved {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Moved::Captured => "capture",
            Moved::Refunded => "refund",
        }
    }
}

/// A line of a statement: an operation that was done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) moved: Moved,
    /// The key it was asked under.
    pub(crate) key: String,
    /// What the money was for, as we said; may be anything.
    pub(crate) order: String,
    /// What the channel calls the money.
    pub(crate) reference: String,
    pub(crate) amount: Money,
    pub(crate) time: Timestamp,
}

/// What our books say of an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ours {
    pub(crate) moved: Moved,
    pub(crate) key: String,
    pub(crate) payment: Id<Payment>,
    pub(crate) order: String,
    pub(crate) reference: String,
    pub(crate) amount: Money,
    /// The state it is in; what is not done moved nothing.
    pub(crate) status: String,
    pub(crate) is_done: bool,
    /// Its channel is still being asked for it.
    pub(crate) is_under_way: bool,
    /// When it was booked.
    pub(crate) time: Timestamp,
}

/// How the two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    MissingAtChannel,
    MissingHere,
    AmountDiffers,
    CurrencyDiffers,
    StatusDiffers,
}

/// An operation of which the two sides do not say the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Break {
    pub(crate) kind: Kind,
    pub(crate) moved: Moved,
    pub(crate) key: String,
    pub(crate) reference: String,
    pub(crate) order: String,
    pub(crate) payment: Option<Id<Payment>>,
    pub(crate) amount: Option<Money>,
    pub(crate) channel_amount: Option<Money>,
    pub(crate) status: String,
    pub(crate) time: Timestamp,
}

impl Resource for Break {
    const COLLECTION: &'static str = "breaks";
}

impl Break {
    fn of(kind: Kind, line: Option<&Line>, ours: Option<&Ours>) -> Break {
        let either = |of_line: fn(&Line) -> &str, of_ours: fn(&Ours) -> &str| {
            ours.map(of_ours).or(line.map(of_line)).unwrap_or_default().to_owned()
        };
        Break {
            kind,
            moved: line.map(|line| line.moved).or(ours.map(|ours| ours.moved)).unwrap_or(Moved::Captured),
            key: either(|line| &line.key, |ours| &ours.key),
            reference: either(|line| &line.reference, |ours| &ours.reference),
            order: either(|line| &line.order, |ours| &ours.order),
            payment: ours.map(|ours| ours.payment),
            amount: ours.filter(|ours| ours.is_done).map(|ours| ours.amount),
            channel_amount: line.map(|line| line.amount),
            status: ours.map(|ours| ours.status.clone()).unwrap_or_default(),
            time: line
                .map(|line| line.time)
                .or(ours.map(|ours| ours.time))
                .unwrap_or(Timestamp::from_micros(0)),
        }
    }
}

/// What both sides add up to in a currency, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) captured: i64,
    pub(crate) channel_captured: i64,
    pub(crate) refunded: i64,
    pub(crate) channel_refunded: i64,
}

/// The comparison of a day, as it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    now: Timestamp,
    /// How long what is under way is left in peace.
    tolerance: Duration,
    pub(crate) operations: i64,
    pub(crate) breaks: Vec<Break>,
    pub(crate) break_count: i64,
    /// By currency.
    pub(crate) totals: BTreeMap<String, Total>,
}

/// How many breaks of a day are kept.
const BREAKS_MAX: usize = 10_000;

impl Comparison {
    pub(crate) fn new(now: Timestamp, tolerance: Duration) -> Comparison {
        let (breaks, totals) = (Vec::new(), BTreeMap::new());
        Comparison { now, tolerance, operations: 0, breaks, break_count: 0, totals }
    }

    /// Compares a line with what our books say of its operation.
    pub(crate) fn line(&mut self, line: &Line, ours: Option<&Ours>) {
        let kind = match ours {
            None => Some(Kind::MissingHere),
            Some(ours) if !ours.is_done && ours.is_under_way && self.is_young(line.time) => return,
            Some(ours) if !ours.is_done => Some(Kind::StatusDiffers),
            Some(ours) if ours.amount.currency != line.amount.currency => Some(Kind::CurrencyDiffers),
            Some(ours) if ours.amount != line.amount => Some(Kind::AmountDiffers),
            Some(_) => None,
        };
        self.count(kind, Some(line), ours);
    }

    /// Takes in an operation that our books have and no statement does.
    pub(crate) fn missing(&mut self, ours: &Ours) {
        // A statement may be a little late.
        if !self.is_young(ours.time) {
            self.count(Some(Kind::MissingAtChannel), None, Some(ours));
        }
    }

    fn is_young(&self, time: Timestamp) -> bool {
        self.now.since(time) < self.tolerance
    }

    fn count(&mut self, kind: Option<Kind>, line: Option<&Line>, ours: Option<&Ours>) {
        self.operations += 1;
        if let Some(line) = line {
            let total = self.totals.entry(line.amount.currency.as_str().to_owned()).or_default();
            let sum = match line.moved {
                Moved::Captured => &mut total.channel_captured,
                Moved::Refunded => &mut total.channel_refunded,
            };
            *sum = sum.saturating_add(line.amount.minor);
        }
        if let Some(ours) = ours.filter(|ours| ours.is_done) {
            let total = self.totals.entry(ours.amount.currency.as_str().to_owned()).or_default();
            let sum = match ours.moved {
                Moved::Captured => &mut total.captured,
                Moved::Refunded => &mut total.refunded,
            };
            *sum = sum.saturating_add(ours.amount.minor);
        }
        if let Some(kind) = kind {
            self.break_count += 1;
            if self.breaks.len() < BREAKS_MAX {
                self.breaks.push(Break::of(kind, line, ours));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(10_000_000_000);
    const LONG_AGO: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn amount(minor: i64, currency: &str) -> Money {
        Money::new(minor, currency.parse().expect("a currency"))
    }

    fn line(minor: i64, time: Timestamp) -> Line {
        let (key, order, reference) = ("k".to_owned(), "orders/1".to_owned(), "r".to_owned());
        Line { moved: Moved::Captured, key, order, reference, amount: amount(minor, "GBP"), time }
    }

    fn ours(minor: i64, time: Timestamp) -> Ours {
        Ours {
            moved: Moved::Captured,
            key: "k".to_owned(),
            payment: Payment::id_of("orders/1"),
            order: "orders/1".to_owned(),
            reference: "r".to_owned(),
            amount: amount(minor, "GBP"),
            status: "CAPTURED".to_owned(),
            is_done: true,
            is_under_way: false,
            time,
        }
    }

    fn comparison() -> Comparison {
        Comparison::new(NOW, Duration::from_secs(900))
    }

    #[test]
    fn each_difference_has_its_kind_and_is_what_the_totals_differ_by() {
        let yen = Ours { amount: amount(1000, "JPY"), ..ours(1000, LONG_AGO) };
        let undone = Ours { is_done: false, status: "VOIDED".to_owned(), ..ours(0, LONG_AGO) };
        for (known, kind) in [
            (None, Kind::MissingHere),
            (Some(ours(999, LONG_AGO)), Kind::AmountDiffers),
            (Some(yen), Kind::CurrencyDiffers),
            (Some(undone), Kind::StatusDiffers),
        ] {
            let mut comparison = comparison();
            comparison.line(&line(1000, LONG_AGO), known.as_ref());
            assert_eq!(comparison.breaks.iter().map(|found| found.kind).collect::<Vec<_>>(), [kind]);
            let pounds = comparison.totals["GBP"];
            assert_eq!(pounds.channel_captured, 1000);
            assert_ne!(pounds.captured, pounds.channel_captured, "{kind:?}");
        }
        let mut comparison = comparison();
        comparison.line(&line(1000, LONG_AGO), Some(&ours(1000, LONG_AGO)));
        comparison.missing(&ours(50, LONG_AGO));
        let pounds = comparison.totals["GBP"];
        assert_eq!((pounds.captured, pounds.channel_captured, comparison.break_count), (1050, 1000, 1));
        assert_eq!(comparison.breaks[0].kind, Kind::MissingAtChannel);
    }

    #[test]
    fn what_is_merely_under_way_is_left_in_peace_for_a_while() {
        let soon = NOW.minus(Duration::from_secs(60));
        let under_way = Ours { is_done: false, is_under_way: true, ..ours(0, soon) };
        let mut comparison = comparison();
        comparison.line(&line(1000, soon), Some(&under_way));
        comparison.missing(&ours(1000, soon));
        assert_eq!((comparison.break_count, comparison.totals.len()), (0, 0));
        comparison.line(&line(1000, LONG_AGO), Some(&under_way));
        comparison.line(&line(1000, soon), None);
        let kinds: Vec<Kind> = comparison.breaks.iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [Kind::StatusDiffers, Kind::MissingHere]);
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        let day = Day::parse("2026-11-20").expect("a day");
        assert_eq!((day.next().minus(1), Day::of(day.start())), (day, day));
        assert_eq!(Day::of(day.next().start().minus(Duration::from_micros(1))), day);
        for text in ["2026-11-31", "2026-1-1", "20261120", "", "yesterday", "+2026-11-20"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
