//! Products, variants, prices, categories, images, and what the search index is fed from.
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_catalog"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE products (
        id UUID NOT NULL PRIMARY KEY,
        title TEXT NOT NULL,
        description TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('DRAFT', 'ACTIVE', 'ARCHIVED')),
        kind TEXT NOT NULL CHECK (kind IN ('GOODS', 'SERVICE')),
        options TEXT NOT NULL,
        attributes TEXT NOT NULL,
        version BIGINT NOT NULL,
        change_seq BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL)",
    "CREATE INDEX products_changed ON products (change_seq, id)",
    "CREATE INDEX products_listed ON products (state, id)",
    "CREATE TABLE categories (
        id UUID NOT NULL PRIMARY KEY,
        title TEXT NOT NULL,
        parent UUID REFERENCES categories (id),
        position INTEGER NOT NULL,
        path TEXT NOT NULL UNIQUE,
        depth INTEGER NOT NULL CHECK (depth BETWEEN 1 AND 8))",
    // Deleting a category asks whether it has children.
    "CREATE INDEX categories_children ON categories (parent)",
    "CREATE TABLE product_categories (
        product UUID NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        category UUID NOT NULL REFERENCES categories (id),
        place INTEGER NOT NULL,
        PRIMARY KEY (product, category))",
    "CREATE INDEX product_categories_category ON product_categories (category, product)",
    "CREATE TABLE variants (
        id UUID NOT NULL PRIMARY KEY,
        product UUID NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        sku TEXT NOT NULL,
        title TEXT NOT NULL,
        option_values TEXT NOT NULL,
        price_minor BIGINT NOT NULL CHECK (price_minor BETWEEN 0 AND 100000000000),
        price_currency TEXT NOT NULL,
        compare_at_minor BIGINT CHECK (compare_at_minor BETWEEN 0 AND 100000000000),
        compare_at_currency TEXT,
        state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
        weight_grams BIGINT NOT NULL CHECK (weight_grams BETWEEN 0 AND 1000000),
        price_version BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL,
        CONSTRAINT variants_sku UNIQUE (sku))",
    "CREATE INDEX variants_product ON variants (product, id)",
    "CREATE TABLE prices (
        id UUID NOT NULL PRIMARY KEY,
        variant UUID NOT NULL REFERENCES variants (id) ON DELETE CASCADE,
        amount_minor BIGINT NOT NULL CHECK (amount_minor BETWEEN 0 AND 100000000000),
        amount_currency TEXT NOT NULL,
        effective_time BIGINT NOT NULL,
        actor TEXT NOT NULL,
        create_time BIGINT NOT NULL,
        version BIGINT,
        UNIQUE (variant, version))",
    "CREATE INDEX prices_variant ON prices (variant, id)",
    "CREATE INDEX prices_due ON prices (effective_time) WHERE version IS NULL",
    "CREATE TABLE images (
        id UUID NOT NULL PRIMARY KEY,
        product UUID NOT NULL REFERENCES products (id) ON DELETE CASCADE,
        content_type TEXT NOT NULL,
        size_bytes BIGINT NOT NULL,
        alt_text TEXT NOT NULL,
        create_time BIGINT NOT NULL)",
    "CREATE INDEX images_product ON images (product, create_time, id)",
    // The one row that numbers changes in the order in which they commit: it is locked until then.
    "CREATE TABLE search_feed (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        generation UUID,
        seq BIGINT NOT NULL)",
    "INSERT INTO search_feed (id, seq) VALUES (1, 0)",
    // The one row that whoever changes the tree's shape locks: two moves at once could close a circle.
    "CREATE TABLE category_tree (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        version BIGINT NOT NULL)",
    "INSERT INTO category_tree (id, version) VALUES (1, 0)",
];
