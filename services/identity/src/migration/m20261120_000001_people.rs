//! Users and guests, what proves who they are, and their sessions.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                // An erased user keeps the row, for orders still name it, and nothing in it.
                "CREATE TABLE users (
                    id {uuid} NOT NULL PRIMARY KEY,
                    email TEXT CONSTRAINT users_email_key UNIQUE,
                    display_name TEXT NOT NULL,
                    locale TEXT NOT NULL,
                    state TEXT NOT NULL CHECK (state IN ('UNVERIFIED', 'ACTIVE', 'DISABLED', 'ERASED')),
                    version BIGINT NOT NULL,
                    mail_time BIGINT NOT NULL,
                    verify_time BIGINT,
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL,
                    CHECK (state <> 'ERASED' OR (email IS NULL AND display_name = '')),
                    CHECK (state <> 'UNVERIFIED' OR email IS NOT NULL))",
                "CREATE INDEX users_newest ON users (create_time DESC, id DESC)",
                "CREATE TABLE credentials (
                    user_id {uuid} NOT NULL PRIMARY KEY REFERENCES users (id),
                    password_hash TEXT NOT NULL,
                    pepper_id TEXT NOT NULL,
                    update_time BIGINT NOT NULL)",
                "CREATE TABLE verifications (
                    user_id {uuid} NOT NULL PRIMARY KEY REFERENCES users (id),
                    code_mac {bytes} NOT NULL,
                    tries INTEGER NOT NULL CHECK (tries BETWEEN 0 AND 5),
                    expire_time BIGINT NOT NULL)",
                // Kept by a keyed digest of the address, so that unknown addresses lock like known ones and none is stored.
                "CREATE TABLE sign_in_failures (
                    address_mac {bytes} NOT NULL PRIMARY KEY,
                    failures INTEGER NOT NULL,
                    window_time BIGINT NOT NULL,
                    locked_until BIGINT NOT NULL)",
                "CREATE TABLE guests (
                    id {uuid} NOT NULL PRIMARY KEY,
                    email TEXT NOT NULL,
                    locale TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    update_time BIGINT NOT NULL)",
                "CREATE TABLE addresses (
                    id {uuid} NOT NULL PRIMARY KEY,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    recipient TEXT NOT NULL,
                    line1 TEXT NOT NULL,
                    line2 TEXT NOT NULL,
                    city TEXT NOT NULL,
                    region TEXT NOT NULL,
                    postal_code TEXT NOT NULL,
                    country_code TEXT NOT NULL,
                    phone TEXT NOT NULL,
                    preferred BOOLEAN NOT NULL,
                    create_time BIGINT NOT NULL)",
                "CREATE INDEX addresses_user ON addresses (user_id)",
                // A session is a family of refresh tokens: each is traded once for the next.
                "CREATE TABLE sessions (
                    id {uuid} NOT NULL PRIMARY KEY,
                    subject TEXT NOT NULL,
                    create_time BIGINT NOT NULL,
                    refresh_time BIGINT NOT NULL,
                    expire_time BIGINT NOT NULL,
                    end_time BIGINT)",
                "CREATE INDEX sessions_subject ON sessions (subject) WHERE end_time IS NULL",
                "CREATE INDEX sessions_expire ON sessions (expire_time)",
                "CREATE TABLE refresh_tokens (
                    digest {bytes} NOT NULL PRIMARY KEY,
                    session_id {uuid} NOT NULL REFERENCES sessions (id),
                    expire_time BIGINT NOT NULL,
                    use_time BIGINT,
                    salt {bytes})",
                "CREATE UNIQUE INDEX refresh_tokens_unused ON refresh_tokens (session_id) WHERE use_time IS NULL",
                "CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id)",
                // Ends tokens before their time. Kept until the last of them would have expired by itself.
                "CREATE TABLE revocations (
                    subject TEXT NOT NULL PRIMARY KEY,
                    not_before BIGINT NOT NULL,
                    expire_time BIGINT NOT NULL)",
                "CREATE TABLE access_policy (
                    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
                    version BIGINT NOT NULL)",
                "INSERT INTO access_policy (id, version) VALUES (1, 1)",
                "CREATE TABLE signing_keys (
                    kid TEXT NOT NULL PRIMARY KEY,
                    public_key {bytes} NOT NULL,
                    sealed {bytes} NOT NULL,
                    active_time BIGINT NOT NULL,
                    expire_time BIGINT)",
                "CREATE TABLE vault (
                    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
                    secret {bytes} NOT NULL)",
                // Messages still to be handed to notification. A code is sealed, and gone with its row once it is sent.
                "CREATE TABLE outbound (
                    id {uuid} NOT NULL PRIMARY KEY,
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    kind TEXT NOT NULL,
                    sealed_code {bytes},
                    attempts INTEGER NOT NULL,
                    next_time BIGINT NOT NULL,
                    expire_time BIGINT NOT NULL)",
                "CREATE INDEX outbound_due ON outbound (next_time)",
            ],
        )
        .await
    }
}
