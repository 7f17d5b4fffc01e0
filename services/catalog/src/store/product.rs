//! Products as rows, with what belongs to each gathered by one query of its kind.
use std::collections::{BTreeMap, BTreeSet};

use chassis::id::Id;
use chassis::page::Page;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::sql::{all_in, execute, from_json, insert as insert_rows, json, statement, unknown, values};
use super::{price, variant};
use crate::domain::category::Path;
use crate::domain::product::{Kind, State};
use crate::domain::{Category, Product, Variant};

const COLUMNS: &str =
    "id, title, description, state, kind, options, attributes, version, create_time, update_time";

/// The product, whole.
pub(crate) async fn find(db: &impl ConnectionTrait, id: Id<Product>) -> Result<Option<Product>, DbErr> {
    Ok(find_all(db, &[id]).await?.pop())
}

/// The products that exist, whole, in the order asked for.
pub(crate) async fn find_all(db: &impl ConnectionTrait, ids: &[Id<Product>]) -> Result<Vec<Product>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM products WHERE id IN ({{}})");
    let mut found = BTreeMap::new();
    for row in all_in(db, &sql, values(ids.iter().copied())).await? {
        let product = read(&row)?;
        found.insert(product.id, product);
    }
    fill(db, &mut found).await?;
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// A page of products, newest first: those in a category or below it, or all.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    below: Option<&Path>,
    unlisted: bool,
    page: &Page,
    after: Option<Id<Product>>,
) -> Result<Vec<Product>, DbErr> {
    let mut conditions = Vec::new();
    let mut wanted: Vec<Value> = Vec::new();
    let mut wants = |condition: &str, value: Value| {
        wanted.push(value);
        conditions.push(condition.replace('?', &format!("${}", wanted.len())));
    };
    if !unlisted {
        wants("state = ?", "ACTIVE".into());
    }
    if let Some(after) = after {
        wants("id < ?", after.into());
    }
    if let Some(path) = below {
        wants(
            "id IN (SELECT pc.product FROM product_categories pc JOIN categories c ON c.id = pc.category WHERE c.path LIKE ?)",
            format!("{}%", path.text()).into(),
        );
    }
    let conditions = if conditions.is_empty() { "1 = 1".into() } else { conditions.join(" AND ") };
    let sql = format!("SELECT id FROM products WHERE {conditions} ORDER BY id DESC LIMIT {}", page.size + 1);
    let rows = db.query_all_raw(statement(db, sql, wanted)).await?;
    let ids = rows.iter().map(|row| row.try_get("", "id")).collect::<Result<Vec<Id<Product>>, _>>()?;
    find_all(db, &ids).await
}

/// Adds new products with their variants, first prices and categories. Those with a SKU that is another variant's are
/// not added: the constraint decides. Returns the SKUs that were taken.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    products: &[&Product],
    actor: &str,
) -> Result<BTreeSet<String>, DbErr> {
    let rows = products.iter().map(|product| row(product)).collect::<Result<Vec<_>, _>>()?;
    let head = format!("INSERT INTO products ({COLUMNS}, change_seq)");
    insert_rows(tx, &head, rows, "").await?;
    let variants: Vec<&Variant> = products.iter().flat_map(|product| &product.variants).collect();
    let taken = variant::insert(tx, &variants).await?;
    let refused = |product: &Product| product.variants.iter().any(|variant| taken.contains(&variant.sku));
    let (refused, kept): (Vec<&Product>, Vec<&Product>) =
        products.iter().partition(|product| refused(product));
    for product in refused {
        execute(tx, "DELETE FROM products WHERE id = $1", vec![product.id.into()]).await?;
    }
    insert_categories(tx, &kept).await?;
    let variants: Vec<&Variant> = kept.iter().flat_map(|product| &product.variants).collect();
    price::insert_first(tx, &variants, actor).await?;
    Ok(taken)
}

/// Writes a product over the version that was read; false when somebody was faster.
pub(crate) async fn update(tx: &DatabaseTransaction, product: &Product, read: i64) -> Result<bool, DbErr> {
    let sql = "UPDATE products SET title = $3, description = $4, state = $5, options = $6, attributes = $7,
        version = $8, update_time = $9 WHERE id = $1 AND version = $2";
    let values = vec![
        product.id.into(),
        read.into(),
        product.title.as_str().into(),
        product.description.as_str().into(),
        state_text(product.state).into(),
        json(&product.options)?,
        json(&product.attributes)?,
        product.version.into(),
        product.update_time.into(),
    ];
    if execute(tx, sql, values).await? == 0 {
        return Ok(false);
    }
    execute(tx, "DELETE FROM product_categories WHERE product = $1", vec![product.id.into()]).await?;
    insert_categories(tx, &[product]).await?;
    Ok(true)
}

