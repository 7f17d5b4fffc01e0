//! Postal addresses that can be printed on a parcel.
use super::country;

/// The most addresses one user keeps.
pub(crate) const MAX: u64 = 50;

/// A postal address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostalAddress {
    pub(crate) recipient: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    pub(crate) country_code: String,
    pub(crate) phone: String,
}

impl PostalAddress {
    /// The fields that are wrong, each with what is wrong about it. Lengths are the contract's rule.
    pub(crate) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let texts = [
            ("recipient", &self.recipient),
            ("line1", &self.line1),
            ("line2", &self.line2),
            ("city", &self.city),
            ("region", &self.region),
            ("postal_code", &self.postal_code),
        ];
        let mut faults: Vec<_> = texts
            .into_iter()
            .filter(|(_, text)| text.chars().any(char::is_control))
            .map(|(field, _)| (field, "must be one line of text"))
            .collect();
        if !country::exists(&self.country_code) {
            faults.push(("country_code", "must be an ISO 3166-1 alpha-2 code"));
        }
        if !self.phone.is_empty() && !is_e164(&self.phone) {
            faults.push(("phone", "must be in E.164 form, such as +4930123456"));
        }
        faults
    }
}

fn is_e164(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> PostalAddress {
        PostalAddress {
            recipient: "Ann".into(),
            line1: "1 Main Street".into(),
            line2: String::new(),
            city: "York".into(),
            region: String::new(),
            postal_code: "YO1".into(),
            country_code: "GB".into(),
            phone: "+441904000000".into(),
        }
    }

    #[test]
    fn each_wrong_field_is_named() {
        assert_eq!(address().faults(), []);
        let wrong = PostalAddress {
            city: "York\nSPAM".into(),
            country_code: "XX".into(),
            phone: "+1;x".into(),
            ..address()
        };
        let fields: Vec<_> = wrong.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["city", "country_code", "phone"]);
    }
}
