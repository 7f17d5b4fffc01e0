//! RPCs on images. Their bytes travel outside of transactions: kept before the row, removed after it.
use chassis::caller;
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::time::Timestamp;
use contract::catalog::v1 as pb;
use tonic::{Request, Status};
use uuid::Uuid;

use super::wire;
use crate::Service;
use crate::domain::image::{Name, recognise};
use crate::domain::{Fault, Image};
use crate::error::Error;
use crate::{service, store};

pub(super) async fn upload(
    this: &Service,
    request: Request<pb::UploadImageRequest>,
) -> Result<pb::Image, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "UploadImage", &request.request_id, &request);
    let product = wire::product_id("parent", &request.parent)?;
    let header = recognise(&request.content).map_err(Error::from)?;
    if store::product::find(this.db.writer(), product).await.map_err(Error::from)?.is_none() {
        return Err(Error::ProductNotFound(request.parent).into());
    }
    let id = image_id(&caller.key(), &request);
    let image = Image {
        id,
        product,
        content_type: header.content_type.into(),
        size_bytes: i64::try_from(request.content.len())
            .map_err(|_| Error::from(Fault::new("content", "is too large")))?,
        alt_text: request.alt_text,
        create_time: Timestamp::now(),
    };
    this.media.put(Name { product, image: id }, request.content.into()).await.map_err(Error::from)?;
    let added =
        once(&this.db, key, async |tx| service::image::add(tx, image).await.map(pb::Image::from)).await?;
    this.views.forget_all_of(product).await;
    Ok(added)
}

/// A repeated upload names the same image, so that its bytes are kept in the same place; others never meet.
fn image_id(caller: &str, request: &pb::UploadImageRequest) -> Id<Image> {
    if request.request_id.is_empty() {
        return Id::new();
    }
    let request_id = request.request_id.to_ascii_lowercase();
    let said =
        [caller.as_bytes(), request_id.as_bytes(), request.parent.as_bytes(), &request.content].join(&0);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &said).into()
}

pub(super) async fn get(
    this: &Service,
    request: Request<pb::GetImageRequest>,
) -> Result<pb::GetImageResponse, Status> {
    let (_, request) = caller::of(request)?;
    let name = wire::image_name("name", &request.name)?;
    let found = store::image::find(this.db.reader(), name).await.map_err(Error::from)?;
    let image = found.ok_or(Error::ImageNotFound(request.name))?;
    let content = this.media.get(name).await.map_err(Error::from)?;
    Ok(pb::GetImageResponse { image: Some(image.into()), content: content.into() })
}

pub(super) async fn delete(
    this: &Service,
    request: Request<pb::DeleteImageRequest>,
) -> Result<pb::DeleteImageResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "DeleteImage", &request.request_id, &request);
    let name = wire::image_name("name", &request.name)?;
    let done = once(&this.db, key, async |tx| {
        service::image::remove(tx, name).await.map(|()| pb::DeleteImageResponse {})
    })
    .await?;
    this.views.forget_all_of(name.product).await;
    if let Err(error) = this.media.delete(name).await {
        // Nothing leads to them any more: they only take up room.
        tracing::warn!(image.name = %name, %error, "the bytes of a forgotten image could not be removed");
    }
    Ok(done)
}
