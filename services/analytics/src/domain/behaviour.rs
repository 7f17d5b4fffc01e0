//! Behaviour: what visitors did.
use std::time::Duration;

use chassis::time::Timestamp;

/// How far a browser's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(300);
/// How long after the fact it may be told.
const LATE: Duration = Duration::from_secs(366 * 86_400);

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ViewProduct,
    Search,
    AddToCart,
    BeginCheckout,
}

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Behaviour {
    pub(crate) kind: Kind,
    pub(crate) product: String,
    pub(crate) query: String,
    pub(crate) time: Timestamp,
}

/// Why something cannot have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Impossible {
    #[error("must name the product")]
    NoProduct,
    #[error("must not be in the future")]
    InFuture,
    #[error("must not be more than 366 days ago")]
    TooLongAgo,
}

impl Behaviour {
    /// What was done, where it can have been.
    pub(crate) fn new(
        kind: Kind,
        product: String,
        query: String,
        time: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Behaviour, Impossible> {
        match kind {
            Kind::ViewProduct | Kind::AddToCart if product.is_empty() => return Err(Impossible::NoProduct),
            Kind::ViewProduct | Kind::AddToCart | Kind::Search | Kind::BeginCheckout => {}
        }
        let time = time.unwrap_or(now);
        if time > now.plus(AHEAD) {
            return Err(Impossible::InFuture);
        }
        if time < now.minus(LATE) {
            return Err(Impossible::TooLongAgo);
        }
        Ok(Behaviour { kind, product, query, time: time.min(now) })
    }
}

/// How many got how far: each visitor counts for the furthest step and for all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Funnel {
    pub(crate) view: i64,
    pub(crate) cart: i64,
    pub(crate) checkout: i64,
    pub(crate) order: i64,
}

impl Funnel {
    /// From how many visitors got exactly how far: step 1 is a view, step 4 an order.
    pub(crate) fn of_furthest(furthest: impl IntoIterator<Item = (i64, i64)>) -> Funnel {
        let mut funnel = Funnel::default();
        for (step, visitors) in furthest {
            let reached = [
                (&mut funnel.view, 1),
                (&mut funnel.cart, 2),
                (&mut funnel.checkout, 3),
                (&mut funnel.order, 4),
            ];
            for (count, needed) in reached {
                if step >= needed {
                    *count += visitors;
                }
            }
        }
        funnel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaviour_is_of_the_past() {
        let now = Timestamp::now();
        let at = |time| {
            Behaviour::new(Kind::Search, String::new(), "cup".into(), time, now)
                .map(|behaviour| behaviour.time)
        };
        assert_eq!(at(None), Ok(now));
        assert_eq!(at(Some(now.plus(Duration::from_secs(10)))), Ok(now), "a clock may be a little ahead");
        assert_eq!(at(Some(now.plus(Duration::from_secs(301)))), Err(Impossible::InFuture));
        assert_eq!(at(Some(now.minus(LATE + Duration::from_secs(1)))), Err(Impossible::TooLongAgo));
    }

    #[test]
    fn a_funnel_never_widens() {
        let funnel = Funnel::of_furthest([(1, 10), (2, 5), (4, 1)]);
        assert_eq!(funnel, Funnel { view: 16, cart: 6, checkout: 1, order: 1 });
    }
}
