//! Variants as rows, and the one query that checkout and carts ask them by.
use std::collections::BTreeSet;

use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::product;
use super::sql::{
    all_in, execute, from_json, insert as insert_rows, json, places, statement, unknown, values,
};
use crate::domain::Variant;
use crate::domain::variant::{Name, Offer, State};

pub(super) const COLUMNS: &str = "id, product, sku, title, option_values, price_minor, price_currency,
    compare_at_minor, compare_at_currency, state, weight_grams, price_version, create_time, update_time";

/// Variants as they are offered now, found by id or by SKU: one query, whatever is asked.
pub(crate) async fn offers(
    db: &impl ConnectionTrait,
    ids: &[Id<Variant>],
    skus: &[&str],
) -> Result<Vec<Offer>, DbErr> {
    let mut asked = values(ids.iter().copied());
    asked.extend(values(skus.iter().copied()));
    let mut either = Vec::new();
    if !ids.is_empty() {
        either.push(format!("v.id IN ({})", places(1, ids.len())));
    }
    if !skus.is_empty() {
        either.push(format!("v.sku IN ({})", places(1 + ids.len(), skus.len())));
    }
    if either.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{OFFERS} WHERE {}", either.join(" OR "));
    let rows = db.query_all_raw(statement(db, sql, asked)).await?;
    rows.iter().map(read_offer).collect()
}

const OFFERS: &str = "SELECT v.id, v.product, v.sku, v.title, v.option_values, v.price_minor, v.price_currency,
        v.compare_at_minor, v.compare_at_currency, v.state, v.weight_grams, v.price_version, v.create_time, v.update_time,
        p.title AS product_title, p.state AS product_state, p.kind AS kind,
        (SELECT i.id FROM images i WHERE i.product = v.product ORDER BY i.create_time, i.id LIMIT 1) AS image
    FROM variants v JOIN products p ON p.id = v.product";

/// The same for many who ask: a query of one text for each way to find them.
pub(crate) async fn offers_now(
    db: &impl ConnectionTrait,
    ids: &BTreeSet<Id<Variant>>,
    skus: &BTreeSet<&str>,
) -> Result<Vec<Offer>, DbErr> {
    const ID: [Column; 1] = [rows::uuid("id")];
    const SKU: [Column; 1] = [rows::text("sku")];
    let by_id = Rows::new(&ID, ids.iter().map(|id| [(*id).into()]));
    let sql = format!("{OFFERS} JOIN {{rows}} AS asked ON asked.id = v.id");
    let mut found = by_id.query(db, &sql, &[], read_offer).await?;
    let by_sku = Rows::new(&SKU, skus.iter().map(|sku| [(*sku).into()]));
    let sql = format!("{OFFERS} JOIN {{rows}} AS asked ON asked.sku = v.sku");
    found.extend(by_sku.query(db, &sql, &[], read_offer).await?);
    Ok(found)
}

/// The variant, to be changed.
pub(crate) async fn find(db: &impl ConnectionTrait, name: Name) -> Result<Option<Variant>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM variants WHERE id = $1 AND product = $2");
    let row = db.query_one_raw(statement(db, sql, vec![name.variant.into(), name.product.into()])).await?;
    row.as_ref().map(read).transpose()
}

/// Adds variants, but for those whose SKU is another variant's: the constraint decides. Returns the SKUs taken.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    variants: &[&Variant],
) -> Result<BTreeSet<String>, DbErr> {
    let rows = variants.iter().map(|variant| row(variant)).collect::<Result<Vec<_>, _>>()?;
    let head = format!("INSERT INTO variants ({COLUMNS})");
    let inserted = insert_rows(tx, &head, rows, "ON CONFLICT (sku) DO NOTHING").await?;
    if usize::try_from(inserted).is_ok_and(|inserted| inserted == variants.len()) {
        return Ok(BTreeSet::new());
    }
    let ids = values(variants.iter().map(|variant| variant.id));
    let found = all_in(tx, "SELECT id FROM variants WHERE id IN ({})", ids).await?;
    let found =
        found.iter().map(|row| row.try_get("", "id")).collect::<Result<BTreeSet<Id<Variant>>, _>>()?;
    Ok(variants
        .iter()
        .filter(|variant| !found.contains(&variant.id))
        .map(|variant| variant.sku.clone())
        .collect())
}

