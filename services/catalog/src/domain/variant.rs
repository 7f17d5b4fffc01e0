//! Variants: the forms of a product that are bought, each with a SKU and a price.
use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::product::{self, Choice, Kind};
use super::{Fault, Image, Product, price};

/// Whether a variant can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Active,
    Archived,
}

/// One form of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variant {
    pub(crate) id: Id<Variant>,
    pub(crate) product: Id<Product>,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) option_values: Vec<String>,
    pub(crate) price: Money,
    pub(crate) compare_at: Option<Money>,
    pub(crate) state: State,
    pub(crate) weight_grams: i64,
    /// Grows with each change of price.
    pub(crate) price_version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

impl Resource for Variant {
    const COLLECTION: &'static str = "variants";
}

/// The full name of a variant: the same id under another product names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) product: Id<Product>,
    pub(crate) variant: Id<Variant>,
}

impl Name {
    /// Reads `products/{product}/variants/{variant}`.
    pub(crate) fn parse(name: &str) -> Option<Name> {
        let (product, variant) = name.split_once("/variants/")?;
        Some(Name { product: Id::parse_name(product)?, variant: variant.parse().ok()? })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.product.name(), self.variant.name())
    }
}

/// A variant together with what buyers need to know of its product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) variant: Variant,
    pub(crate) product_title: String,
    pub(crate) product_state: product::State,
    pub(crate) kind: Kind,
    pub(crate) image: Option<Id<Image>>,
}

/// What is asked of a new variant.
#[derive(Clone, Debug)]
pub(crate) struct NewVariant {
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) option_values: Vec<String>,
    pub(crate) price: Money,
    pub(crate) compare_at: Option<Money>,
    pub(crate) state: State,
    pub(crate) weight_grams: i64,
}

/// What of a variant is to be different. What is not named stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) title: Option<String>,
    pub(crate) option_values: Option<Vec<String>>,
    pub(crate) compare_at: Option<Option<Money>>,
    pub(crate) state: Option<State>,
    pub(crate) weight_grams: Option<i64>,
}

impl NewVariant {
    /// The variant, as one of a product with these options.
    pub(crate) fn make(
        self,
        product: Id<Product>,
        options: &[Choice],
        now: Timestamp,
    ) -> Result<Variant, Fault> {
        if self.sku.chars().any(char::is_control) || self.sku.trim() != self.sku || self.sku.is_empty() {
            return Err(Fault::new(
                "sku",
                "must not be blank, begin or end with a space, or hold control characters",
            ));
        }
        price::check("price", self.price)?;
        let variant = Variant {
            id: Id::new(),
            product,
            sku: self.sku,
            title: self.title,
            option_values: self.option_values,
            price: self.price,
            compare_at: self.compare_at,
            state: self.state,
            weight_grams: self.weight_grams,
            price_version: 1,
            create_time: now,
            update_time: now,
        };
        variant.check_compare_at()?;
        variant.check_options(options)?;
        Ok(variant)
    }
}

impl Variant {
    pub(crate) fn name(&self) -> Name {
        Name { product: self.product, variant: self.id }
    }

    /// The variant with a change, as one of a product with these options.
    pub(crate) fn changed(
        mut self,
        change: Change,
        options: &[Choice],
        now: Timestamp,
    ) -> Result<Variant, Fault> {
        let Change { title, option_values, compare_at, state, weight_grams } = change;
        if let Some(values) = option_values {
            self.option_values = values;
            self.check_options(options)?;
        }
        if let Some(compare_at) = compare_at {
            self.compare_at = compare_at;
            self.check_compare_at()?;
        }
        self.title = title.unwrap_or(self.title);
        self.state = state.unwrap_or(self.state);
        self.weight_grams = weight_grams.unwrap_or(self.weight_grams);
        self.update_time = now;
        Ok(self)
    }

    /// The variant at another price.
    #[must_use]
    pub(crate) fn priced(mut self, amount: Money, now: Timestamp) -> Variant {
        self.price = amount;
        self.price_version += 1;
        self.update_time = now;
        self
    }

    /// One value for each option, and each a value that the option can take.
    pub(crate) fn check_options(&self, options: &[Choice]) -> Result<(), Fault> {
        let fits = self.option_values.len() == options.len()
            && options.iter().zip(&self.option_values).all(|(option, value)| option.values.contains(value));
        if fits {
            Ok(())
        } else {
            Err(Fault::new("option_values", "must hold one of its values for each option of the product"))
        }
    }

    fn check_compare_at(&self) -> Result<(), Fault> {
        let Some(compare_at) = self.compare_at else { return Ok(()) };
        price::check("compare_at_price", compare_at)?;
        if compare_at.currency != self.price.currency || compare_at.minor <= self.price.minor {
            return Err(Fault::new("compare_at_price", "must be higher than the price, in its currency"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(sku: &str, option_values: &[&str], compare_at: Option<i64>) -> NewVariant {
        let gbp = "GBP".parse().unwrap();
        NewVariant {
            sku: sku.into(),
            title: String::new(),
            option_values: option_values.iter().map(ToString::to_string).collect(),
            price: Money::new(500, gbp),
            compare_at: compare_at.map(|minor| Money::new(minor, gbp)),
            state: State::Active,
            weight_grams: 0,
        }
    }

    #[test]
    fn a_variant_fits_its_product() {
        let size = [Choice { name: "Size".into(), values: vec!["S".into(), "L".into()] }];
        for (variant, options, at_fault) in [
            (new("A", &[], None), &[][..], None),
            (new("A b", &["L"], Some(501)), &size[..], None),
            (new("A", &[], None), &size[..], Some("option_values")),
            (new("A", &["XL"], None), &size[..], Some("option_values")),
            (new("A", &["L"], None), &[][..], Some("option_values")),
            (new("A", &[], Some(500)), &[][..], Some("compare_at_price")),
            (new(" A", &[], None), &[][..], Some("sku")),
            (new("A\n", &[], None), &[][..], Some("sku")),
        ] {
            let made = variant.clone().make(Id::new(), options, Timestamp::now());
            assert_eq!(made.err().map(|fault| fault.field), at_fault.map(Into::into), "{variant:?}");
        }
    }

    #[test]
    fn a_name_is_read_in_one_spelling_only() {
        let name = Name { product: Id::new(), variant: Id::new() };
        assert_eq!(Name::parse(&name.to_string()), Some(name));
        for wrong in
            [name.to_string().to_uppercase(), format!("{name}/"), name.product.name(), "a/variants/b".into()]
        {
            assert_eq!(Name::parse(&wrong), None, "{wrong}");
        }
    }
}
