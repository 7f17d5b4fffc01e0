//! What the catalog announces, in the words of the contract.
use contract::catalog::v1 as pb;

use crate::domain::product::Kind;
use crate::domain::{Product, Variant};
use crate::grpc::wire;

impl From<&Product> for pb::ProductChanged {
    fn from(product: &Product) -> Self {
        let variant = |variant: &Variant| pb::VariantState {
            variant: variant.name().to_string(),
            sku: variant.sku.clone(),
            state: wire::variant_state(variant.state).into(),
            price: Some(variant.price.into()),
            stocked: product.kind == Kind::Goods,
        };
        pb::ProductChanged {
            product: product.id.name(),
            title: product.title.clone(),
            state: wire::product_state(product.state).into(),
            variants: product.variants.iter().map(variant).collect(),
        }
    }
}

impl From<&Variant> for pb::PriceChanged {
    fn from(variant: &Variant) -> Self {
        pb::PriceChanged {
            variant: variant.name().to_string(),
            sku: variant.sku.clone(),
            price: Some(variant.price.into()),
            price_version: variant.price_version,
        }
    }
}
