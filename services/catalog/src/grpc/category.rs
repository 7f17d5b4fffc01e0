//! RPCs on categories.
use chassis::caller;
use chassis::once::{Key, once};
use chassis::page::Page;
use contract::catalog::v1 as pb;
use tonic::{Request, Status};

use super::wire;
use crate::Service;
use crate::error::Error;
use crate::{service, store};

pub(super) async fn create(
    this: &Service,
    request: Request<pb::CreateCategoryRequest>,
) -> Result<pb::Category, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "CreateCategory", &request.request_id, &request);
    let pb::Category { title, parent, position, .. } = chassis::wire::required("category", request.category)?;
    let parent = wire::optional_category("category.parent", &parent)?;
    once(&this.db, key, async |tx| {
        service::category::create(tx, title, position, parent).await.map(pb::Category::from)
    })
    .await
}

pub(super) async fn get(
    this: &Service,
    request: Request<pb::GetCategoryRequest>,
) -> Result<pb::Category, Status> {
    let (_, request) = caller::of(request)?;
    let id = wire::category_id("name", &request.name)?;
    let found = store::category::find(this.db.reader(), id).await.map_err(Error::from)?;
    Ok(found.ok_or(Error::CategoryNotFound(request.name))?.into())
}

pub(super) async fn list(
    this: &Service,
    request: Request<pb::ListCategoriesRequest>,
) -> Result<pb::ListCategoriesResponse, Status> {
    let (_, request) = caller::of(request)?;
    let page = Page::of(request.page_size, &request.page_token, &format!("categories {}", request.ancestor))?;
    let db = this.db.reader();
    let below = match wire::optional_category("ancestor", &request.ancestor)? {
        Some(id) => {
            let ancestor = store::category::find(db, id).await.map_err(Error::from)?;
            Some(ancestor.ok_or(Error::CategoryNotFound(request.ancestor))?.path)
        }
        None => None,
    };
    let after = page.after.as_ref().and_then(|keys| store::category::Place::parse(keys));
    let categories =
        store::category::list(db, below.as_ref(), &page, after.as_ref()).await.map_err(Error::from)?;
    let (categories, next_page_token) =
        page.cut(categories, |category| store::category::Place::of(category).keys());
    Ok(pb::ListCategoriesResponse {
        categories: categories.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

pub(super) async fn update(
    this: &Service,
    request: Request<pb::UpdateCategoryRequest>,
) -> Result<pb::Category, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "UpdateCategory", &request.request_id, &request);
    let category = chassis::wire::required("category", request.category)?;
    let id = wire::category_id("category.name", &category.name)?;
    let (title, position) = wire::category_change(category, request.update_mask.as_ref())?;
    once(&this.db, key, async |tx| {
        service::category::update(tx, id, title, position).await.map(pb::Category::from)
    })
    .await
}

pub(super) async fn relocate(
    this: &Service,
    request: Request<pb::MoveCategoryRequest>,
) -> Result<pb::Category, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "MoveCategory", &request.request_id, &request);
    let id = wire::category_id("name", &request.name)?;
    let parent = wire::optional_category("parent", &request.parent)?;
    once(&this.db, key, async |tx| service::category::relocate(tx, id, parent).await.map(pb::Category::from))
        .await
}

pub(super) async fn delete(
    this: &Service,
    request: Request<pb::DeleteCategoryRequest>,
) -> Result<pb::DeleteCategoryResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "DeleteCategory", &request.request_id, &request);
    let id = wire::category_id("name", &request.name)?;
    once(&this.db, key, async |tx| {
        service::category::delete(tx, id).await.map(|()| pb::DeleteCategoryResponse {})
    })
    .await
}
