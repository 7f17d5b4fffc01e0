//! Facts of sales, and behaviour.
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_analytics"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Names are compared across services in the order of their bytes, which SQLite keeps by itself.
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let name = if postgres { "TEXT COLLATE \"C\"" } else { "TEXT" };
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(&statement.replace("{name}", name)).await?;
        }
        Ok(())
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE sales (
        order_name {name} NOT NULL PRIMARY KEY,
        customer TEXT NOT NULL,
        country TEXT NOT NULL,
        imported BOOLEAN NOT NULL,
        currency TEXT NOT NULL,
        gross_minor BIGINT NOT NULL,
        discount_minor BIGINT NOT NULL,
        shipping_minor BIGINT NOT NULL,
        total_minor BIGINT NOT NULL,
        lines BIGINT NOT NULL,
        units BIGINT NOT NULL,
        returned_minor BIGINT NOT NULL,
        returned_units BIGINT NOT NULL,
        cancelled BIGINT NOT NULL CHECK (cancelled IN (0, 1)),
        order_time BIGINT NOT NULL)",
    "CREATE INDEX sales_time ON sales (order_time)",
    "CREATE INDEX sales_customer ON sales (customer, order_time)",
    "CREATE TABLE sale_lines (
        order_name {name} NOT NULL REFERENCES sales (order_name),
        place INTEGER NOT NULL,
        variant TEXT NOT NULL,
        sku TEXT NOT NULL,
        units BIGINT NOT NULL,
        currency TEXT NOT NULL,
        gross_minor BIGINT NOT NULL,
        order_time BIGINT NOT NULL,
        PRIMARY KEY (order_name, place))",
    "CREATE INDEX sale_lines_time ON sale_lines (order_time, sku)",
    // What was given back, by what caused it. It may be told before the sale itself, and counts once that is known.
    "CREATE TABLE sale_adjustments (
        cause TEXT NOT NULL PRIMARY KEY,
        order_name {name} NOT NULL,
        cancelled BIGINT NOT NULL CHECK (cancelled IN (0, 1)),
        refund_minor BIGINT NOT NULL,
        units BIGINT NOT NULL,
        adjust_time BIGINT NOT NULL)",
    "CREATE INDEX sale_adjustments_order ON sale_adjustments (order_name)",
    "CREATE TABLE behaviours (
        id UUID NOT NULL PRIMARY KEY,
        visitor TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('VIEW_PRODUCT', 'SEARCH', 'ADD_TO_CART', 'BEGIN_CHECKOUT')),
        product TEXT NOT NULL,
        query TEXT NOT NULL,
        behave_time BIGINT NOT NULL)",
    "CREATE INDEX behaviours_time ON behaviours (behave_time)",
    "CREATE INDEX behaviours_visitor ON behaviours (visitor, behave_time)",
    // Who asked to be forgotten: what is still on its way about them is taken in without them.
    "CREATE TABLE erased_users (
        user_name TEXT NOT NULL PRIMARY KEY,
        erase_time BIGINT NOT NULL)",
];
