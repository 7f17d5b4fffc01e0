//! RPCs on products.
use chassis::caller;
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::page::Page;
use contract::catalog::v1 as pb;
use tonic::{Request, Status};

use super::{sees_drafts, wire};
use crate::Service;
use crate::domain::Product;
use crate::domain::product::State;
use crate::error::Error;
use crate::{service, store};

pub(super) async fn get(
    this: &Service,
    request: Request<pb::GetProductRequest>,
) -> Result<pb::Product, Status> {
    let (caller, request) = caller::of(request)?;
    let id = wire::product_id("name", &request.name)?;
    let found = this.views.product(id).await.map_err(|error| chassis::status::internal(error.as_ref()))?;
    let shown = found.filter(|product| product.state != State::Draft || sees_drafts(&caller));
    Ok(shown.ok_or_else(|| Error::ProductNotFound(request.name))?.into())
}

pub(super) async fn list(
    this: &Service,
    request: Request<pb::ListProductsRequest>,
) -> Result<pb::ListProductsResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let unlisted = request.show_unlisted;
    if unlisted && !sees_drafts(&caller) {
        return Err(Error::StaffOnly.into());
    }
    let scope = format!("products {} {unlisted}", request.category);
    let page = Page::of(request.page_size, &request.page_token, &scope)?;
    let after = page.after.as_ref().and_then(|keys| keys.first()?.parse::<Id<Product>>().ok());
    let category = wire::optional_category("category", &request.category)?;
    let db = this.db.reader();
    let below = match category {
        Some(id) => {
            let category = store::category::find(db, id).await.map_err(Error::from)?;
            Some(category.ok_or(Error::CategoryNotFound(request.category))?.path)
        }
        None => None,
    };
    let products =
        store::product::list(db, below.as_ref(), unlisted, &page, after).await.map_err(Error::from)?;
    let (products, mut next_page_token) = page.cut(products, |product| vec![product.id.to_string()]);
    let ids: Vec<_> = products.iter().map(|product| product.id).collect();
    let products = wire::fitting(products);
    if products.len() < ids.len() {
        next_page_token = page.token(&[ids[products.len() - 1].to_string()]);
    }
    Ok(pb::ListProductsResponse { products, next_page_token })
}

pub(super) async fn create(
    this: &Service,
    request: Request<pb::CreateProductRequest>,
) -> Result<pb::Product, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "CreateProduct", &request.request_id, &request);
    let new = wire::new_product(request)?;
    let actor = caller.key();
    once(&this.db, key, async |tx| service::product::create(tx, &actor, new).await.map(pb::Product::from))
        .await
}

pub(super) async fn batch_create(
    this: &Service,
    request: Request<pb::BatchCreateProductsRequest>,
) -> Result<pb::BatchCreateProductsResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "BatchCreateProducts", &request.request_id, &request);
    let rows: Vec<_> = request.requests.into_iter().map(wire::new_product_row).collect();
    let actor = caller.key();
    once(&this.db, key, async |tx| {
        let made = service::product::create_all(tx, &actor, rows).await?;
        let mut response = pb::BatchCreateProductsResponse::default();
        for (index, row) in made.into_iter().enumerate() {
            match row {
                Ok(product) => response.products.push(product.into()),
                Err(error) => response.errors.push(wire::batch_error(index, error)),
            }
        }
        Ok::<_, Error>(response)
    })
    .await
}

pub(super) async fn update(
    this: &Service,
    request: Request<pb::UpdateProductRequest>,
) -> Result<pb::Product, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "UpdateProduct", &request.request_id, &request);
    let product = chassis::wire::required("product", request.product)?;
    let id = wire::product_id("product.name", &product.name)?;
    let etag = product.etag.clone();
    let change = wire::product_change(product, request.update_mask.as_ref())?;
    let updated = once(&this.db, key, async |tx| {
        service::product::update(tx, id, &etag, change).await.map(pb::Product::from)
    })
    .await?;
    this.views.forget_all_of(id).await;
    Ok(updated)
}

pub(super) async fn delete(
    this: &Service,
    request: Request<pb::DeleteProductRequest>,
) -> Result<pb::DeleteProductResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "DeleteProduct", &request.request_id, &request);
    let id = wire::product_id("name", &request.name)?;
    let done = once(&this.db, key, async |tx| {
        service::product::archive(tx, id).await.map(|_| pb::DeleteProductResponse {})
    })
    .await?;
    this.views.forget_all_of(id).await;
    Ok(done)
}

pub(super) async fn batch_get(
    this: &Service,
    request: Request<pb::BatchGetProductsRequest>,
) -> Result<pb::BatchGetProductsResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let ids: Vec<Id<Product>> = request.names.iter().filter_map(|name| Id::parse_name(name)).collect();
    let products = store::product::find_all(this.db.reader(), &ids).await.map_err(Error::from)?;
    let drafts = sees_drafts(&caller);
    let shown = products.into_iter().filter(|product| drafts || product.state != State::Draft);
    Ok(pb::BatchGetProductsResponse { products: shown.map(Into::into).collect() })
}
