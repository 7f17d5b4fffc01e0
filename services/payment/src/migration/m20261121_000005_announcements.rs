//! What channels announce by themselves, how much of a payment is to be taken, and when order is asked about it.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000005_announcements"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE webhook_events (
                    id {uuid} NOT NULL PRIMARY KEY,
                    channel TEXT NOT NULL,
                    event TEXT NOT NULL,
                    movement TEXT NOT NULL CHECK (movement IN ('authorize', 'capture', 'void', 'refund')),
                    operation_key TEXT NOT NULL,
                    order_name {name} NOT NULL,
                    refusal TEXT NOT NULL,
                    reference TEXT NOT NULL,
                    method_summary TEXT NOT NULL,
                    amount_minor BIGINT NOT NULL,
                    amount_currency TEXT NOT NULL,
                    fee_minor BIGINT NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('APPLIED', 'IGNORED', 'PARKED', 'FLAGGED')),
                    reason TEXT NOT NULL,
                    receive_time BIGINT NOT NULL,
                    UNIQUE (channel, event))",
                "CREATE INDEX webhook_events_newest ON webhook_events (receive_time, id)",
                "CREATE INDEX webhook_events_parked ON webhook_events (order_name) WHERE state = 'PARKED'",
                "ALTER TABLE payments ADD COLUMN capture_minor BIGINT NOT NULL DEFAULT 0",
                "UPDATE payments SET capture_minor = amount_minor",
                "ALTER TABLE payments ADD COLUMN order_check_at BIGINT",
                "UPDATE payments SET order_check_at = create_time
                    WHERE channel <> 'imported' AND state NOT IN ('VOIDED', 'DECLINED', 'REFUNDED')",
                "CREATE INDEX payments_unchecked ON payments (order_check_at) WHERE order_check_at IS NOT NULL",
                "CREATE INDEX payments_attention ON payments (create_time, id) WHERE attention <> ''",
                "CREATE INDEX refunds_attention ON refunds (payment) WHERE attention <> ''",
            ],
        )
        .await
    }
}
