//! Which images a product has. Their bytes are kept before, and removed after.
use sea_orm::DatabaseTransaction;

use super::{load_locked, tell};
use crate::domain::Image;
use crate::domain::image::{IMAGES_MAX, Name};
use crate::error::Error;
use crate::store;

/// Adds an image whose bytes are kept already.
pub(crate) async fn add(tx: &DatabaseTransaction, image: Image) -> Result<Image, Error> {
    let mut product = load_locked(tx, image.product).await?;
    if store::image::count(tx, product.id).await? >= IMAGES_MAX {
        return Err(Error::TooManyImages);
    }
    store::image::insert(tx, &image).await?;
    product.images.push(image.id);
    tell(tx, &[&product]).await?;
    Ok(image)
}

/// Forgets an image.
pub(crate) async fn remove(tx: &DatabaseTransaction, name: Name) -> Result<(), Error> {
    if !store::image::delete(tx, name).await? {
        return Err(Error::ImageNotFound(name.to_string()));
    }
    let product = load_locked(tx, name.product).await?;
    tell(tx, &[&product]).await?;
    Ok(())
}
