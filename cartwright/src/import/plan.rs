//! What the rows amount to: products, customers, orders with their returns, and the rows that fit nowhere.
use std::collections::{BTreeMap, BTreeSet};

use chassis::{Money, Timestamp};

use super::file::{Refused, Row, Rows};

/// What is to be taken over.
pub(crate) struct Plan {
    /// By stock code.
    pub(crate) products: BTreeMap<String, Product>,
    /// Customer numbers.
    pub(crate) customers: BTreeSet<String>,
    /// In the order of the file.
    pub(crate) orders: Vec<Order>,
    /// Rows that cannot be taken over.
    pub(crate) refused: Vec<Refused>,
}

/// A stock code.
pub(crate) struct Product {
    pub(crate) title: String,
    /// The first price above zero; nothing where there is none.
    pub(crate) price: Option<Money>,
    pub(crate) stocked: bool,
}

/// An invoice.
pub(crate) struct Order {
    pub(crate) invoice: String,
    /// Empty for a guest.
    pub(crate) customer: String,
    pub(crate) country: String,
    pub(crate) time: Timestamp,
    pub(crate) lines: Vec<Line>,
    pub(crate) returns: Vec<Return>,
}

/// A row of an invoice.
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) quantity: i64,
    pub(crate) price: Money,
    /// How many have not come back.
    left: i64,
}

/// What a cancellation takes back of one order.
pub(crate) struct Return {
    pub(crate) invoice: String,
    pub(crate) time: Timestamp,
    /// The number of the order's line, from 0, and how many.
    pub(crate) lines: Vec<(usize, i64)>,
}

impl Plan {
    /// Sorts the rows out.
    pub(crate) fn of(rows: Rows) -> Self {
        let mut plan = Plan {
            products: products(&rows.sound),
            customers: BTreeSet::new(),
            orders: Vec::new(),
            refused: rows.refused,
        };
        let mut place: BTreeMap<String, usize> = BTreeMap::new();
        let (cancellations, purchases): (Vec<Row>, Vec<Row>) =
            rows.sound.into_iter().partition(|row| row.invoice.starts_with('C'));
        for row in purchases {
            match sellable(&row) {
                Ok(()) => plan.purchase(&mut place, row),
                Err(reason) => plan.refuse(&row, reason),
            }
        }
        let bought = plan.bought();
        for row in &cancellations {
            plan.cancel(&bought, row);
        }
        plan.refused.sort_by_key(|refused| refused.line);
        plan
    }

    fn purchase(&mut self, place: &mut BTreeMap<String, usize>, row: Row) {
        if !row.customer.is_empty() {
            self.customers.insert(row.customer.clone());
        }
        let index = *place.entry(row.invoice.clone()).or_insert(self.orders.len());
        if index == self.orders.len() {
            self.orders.push(Order {
                invoice: row.invoice,
                customer: row.customer,
                country: row.country,
                time: row.time,
                lines: Vec::new(),
                returns: Vec::new(),
            });
        }
        let title = self.products.get(&row.sku).map_or(row.sku.clone(), |product| product.title.clone());
        let title = if row.description.is_empty() { title } else { row.description };
        let line = Line { sku: row.sku, title, quantity: row.quantity, price: row.price, left: row.quantity };
        self.orders[index].lines.push(line);
    }

    /// The lines a customer bought of a stock code, in the order of the file.
    fn bought(&self) -> BTreeMap<(String, String), Vec<(usize, usize)>> {
        let mut bought: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (order, placed) in self.orders.iter().enumerate().filter(|(_, order)| !order.customer.is_empty())
        {
            for (line, of) in placed.lines.iter().enumerate() {
                bought.entry((placed.customer.clone(), of.sku.clone())).or_default().push((order, line));
            }
        }
        bought
    }

    /// Takes a cancelled row back from the latest purchases before it of the same customer, stock code and price.
    fn cancel(&mut self, bought: &BTreeMap<(String, String), Vec<(usize, usize)>>, row: &Row) {
        if row.quantity >= 0 {
            return self.refuse(row, "CANCELLATION_NOT_NEGATIVE");
        }
        if row.customer.is_empty() {
            return self.refuse(row, "CANCELLATION_OF_A_GUEST");
        }
        let wanted = -row.quantity;
        let candidates = bought.get(&(row.customer.clone(), row.sku.clone())).cloned().unwrap_or_default();
        let fits: Vec<(usize, usize)> = candidates
            .into_iter()
            .rev()
            .filter(|&(order, line)| {
                let placed = &self.orders[order];
                placed.time <= row.time
                    && placed.lines[line].price == row.price
                    && placed.lines[line].left > 0
            })
            .collect();
        let there: i64 = fits.iter().map(|&(order, line)| self.orders[order].lines[line].left).sum();
        // A cancellation is taken over whole or not at all: half of one would be a figure that nobody wrote.
        if there < wanted {
            return self.refuse(
                row,
                if there == 0 { "CANCELLATION_WITHOUT_PURCHASE" } else { "CANCELLATION_OF_MORE_THAN_BOUGHT" },
            );
        }
        let mut left = wanted;
        for (order, line) in fits {
            let taken = left.min(self.orders[order].lines[line].left);
            if taken == 0 {
                break;
            }
            left -= taken;
            self.orders[order].take_back(row, line, taken);
        }
    }

