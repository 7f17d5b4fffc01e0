//! Categories as rows, each with its path, so that a subtree is what begins alike.
use chassis::id::Id;
use chassis::page::Page;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::sql::{all_in, execute, insert as insert_rows, statement, unknown, values};
use crate::domain::Category;
use crate::domain::category::Path;

const COLUMNS: &str = "id, title, position, path";

/// Keeps everyone else from changing the tree's shape until the commit.
pub(crate) async fn lock_tree(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    execute(tx, "UPDATE category_tree SET version = version + 1 WHERE id = 1", vec![]).await?;
    Ok(())
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: Id<Category>) -> Result<Option<Category>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM categories WHERE id = $1");
    let row = db.query_one_raw(statement(db, sql, vec![id.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// Which of these categories exist.
pub(crate) async fn existing(
    db: &impl ConnectionTrait,
    ids: &[Id<Category>],
) -> Result<Vec<Id<Category>>, DbErr> {
    let rows = all_in(db, "SELECT id FROM categories WHERE id IN ({})", values(ids.iter().copied())).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Where a category comes in a list: level by level, so that parents come before children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    depth: i32,
    position: i32,
    id: Id<Category>,
}

impl Place {
    pub(crate) fn of(category: &Category) -> Place {
        Place { depth: depth(&category.path), position: category.position, id: category.id }
    }

    /// The place as the keys of a page token.
    pub(crate) fn keys(self) -> Vec<String> {
        vec![self.depth.to_string(), self.position.to_string(), self.id.to_string()]
    }

    pub(crate) fn parse(keys: &[String]) -> Option<Place> {
        let [depth, position, id] = keys else { return None };
        Some(Place { depth: depth.parse().ok()?, position: position.parse().ok()?, id: id.parse().ok()? })
    }
}

/// A page of the categories below another, or of all.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    below: Option<&Path>,
    page: &Page,
    after: Option<&Place>,
) -> Result<Vec<Category>, DbErr> {
    let mut values: Vec<Value> = vec![below.map(Path::text).unwrap_or_default().into()];
    let mut follows = "";
    if let Some(after) = after {
        follows = "AND (depth > $2 OR (depth = $2 AND (position > $3 OR (position = $3 AND id > $4))))";
        values.extend([after.depth.into(), after.position.into(), after.id.into()]);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM categories WHERE path LIKE $1 || '_%' {follows} ORDER BY depth, position, id LIMIT {}",
        page.size + 1
    );
    let rows = db.query_all_raw(statement(db, sql, values)).await?;
    rows.iter().map(read).collect()
}

pub(crate) async fn insert(tx: &DatabaseTransaction, category: &Category) -> Result<(), DbErr> {
    let row = [
        category.id.into(),
        category.title.as_str().into(),
        category.position.into(),
        category.path.text().into(),
        category.path.parent().into(),
        depth(&category.path).into(),
    ];
    insert_rows(tx, &format!("INSERT INTO categories ({COLUMNS}, parent, depth)"), vec![row], "").await?;
    Ok(())
}

/// Writes title and position.
pub(crate) async fn update(tx: &DatabaseTransaction, category: &Category) -> Result<(), DbErr> {
    let sql = "UPDATE categories SET title = $2, position = $3 WHERE id = $1";
    execute(tx, sql, vec![category.id.into(), category.title.as_str().into(), category.position.into()])
        .await?;
    Ok(())
}

/// How many levels hang on a category, its own included.
pub(crate) async fn height(tx: &DatabaseTransaction, path: &Path) -> Result<usize, DbErr> {
    let sql = "SELECT MAX(depth) AS deepest FROM categories WHERE path LIKE $1 || '%'";
    let row = tx.query_one_raw(statement(tx, sql, vec![path.text().into()])).await?;
    let deepest: Option<i32> = row.map(|row| row.try_get("", "deepest")).transpose()?.flatten();
    let deepest = deepest.and_then(|deepest| usize::try_from(deepest).ok()).unwrap_or_default();
    Ok(deepest.saturating_sub(path.depth()) + 1)
}

/// Moves a category with everything below it.
pub(crate) async fn relocate(tx: &DatabaseTransaction, from: &Path, to: &Path) -> Result<(), DbErr> {
    let sql =
        "UPDATE categories SET path = $2 || substr(path, $3), depth = depth + $4 WHERE path LIKE $1 || '%'";
    let rest = i32::try_from(from.text().len()).unwrap_or(i32::MAX) + 1;
    let values = vec![from.text().into(), to.text().into(), rest.into(), (depth(to) - depth(from)).into()];
    execute(tx, sql, values).await?;
    if let Some(id) = to.ids().last() {
        execute(
            tx,
            "UPDATE categories SET parent = $2 WHERE id = $1",
            vec![(*id).into(), to.parent().into()],
        )
        .await?;
    }
    Ok(())
}

/// Deletes a category; false when there is none. What still refers to it is found by the foreign keys.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: Id<Category>) -> Result<bool, DbErr> {
    Ok(execute(tx, "DELETE FROM categories WHERE id = $1", vec![id.into()]).await? == 1)
}

fn depth(path: &Path) -> i32 {
    i32::try_from(path.depth()).unwrap_or(i32::MAX)
}

fn read(row: &QueryResult) -> Result<Category, DbErr> {
    Ok(Category {
        id: row.try_get("", "id")?,
        title: row.try_get("", "title")?,
        position: row.try_get("", "position")?,
        path: path(row)?,
    })
}

pub(super) fn path(row: &QueryResult) -> Result<Path, DbErr> {
    Path::parse(&row.try_get::<String>("", "path")?).ok_or_else(|| unknown("categories.path"))
}

/// Categories whose path is not their parent's and themselves, and how many were looked at.
pub(crate) async fn misplaced(db: &impl ConnectionTrait) -> Result<(u64, Vec<String>), DbErr> {
    let rows = db
        .query_all_raw(statement(
            db,
            format!("SELECT {COLUMNS}, parent FROM categories ORDER BY path"),
            vec![],
        ))
        .await?;
    let mut offenders = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    for row in &rows {
        let (category, parent) = (read(row)?, row.try_get::<Option<Id<Category>>>("", "parent")?);
        // Paths sort parents first.
        let above = parent.and_then(|parent| known.get(&parent));
        if Path::below(above, category.id).as_ref() != Ok(&category.path) {
            offenders.push(category.id.name());
        }
        known.insert(category.id, category.path);
    }
    Ok((u64::try_from(rows.len()).unwrap_or_default(), offenders))
}
