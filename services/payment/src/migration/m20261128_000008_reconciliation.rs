//! What came of comparing our books with the statements of channels.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261128_000008_reconciliation"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE reconciliations (
                    id {uuid} NOT NULL PRIMARY KEY,
                    channel {name} NOT NULL,
                    day {name} NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('RUNNING', 'MATCHED', 'BROKEN', 'FAILED')),
                    operation_count BIGINT NOT NULL,
                    break_count BIGINT NOT NULL,
                    totals TEXT NOT NULL,
                    run_count BIGINT NOT NULL,
                    actor TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    run_time BIGINT NOT NULL,
                    error TEXT NOT NULL,
                    lease_until BIGINT NOT NULL,
                    UNIQUE (channel, day),
                    CHECK ((state = 'BROKEN') = (break_count > 0) OR state IN ('RUNNING', 'FAILED')))",
                "CREATE INDEX reconciliations_latest ON reconciliations (day, id)",
                "CREATE TABLE reconciliation_breaks (
                    id {uuid} NOT NULL PRIMARY KEY,
                    reconciliation {uuid} NOT NULL REFERENCES reconciliations (id),
                    kind TEXT NOT NULL CHECK (kind IN ('MISSING_AT_CHANNEL', 'MISSING_HERE', 'AMOUNT_DIFFERS',
                        'CURRENCY_DIFFERS', 'STATUS_DIFFERS')),
                    moved TEXT NOT NULL CHECK (moved IN ('capture', 'refund')),
                    operation_key TEXT NOT NULL,
                    reference TEXT NOT NULL,
                    order_name TEXT NOT NULL,
                    payment {uuid},
                    amount_minor BIGINT,
                    amount_currency CHAR(3),
                    channel_minor BIGINT,
                    channel_currency CHAR(3),
                    status TEXT NOT NULL,
                    operation_time BIGINT NOT NULL,
                    first_run BIGINT NOT NULL,
                    last_run BIGINT NOT NULL,
                    create_time BIGINT NOT NULL,
                    resolve_time BIGINT)",
                "CREATE INDEX reconciliation_breaks_of ON reconciliation_breaks (reconciliation, id)",
                "CREATE INDEX refunds_given ON refunds (update_time, id) WHERE state = 'SUCCEEDED'",
                // The sandbox states its orders, as a provider does.
                "ALTER TABLE sandbox_calls ADD COLUMN order_name TEXT NOT NULL DEFAULT ''",
                "CREATE INDEX sandbox_calls_moved ON sandbox_calls (create_time, key) WHERE kind IN ('CAPTURE', 'REFUND')",
            ],
        )
        .await
    }
}
