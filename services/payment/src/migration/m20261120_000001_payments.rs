//! Payments, refunds, and which orders are spoken for.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000001_payments"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                // An order is paid or given up, whichever comes first: this key decides.
                "CREATE TABLE order_claims (
                    order_name {name} NOT NULL PRIMARY KEY,
                    kind TEXT NOT NULL CHECK (kind IN ('PAYMENT', 'VOID')),
                    create_time BIGINT NOT NULL)",
                "CREATE TABLE payments (
                    id {uuid} NOT NULL PRIMARY KEY,
                    order_name {name} NOT NULL UNIQUE,
                    customer TEXT NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('PENDING', 'UNKNOWN', 'AUTHORIZED', 'CAPTURED', 'VOIDED',
                        'REFUNDED', 'PARTIALLY_REFUNDED', 'DECLINED')),
                    goal TEXT NOT NULL CHECK (goal IN ('AUTHORIZE', 'CAPTURE', 'GIVE_UP')),
                    channel TEXT NOT NULL,
                    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0 AND amount_minor <= 10000000000000),
                    amount_currency CHAR(3) NOT NULL,
                    captured_minor BIGINT NOT NULL,
                    refunded_minor BIGINT NOT NULL,
                    refunding_minor BIGINT NOT NULL,
                    decline_reason TEXT NOT NULL,
                    channel_reference TEXT NOT NULL,
                    method_summary TEXT NOT NULL,
                    capture_sent BOOLEAN NOT NULL,
                    attempts BIGINT NOT NULL,
                    next_check_at BIGINT,
                    lease_until BIGINT NOT NULL,
                    fence BIGINT NOT NULL,
                    last_error TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL,
                    CONSTRAINT payments_within CHECK (refunded_minor >= 0 AND refunding_minor >= 0
                        AND refunded_minor + refunding_minor <= captured_minor AND captured_minor <= amount_minor),
                    CONSTRAINT payments_watched CHECK (state NOT IN ('PENDING', 'UNKNOWN') OR next_check_at IS NOT NULL))",
                "CREATE INDEX payments_due ON payments (next_check_at) WHERE next_check_at IS NOT NULL",
                "CREATE INDEX payments_newest ON payments (create_time, id)",
                "CREATE TABLE refunds (
                    id {uuid} NOT NULL PRIMARY KEY,
                    payment {uuid} NOT NULL REFERENCES payments (id),
                    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
                    amount_currency CHAR(3) NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('PENDING', 'SUCCEEDED', 'FAILED')),
                    reason TEXT NOT NULL,
                    actor TEXT NOT NULL CHECK (actor <> ''),
                    attempts BIGINT NOT NULL,
                    next_check_at BIGINT,
                    lease_until BIGINT NOT NULL,
                    fence BIGINT NOT NULL,
                    last_error TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL,
                    CONSTRAINT refunds_watched CHECK ((state = 'PENDING') = (next_check_at IS NOT NULL)))",
                "CREATE INDEX refunds_due ON refunds (next_check_at) WHERE next_check_at IS NOT NULL",
                "CREATE INDEX refunds_of ON refunds (payment, create_time, id)",
            ],
        )
        .await
    }
}
