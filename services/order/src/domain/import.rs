//! Orders that happened elsewhere: from what is told of them to their events here.

use chassis::id::Id;
use chassis::money::{Currency, Money};
use chassis::time::Timestamp;

use super::{Broken, Event, Goods, Imported, Item, Order, PriceError, Recorded, Refused};

/// An order that happened elsewhere, as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    pub(crate) source: String,
    pub(crate) external_id: String,
    pub(crate) customer: String,
    pub(crate) time: Timestamp,
    pub(crate) country: String,
    pub(crate) currency: Currency,
    pub(crate) items: Vec<Item>,
    pub(crate) returns: Vec<ImportedReturn>,
}

/// What came back of it, by line.
#[derive(Clone, Debug)]
pub(crate) struct ImportedReturn {
    pub(crate) external_id: String,
    pub(crate) time: Timestamp,
    pub(crate) lines: Vec<(String, i64)>,
}

/// Why an order cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Price(#[from] PriceError),
    #[error("a price must not be negative")]
    PriceNegative,
    #[error(transparent)]
    Return(#[from] Refused),
    #[error("it came back before it was bought")]
    ReturnTooEarly,
    #[error(transparent)]
    History(#[from] Broken),
}

impl Import {
    /// The order it becomes: the same each time.
    pub(crate) fn id(&self) -> Id<Order> {
        Id::derived(&["order", &self.source, &self.external_id])
    }

    /// Its events, from the purchase to the last return, and the order they amount to.
    pub(crate) fn history(
        &self,
        actor: &str,
        tax_basis_points: i64,
    ) -> Result<(Order, Vec<Recorded>), Fault> {
        let id = self.id();
        if self.items.iter().any(|item| item.unit_price.minor < 0) {
            return Err(Fault::PriceNegative);
        }
        if self.items.iter().any(|item| item.unit_price.currency != self.currency) {
            return Err(PriceError::CurrencyMixed.into());
        }
        let goods = Goods::of(self.items.clone())?;
        let amounts = goods.amounts(Money::zero(self.currency), tax_basis_points)?;
        // Of what costs nothing there is no payment.
        let payment = match amounts.total.minor {
            0 => String::new(),
            _ => format!("payments/{}", Id::<()>::derived(&["payment", &id.name()])),
        };
        let imported = Event::Imported(Imported {
            source: self.source.clone(),
            external_id: self.external_id.clone(),
            customer: self.customer.clone(),
            lines: goods.lines,
            amounts,
            country: self.country.clone(),
            payment,
        });
        let first = Recorded { version: 1, event: imported, actor: actor.to_owned(), time: self.time };
        let mut order = Order::begin(id, &first)?;
        let mut history = vec![first];
        let mut push = |order: &mut Order, event: Event, time: Timestamp| -> Result<(), Fault> {
            let next = Recorded { version: order.version + 1, event, actor: actor.to_owned(), time };
            order.apply(&next)?;
            history.push(next);
            Ok(())
        };
        for back in &self.returns {
            if back.time < self.time {
                return Err(Fault::ReturnTooEarly);
            }
            let return_id = Id::derived(&["return", &self.source, &self.external_id, &back.external_id]);
            let requested = order.request_return(return_id, &back.lines)?;
            push(&mut order, requested, back.time)?;
            if let Some(received) = order.receive_return(return_id)? {
                push(&mut order, received, back.time)?;
            }
        }
        Ok((order, history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;
    use crate::domain::price::contained_tax;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().expect("a currency"))
    }

    fn import() -> Import {
        let item = |sku: &str, quantity| Item {
            variant: format!("products/p/variants/{sku}"),
            sku: sku.into(),
            title: sku.into(),
            quantity,
            unit_price: gbp(255),
            price_version: 0,
            stocked: true,
            weight_grams: 0,
        };
        Import {
            source: "online-retail".into(),
            external_id: "536365".into(),
            customer: "users/1".into(),
            time: Timestamp::from_micros(1_000),
            country: "United Kingdom".into(),
            currency: gbp(0).currency,
            items: vec![item("85123A", 6), item("71053", 6)],
            returns: vec![ImportedReturn {
                external_id: "C536366".into(),
                time: Timestamp::from_micros(2_000),
                lines: vec![("1".into(), 6), ("2".into(), 1)],
            }],
        }
    }

    #[test]
    fn an_order_from_elsewhere_is_delivered_and_paid_at_its_own_time() {
        let (order, history) = import().history("users/operator", 2000).expect("an order");
        assert_eq!(
            (order.state, order.create_time.micros(), order.update_time.micros()),
            (State::Delivered, 1_000, 2_000)
        );
        assert_eq!((order.amounts.total, order.refund_due(), order.units()), (gbp(3060), gbp(7 * 255), 5));
        assert_eq!(order.amounts.tax, gbp(2 * contained_tax(gbp(6 * 255), 2000).minor));
        assert_eq!(Order::replay(order.id, history).expect("a sound history"), order);
    }

    #[test]
    fn an_order_that_cost_nothing_names_no_payment() {
        let mut gifts = import();
        gifts.items.iter_mut().for_each(|item| item.unit_price = gbp(0));
        let (free, _) = gifts.history("users/operator", 2000).expect("an order");
        assert_eq!((free.payment.as_str(), free.refund_due()), ("", gbp(0)));
        let (paid, _) = import().history("users/operator", 2000).expect("an order");
        assert!(paid.payment.starts_with("payments/"));
    }

    #[test]
    fn the_same_order_gets_the_same_id() {
        let again = Import { country: "France".into(), ..import() };
        assert_eq!(import().id(), again.id());
        assert_ne!(import().id(), Import { source: "elsewhere".into(), ..import() }.id());
    }

    #[test]
    fn what_cannot_have_happened_is_refused() {
        let spoils: [fn(&mut Import); 5] = [
            |import| import.items[0].unit_price = gbp(-1),
            |import| import.items[0].unit_price = Money::new(1, "JPY".parse().expect("a currency")),
            |import| import.returns[0].lines[0].1 = 7,
            |import| import.returns[0].lines[0].0 = "9".into(),
            |import| import.returns[0].time = Timestamp::from_micros(999),
        ];
        for spoil in spoils {
            let mut import = import();
            spoil(&mut import);
            assert!(import.history("users/operator", 2000).is_err());
        }
    }
}
