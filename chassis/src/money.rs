//! Money as whole minor units of a currency. No floats, no silent rounding, no overflow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency, with the number of its decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// The active national currencies of ISO 4217, by the number of their decimals. Codes for metals, funds and testing are no money
/// that a shop takes.
const DECIMALS: [(u8, &str); 3] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (
        2,
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY \
         COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
         INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR \
         MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
         SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
    ),
];

impl Currency {
    /// The three capital letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many decimals its amounts have: 2 for GBP, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.exponent.into()
    }

    /// How many minor units make one unit: 100 for GBP.
    pub fn minor_per_unit(self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let code = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_| MoneyError::UnknownCurrency)?;
        DECIMALS
            .iter()
            .find(|(_, codes)| codes.split_ascii_whitespace().any(|known| known.as_bytes() == code))
            .map(|(exponent, _)| Currency { code, exponent: *exponent })
            .ok_or(MoneyError::UnknownCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount: minor units (pence, cents) of a currency. It may be negative, as a discount or a ledger line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// Their currency.
    pub currency: Currency,
}

/// No single amount goes beyond this many minor units, so that sums of many have room.
pub const MINOR_MAX: i64 = 10_000_000_000_000;

/// Why an amount cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("must have an ISO 4217 currency code in capitals, such as GBP")]
    UnknownCurrency,
    /// Finer than the currency's smallest unit, or its two parts disagree in sign.
    #[error("must be a whole number of the currency's minor units, its units and nanos of one sign")]
    FractionOfMinor,
    /// Beyond what is stored.
    #[error("is larger than amounts may be")]
    TooLarge,
    /// Two currencies in one sum.
    #[error("must be in one currency, not {0} and {1}")]
    CurrencyMismatch(Currency, Currency),
}

impl Money {
    /// So many minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Money { minor, currency }
    }

    /// Nothing.
    pub const fn zero(currency: Currency) -> Self {
        Money { minor: 0, currency }
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        self.with(self.minor.checked_add(other.minor))
    }

    /// The difference of two amounts of one currency.
    pub fn minus(self, other: Money) -> Result<Money, MoneyError> {
        self.plus(other.negated())
    }

    /// The amount with the other sign.
    #[must_use]
    pub const fn negated(self) -> Money {
        Money { minor: -self.minor, currency: self.currency }
    }

    /// So many times the amount.
    pub fn times(self, quantity: i64) -> Result<Money, MoneyError> {
        self.with(self.minor.checked_mul(quantity))
    }

    /// A share in basis points (1/100 of a percent), rounded half to even: 12.5 % is 1250.
    pub fn share(self, basis_points: i64) -> Result<Money, MoneyError> {
        let product = i128::from(self.minor) * i128::from(basis_points);
        self.with(i64::try_from(half_even(product, 10_000)).ok())
    }

    /// Splits the amount by weights, so that the parts add up to it exactly: what rounding leaves goes to the largest
    /// remainders, the first among equals. Weights below zero count as zero; with no weight at all, the first takes it all.
    pub fn allocate(self, weights: &[i64]) -> Vec<Money> {
        if weights.is_empty() {
            return Vec::new();
        }
        let mut weights: Vec<i128> = weights.iter().map(|weight| i128::from((*weight).max(0))).collect();
        let mut total: i128 = weights.iter().sum();
        if total == 0 {
            weights[0] = 1;
            total = 1;
        }
        let amount = i128::from(self.minor);
        let mut parts: Vec<i128> = weights.iter().map(|weight| amount * weight / total).collect();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse((amount * weights[index] % total).abs()));
        let mut left = amount - parts.iter().sum::<i128>();
        let step = left.signum();
        for index in order {
            if left == 0 {
                break;
            }
            parts[index] += step;
            left -= step;
        }
        parts
            .into_iter()
            .map(|part| Money { minor: i64::try_from(part).unwrap_or(self.minor), currency: self.currency })
            .collect()
    }

    /// Reads a decimal amount such as `12.30`. More decimals than the currency has are refused, unless they are zeros.
    pub fn parse(decimal: &str, currency: Currency) -> Result<Money, MoneyError> {
        let (negative, digits) = decimal.strip_prefix('-').map_or((false, decimal), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let exponent = usize::try_from(currency.exponent()).unwrap_or_default();
        let (kept, rest) = fraction.split_at(fraction.len().min(exponent));
        if whole.is_empty()
            || rest.bytes().any(|digit| digit != b'0')
            || !fraction.bytes().all(|digit| digit.is_ascii_digit())
        {
            return Err(MoneyError::FractionOfMinor);
        }
        let minor: i64 = format!("{whole}{kept:0<exponent$}").parse().map_err(|_| MoneyError::TooLarge)?;
        Money::zero(currency).with(Some(if negative { -minor } else { minor }))
    }

    /// The amount as a decimal without its currency: `12.30`.
    pub fn decimal(self) -> String {
        let per_unit = self.currency.minor_per_unit();
        let sign = if self.minor < 0 { "-" } else { "" };
        let (units, rest) = (self.minor.abs() / per_unit, self.minor.abs() % per_unit);
        match usize::try_from(self.currency.exponent()).unwrap_or_default() {
            0 => format!("{sign}{units}"),
            width => format!("{sign}{units}.{rest:0width$}"),
        }
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }

    fn with(self, minor: Option<i64>) -> Result<Money, MoneyError> {
        match minor {
            Some(minor) if minor.abs() <= MINOR_MAX => Ok(Money { minor, currency: self.currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }
}

/// Division rounded to the nearest, halves to the even neighbour.
fn half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.currency, self.decimal())
    }
}

