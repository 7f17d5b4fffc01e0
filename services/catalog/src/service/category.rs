//! The tree of categories: growing it, moving parts of it, and cutting what is empty.
use chassis::id::Id;
use sea_orm::{DatabaseTransaction, DbErr, SqlErr};

use crate::domain::Category;
use crate::domain::category::Path;
use crate::error::Error;
use crate::store;

/// Makes a category below another, or at the top.
pub(crate) async fn create(
    tx: &DatabaseTransaction,
    title: String,
    position: i32,
    parent: Option<Id<Category>>,
) -> Result<Category, Error> {
    store::category::lock_tree(tx).await?;
    let parent = load_parent(tx, parent).await?;
    let id = Id::new();
    let category = Category { id, title, position, path: Path::below(parent.as_ref(), id)? };
    store::category::insert(tx, &category).await?;
    Ok(category)
}

/// Changes a category's title or position. What is not named stays.
pub(crate) async fn update(
    tx: &DatabaseTransaction,
    id: Id<Category>,
    title: Option<String>,
    position: Option<i32>,
) -> Result<Category, Error> {
    store::category::lock_tree(tx).await?;
    let mut category = load(tx, id).await?;
    category.title = title.unwrap_or(category.title);
    category.position = position.unwrap_or(category.position);
    store::category::update(tx, &category).await?;
    Ok(category)
}

/// Moves a category with everything below it. Where it is already, nothing changes.
pub(crate) async fn relocate(
    tx: &DatabaseTransaction,
    id: Id<Category>,
    parent: Option<Id<Category>>,
) -> Result<Category, Error> {
    store::category::lock_tree(tx).await?;
    let mut category = load(tx, id).await?;
    let parent = load_parent(tx, parent).await?;
    let height = store::category::height(tx, &category.path).await?;
    let path = category.path.moved(parent.as_ref(), height)?;
    if path != category.path {
        store::category::relocate(tx, &category.path, &path).await?;
        store::feed::mark_below(tx, &path).await?;
        category.path = path;
    }
    Ok(category)
}

/// Deletes a category that nothing is in.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: Id<Category>) -> Result<(), Error> {
    store::category::lock_tree(tx).await?;
    match store::category::delete(tx, id).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::CategoryNotFound(id.name())),
        Err(error) => Err(in_use(error)),
    }
}

fn in_use(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::CategoryInUse,
        _ => Error::Database(error),
    }
}

async fn load(tx: &DatabaseTransaction, id: Id<Category>) -> Result<Category, Error> {
    store::category::find(tx, id).await?.ok_or_else(|| Error::CategoryNotFound(id.name()))
}

async fn load_parent(tx: &DatabaseTransaction, parent: Option<Id<Category>>) -> Result<Option<Path>, Error> {
    match parent {
        Some(parent) => Ok(Some(load(tx, parent).await?.path)),
        None => Ok(None),
    }
}
