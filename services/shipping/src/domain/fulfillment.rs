//! What is still to be sent of an order.

use super::{Address, Quantities};

/// An order, as far as sending its goods is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) customer: String,
    pub(crate) stage: Stage,
    pub(crate) payment: Payment,
    /// What was bought of goods that stock is kept of: the rest is not sent.
    pub(crate) lines: Quantities,
    pub(crate) address: Option<Address>,
    pub(crate) rate: String,
}

/// How far an order has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Accepted, not yet secured.
    Placed,
    /// Secured; some of it may have been sent.
    Confirmed,
    /// Nothing of it is to be sent any more, or it was sent elsewhere.
    Settled,
    Cancelled,
}

/// How far the money of an order has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    /// Not taken yet.
    Open,
    /// Taken, or there was nothing to take.
    Taken,
    /// Given back, or given up.
    Returned,
}

/// How far shipping has got with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Paid; its shipment is to be made.
    Waiting,
    /// Its shipment was made.
    Made,
    /// There is nothing to send.
    Unneeded,
    /// Nothing will be sent, whatever comes.
    Cancelled,
}

/// What to do for a paid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The order does not show yet that it is confirmed: ask again.
    NotYet,
    /// Send this.
    Goods(Quantities),
    Nothing,
    Cancelled,
}

/// Why nothing can be packed for an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the order is not paid")]
    NotPaid,
    #[error("the order was cancelled")]
    Cancelled,
    #[error("nothing of the order is left to send")]
    NothingLeft,
    #[error("{wanted} of {sku} are to be sent, but only {left} of the order are left")]
    Exceeds { sku: String, wanted: i64, left: i64 },
}

impl Progress {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Waiting, "WAITING"),
        (Self::Made, "MADE"),
        (Self::Unneeded, "UNNEEDED"),
        (Self::Cancelled, "CANCELLED"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(progress, _)| *progress == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(progress, _)| *progress)
    }
}

impl Order {
    /// What payment's news that it has the money leaves to do. The order may not have heard that news yet.
    pub(crate) fn due(&self, sent: &Quantities) -> Due {
        match self.stage {
            Stage::Placed => Due::NotYet,
            Stage::Cancelled => Due::Cancelled,
            Stage::Settled => Due::Nothing,
            Stage::Confirmed => match self.payment {
                Payment::Returned => Due::Nothing,
                Payment::Open | Payment::Taken => {
                    let left = self.left(sent);
                    if left.is_empty() { Due::Nothing } else { Due::Goods(left) }
                }
            },
        }
    }

    /// What to pack for somebody who asks for it: these, or everything that is left where they do not say.
    pub(crate) fn pack(&self, wanted: &Quantities, sent: &Quantities) -> Result<Quantities, Refusal> {
        match (self.stage, self.payment) {
            (Stage::Cancelled, _) => return Err(Refusal::Cancelled),
            (Stage::Placed, _) | (_, Payment::Open | Payment::Returned) => return Err(Refusal::NotPaid),
            (Stage::Settled, Payment::Taken) => return Err(Refusal::NothingLeft),
            (Stage::Confirmed, Payment::Taken) => {}
        }
        let left = self.left(sent);
        if left.is_empty() {
            return Err(Refusal::NothingLeft);
        }
        for (sku, &wanted) in wanted {
            let left = left.get(sku).copied().unwrap_or_default();
            if wanted > left {
                return Err(Refusal::Exceeds { sku: sku.clone(), wanted, left });
            }
        }
        Ok(if wanted.is_empty() { left } else { wanted.clone() })
    }

    fn left(&self, sent: &Quantities) -> Quantities {
        let less = |(sku, quantity): (&String, &i64)| {
            (sku.clone(), quantity.saturating_sub(sent.get(sku).copied().unwrap_or_default()))
        };
        self.lines.iter().map(less).filter(|(_, quantity)| *quantity > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(stage: Stage, payment: Payment) -> Order {
        Order {
            name: "orders/1".to_owned(),
            customer: "users/1".to_owned(),
            stage,
            payment,
            lines: goods(&[("HAT", 3), ("BAG", 1)]),
            address: None,
            rate: String::new(),
        }
    }

    fn goods(lines: &[(&str, i64)]) -> Quantities {
        lines.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect()
    }

    #[test]
    fn only_a_paid_order_is_packed_by_hand() {
        let nothing = Quantities::new();
        let cases = [
            (Stage::Placed, Payment::Open, Some(Refusal::NotPaid)),
            (Stage::Confirmed, Payment::Open, Some(Refusal::NotPaid)),
            (Stage::Confirmed, Payment::Returned, Some(Refusal::NotPaid)),
            (Stage::Cancelled, Payment::Taken, Some(Refusal::Cancelled)),
            (Stage::Settled, Payment::Taken, Some(Refusal::NothingLeft)),
            (Stage::Confirmed, Payment::Taken, None),
        ];
        for (stage, payment, refusal) in cases {
            assert_eq!(
                order(stage, payment).pack(&nothing, &nothing).err(),
                refusal,
                "{stage:?} {payment:?}"
            );
        }
    }

    #[test]
    fn no_more_is_packed_than_is_left() {
        let order = order(Stage::Confirmed, Payment::Taken);
        let sent = goods(&[("HAT", 2)]);
        assert_eq!(order.pack(&Quantities::new(), &sent), Ok(goods(&[("HAT", 1), ("BAG", 1)])));
        assert_eq!(order.pack(&goods(&[("HAT", 1)]), &sent), Ok(goods(&[("HAT", 1)])));
        for wanted in [[("HAT", 2)], [("SCARF", 1)]] {
            assert!(matches!(order.pack(&goods(&wanted), &sent), Err(Refusal::Exceeds { .. })), "{wanted:?}");
        }
        assert_eq!(order.pack(&Quantities::new(), &order.lines), Err(Refusal::NothingLeft));
    }

    #[test]
    fn payments_news_may_reach_us_before_it_reaches_the_order() {
        let nothing = Quantities::new();
        let open = order(Stage::Confirmed, Payment::Open);
        assert_eq!(open.due(&nothing), Due::Goods(open.lines.clone()));
        assert_eq!(open.due(&open.lines), Due::Nothing);
        assert_eq!(order(Stage::Placed, Payment::Open).due(&nothing), Due::NotYet);
        assert_eq!(order(Stage::Cancelled, Payment::Taken).due(&nothing), Due::Cancelled);
        assert_eq!(order(Stage::Confirmed, Payment::Returned).due(&nothing), Due::Nothing);
    }
}
