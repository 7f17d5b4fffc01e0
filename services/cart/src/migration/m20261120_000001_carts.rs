//! Carts and their lines.

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_carts"
    }
}

const STATEMENTS: [&str; 6] = [
    "CREATE TABLE carts (
        id {uuid} NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('OPEN', 'ORDERED', 'MERGED', 'ABANDONED')),
        coupon_code TEXT NOT NULL,
        order_name TEXT NOT NULL,
        version BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL)",
    // An owner has one open cart: the constraint decides, whoever asks at once.
    "CREATE UNIQUE INDEX carts_open ON carts (owner) WHERE state = 'OPEN'",
    "CREATE INDEX carts_of_owner ON carts (owner, update_time)",
    "CREATE INDEX carts_at_rest ON carts (update_time) WHERE state = 'OPEN'",
    "CREATE INDEX carts_of_order ON carts (order_name) WHERE order_name <> ''",
    "CREATE TABLE cart_lines (
        cart {uuid} NOT NULL REFERENCES carts (id),
        variant TEXT NOT NULL,
        position BIGINT NOT NULL,
        sku TEXT NOT NULL,
        title TEXT NOT NULL,
        quantity BIGINT NOT NULL CHECK (quantity BETWEEN 1 AND 999),
        added_minor BIGINT NOT NULL,
        added_currency TEXT NOT NULL,
        PRIMARY KEY (cart, variant))",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let uuid = if postgres { "UUID" } else { "BLOB" };
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(&statement.replace("{uuid}", uuid)).await?;
        }
        Ok(())
    }
}
