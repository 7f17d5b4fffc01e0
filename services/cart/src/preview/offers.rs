//! What the catalog and inventory say, remembered for a moment. What is not remembered is asked for all at once.

use std::collections::HashMap;

use chassis::cache::Cache;
use contract::catalog::v1 as catalog;
use contract::inventory::v1::BatchGetStockRequest;
use futures::FutureExt;
use futures::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;

use super::Preview;
use crate::domain::Offer;

impl Preview {
    /// What is offered of a variant now; nothing where the catalog does not know it.
    pub(crate) async fn offer(&self, variant: &str) -> Result<Option<Offer>, Status> {
        Ok(self.offers(vec![variant.to_owned()]).await?.remove(variant))
    }

    /// What is offered of variants, by name.
    pub(super) async fn offers(&self, variants: Vec<String>) -> Result<HashMap<String, Offer>, Status> {
        remembered(&self.offers, &variants, async {
            let request = catalog::BatchGetVariantsRequest { names: variants.clone(), skus: Vec::new() };
            let found = self.catalog.clone().batch_get_variants(request).await?.into_inner().variants;
            Ok(found.into_iter().filter_map(offer).map(|offer| (offer.variant.clone(), offer)).collect())
        })
        .await
    }

    /// What can be sold of SKUs, by SKU.
    pub(super) async fn stock(&self, skus: Vec<String>) -> Result<HashMap<String, i64>, Status> {
        remembered(&self.stock, &skus, async {
            let request = BatchGetStockRequest { skus: skus.clone() };
            let found = self.inventory.clone().batch_get_stock(request).await?.into_inner().stock;
            Ok(found.into_iter().map(|stock| (stock.sku, stock.available)).collect())
        })
        .await
    }

    /// Drops what is remembered of variants.
    pub(crate) async fn forget(&self, variants: &[String]) {
        for variant in variants {
            self.offers.invalidate(variant).await;
        }
    }
}

/// The values of keys: what is remembered, and what `all` finds for the rest, asked once and only if need be.
async fn remembered<V>(
    cache: &Cache<V>,
    keys: &[String],
    all: impl Future<Output = Result<HashMap<String, V>, Status>> + Send,
) -> Result<HashMap<String, V>, Status>
where
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let all = all.boxed().shared();
    let each = keys.iter().map(async |key: &String| {
        let all = all.clone();
        let value = cache.get_with(key, async || Ok::<_, Status>(all.await?.get(key).cloned())).await?;
        Ok(value.map(|value| (key.clone(), value)))
    });
    join_all(each).await.into_iter().filter_map(Result::transpose).collect()
}

/// A variant without a price that can be read is offered to nobody.
fn offer(variant: catalog::Variant) -> Option<Offer> {
    let on_sale = variant.state() == catalog::variant::State::Active
        && variant.product_state() == catalog::product::State::Active;
    let title = match (variant.product_title.as_str(), variant.title.as_str()) {
        (product, "") => product.to_owned(),
        (product, variant) => format!("{product}, {variant}"),
    };
    Some(Offer {
        price: variant.price.as_ref()?.try_into().ok()?,
        on_sale,
        stocked: variant.stocked,
        title,
        variant: variant.name,
        sku: variant.sku,
        image: variant.image,
    })
}
