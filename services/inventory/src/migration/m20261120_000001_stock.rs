//! Locations, stock, reservations and the journal of movements.

use chassis::failpoint::mutated;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_stock"
    }
}

/// Every key of stock begins with the SKU, by which the tables may be partitioned.
const STATEMENTS: [&str; 12] = [
    "CREATE TABLE locations (
        id {text} NOT NULL PRIMARY KEY,
        title TEXT NOT NULL,
        priority INTEGER NOT NULL,
        create_time BIGINT NOT NULL)",
    // The sum over all locations: the row that decides whether a SKU can be sold.
    "CREATE TABLE stock (
        sku {text} NOT NULL PRIMARY KEY,
        on_hand BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        low_threshold BIGINT NOT NULL,
        low BOOLEAN NOT NULL,
        update_time BIGINT NOT NULL,
        CHECK (reserved >= 0 {covered} AND low_threshold >= 0))",
    "CREATE INDEX stock_low ON stock (sku) WHERE low",
    "CREATE TABLE location_stock (
        sku {text} NOT NULL REFERENCES stock (sku),
        location {text} NOT NULL REFERENCES locations (id),
        on_hand BIGINT NOT NULL,
        reserved BIGINT NOT NULL,
        PRIMARY KEY (sku, location),
        CHECK (reserved >= 0 {covered}))",
    "CREATE TABLE reservations (
        id {uuid} NOT NULL PRIMARY KEY,
        order_name {text} NOT NULL UNIQUE,
        request_id TEXT UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('HELD', 'COMMITTED', 'RELEASED', 'EXPIRED', 'BARRED')),
        expire_time BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL)",
    "CREATE INDEX reservations_due ON reservations (expire_time) WHERE state = 'HELD'",
    "CREATE TABLE reservation_lines (
        reservation {uuid} NOT NULL REFERENCES reservations (id),
        sku {text} NOT NULL,
        location {text} NOT NULL,
        quantity BIGINT NOT NULL,
        returned BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (reservation, sku, location),
        CHECK (quantity > 0 AND returned >= 0 AND returned <= quantity))",
    "CREATE TABLE movements (
        id {uuid} NOT NULL PRIMARY KEY,
        sku {text} NOT NULL,
        location {text} NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('RECEIPT', 'SALE', 'RETURN', 'ADJUSTMENT', 'RESERVE', 'RELEASE')),
        on_hand_delta BIGINT NOT NULL,
        reserved_delta BIGINT NOT NULL,
        reference TEXT NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL,
        create_time BIGINT NOT NULL)",
    "CREATE INDEX movements_newest ON movements (create_time, id)",
    "CREATE INDEX movements_of_sku ON movements (sku, create_time, id)",
    "CREATE INDEX movements_of_reference ON movements (reference, create_time, id)",
    "INSERT INTO locations (id, title, priority, create_time) VALUES ('default', 'Default', 0, {now})",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Keys sort by their bytes on both databases, as they do here: rows are locked in that order.
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let (text, uuid) = if postgres { ("TEXT COLLATE \"C\"", "UUID") } else { ("TEXT", "BLOB") };
        let now = Timestamp::now().micros().to_string();
        for statement in STATEMENTS {
            let covered = if mutated("stock") { "" } else { "AND on_hand >= reserved" };
            let statement = statement.replace("{covered}", covered);
            let statement = statement.replace("{text}", text).replace("{uuid}", uuid).replace("{now}", &now);
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}
