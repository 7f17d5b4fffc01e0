//! What an order costs: whole minor units, rounded once per line, so that totals are the sum of their lines.

use chassis::money::{Money, MoneyError};
use serde::{Deserialize, Serialize};

/// Some of a variant, as the catalog prices it now.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) variant: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price: Money,
    pub(crate) price_version: i64,
    pub(crate) stocked: bool,
    pub(crate) weight_grams: i64,
}

/// A line of an order, at the price it was bought for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) line_id: String,
    pub(crate) variant: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price: Money,
    pub(crate) discount: Money,
    pub(crate) total: Money,
    pub(crate) price_version: i64,
    pub(crate) stocked: bool,
    pub(crate) weight_grams: i64,
    pub(crate) returned: i64,
}

/// What an order comes to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Amounts {
    pub(crate) subtotal: Money,
    pub(crate) discount: Money,
    pub(crate) shipping: Money,
    /// Contained in the total: prices include tax.
    pub(crate) tax: Money,
    pub(crate) total: Money,
}

/// Why something has no price.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PriceError {
    #[error("there is nothing to buy")]
    Empty,
    #[error("all lines must be in one currency")]
    CurrencyMixed,
    #[error("the amount is larger than an order may be")]
    TooLarge,
    #[error("the discounts do not fit the lines")]
    DiscountsDiffer,
}

impl From<MoneyError> for PriceError {
    fn from(error: MoneyError) -> PriceError {
        match error {
            MoneyError::CurrencyMismatch(..) | MoneyError::UnknownCurrency => PriceError::CurrencyMixed,
            MoneyError::TooLarge | MoneyError::FractionOfMinor => PriceError::TooLarge,
        }
    }
}

/// Priced lines and their sum: at least one, all in one currency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Goods {
    pub(crate) lines: Vec<Line>,
    pub(crate) subtotal: Money,
    pub(crate) discount: Money,
}

impl Goods {
    /// Prices the items without any discount.
    pub(crate) fn of(items: Vec<Item>) -> Result<Goods, PriceError> {
        let first = items.first().ok_or(PriceError::Empty)?;
        let nothing = Money::zero(first.unit_price.currency);
        let mut subtotal = nothing;
        let mut lines = Vec::with_capacity(items.len());
        for (item, number) in items.into_iter().zip(1..) {
            let total = item.unit_price.times(item.quantity)?;
            subtotal = subtotal.plus(total)?;
            lines.push(Line {
                line_id: i64::to_string(&number),
                variant: item.variant,
                sku: item.sku,
                title: item.title,
                quantity: item.quantity,
                unit_price: item.unit_price,
                discount: nothing,
                total,
                price_version: item.price_version,
                stocked: item.stocked,
                weight_grams: item.weight_grams,
                returned: 0,
            });
        }
        Ok(Goods { lines, subtotal, discount: nothing })
    }

    /// The same goods with these discounts on their lines, none of which may be larger than its line.
    pub(crate) fn discounted(mut self, discounts: &[Money]) -> Result<Goods, PriceError> {
        if discounts.len() != self.lines.len() {
            return Err(PriceError::DiscountsDiffer);
        }
        for (line, discount) in self.lines.iter_mut().zip(discounts) {
            let left = line.total.minus(*discount)?;
            if discount.minor < 0 || left.minor < 0 {
                return Err(PriceError::DiscountsDiffer);
            }
            self.discount = self.discount.plus(*discount)?;
            line.discount = *discount;
            line.total = left;
        }
        Ok(self)
    }

    /// What they weigh together.
    pub(crate) fn weight_grams(&self) -> i64 {
        self.lines
            .iter()
            .fold(0, |sum, line| sum.saturating_add(line.weight_grams.saturating_mul(line.quantity)))
    }

    /// What they come to with shipping. Tax is contained in every line and in shipping, at this rate.
    pub(crate) fn amounts(&self, shipping: Money, tax_basis_points: i64) -> Result<Amounts, PriceError> {
        let goods = self.subtotal.minus(self.discount)?;
        let mut tax = contained_tax(shipping, tax_basis_points);
        for line in &self.lines {
            tax = tax.plus(contained_tax(line.total, tax_basis_points))?;
        }
        let total = goods.plus(shipping)?;
        Ok(Amounts { subtotal: self.subtotal, discount: self.discount, shipping, tax, total })
    }
}

