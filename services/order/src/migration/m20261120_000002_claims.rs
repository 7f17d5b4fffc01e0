//! What users ask for of guests' orders.

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000002_claims"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &UP).await?;
        let number = if manager.get_database_backend() == DatabaseBackend::Postgres {
            "upper(right(CAST(id AS TEXT), 12))"
        } else {
            "substr(hex(id), 21)"
        };
        let number = format!("UPDATE orders SET number = {number}");
        manager.get_connection().execute_unprepared(&number).await?;
        Ok(())
    }
}

const UP: [&str; 8] = [
    // What people call an order, without dashes.
    "ALTER TABLE orders ADD COLUMN number TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX orders_by_number ON orders (number)",
    // The address that was given is kept until it was compared; a code is never kept.
    "CREATE TABLE order_claims (
        id {uuid} NOT NULL PRIMARY KEY,
        customer TEXT NOT NULL,
        number TEXT NOT NULL,
        order_id {uuid},
        email TEXT,
        ready BOOLEAN NOT NULL,
        tries BIGINT NOT NULL CHECK (tries BETWEEN 0 AND 5),
        attempts BIGINT NOT NULL,
        next_time BIGINT,
        expire_time BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        CHECK (order_id IS NOT NULL OR NOT ready))",
    "CREATE INDEX order_claims_by_customer ON order_claims (customer, create_time)",
    "CREATE INDEX order_claims_by_number ON order_claims (number, create_time)",
    "CREATE INDEX order_claims_by_time ON order_claims (create_time)",
    "CREATE INDEX order_claims_due ON order_claims (next_time) WHERE next_time IS NOT NULL",
    "CREATE TABLE order_secrets (id BIGINT NOT NULL PRIMARY KEY, secret {bytes} NOT NULL)",
];