impl TryFrom<&contract::Money> for Money {
    type Error = MoneyError;

    fn try_from(wire: &contract::Money) -> Result<Self, MoneyError> {
        let currency: Currency = wire.currency_code.parse()?;
        let nanos_per_minor = 1_000_000_000 / currency.minor_per_unit();
        let nanos = i64::from(wire.nanos);
        let one_sign = wire.units.signum() * nanos.signum() >= 0;
        if !one_sign || nanos.abs() > 999_999_999 || nanos % nanos_per_minor != 0 {
            return Err(MoneyError::FractionOfMinor);
        }
        let minor = wire
            .units
            .checked_mul(currency.minor_per_unit())
            .and_then(|minor| minor.checked_add(nanos / nanos_per_minor));
        match minor {
            Some(minor) if minor.checked_abs().is_some_and(|size| size <= MINOR_MAX) => {
                Ok(Money { minor, currency })
            }
            _ => Err(MoneyError::TooLarge),
        }
    }
}

impl From<Money> for contract::Money {
    fn from(money: Money) -> Self {
        let per_unit = money.currency.minor_per_unit();
        contract::Money {
            currency_code: money.currency.to_string(),
            units: money.minor / per_unit,
            nanos: i32::try_from(money.minor % per_unit * (1_000_000_000 / per_unit)).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().expect("a currency"))
    }

    #[test]
    fn a_fraction_of_a_penny_is_refused() {
        let wire = contract::Money { currency_code: "GBP".into(), units: 1, nanos: 5_000_000 };
        assert_eq!(Money::try_from(&wire), Err(MoneyError::FractionOfMinor));
        assert_eq!(Money::parse("1.005", gbp(0).currency), Err(MoneyError::FractionOfMinor));
    }

    #[test]
    fn currencies_have_their_own_decimals() {
        for (code, text, minor) in [("JPY", "120", 120), ("GBP", "1.2", 120), ("KWD", "0.120", 120)] {
            let money = Money::parse(text, code.parse().expect("a currency")).expect("an amount");
            assert_eq!(money.minor, minor, "{code}");
            assert_eq!(Money::try_from(&contract::Money::from(money)), Ok(money));
        }
    }

    #[test]
    fn codes_that_are_no_money_are_refused() {
        for code in ["usd", "US$", "XXX", "", "GBPX"] {
            assert_eq!(code.parse::<Currency>(), Err(MoneyError::UnknownCurrency), "{code}");
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!(gbp(125).share(1_000).map(|part| part.minor), Ok(12));
        assert_eq!(gbp(135).share(1_000).map(|part| part.minor), Ok(14));
        assert_eq!(gbp(-125).share(1_000).map(|part| part.minor), Ok(-12));
    }

    proptest! {
        #[test]
        fn parts_always_add_up_to_the_whole(minor in -1_000_000_i64..1_000_000, weights in prop::collection::vec(0_i64..10_000, 1..20)) {
            let parts = gbp(minor).allocate(&weights);
            prop_assert_eq!(parts.iter().map(|part| part.minor).sum::<i64>(), minor);
            prop_assert!(parts.iter().all(|part| part.minor.abs() <= minor.abs()));
        }

        #[test]
        fn money_survives_the_wire_and_its_own_text(minor in -MINOR_MAX..MINOR_MAX) {
            prop_assert_eq!(Money::try_from(&contract::Money::from(gbp(minor))), Ok(gbp(minor)));
            prop_assert_eq!(Money::parse(&gbp(minor).decimal(), gbp(0).currency), Ok(gbp(minor)));
        }

        #[test]
        fn nothing_the_wire_can_carry_panics(units: i64, nanos: i32) {
            let _ = Money::try_from(&contract::Money { currency_code: "GBP".into(), units, nanos });
        }
    }
}
