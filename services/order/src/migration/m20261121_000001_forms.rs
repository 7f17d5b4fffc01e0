//! Forms of events and snapshots are counted, so that they can change; and long histories keep snapshots on their way.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000001_forms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &UP).await
    }
}

const UP: [&str; 3] = [
    "ALTER TABLE order_events ADD COLUMN schema INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE orders ADD COLUMN snapshot_schema INTEGER NOT NULL DEFAULT 1",
    // What an order was at a version: replaying begins there rather than at the first event.
    "CREATE TABLE order_snapshots (
        order_id {uuid} NOT NULL,
        version BIGINT NOT NULL,
        schema INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (order_id, version))",
];
