//! Where a shipment goes. Personal data as a whole: kept in one place, so that it can be erased.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A postal address, as the order has it.
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

/// Shows nothing: an address never gets into a log.
impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Address(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_printed() {
        let address = Address { line1: "1 Mill Lane".to_owned(), ..Address::default() };
        assert_eq!(format!("{address:?}"), "Address(***)");
    }
}
