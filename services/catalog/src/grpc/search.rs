//! The RPC that finds products.
use std::hash::{DefaultHasher, Hash, Hasher};

use chassis::caller;
use chassis::page::Page;
use contract::catalog::v1 as pb;
use contract::catalog::v1::search_products_request::Order as Wish;
use prost::Message;
use tonic::{Request, Status};

use super::wire;
use crate::Service;
use crate::domain::product::State;
use crate::error::Error;
use crate::search::{DEPTH_MAX, Facet, Order, Query};
use crate::store;

pub(super) async fn search(
    this: &Service,
    request: Request<pb::SearchProductsRequest>,
) -> Result<pb::SearchProductsResponse, Status> {
    let (_, request) = caller::of(request)?;
    let page = Page::of(request.page_size, &request.page_token, &scope(&request))?;
    let offset = page.after.as_ref().and_then(|keys| keys.first()?.parse().ok()).unwrap_or(0_usize);
    let size = usize::try_from(page.size).unwrap_or(DEPTH_MAX);
    let query = question(request, offset, size)?;
    let index = this.index.clone();
    let found = tokio::task::spawn_blocking(move || index.search(&query)).await;
    let found = found.map_err(|error| tantivy::TantivyError::InternalError(error.to_string()));
    let found = found.flatten().map_err(Error::from)?;
    let products = store::product::find_all(this.db.reader(), &found.products).await.map_err(Error::from)?;
    // The index may be a moment behind: what was taken off sale meanwhile is not shown.
    let shown: Vec<_> = products.into_iter().filter(|product| product.state == State::Active).collect();
    let ids: Vec<_> = shown.iter().map(|product| product.id).collect();
    let products = wire::fitting(shown);
    let left_out = ids.get(products.len()).and_then(|id| found.products.iter().position(|found| found == id));
    let next = offset + left_out.unwrap_or(size);
    let more = next < found.total.min(DEPTH_MAX);
    Ok(pb::SearchProductsResponse {
        products,
        next_page_token: if more { page.token(&[next.to_string()]) } else { String::new() },
        total_size: i64::try_from(found.total).unwrap_or(i64::MAX),
        facets: found.facets.into_iter().map(Into::into).collect(),
    })
}

fn question(request: pb::SearchProductsRequest, offset: usize, limit: usize) -> Result<Query, Status> {
    let order = match request.order() {
        Wish::Unspecified | Wish::Relevance => Order::Relevance,
        Wish::PriceAscending => Order::PriceAscending,
        Wish::PriceDescending => Order::PriceDescending,
        Wish::Newest => Order::Newest,
    };
    let price_min = wire::bound("price_min", request.price_min.as_ref())?;
    let price_max = wire::bound("price_max", request.price_max.as_ref())?;
    if let (Some(min), Some(max)) = (price_min, price_max)
        && min.currency != max.currency
    {
        return Err(chassis::status::invalid("price_max", "must be in the currency of price_min"));
    }
    let category = wire::optional_category("category", &request.category)?;
    let attributes = wire::attributes(request.attributes);
    Ok(Query { words: request.query, category, attributes, price_min, price_max, order, offset, limit })
}

/// What a page token is good for: the same question.
fn scope(request: &pb::SearchProductsRequest) -> String {
    let question = pb::SearchProductsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let mut hash = DefaultHasher::new();
    question.encode_to_vec().hash(&mut hash);
    format!("search {:x}", hash.finish())
}

impl From<Facet> for pb::Facet {
    fn from(facet: Facet) -> Self {
        let value = |(value, count): (String, u64)| pb::FacetValue {
            value,
            count: i64::try_from(count).unwrap_or(i64::MAX),
        };
        pb::Facet { name: facet.name, values: facet.values.into_iter().map(value).collect() }
    }
}
