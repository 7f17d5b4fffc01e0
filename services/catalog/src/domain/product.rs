//! Products: what is sold, in one or more variants.
use std::collections::BTreeSet;

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::variant::{self, NewVariant, Offer};
use super::{Category, Fault, Image, Variant};

/// The most variants a product has.
pub(crate) const VARIANTS_MAX: usize = 500;

/// Whether a product is on sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Draft,
    Active,
    Archived,
}

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Goods,
    Service,
}

/// One thing in which variants differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

/// A fact to search and filter by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What is sold, with its variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: Id<Product>,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    pub(crate) categories: Vec<Id<Category>>,
    pub(crate) options: Vec<Choice>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) images: Vec<Id<Image>>,
    /// Grows with each update; two who edit at once are told apart by it.
    pub(crate) version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

impl Resource for Product {
    const COLLECTION: &'static str = "products";
}

/// What is asked of a new product.
#[derive(Clone, Debug)]
pub(crate) struct NewProduct {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    pub(crate) categories: Vec<Id<Category>>,
    pub(crate) options: Vec<Choice>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) variants: Vec<NewVariant>,
}

/// What of a product is to be different. What is not named stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) categories: Option<Vec<Id<Category>>>,
    pub(crate) options: Option<Vec<Choice>>,
    pub(crate) attributes: Option<Vec<Attribute>>,
}

/// The options cannot become these: a variant on sale would no longer fit them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variant with SKU {sku} does not fit these options; archive or change it first")]
pub(crate) struct OptionsInUse {
    pub(crate) sku: String,
}

impl NewProduct {
    /// The product with its first variants.
    pub(crate) fn make(self, now: Timestamp) -> Result<Product, Fault> {
        let id = Id::new();
        check_options("product.options", &self.options)?;
        check_attributes("product.attributes", &self.attributes)?;
        let mut skus = BTreeSet::new();
        let mut variants = Vec::with_capacity(self.variants.len());
        for (index, new) in self.variants.into_iter().enumerate() {
            let inside =
                |fault: Fault| Fault { field: format!("variants[{index}].{}", fault.field), ..fault };
            let variant = new.make(id, &self.options, now).map_err(inside)?;
            if !skus.insert(variant.sku.clone()) {
                return Err(inside(Fault::new("sku", "must not be the same as another variant's")));
            }
            variants.push(variant);
        }
        Ok(Product {
            id,
            title: self.title,
            description: self.description,
            state: self.state,
            kind: self.kind,
            categories: self.categories,
            options: self.options,
            attributes: self.attributes,
            variants,
            images: Vec::new(),
            version: 1,
            create_time: now,
            update_time: now,
        })
    }
}

impl Product {
    /// The product with a change.
    pub(crate) fn changed(mut self, change: Change, now: Timestamp) -> Result<Product, Fault> {
        let Change { title, description, state, categories, options, attributes } = change;
        self.title = title.unwrap_or(self.title);
        self.description = description.unwrap_or(self.description);
        self.state = state.unwrap_or(self.state);
        self.categories = categories.unwrap_or(self.categories);
        if let Some(options) = options {
            check_options("product.options", &options)?;
            self.options = options;
        }
        if let Some(attributes) = attributes {
            check_attributes("product.attributes", &attributes)?;
            self.attributes = attributes;
        }
        self.version += 1;
        self.update_time = now;
        Ok(self)
    }

    /// Refuses options that a variant on sale does not fit.
    pub(crate) fn check_variants(&self) -> Result<(), OptionsInUse> {
        let misfit = |variant: &&Variant| {
            variant.state == variant::State::Active && variant.check_options(&self.options).is_err()
        };
        match self.variants.iter().find(misfit) {
            Some(variant) => Err(OptionsInUse { sku: variant.sku.clone() }),
            None => Ok(()),
        }
    }

    /// The product with one of its variants as it is now.
    pub(crate) fn with(mut self, variant: Variant) -> Product {
        if let Some(place) = self.variants.iter_mut().find(|other| other.id == variant.id) {
            *place = variant;
        }
        self
    }

    /// One of its variants, as it is offered.
    pub(crate) fn offer(&self, variant: Variant) -> Offer {
        Offer {
            variant,
            product_title: self.title.clone(),
            product_state: self.state,
            kind: self.kind,
            image: self.images.first().copied(),
        }
    }

    /// The variants that can be bought while the product is on sale.
    pub(crate) fn on_sale(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(|variant| variant.state == variant::State::Active)
    }
}

fn check_options(field: &str, options: &[Choice]) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    if !options.iter().all(|option| names.insert(&option.name)) {
        return Err(Fault::new(field, "must not name an option twice"));
    }
    Ok(())
}

fn check_attributes(field: &str, attributes: &[Attribute]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    if !attributes.iter().all(|attribute| seen.insert(attribute)) {
        return Err(Fault::new(field, "must not hold a fact twice"));
    }
    // The separator of names and values in the search index, and what nobody can see, have no place in facts.
    if attributes
        .iter()
        .any(|attribute| attribute.name.chars().chain(attribute.value.chars()).any(char::is_control))
    {
        return Err(Fault::new(field, "must not hold control characters"));
    }
    Ok(())
}
