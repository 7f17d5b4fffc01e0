//! Events as they were written once, brought to the form of today.
//!
//! Each type counts the forms it has had. What was written in an older one is raised step by step when it is read, and
//! never rewritten. `histories/` keeps orders as older releases wrote them; tests replay them.

use chassis::time::Timestamp;
use serde_json::Value;

/// How long orders had to be secured when they did not say so themselves.
const PATIENCE_MICROS: i64 = 900 * 1_000_000;

/// An event that this release cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{kind} in form {schema} is not known: a newer release has written it, or nobody")]
pub(crate) struct Unknown {
    kind: String,
    schema: i32,
}

/// The form that events of this type are written in now.
pub(crate) fn schema(kind: &str) -> i32 {
    match kind {
        "Placed" => 2,
        _ => 1,
    }
}

/// Brings an event of a type, written in a form at a time, to the form of today.
pub(crate) fn upcast(kind: &str, schema: i32, time: Timestamp, event: Value) -> Result<Value, Unknown> {
    let (mut event, mut at) = (event, schema);
    while at != self::schema(kind) {
        match (kind, at) {
            ("Placed", 1) => event["expire_time"] = (time.micros() + PATIENCE_MICROS).into(),
            _ => return Err(Unknown { kind: kind.to_owned(), schema }),
        }
        at += 1;
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::domain::{Event, Order, Recorded};

    /// An order as it was recorded, and what it amounts to.
    #[derive(Deserialize)]
    struct History {
        amounts_to: Amounts,
        events: Vec<Stored>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Amounts {
        state: String,
        payment_state: String,
        customer: String,
        total: i64,
        refund_due: i64,
        units: i64,
        returns: usize,
    }

    #[derive(Deserialize)]
    struct Stored {
        version: i64,
        r#type: String,
        schema: i32,
        payload: Value,
        actor: String,
        time: i64,
    }

    fn recorded(stored: Stored) -> Recorded {
        let time = Timestamp::from_micros(stored.time);
        let payload = upcast(&stored.r#type, stored.schema, time, stored.payload).expect("a known form");
        let event: Event = serde_json::from_value(payload).expect("an event of today");
        assert_eq!(event.kind(), stored.r#type);
        Recorded { version: stored.version, event, actor: stored.actor, time }
    }

    #[test]
    fn orders_that_older_releases_wrote_are_read_as_they_were() {
        for history in [
            include_str!("histories/returned.json"),
            include_str!("histories/cancelled.json"),
            include_str!("histories/declined.json"),
            include_str!("histories/claimed.json"),
            include_str!("histories/imported.json"),
        ] {
            let history: History = serde_json::from_str(history).expect("a history");
            let events: Vec<_> = history.events.into_iter().map(recorded).collect();
            let last = events.last().expect("events").version;
            if let Event::Placed(placed) = &events[0].event {
                assert_eq!(placed.expire_time.since(events[0].time).as_secs(), 900);
            }
            let order = Order::replay(chassis::id::Id::new(), events).expect("a sound history");
            assert_eq!(order.version, last);
            let amounts = Amounts {
                state: order.state.as_str().into(),
                payment_state: order.payment_state.as_str().into(),
                customer: order.customer.clone(),
                total: order.amounts.total.minor,
                refund_due: order.refund_due().minor,
                units: order.units(),
                returns: order.returns.len(),
            };
            assert_eq!(amounts, history.amounts_to);
        }
    }

    #[test]
    fn what_a_newer_release_wrote_is_not_guessed_at() {
        for (kind, schema) in [("Placed", 3), ("Placed", 0), ("Delivered", 2)] {
            let time = Timestamp::from_micros(0);
            assert!(upcast(kind, schema, time, Value::Null).is_err(), "{kind} {schema}");
        }
    }
}
