//! What is for sale, in its own words.

pub(crate) mod category;
pub(crate) mod image;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod variant;

pub(crate) use category::Category;
pub(crate) use image::Image;
pub(crate) use price::Price;
pub(crate) use product::Product;
pub(crate) use variant::Variant;

/// A value that cannot be, with the field that holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {description}")]
pub(crate) struct Fault {
    pub(crate) field: String,
    pub(crate) description: String,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, description: impl Into<String>) -> Fault {
        Fault { field: field.into(), description: description.into() }
    }
}
