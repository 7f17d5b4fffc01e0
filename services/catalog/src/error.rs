//! Why a request is refused, and with which code.
use chassis::status;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::Fault;
use crate::domain::category::Misplaced;
use crate::domain::image::IMAGES_MAX;
use crate::domain::product::{OptionsInUse, VARIANTS_MAX};

/// Whose reasons these are.
const DOMAIN: &str = "catalog.cartwright";

/// What a caller may act on, and what failed on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Invalid(#[from] Fault),
    #[error("there is no product {0}")]
    ProductNotFound(String),
    #[error("there is no variant {0}")]
    VariantNotFound(String),
    #[error("there is no category {0}")]
    CategoryNotFound(String),
    #[error("there is no image {0}")]
    ImageNotFound(String),
    #[error("the SKU {0} is another variant's")]
    SkuTaken(String),
    #[error("the product has changed since it was read; read it again")]
    Stale,
    #[error(transparent)]
    OptionsInUse(#[from] OptionsInUse),
    #[error("a product has at most {VARIANTS_MAX} variants")]
    TooManyVariants,
    #[error("a product has at most {IMAGES_MAX} images")]
    TooManyImages,
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    #[error("the category still has categories or products in it")]
    CategoryInUse,
    #[error("unlisted products are shown to staff only")]
    StaffOnly,
    #[error("the image could not be kept or read")]
    Media(#[from] object_store::Error),
    #[error("the search index failed")]
    Search(#[from] tantivy::TantivyError),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::Invalid(fault) => return status::invalid(&fault.field, fault.description.as_str()),
            Error::ProductNotFound(_) => (Code::NotFound, "PRODUCT_NOT_FOUND"),
            Error::VariantNotFound(_) => (Code::NotFound, "VARIANT_NOT_FOUND"),
            Error::CategoryNotFound(_) => (Code::NotFound, "CATEGORY_NOT_FOUND"),
            Error::ImageNotFound(_) => (Code::NotFound, "IMAGE_NOT_FOUND"),
            Error::SkuTaken(sku) => {
                let sku = [("sku", sku.clone())];
                return status::refusal_with(Code::AlreadyExists, "SKU_TAKEN", DOMAIN, &error, &sku);
            }
            Error::Stale => (Code::Aborted, "PRODUCT_CHANGED"),
            Error::OptionsInUse(_) => (Code::FailedPrecondition, "OPTIONS_IN_USE"),
            Error::TooManyVariants => (Code::FailedPrecondition, "TOO_MANY_VARIANTS"),
            Error::TooManyImages => (Code::FailedPrecondition, "TOO_MANY_IMAGES"),
            Error::Misplaced(Misplaced::Cycle) => (Code::FailedPrecondition, "CATEGORY_CYCLE"),
            Error::Misplaced(Misplaced::TooDeep) => (Code::FailedPrecondition, "CATEGORY_TOO_DEEP"),
            Error::CategoryInUse => (Code::FailedPrecondition, "CATEGORY_IN_USE"),
            Error::StaffOnly => (Code::PermissionDenied, "PERMISSION_MISSING"),
            Error::Media(_) => return media(&error),
            Error::Search(_) | Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

/// A store of images is another system: when it fails, nothing was done here, and the caller may come back.
fn media(error: &Error) -> Status {
    tracing::warn!(error = %status::chain(error), "the store of images failed");
    status::unavailable(
        "MEDIA_UNAVAILABLE",
        "images cannot be kept or read now; try again",
        std::time::Duration::from_secs(1),
    )
}
