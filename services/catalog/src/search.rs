//! Finding products by words: an index beside the database, which it can always be built from again.

mod document;
mod facets;
mod feed;
mod index;
mod query;
mod words;

use chassis::id::Id;
use chassis::money::Money;

use crate::domain::product::Attribute;
use crate::domain::{Category, Product};

pub(crate) use feed::Feed;
pub(crate) use index::Index;

/// How far down a list of found products anyone may page.
pub(crate) const DEPTH_MAX: usize = 10_000;

/// What is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) words: String,
    pub(crate) category: Option<Id<Category>>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) price_min: Option<Money>,
    pub(crate) price_max: Option<Money>,
    pub(crate) order: Order,
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

/// How to order what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Relevance,
    PriceAscending,
    PriceDescending,
    Newest,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// The page asked for, in order.
    pub(crate) products: Vec<Id<Product>>,
    /// How many there are on all pages.
    pub(crate) total: usize,
    pub(crate) facets: Vec<Facet>,
}

/// What was found, counted by one quality.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facet {
    pub(crate) name: String,
    /// The most frequent values first.
    pub(crate) values: Vec<(String, u64)>,
}
