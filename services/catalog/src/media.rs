//! Where images are kept: a folder, or an S3-compatible bucket.
use std::path::Path as Folder;
use std::sync::Arc;

use bytes::Bytes;
use chassis::Error;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, ObjectStore, PutOptions};

use crate::domain::image::Name;

/// The store of images. Their places are made of ids alone, so no name leads out of it.
#[derive(Clone, Debug)]
pub(crate) struct Media(Arc<dyn ObjectStore>);

impl Media {
    /// Opens the store that settings name: `s3://bucket/prefix`, or the folder `media` in the data folder.
    pub(crate) fn open(url: Option<&str>, data_dir: &Folder) -> Result<Media, Error> {
        let failed = |error: object_store::Error| Error::Settings(format!("MEDIA_URL: {error}"));
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            let folder = data_dir.join("media");
            std::fs::create_dir_all(&folder)
                .map_err(|error| Error::other(format!("making {}: {error}", folder.display())))?;
            return Ok(Media(Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(failed)?)));
        };
        let place = url.strip_prefix("s3://").filter(|place| !place.starts_with('/') && !place.is_empty());
        let Some(place) = place else {
            return Err(Error::Settings("MEDIA_URL must look like s3://bucket or s3://bucket/prefix".into()));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(failed)?;
        Ok(Media(Arc::new(PrefixStore::new(store, prefix))))
    }

    /// Keeps an image's bytes.
    pub(crate) async fn put(&self, name: Name, content: Bytes) -> Result<(), object_store::Error> {
        self.0.put_opts(&place(name), content.into(), PutOptions::default()).await?;
        Ok(())
    }

    /// An image's bytes.
    pub(crate) async fn get(&self, name: Name) -> Result<Bytes, object_store::Error> {
        self.0.get_opts(&place(name), GetOptions::default()).await?.bytes().await
    }

    /// Removes an image's bytes. That they are gone already is fine.
    pub(crate) async fn delete(&self, name: Name) -> Result<(), object_store::Error> {
        use object_store::ObjectStoreExt;
        match self.0.delete(&place(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn place(name: Name) -> Path {
    Path::from_iter([name.product.to_string(), name.image.to_string()])
}
