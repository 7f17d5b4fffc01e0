//! Spans of time that reports are about.
use std::time::Duration;

use chassis::time::Timestamp;

/// The longest span of a report.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// One day, in the unit of times.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// From a time on, before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

/// Why a span is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSpan {
    #[error("must be after start_time")]
    Empty,
    #[error("must be at most 366 days after start_time")]
    TooLong,
}

impl Span {
    pub(crate) fn new(start: Timestamp, end: Timestamp) -> Result<Span, NoSpan> {
        if end <= start {
            return Err(NoSpan::Empty);
        }
        if end.since(start) > LONGEST { Err(NoSpan::TooLong) } else { Ok(Span { start, end }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_length_of_at_most_a_leap_year() {
        let at = |days: i64| Timestamp::from_micros(days * DAY_MICROS);
        for (days, wanted) in
            [(0, Err(NoSpan::Empty)), (-1, Err(NoSpan::Empty)), (366, Ok(())), (367, Err(NoSpan::TooLong))]
        {
            assert_eq!(Span::new(at(10), at(10 + days)).map(|_| ()), wanted, "{days}");
        }
        let (first, last) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
        assert_eq!(Span::new(first, last), Err(NoSpan::TooLong));
    }
}
