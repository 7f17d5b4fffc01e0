//! A coupon's code: what customers type, in one spelling.

use std::fmt;

/// The most characters a code has.
const LENGTH_MAX: usize = 64;

/// Letters, digits, `-` and `_` of ASCII, so that no two codes look the same; in capitals, so that case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code(String);

impl Code {
    /// Reads what a customer typed.
    pub(crate) fn parse(text: &str) -> Option<Code> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(sound);
        fits.then(|| Code(text.to_ascii_uppercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_nothing_else_is_forgiven() {
        assert_eq!(Code::parse("spring-24_x"), Code::parse("SPRING-24_X"));
        for wrong in ["", "A B", " A", "A\u{0}", "A\n", "ＳＰＲＩＮＧ", "é", "A'--", &"A".repeat(65)] {
            assert_eq!(Code::parse(wrong), None, "{wrong:?}");
        }
    }
}
