//! What people call an order.

use std::fmt;

use chassis::id::Id;

use super::Order;

/// How many digits it has, in groups of four.
const DIGITS: usize = 12;

/// The last twelve digits of an order's id, which are chance rather than time: `9F3A-71C2-04BE`. Two orders hardly ever
/// share one, but they may.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Number(String);

impl Number {
    /// Reads what somebody typed, with or without dashes and spaces, or an order's whole id.
    pub(crate) fn parse(text: &str) -> Option<Number> {
        if let Ok(id) = text.parse::<Id<Order>>() {
            return Some(Number::from(id));
        }
        let digits: String = text.chars().filter(|letter| !matches!(letter, '-' | ' ')).collect();
        let sound = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        sound.then(|| Number(digits.to_ascii_uppercase()))
    }

    /// The digits without dashes, as they are stored.
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl From<Id<Order>> for Number {
    fn from(id: Id<Order>) -> Number {
        let digits = id.to_string().to_ascii_uppercase();
        Number(digits[digits.len() - DIGITS..].to_owned())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}-{}", &self.0[..4], &self.0[4..8], &self.0[8..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        let id: Id<Order> = "01890000-0000-7000-8000-9f3a71c204be".parse().expect("an id");
        for text in ["9F3A-71C2-04BE", "9f3a71c204be", "9F3A 71C2 04BE", &id.to_string()] {
            assert_eq!(Number::parse(text), Some(Number::from(id)), "{text}");
        }
        assert_eq!(Number::from(id).to_string(), "9F3A-71C2-04BE");
        for text in ["", "9F3A-71C2-04B", "9F3A-71C2-04BG", "9F3A-71C2-04BEE", "orders/9F3A-71C2-04BE"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
