//! Which payments are denied or looked at first.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261128_000007_risk"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                // Whatever the code does: nothing is taken before somebody has approved.
                "ALTER TABLE payments ADD COLUMN review TEXT NOT NULL DEFAULT ''
                    CHECK (review IN ('', 'WAITING', 'HELD', 'APPROVED', 'REFUSED')
                        AND (goal <> 'CAPTURE' OR review IN ('', 'APPROVED')))",
                "ALTER TABLE payments ADD COLUMN risk_rules TEXT NOT NULL DEFAULT ''",
                "ALTER TABLE payments ADD COLUMN reviewer TEXT NOT NULL DEFAULT ''",
                "ALTER TABLE payments ADD COLUMN review_note TEXT NOT NULL DEFAULT ''",
                "CREATE INDEX payments_of_customer ON payments (customer, create_time)",
                "CREATE INDEX payments_under_review ON payments (create_time, id) WHERE review IN ('WAITING', 'HELD')",
                "CREATE TABLE risk_rules (
                    id {uuid} NOT NULL PRIMARY KEY,
                    title TEXT NOT NULL,
                    outcome TEXT NOT NULL CHECK (outcome IN ('REVIEW', 'DENY')),
                    scope TEXT NOT NULL CHECK (scope IN ('PAYMENT', 'CUSTOMER', 'CUSTOMER_AND_CHANNEL')),
                    window_micros BIGINT NOT NULL CHECK ((window_micros > 0) = (scope <> 'PAYMENT')),
                    attempts_max BIGINT CHECK (attempts_max > 0),
                    amount_minor BIGINT CHECK (amount_minor > 0),
                    amount_currency CHAR(3) CHECK ((amount_currency IS NULL) = (amount_minor IS NULL)),
                    creator TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    deleter TEXT NOT NULL,
                    delete_time BIGINT,
                    CHECK (attempts_max IS NOT NULL OR amount_minor IS NOT NULL))",
                "CREATE INDEX risk_rules_newest ON risk_rules (create_time, id)",
                "CREATE INDEX risk_rules_that_hold ON risk_rules (id) WHERE delete_time IS NULL",
                "CREATE TABLE blocklist_entries (
                    id {uuid} NOT NULL PRIMARY KEY,
                    customer {name} NOT NULL,
                    reason TEXT NOT NULL,
                    creator TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    deleter TEXT NOT NULL,
                    delete_time BIGINT)",
                "CREATE INDEX blocklist_entries_newest ON blocklist_entries (create_time, id)",
                "CREATE UNIQUE INDEX blocklist_entries_that_hold ON blocklist_entries (customer) WHERE delete_time IS NULL",
                // Whose payments are counted, one after the other: written first, the row holds others off.
                "CREATE TABLE risk_customers (customer {name} NOT NULL PRIMARY KEY, judged BIGINT NOT NULL)",
            ],
        )
        .await
    }
}
