//! A SKU: free text, which its resource name carries percent-encoded.

use std::fmt;

/// What a variant is stocked under. Case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sku(String);

impl Sku {
    /// Reads what a caller calls a SKU.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let sound = !text.trim().is_empty() && text.chars().count() <= 64 && !text.contains('\0');
        sound.then(|| Self(text.to_owned()))
    }

    /// Reads a name: `stock/{sku}`, where a byte may stand as `%` and two hexadecimal digits.
    pub(crate) fn parse_name(name: &str) -> Option<Self> {
        Self::parse(&decoded(name.strip_prefix("stock/")?)?)
    }

    /// A SKU that was checked when it was stored.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its stock: `stock/{sku}`, everything but letters, digits and `-._~` encoded.
    pub(crate) fn stock_name(&self) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let mut name = "stock/".to_owned();
        for byte in self.0.bytes() {
            if plain(byte) {
                name.push(byte.into());
            } else {
                name.push_str(&format!("%{byte:02X}"));
            }
        }
        name
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            let digits =
                std::str::from_utf8(&pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_names_no_sku_is_refused() {
        for wrong in
            ["stock/", "stock/%", "stock/%4", "stock/%zz", "stock/%FF", "stock/%00", "stock/%20", "stocks/a"]
        {
            assert_eq!(Sku::parse_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_slash_does_not_end_the_name() {
        let sku = Sku::parse("red/large é").expect("a SKU");
        assert_eq!(sku.stock_name(), "stock/red%2Flarge%20%C3%A9");
    }

    proptest! {
        #[test]
        fn any_sku_reads_back_from_its_name(text in "\\PC{1,64}") {
            if let Some(sku) = Sku::parse(&text) {
                prop_assert_eq!(Sku::parse_name(&sku.stock_name()), Some(sku));
            }
        }
    }
}