    fn refuse(&mut self, row: &Row, reason: &'static str) {
        let value = if reason.starts_with("PRICE") { row.price.decimal() } else { row.quantity.to_string() };
        self.refused.push(Refused {
            line: row.line,
            invoice: row.invoice.clone(),
            sku: row.sku.clone(),
            reason,
            value,
        });
    }
}

impl Order {
    fn take_back(&mut self, row: &Row, line: usize, quantity: i64) {
        self.lines[line].left -= quantity;
        let known = self.returns.iter().position(|known| known.invoice == row.invoice);
        let known = known.unwrap_or_else(|| {
            self.returns.push(Return { invoice: row.invoice.clone(), time: row.time, lines: Vec::new() });
            self.returns.len() - 1
        });
        let lines = &mut self.returns[known].lines;
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, taken)) => *taken += quantity,
            None => lines.push((line, quantity)),
        }
    }
}

fn sellable(row: &Row) -> Result<(), &'static str> {
    if row.quantity < 0 {
        return Err("QUANTITY_NEGATIVE");
    }
    if row.quantity == 0 {
        return Err("QUANTITY_ZERO");
    }
    if row.price.minor < 0 {
        return Err("PRICE_NEGATIVE");
    }
    if row.price.minor == 0 {
        return Err("PRICE_ZERO");
    }
    Ok(())
}

/// Every stock code of the file, with the first sound description and price.
fn products(rows: &[Row]) -> BTreeMap<String, Product> {
    let mut products: BTreeMap<String, Product> = BTreeMap::new();
    for row in rows {
        let product = products.entry(row.sku.clone()).or_insert_with(|| Product {
            title: String::new(),
            price: None,
            stocked: is_goods(&row.sku),
        });
        if product.title.is_empty() {
            product.title.clone_from(&row.description);
        }
        if product.price.is_none() && row.price.minor > 0 {
            product.price = Some(row.price);
        }
    }
    for (sku, product) in &mut products {
        if product.title.is_empty() {
            product.title.clone_from(sku);
        }
    }
    products
}

/// Stock codes of goods have digits; `POST`, `DOT`, `M` and their like are services. Vouchers hold no stock either.
fn is_goods(sku: &str) -> bool {
    sku.bytes().any(|byte| byte.is_ascii_digit()) && !sku.starts_with("gift_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: u64, invoice: &str, sku: &str, quantity: i64, pence: i64, customer: &str) -> Row {
        Row {
            line,
            invoice: invoice.into(),
            sku: sku.into(),
            description: format!("The {sku}"),
            quantity,
            time: Timestamp::from_micros(i64::try_from(line).expect("a small line")),
            price: Money::new(pence, "GBP".parse().expect("a currency")),
            customer: customer.into(),
            country: "United Kingdom".into(),
        }
    }

    fn plan(sound: Vec<Row>) -> Plan {
        Plan::of(Rows { sound, refused: Vec::new() })
    }

    #[test]
    fn a_cancellation_goes_to_the_latest_purchases_before_it() {
        let plan = plan(vec![
            row(2, "1", "A1", 5, 100, "c"),
            row(3, "2", "A1", 3, 100, "c"),
            row(4, "C3", "A1", -4, 100, "c"),
            row(5, "4", "A1", 9, 100, "c"),
        ]);
        let taken: Vec<(&str, i64)> = plan
            .orders
            .iter()
            .flat_map(|order| order.returns.iter().map(|taken| (order.invoice.as_str(), taken.lines[0].1)))
            .collect();
        assert_eq!(taken, [("1", 1), ("2", 3)]);
        assert!(plan.refused.is_empty());
    }

    #[test]
    fn a_cancellation_without_its_purchase_is_reported() {
        let plan = plan(vec![
            row(2, "1", "A1", 1, 100, "c"),
            row(3, "C2", "A1", -1, 200, "c"),
            row(4, "C3", "A1", -2, 100, "c"),
            row(5, "C4", "A1", -1, 100, ""),
        ]);
        let reasons: Vec<&str> = plan.refused.iter().map(|refused| refused.reason).collect();
        assert_eq!(
            reasons,
            ["CANCELLATION_WITHOUT_PURCHASE", "CANCELLATION_OF_MORE_THAN_BOUGHT", "CANCELLATION_OF_A_GUEST"]
        );
        assert!(plan.orders[0].returns.is_empty());
    }

    #[test]
    fn rows_that_sell_nothing_are_refused_with_their_line() {
        let plan = plan(vec![
            row(2, "1", "A1", 0, 100, ""),
            row(3, "1", "A1", -1, 0, ""),
            row(4, "1", "A1", 1, 0, ""),
        ]);
        let refused: Vec<(u64, &str, &str)> = plan
            .refused
            .iter()
            .map(|refused| (refused.line, refused.reason, refused.value.as_str()))
            .collect();
        assert_eq!(
            refused,
            [(2, "QUANTITY_ZERO", "0"), (3, "QUANTITY_NEGATIVE", "-1"), (4, "PRICE_ZERO", "0.00")]
        );
        assert!(plan.orders.is_empty());
    }

    #[test]
    fn services_hold_no_stock() {
        for (sku, stocked) in
            [("85123A", true), ("POST", false), ("BANK CHARGES", false), ("gift_0001_40", false)]
        {
            assert_eq!(is_goods(sku), stocked, "{sku}");
        }
    }
}
