//! The catalog's tables: each function runs its queries and speaks in the words of the domain.

pub(crate) mod category;
pub(crate) mod feed;
pub(crate) mod image;
pub(crate) mod price;
pub(crate) mod product;
mod sql;
pub(crate) mod variant;
