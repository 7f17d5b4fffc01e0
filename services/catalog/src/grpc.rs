//! The RPCs: from the wire to the domain, one call, and back.

mod category;
mod image;
mod price;
mod product;
mod search;
mod variant;
pub(crate) mod wire;

use chassis::caller::Caller;
use contract::catalog::v1 as pb;
use contract::catalog::v1::catalog_service_server::CatalogService;
use tonic::{Request, Response, Status};

use crate::Service;

/// Whether a caller is shown what is not for sale yet: staff, and services that act for nobody but themselves.
fn sees_drafts(caller: &Caller) -> bool {
    let itself = caller.subject_if_any().is_none() && caller.service().is_some_and(|noun| noun != "gateway");
    itself || caller.may("product.write")
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CatalogService for Service {
    async fn get_product(&self, request: Request<pb::GetProductRequest>) -> Answer<pb::Product> {
        product::get(self, request).await.map(Response::new)
    }

    async fn list_products(
        &self,
        request: Request<pb::ListProductsRequest>,
    ) -> Answer<pb::ListProductsResponse> {
        product::list(self, request).await.map(Response::new)
    }

    async fn create_product(&self, request: Request<pb::CreateProductRequest>) -> Answer<pb::Product> {
        product::create(self, request).await.map(Response::new)
    }

    async fn update_product(&self, request: Request<pb::UpdateProductRequest>) -> Answer<pb::Product> {
        product::update(self, request).await.map(Response::new)
    }

    async fn delete_product(
        &self,
        request: Request<pb::DeleteProductRequest>,
    ) -> Answer<pb::DeleteProductResponse> {
        product::delete(self, request).await.map(Response::new)
    }

    async fn batch_create_products(
        &self,
        request: Request<pb::BatchCreateProductsRequest>,
    ) -> Answer<pb::BatchCreateProductsResponse> {
        product::batch_create(self, request).await.map(Response::new)
    }

    async fn batch_get_products(
        &self,
        request: Request<pb::BatchGetProductsRequest>,
    ) -> Answer<pb::BatchGetProductsResponse> {
        product::batch_get(self, request).await.map(Response::new)
    }

    async fn create_variant(&self, request: Request<pb::CreateVariantRequest>) -> Answer<pb::Variant> {
        variant::create(self, request).await.map(Response::new)
    }

    async fn get_variant(&self, request: Request<pb::GetVariantRequest>) -> Answer<pb::Variant> {
        variant::get(self, request).await.map(Response::new)
    }

    async fn update_variant(&self, request: Request<pb::UpdateVariantRequest>) -> Answer<pb::Variant> {
        variant::update(self, request).await.map(Response::new)
    }

    async fn delete_variant(
        &self,
        request: Request<pb::DeleteVariantRequest>,
    ) -> Answer<pb::DeleteVariantResponse> {
        variant::delete(self, request).await.map(Response::new)
    }

    async fn batch_get_variants(
        &self,
        request: Request<pb::BatchGetVariantsRequest>,
    ) -> Answer<pb::BatchGetVariantsResponse> {
        variant::batch_get(self, request).await.map(Response::new)
    }

    async fn set_price(&self, request: Request<pb::SetPriceRequest>) -> Answer<pb::Price> {
        price::set(self, request).await.map(Response::new)
    }

    async fn list_prices(&self, request: Request<pb::ListPricesRequest>) -> Answer<pb::ListPricesResponse> {
        price::list(self, request).await.map(Response::new)
    }

    async fn create_category(&self, request: Request<pb::CreateCategoryRequest>) -> Answer<pb::Category> {
        category::create(self, request).await.map(Response::new)
    }

    async fn get_category(&self, request: Request<pb::GetCategoryRequest>) -> Answer<pb::Category> {
        category::get(self, request).await.map(Response::new)
    }

    async fn list_categories(
        &self,
        request: Request<pb::ListCategoriesRequest>,
    ) -> Answer<pb::ListCategoriesResponse> {
        category::list(self, request).await.map(Response::new)
    }

    async fn update_category(&self, request: Request<pb::UpdateCategoryRequest>) -> Answer<pb::Category> {
        category::update(self, request).await.map(Response::new)
    }

    async fn move_category(&self, request: Request<pb::MoveCategoryRequest>) -> Answer<pb::Category> {
        category::relocate(self, request).await.map(Response::new)
    }

    async fn delete_category(
        &self,
        request: Request<pb::DeleteCategoryRequest>,
    ) -> Answer<pb::DeleteCategoryResponse> {
        category::delete(self, request).await.map(Response::new)
    }

    async fn upload_image(&self, request: Request<pb::UploadImageRequest>) -> Answer<pb::Image> {
        image::upload(self, request).await.map(Response::new)
    }

    async fn get_image(&self, request: Request<pb::GetImageRequest>) -> Answer<pb::GetImageResponse> {
        image::get(self, request).await.map(Response::new)
    }

    async fn delete_image(
        &self,
        request: Request<pb::DeleteImageRequest>,
    ) -> Answer<pb::DeleteImageResponse> {
        image::delete(self, request).await.map(Response::new)
    }

    async fn search_products(
        &self,
        request: Request<pb::SearchProductsRequest>,
    ) -> Answer<pb::SearchProductsResponse> {
        search::search(self, request).await.map(Response::new)
    }
}
