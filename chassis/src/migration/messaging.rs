//! Idempotency keys, outbox, inbox, messages that could not be handled, and the lease of the relay.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::failpoint;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20250801_1_messaging"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // An event is applied once because its id can stand here once.
        let once = if failpoint::mutated("inbox") { "" } else { "PRIMARY KEY" };
        let inbox = format!(
            "CREATE TABLE inbox (
                id {{uuid}} NOT NULL {once},
                kind TEXT NOT NULL,
                key TEXT NOT NULL,
                fingerprint {{bytes}} NOT NULL,
                create_time BIGINT NOT NULL)"
        );
        super::run(
            manager,
            &[
                "CREATE TABLE requests (
                    caller TEXT NOT NULL,
                    method TEXT NOT NULL,
                    request_id TEXT NOT NULL,
                    fingerprint {bytes} NOT NULL,
                    reply {bytes},
                    create_time BIGINT NOT NULL,
                    PRIMARY KEY (caller, method, request_id))",
                "CREATE TABLE outbox (
                    seq {serial},
                    id {uuid} NOT NULL UNIQUE,
                    kind TEXT NOT NULL,
                    key TEXT NOT NULL,
                    trace TEXT,
                    payload {bytes} NOT NULL,
                    create_time BIGINT NOT NULL,
                    published_at BIGINT)",
                // The relay and the lag look only at what is still to be sent, however long the history has grown.
                "CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL",
                &inbox,
                "CREATE TABLE parked (
                    seq {serial},
                    id {uuid} NOT NULL UNIQUE,
                    event_id {uuid} NOT NULL,
                    kind TEXT NOT NULL,
                    key TEXT NOT NULL,
                    source TEXT NOT NULL,
                    event_time BIGINT NOT NULL,
                    trace TEXT,
                    payload {bytes} NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('RETRYING', 'PARKED')),
                    reason TEXT NOT NULL,
                    attempts INTEGER NOT NULL,
                    create_time BIGINT NOT NULL,
                    next_attempt_at BIGINT)",
                // Each message asks whether its key has something waiting; the worker asks what is due.
                "CREATE INDEX parked_line ON parked (key, seq) WHERE state = 'RETRYING'",
                "CREATE INDEX parked_due ON parked (next_attempt_at) WHERE state = 'RETRYING'",
                "CREATE TABLE lease (
                    name TEXT NOT NULL PRIMARY KEY,
                    owner {uuid} NOT NULL,
                    fence BIGINT NOT NULL,
                    expire_time BIGINT NOT NULL)",
            ],
        )
        .await
    }
}
