//! The ledger. The database itself refuses an entry that does not balance, and any change to one that is written.
//!
//! An entry's lines are inserted before the entry they belong to, which a deferred foreign key allows. The entry can
//! then be checked as it arrives, with all its lines there, and closes itself: lines without an entry do not survive
//! the commit, and lines for an entry that is there are refused. PostgreSQL checks once more at commit, because
//! there two transactions could write lines of one entry without seeing each other.

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000002_ledger"
    }
}

const TABLES: &[&str] = &[
    "CREATE TABLE journal_entries (
        id {uuid} NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        payment {uuid} NOT NULL REFERENCES payments (id),
        order_name {name} NOT NULL,
        lines BIGINT NOT NULL CHECK (lines >= 2),
        post_time BIGINT NOT NULL,
        create_time BIGINT NOT NULL)",
    "CREATE TABLE journal_lines (
        entry {uuid} NOT NULL REFERENCES journal_entries (id) DEFERRABLE INITIALLY DEFERRED,
        line BIGINT NOT NULL,
        account {name} NOT NULL,
        amount_minor BIGINT NOT NULL
            CHECK (amount_minor <> 0 AND amount_minor BETWEEN -10000000000000 AND 10000000000000),
        amount_currency CHAR(3) NOT NULL,
        PRIMARY KEY (entry, line))",
    "CREATE INDEX journal_entries_newest ON journal_entries (post_time, id)",
    "CREATE INDEX journal_entries_of ON journal_entries (order_name, post_time, id)",
    "CREATE INDEX journal_lines_account ON journal_lines (account, amount_currency, amount_minor)",
];

const SQLITE: &[&str] = &[
    "CREATE TRIGGER journal_entries_balance BEFORE INSERT ON journal_entries BEGIN
        SELECT RAISE(ABORT, 'the entry does not have the lines it says')
            WHERE (SELECT COUNT(*) FROM journal_lines WHERE entry = NEW.id) <> NEW.lines;
        SELECT RAISE(ABORT, 'the entry does not sum to zero')
            WHERE EXISTS (SELECT 1 FROM journal_lines WHERE entry = NEW.id
                GROUP BY amount_currency HAVING SUM(amount_minor) <> 0);
     END",
    "CREATE TRIGGER journal_lines_closed BEFORE INSERT ON journal_lines BEGIN
        SELECT RAISE(ABORT, 'the entry is closed') WHERE EXISTS (SELECT 1 FROM journal_entries WHERE id = NEW.entry);
     END",
    "CREATE TRIGGER journal_entries_stay BEFORE UPDATE ON journal_entries BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER journal_entries_kept BEFORE DELETE ON journal_entries BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER journal_lines_stay BEFORE UPDATE ON journal_lines BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER journal_lines_kept BEFORE DELETE ON journal_lines BEGIN
        SELECT RAISE(ABORT, 'the ledger is append-only'); END",
];

const POSTGRES: &[&str] = &[
    "CREATE FUNCTION journal_balance(checked UUID, expected BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
     BEGIN
        IF (SELECT COUNT(*) FROM journal_lines WHERE entry = checked) <> expected THEN
            RAISE EXCEPTION 'the entry does not have the lines it says' USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM journal_lines WHERE entry = checked
                GROUP BY amount_currency HAVING SUM(amount_minor) <> 0) THEN
            RAISE EXCEPTION 'the entry does not sum to zero' USING ERRCODE = 'check_violation';
        END IF;
     END $$",
    "CREATE FUNCTION journal_entry_check() RETURNS TRIGGER LANGUAGE plpgsql AS $$
     BEGIN
        PERFORM journal_balance(NEW.id, NEW.lines);
        RETURN NULL;
     END $$",
    "CREATE FUNCTION journal_line_check() RETURNS TRIGGER LANGUAGE plpgsql AS $$
     BEGIN
        PERFORM journal_balance(NEW.entry, (SELECT lines FROM journal_entries WHERE id = NEW.entry));
        RETURN NULL;
     END $$",
    "CREATE FUNCTION journal_append_only() RETURNS TRIGGER LANGUAGE plpgsql AS $$
     BEGIN
        RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'check_violation';
     END $$",
    "CREATE CONSTRAINT TRIGGER journal_entries_balance AFTER INSERT ON journal_entries
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_entry_check()",
    "CREATE CONSTRAINT TRIGGER journal_lines_balance AFTER INSERT ON journal_lines
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_line_check()",
    "CREATE TRIGGER journal_entries_stay BEFORE UPDATE OR DELETE ON journal_entries
        FOR EACH ROW EXECUTE FUNCTION journal_append_only()",
    "CREATE TRIGGER journal_lines_stay BEFORE UPDATE OR DELETE ON journal_lines
        FOR EACH ROW EXECUTE FUNCTION journal_append_only()",
    "CREATE TRIGGER journal_entries_kept BEFORE TRUNCATE ON journal_entries
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()",
    "CREATE TRIGGER journal_lines_kept BEFORE TRUNCATE ON journal_lines
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, TABLES).await?;
        let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let guards = if postgres { POSTGRES } else { SQLITE };
        for guard in guards {
            manager.get_connection().execute_unprepared(guard).await?;
        }
        Ok(())
    }
}
