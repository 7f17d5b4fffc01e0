//! Zones: the countries that are sent to in the same ways.

use std::fmt;

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;

/// Countries that are sent to in the same ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone {
    pub(crate) id: Id<Zone>,
    pub(crate) title: String,
    pub(crate) countries: Vec<Country>,
    pub(crate) create_time: Timestamp,
}

impl Resource for Zone {
    const COLLECTION: &'static str = "zones";
}

/// What an update changes of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) title: Option<String>,
    pub(crate) countries: Option<Vec<Country>>,
}

/// A country by its two capital letters, or `*`: every country that no zone names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Country(String);

impl Country {
    /// The code of every country that no zone names.
    pub(crate) const REST: &str = "*";

    /// Reads one country's code.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        let sound = code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase());
        sound.then(|| Self(code.to_owned()))
    }

    /// Reads one country's code, or the one for the rest.
    pub(crate) fn parse_or_rest(code: &str) -> Option<Self> {
        if code == Self::REST { Some(Self(code.to_owned())) } else { Self::parse(code) }
    }

    /// A code that was checked when it was stored.
    pub(crate) fn stored(code: String) -> Self {
        Self(code)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_capital_letters() {
        for code in ["gb", "G", "GBR", "G1", "", "*", "Ж"] {
            assert_eq!(Country::parse(code), None, "{code}");
        }
        assert!(Country::parse("GB").is_some());
        assert!(Country::parse_or_rest("*").is_some());
    }
}
