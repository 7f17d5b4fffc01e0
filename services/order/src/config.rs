//! The settings of the order service.

use std::str::FromStr;

use clap::Args;

/// What an operator can say about orders.
#[derive(Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// The tax contained in prices, in 1/100 percent: 2000 is 20 %, as in the United Kingdom.
    #[arg(long, env = "TAX_BASIS_POINTS", default_value_t = 2000, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    pub tax_basis_points: i64,
    /// The same for single countries of destination, such as DE=1900,US=0. Others have that one.
    #[arg(long, env = "TAX_BASIS_POINTS_BY_COUNTRY", value_delimiter = ',')]
    pub tax_basis_points_by_country: Vec<CountryTax>,
    /// The payment channels that customers may choose, separated by commas: the same setting tells payment which there are.
    #[arg(long, env = "PAYMENT_CHANNELS", value_delimiter = ',', default_value = "sandbox")]
    pub checkout_channels: Vec<String>,
    /// How long a checkout may take before it is undone, in seconds: an order that is not paid by then is cancelled.
    #[arg(long, env = "CHECKOUT_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub checkout_seconds: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            tax_basis_points: 2000,
            tax_basis_points_by_country: Vec::new(),
            checkout_channels: vec!["sandbox".to_owned()],
            checkout_seconds: 900,
        }
    }
}

impl Config {
    /// The rate that prices contain where the goods go.
    pub(crate) fn tax_for(&self, country: &str) -> i64 {
        let own = self.tax_basis_points_by_country.iter().find(|own| own.country == country);
        own.map_or(self.tax_basis_points, |own| own.basis_points)
    }
}

/// The tax of one country, written `DE=1900`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryTax {
    country: String,
    basis_points: i64,
}

impl FromStr for CountryTax {
    type Err = String;

    fn from_str(text: &str) -> Result<CountryTax, String> {
        let parsed =
            text.trim().split_once('=').and_then(|(country, rate)| Some((country, rate.parse().ok()?)));
        match parsed {
            Some((country, basis_points))
                if crate::domain::is_country(country) && (0..=10_000).contains(&basis_points) =>
            {
                Ok(CountryTax { country: country.to_owned(), basis_points })
            }
            _ => Err(format!("{text} is not like DE=1900: a country's code and 0 to 10000")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let said = <Command as clap::Parser>::parse_from(["order"]).config;
        assert_eq!(format!("{said:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn a_country_may_have_its_own_tax() {
        let config = Config {
            tax_basis_points: 2000,
            tax_basis_points_by_country: vec![
                "DE=1900".parse().expect("a rate"),
                "US=0".parse().expect("a rate"),
            ],
            ..Config::default()
        };
        assert_eq!([config.tax_for("GB"), config.tax_for("DE"), config.tax_for("US")], [2000, 1900, 0]);
        for wrong in ["DE", "XX=1", "DE=-1", "DE=10001", "DE=1.5"] {
            assert!(wrong.parse::<CountryTax>().is_err(), "{wrong}");
        }
    }
}
