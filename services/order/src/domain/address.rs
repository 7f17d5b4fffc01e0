//! Where an order goes. Personal data as a whole: it is stored apart from events, so that it can be erased.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::is_country;

/// A postal address.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Address {
    pub(crate) recipient: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    pub(crate) country_code: String,
    pub(crate) phone: String,
}

impl Address {
    /// The first field that no address can have, with what is wrong about it.
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        let texts = [
            ("recipient", &self.recipient),
            ("line1", &self.line1),
            ("line2", &self.line2),
            ("city", &self.city),
            ("region", &self.region),
            ("postal_code", &self.postal_code),
        ];
        // A control character would forge lines on a label or in a log, and PostgreSQL stores no NUL.
        let unprintable = texts.into_iter().find(|(_, text)| text.chars().any(char::is_control));
        if let Some((field, _)) = unprintable {
            return Some((field, "must not contain control characters"));
        }
        let required = [texts[0], texts[1], texts[3]];
        if let Some((field, _)) = required.into_iter().find(|(_, text)| text.trim().is_empty()) {
            return Some((field, "must not be blank"));
        }
        if !is_country(&self.country_code) {
            return Some(("country_code", "must be an ISO 3166-1 alpha-2 code in capitals, such as GB"));
        }
        if !is_phone(&self.phone) {
            return Some(("phone", "must be a number in E.164 form, such as +442071234567"));
        }
        None
    }
}

/// Shows nothing: an address never gets into a log.
impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Address(***)")
    }
}

/// Empty, or a plus and up to fifteen digits.
fn is_phone(phone: &str) -> bool {
    let Some(digits) = phone.strip_prefix('+') else { return phone.is_empty() };
    (4..=15).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address {
            recipient: "Ada".into(),
            line1: "1 Mill Lane".into(),
            city: "London".into(),
            country_code: "GB".into(),
            ..Address::default()
        }
    }

    #[test]
    fn an_address_that_cannot_be_is_refused_by_field() {
        type Spoil = fn(&mut Address);
        let cases: [(&str, Spoil); 6] = [
            ("country_code", |address| address.country_code = "XX".into()),
            ("country_code", |address| address.country_code = "gb".into()),
            ("line1", |address| address.line1 = "1 Mill\0Lane".into()),
            ("recipient", |address| address.recipient = "  ".into()),
            ("phone", |address| address.phone = "+1;x".into()),
            ("phone", |address| address.phone = "0171".into()),
        ];
        assert_eq!(address().fault(), None);
        for (field, spoil) in cases {
            let mut address = address();
            spoil(&mut address);
            assert_eq!(address.fault().map(|(field, _)| field), Some(field));
        }
    }

    #[test]
    fn an_address_is_never_printed() {
        assert_eq!(format!("{:?}", address()), "Address(***)");
    }
}
