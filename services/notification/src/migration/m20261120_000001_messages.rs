//! Messages to people, what they want to be told, and the development inbox.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                // The dedup key and the channel together are told once, however often the event arrives.
                "CREATE TABLE notifications (
                    id {uuid} NOT NULL PRIMARY KEY,
                    dedup_key TEXT NOT NULL,
                    channel TEXT NOT NULL CHECK (channel IN ('EMAIL', 'INBOX')),
                    recipient TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    reference TEXT NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('PENDING', 'SENT', 'SUPPRESSED', 'FAILED')),
                    address TEXT NOT NULL,
                    locale TEXT NOT NULL,
                    filling TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    body TEXT NOT NULL,
                    attempts INTEGER NOT NULL,
                    failure TEXT NOT NULL,
                    next_time BIGINT NOT NULL,
                    create_time BIGINT NOT NULL,
                    send_time BIGINT,
                    CONSTRAINT notifications_once UNIQUE (dedup_key, channel),
                    CHECK ((state = 'SENT') = (send_time IS NOT NULL)))",
                "CREATE INDEX notifications_due ON notifications (next_time) WHERE state = 'PENDING'",
                "CREATE INDEX notifications_recipient ON notifications (recipient, create_time DESC, id DESC)",
                "CREATE INDEX notifications_confirmation ON notifications (reference) WHERE kind = 'order-confirmed'",
                "CREATE TABLE preferences (
                    subject TEXT NOT NULL PRIMARY KEY,
                    shipping_updates_muted BOOLEAN NOT NULL,
                    marketing_muted BOOLEAN NOT NULL,
                    update_time BIGINT NOT NULL)",
                // What a mail server would have got, where there is none.
                "CREATE TABLE caught_mail (
                    id {uuid} NOT NULL PRIMARY KEY,
                    address TEXT NOT NULL,
                    recipient TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    subject TEXT NOT NULL,
                    body TEXT NOT NULL,
                    send_time BIGINT NOT NULL)",
                "CREATE INDEX caught_mail_newest ON caught_mail (send_time DESC, id DESC)",
                "CREATE INDEX caught_mail_address ON caught_mail (address, send_time DESC, id DESC)",
            ],
        )
        .await
    }
}