/// Locks the product's row until the commit, so that what hangs on it can be counted and changed; false when there is
/// no such product.
pub(crate) async fn lock(tx: &DatabaseTransaction, id: Id<Product>) -> Result<bool, DbErr> {
    Ok(execute(tx, "UPDATE products SET change_seq = change_seq WHERE id = $1", vec![id.into()]).await? == 1)
}

async fn insert_categories(tx: &DatabaseTransaction, products: &[&Product]) -> Result<(), DbErr> {
    let rows = products.iter().flat_map(|product| {
        let place = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
        let row =
            move |(index, id): (usize, &Id<Category>)| [product.id.into(), (*id).into(), place(index).into()];
        product.categories.iter().enumerate().map(row)
    });
    insert_rows(tx, "INSERT INTO product_categories (product, category, place)", rows.collect(), "").await?;
    Ok(())
}

/// Gives products their categories, variants and images.
async fn fill(db: &impl ConnectionTrait, products: &mut BTreeMap<Id<Product>, Product>) -> Result<(), DbErr> {
    let ids = values(products.keys().copied());
    let sql =
        "SELECT product, category FROM product_categories WHERE product IN ({}) ORDER BY product, place";
    for row in all_in(db, sql, ids.clone()).await? {
        if let Some(product) = products.get_mut(&row.try_get("", "product")?) {
            product.categories.push(row.try_get("", "category")?);
        }
    }
    let sql =
        format!("SELECT {} FROM variants WHERE product IN ({{}}) ORDER BY product, id", variant::COLUMNS);
    for row in all_in(db, &sql, ids.clone()).await? {
        let variant = variant::read(&row)?;
        if let Some(product) = products.get_mut(&variant.product) {
            product.variants.push(variant);
        }
    }
    let sql = "SELECT product, id FROM images WHERE product IN ({}) ORDER BY product, create_time, id";
    for row in all_in(db, sql, ids.clone()).await? {
        if let Some(product) = products.get_mut(&row.try_get("", "product")?) {
            product.images.push(row.try_get("", "id")?);
        }
    }
    Ok(())
}

fn row(product: &Product) -> Result<[Value; 11], DbErr> {
    Ok([
        product.id.into(),
        product.title.as_str().into(),
        product.description.as_str().into(),
        state_text(product.state).into(),
        kind_text(product.kind).into(),
        json(&product.options)?,
        json(&product.attributes)?,
        product.version.into(),
        product.create_time.into(),
        product.update_time.into(),
        0_i64.into(),
    ])
}

fn read(row: &QueryResult) -> Result<Product, DbErr> {
    Ok(Product {
        id: row.try_get("", "id")?,
        title: row.try_get("", "title")?,
        description: row.try_get("", "description")?,
        state: state(&row.try_get::<String>("", "state")?)?,
        kind: kind(&row.try_get::<String>("", "kind")?)?,
        categories: Vec::new(),
        options: from_json(row, "options")?,
        attributes: from_json(row, "attributes")?,
        variants: Vec::new(),
        images: Vec::new(),
        version: row.try_get("", "version")?,
        create_time: row.try_get("", "create_time")?,
        update_time: row.try_get("", "update_time")?,
    })
}

const fn state_text(state: State) -> &'static str {
    match state {
        State::Draft => "DRAFT",
        State::Active => "ACTIVE",
        State::Archived => "ARCHIVED",
    }
}

pub(super) fn state(text: &str) -> Result<State, DbErr> {
    [State::Draft, State::Active, State::Archived]
        .into_iter()
        .find(|state| state_text(*state) == text)
        .ok_or_else(|| unknown("products.state"))
}

const fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Goods => "GOODS",
        Kind::Service => "SERVICE",
    }
}

pub(super) fn kind(text: &str) -> Result<Kind, DbErr> {
    [Kind::Goods, Kind::Service]
        .into_iter()
        .find(|kind| kind_text(*kind) == text)
        .ok_or_else(|| unknown("products.kind"))
}