/// Writes everything of a variant but its SKU and price.
pub(crate) async fn update(tx: &DatabaseTransaction, variant: &Variant) -> Result<(), DbErr> {
    let sql =
        "UPDATE variants SET title = $2, option_values = $3, compare_at_minor = $4, compare_at_currency = $5,
        state = $6, weight_grams = $7, update_time = $8 WHERE id = $1";
    let values = vec![
        variant.id.into(),
        variant.title.as_str().into(),
        json(&variant.option_values)?,
        variant.compare_at.map(|money| money.minor).into(),
        variant.compare_at.map(|money| money.currency.to_string()).into(),
        state_text(variant.state).into(),
        variant.weight_grams.into(),
        variant.update_time.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Writes a variant's new price over the version that was read; false when somebody was faster.
pub(crate) async fn reprice(tx: &DatabaseTransaction, variant: &Variant) -> Result<bool, DbErr> {
    let sql =
        "UPDATE variants SET price_minor = $3, price_currency = $4, price_version = $2, update_time = $5
        WHERE id = $1 AND price_version = $2 - 1";
    let values = vec![
        variant.id.into(),
        variant.price_version.into(),
        variant.price.minor.into(),
        variant.price.currency.to_string().into(),
        variant.update_time.into(),
    ];
    Ok(execute(tx, sql, values).await? == 1)
}

fn row(variant: &Variant) -> Result<[Value; 14], DbErr> {
    Ok([
        variant.id.into(),
        variant.product.into(),
        variant.sku.as_str().into(),
        variant.title.as_str().into(),
        json(&variant.option_values)?,
        variant.price.minor.into(),
        variant.price.currency.to_string().into(),
        variant.compare_at.map(|money| money.minor).into(),
        variant.compare_at.map(|money| money.currency.to_string()).into(),
        state_text(variant.state).into(),
        variant.weight_grams.into(),
        variant.price_version.into(),
        variant.create_time.into(),
        variant.update_time.into(),
    ])
}

pub(super) fn read(row: &QueryResult) -> Result<Variant, DbErr> {
    let compare_at: Option<i64> = row.try_get("", "compare_at_minor")?;
    Ok(Variant {
        id: row.try_get("", "id")?,
        product: row.try_get("", "product")?,
        sku: row.try_get("", "sku")?,
        title: row.try_get("", "title")?,
        option_values: from_json(row, "option_values")?,
        price: money(row, row.try_get("", "price_minor")?, "price_currency")?,
        compare_at: compare_at.map(|minor| money(row, minor, "compare_at_currency")).transpose()?,
        state: state(&row.try_get::<String>("", "state")?)?,
        weight_grams: row.try_get("", "weight_grams")?,
        price_version: row.try_get("", "price_version")?,
        create_time: row.try_get::<Timestamp>("", "create_time")?,
        update_time: row.try_get::<Timestamp>("", "update_time")?,
    })
}

fn read_offer(row: &QueryResult) -> Result<Offer, DbErr> {
    Ok(Offer {
        variant: read(row)?,
        product_title: row.try_get("", "product_title")?,
        product_state: product::state(&row.try_get::<String>("", "product_state")?)?,
        kind: product::kind(&row.try_get::<String>("", "kind")?)?,
        image: row.try_get("", "image")?,
    })
}

pub(super) fn money(row: &QueryResult, minor: i64, currency: &str) -> Result<Money, DbErr> {
    let code: String = row.try_get("", currency)?;
    Ok(Money::new(minor, code.parse().map_err(|_| unknown(currency))?))
}

const fn state_text(state: State) -> &'static str {
    match state {
        State::Active => "ACTIVE",
        State::Archived => "ARCHIVED",
    }
}

fn state(text: &str) -> Result<State, DbErr> {
    [State::Active, State::Archived]
        .into_iter()
        .find(|state| state_text(*state) == text)
        .ok_or_else(|| unknown("variants.state"))
}
