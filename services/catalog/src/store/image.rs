//! Images as rows; their bytes are in the store of images.
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use chassis::id::Id;

use super::sql::{execute, insert as insert_rows, statement};
use crate::domain::image::Name;
use crate::domain::{Image, Product};

/// Adds an image.
pub(crate) async fn insert(tx: &DatabaseTransaction, image: &Image) -> Result<(), DbErr> {
    let row = [
        image.id.into(),
        image.product.into(),
        image.content_type.as_str().into(),
        image.size_bytes.into(),
        image.alt_text.as_str().into(),
        image.create_time.into(),
    ];
    let head = "INSERT INTO images (id, product, content_type, size_bytes, alt_text, create_time)";
    insert_rows(tx, head, vec![row], "").await?;
    Ok(())
}

/// The image of this name.
pub(crate) async fn find(db: &impl ConnectionTrait, name: Name) -> Result<Option<Image>, DbErr> {
    let sql =
        "SELECT content_type, size_bytes, alt_text, create_time FROM images WHERE id = $1 AND product = $2";
    let row = db.query_one_raw(statement(db, sql, vec![name.image.into(), name.product.into()])).await?;
    row.map(|row| {
        Ok(Image {
            id: name.image,
            product: name.product,
            content_type: row.try_get("", "content_type")?,
            size_bytes: row.try_get("", "size_bytes")?,
            alt_text: row.try_get("", "alt_text")?,
            create_time: row.try_get("", "create_time")?,
        })
    })
    .transpose()
}

/// How many images a product has.
pub(crate) async fn count(db: &impl ConnectionTrait, product: Id<Product>) -> Result<u64, DbErr> {
    let sql = "SELECT COUNT(*) AS count FROM images WHERE product = $1";
    let row = db.query_one_raw(statement(db, sql, vec![product.into()])).await?;
    let count = row.map(|row| row.try_get::<i64>("", "count")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Forgets an image; false when there is none of this name.
pub(crate) async fn delete(tx: &DatabaseTransaction, name: Name) -> Result<bool, DbErr> {
    let sql = "DELETE FROM images WHERE id = $1 AND product = $2";
    Ok(execute(tx, sql, vec![name.image.into(), name.product.into()]).await? == 1)
}