/// The tax that an amount contains, rounded half to even: a fifth on top is a sixth within.
pub(super) fn contained_tax(amount: Money, basis_points: i64) -> Money {
    let basis_points = i128::from(basis_points.clamp(0, 10_000));
    let part = fraction(i128::from(amount.minor) * basis_points, 10_000 + basis_points);
    Money::new(i64::try_from(part).unwrap_or_default(), amount.currency)
}

/// What so many of so many pieces of a line are worth, rounded half to even.
pub(super) fn worth(total: Money, pieces: i64, of: i64) -> Money {
    let part = fraction(i128::from(total.minor) * i128::from(pieces), i128::from(of.max(1)));
    Money::new(i64::try_from(part).unwrap_or_default(), total.currency)
}

fn fraction(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().expect("a currency"))
    }

    fn item(quantity: i64, unit_price: Money) -> Item {
        Item {
            variant: "products/p/variants/v".into(),
            sku: "SKU".into(),
            title: "Thing".into(),
            quantity,
            unit_price,
            price_version: 1,
            stocked: true,
            weight_grams: 250,
        }
    }

    #[test]
    fn two_currencies_have_no_sum() {
        let yen = Money::new(5, "JPY".parse().expect("a currency"));
        assert_eq!(Goods::of(vec![item(1, gbp(5)), item(1, yen)]), Err(PriceError::CurrencyMixed));
        assert_eq!(Goods::of(Vec::new()), Err(PriceError::Empty));
    }

    #[test]
    fn an_amount_beyond_all_bounds_is_refused() {
        assert_eq!(Goods::of(vec![item(999, gbp(100_000_000_000))]), Err(PriceError::TooLarge));
    }

    #[test]
    fn a_discount_never_exceeds_its_line() {
        let goods = Goods::of(vec![item(2, gbp(100)), item(1, gbp(50))]).expect("goods");
        assert_eq!(goods.clone().discounted(&[gbp(100), gbp(51)]), Err(PriceError::DiscountsDiffer));
        assert_eq!(goods.clone().discounted(&[gbp(100)]), Err(PriceError::DiscountsDiffer));
        assert_eq!(goods.discounted(&[gbp(-1), gbp(0)]), Err(PriceError::DiscountsDiffer));
    }

    #[test]
    fn tax_is_contained_half_even() {
        for (amount, basis_points, tax) in
            [(1200, 2000, 200), (9, 2000, 2), (3, 2000, 0), (1070, 700, 70), (500, 0, 0)]
        {
            assert_eq!(contained_tax(gbp(amount), basis_points), gbp(tax), "{amount} at {basis_points}");
        }
    }

    proptest! {
        #[test]
        fn a_total_is_the_sum_of_its_lines_and_shipping(
            wanted in prop::collection::vec((1_i64..999, 0_i64..1_000_000), 1..20),
            off in 0_i64..100_000,
            shipping in 0_i64..10_000,
        ) {
            let items = wanted.iter().map(|(quantity, price)| item(*quantity, gbp(*price))).collect();
            let goods = Goods::of(items).expect("goods");
            let weights: Vec<i64> = goods.lines.iter().map(|line| line.total.minor).collect();
            let discounts = gbp(off.min(goods.subtotal.minor)).allocate(&weights);
            let goods = goods.discounted(&discounts).expect("discounts that fit");
            let amounts = goods.amounts(gbp(shipping), 2000).expect("amounts");
            let lines: i64 = goods.lines.iter().map(|line| line.total.minor).sum();
            prop_assert_eq!(amounts.total.minor, lines + shipping);
            prop_assert_eq!(amounts.total.minor, amounts.subtotal.minor - amounts.discount.minor + amounts.shipping.minor);
            prop_assert!(amounts.total.minor >= 0 && amounts.tax.minor >= 0 && amounts.tax.minor <= amounts.total.minor);
        }

        #[test]
        fn pieces_returned_one_by_one_are_worth_the_line(total in 0_i64..1_000_000, quantity in 1_i64..50) {
            let parts: i64 = (0..quantity)
                .map(|sent| worth(gbp(total), sent + 1, quantity).minor - worth(gbp(total), sent, quantity).minor)
                .sum();
            prop_assert_eq!(parts, total);
        }
    }
}
