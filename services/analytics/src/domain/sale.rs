//! Sales: one fact for each order that was confirmed or taken over from elsewhere.
use chassis::money::{Currency, Money, MoneyError};
use chassis::time::Timestamp;

/// An order as a fact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sale {
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) country: String,
    pub(crate) imported: bool,
    pub(crate) amounts: Amounts,
    pub(crate) lines: Vec<Line>,
    pub(crate) order_time: Timestamp,
}

/// What an order came to: gross less discount plus shipping is the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) gross: Money,
    pub(crate) discount: Money,
    pub(crate) shipping: Money,
    pub(crate) total: Money,
}

/// A line as a fact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) variant: String,
    pub(crate) sku: String,
    pub(crate) units: i64,
    pub(crate) gross: Money,
}

/// What was given back of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adjustment {
    /// What caused it: the return, or the order itself where it was cancelled.
    pub(crate) cause: String,
    pub(crate) order: String,
    pub(crate) cancelled: bool,
    pub(crate) refund: Money,
    pub(crate) units: i64,
    pub(crate) adjust_time: Timestamp,
}

/// What the rows of a report sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Total,
    Day,
    Country,
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) currency: Currency,
    pub(crate) orders: i64,
    pub(crate) lines: i64,
    pub(crate) units: i64,
    pub(crate) gross_minor: i64,
    pub(crate) discount_minor: i64,
    pub(crate) shipping_minor: i64,
    pub(crate) total_minor: i64,
    pub(crate) returned_minor: i64,
    pub(crate) cancelled_orders: i64,
    pub(crate) returned_units: i64,
}

/// What a row of a report sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Total,
    /// A day in UTC, counted from 1970.
    Day(i64),
    Country(String),
}

/// How well a SKU sold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Top {
    pub(crate) sku: String,
    pub(crate) variant: String,
    pub(crate) units: i64,
    pub(crate) gross: Money,
}

impl Amounts {
    /// The amounts of an order of which only the lines and the total are known: what the lines exceed the total by was
    /// a discount, and what they lack was shipping.
    pub(crate) fn of_lines(lines: &[Line], total: Money) -> Result<Amounts, MoneyError> {
        let zero = Money::zero(total.currency);
        let gross = lines.iter().try_fold(zero, |sum, line| sum.plus(line.gross))?;
        let more = gross.minus(total)?;
        let (discount, shipping) = if more.minor > 0 { (more, zero) } else { (zero, more.negated()) };
        Ok(Amounts { gross, discount, shipping, total })
    }
}

impl Line {
    /// A line that costs its price so many times.
    pub(crate) fn new(
        variant: String,
        sku: String,
        units: i64,
        unit_price: Money,
    ) -> Result<Line, MoneyError> {
        Ok(Line { variant, sku, units, gross: unit_price.times(units)? })
    }
}

impl Key {
    /// As a report shows it.
    pub(crate) fn text(&self) -> String {
        match self {
            Key::Total => "total".into(),
            Key::Country(country) => country.clone(),
            Key::Day(day) => {
                let date = chrono::DateTime::from_timestamp(day.saturating_mul(86_400), 0);
                date.map(|date| date.format("%Y-%m-%d").to_string()).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imported_order_adds_up() {
        let gbp = |minor| Money::new(minor, "GBP".parse().unwrap());
        let lines = [
            Line::new("v".into(), "s".into(), 3, gbp(100)).unwrap(),
            Line::new("v".into(), "t".into(), 1, gbp(50)).unwrap(),
        ];
        for (total, discount, shipping) in [(350, 0, 0), (300, 50, 0), (400, 0, 50)] {
            let amounts = Amounts::of_lines(&lines, gbp(total)).unwrap();
            assert_eq!(
                (amounts.gross, amounts.discount, amounts.shipping),
                (gbp(350), gbp(discount), gbp(shipping))
            );
        }
    }

    #[test]
    fn days_are_named_in_utc() {
        assert_eq!(Key::Day(14_944).text(), "2010-12-01");
        assert_eq!(Key::Day(-1).text(), "1969-12-31");
    }
}
