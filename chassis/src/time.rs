//! Points in time as whole microseconds: what both databases can store, sort and give back unchanged.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueTypeErr};
use sea_orm::{ColIdx, QueryResult, TryGetError, TryGetable, Value};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z. A `BIGINT` column: SQLite's text timestamps do not sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The wall clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// The point so many microseconds after 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The point this much later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The point this much earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; nothing where it is before.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

impl From<Timestamp> for prost_types::Timestamp {
    fn from(time: Timestamp) -> Self {
        prost_types::Timestamp {
            seconds: time.0.div_euclid(1_000_000),
            nanos: i32::try_from(time.0.rem_euclid(1_000_000) * 1_000).unwrap_or_default(),
        }
    }
}

impl TryFrom<&prost_types::Timestamp> for Timestamp {
    type Error = OutOfRange;

    /// Accepts the years 1 to 9999, as protobuf defines; what is finer than a microsecond is cut.
    fn try_from(wire: &prost_types::Timestamp) -> Result<Self, OutOfRange> {
        let sound = (-62_135_596_800..=253_402_300_799).contains(&wire.seconds)
            && (0..1_000_000_000).contains(&wire.nanos);
        if !sound {
            return Err(OutOfRange);
        }
        Ok(Timestamp(wire.seconds * 1_000_000 + i64::from(wire.nanos) / 1_000))
    }
}

/// The time is not between the years 1 and 9999.
#[derive(Debug, thiserror::Error)]
#[error("must be a time between the years 1 and 9999")]
pub struct OutOfRange;

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Value {
        time.0.into()
    }
}

impl TryGetable for Timestamp {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        i64::try_get_by(row, index).map(Timestamp)
    }
}

impl sea_orm::sea_query::ValueType for Timestamp {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <i64 as sea_orm::sea_query::ValueType>::try_from(value).map(Timestamp)
    }

    fn type_name() -> String {
        "Timestamp".into()
    }

    fn array_type() -> ArrayType {
        ArrayType::BigInt
    }

    fn column_type() -> ColumnType {
        ColumnType::BigInteger
    }
}

impl Nullable for Timestamp {
    fn null() -> Value {
        Value::BigInt(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_wire() {
        for micros in [0, -1, 1_290_000_000_123_456] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(
                <Timestamp as TryFrom<_>>::try_from(&prost_types::Timestamp::from(time)).ok(),
                Some(time)
            );
        }
    }

    #[test]
    fn a_time_outside_the_calendar_is_refused() {
        for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
            assert!(<Timestamp as TryFrom<_>>::try_from(&prost_types::Timestamp { seconds, nanos }).is_err());
        }
    }
}
