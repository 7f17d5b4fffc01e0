//! On PostgreSQL the ledger is checked once for all that a statement writes, instead of row by row.
//!
//! Entries are checked as they are written, with their lines there, and lines of an entry that is there are refused: as
//! SQLite does. Two transactions that write lines of one entry without seeing each other are told apart by the number of
//! the transaction, which a line and its entry must have in common.

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261128_000006_statements"
    }
}

const POSTGRES: &[&str] = &[
    // What is written already has none, and is closed.
    "ALTER TABLE journal_entries ADD COLUMN written_by XID8 NOT NULL DEFAULT '0'",
    "ALTER TABLE journal_lines ADD COLUMN written_by XID8 NOT NULL DEFAULT '0'",
    "ALTER TABLE journal_entries ALTER COLUMN written_by SET DEFAULT pg_current_xact_id()",
    "ALTER TABLE journal_lines ALTER COLUMN written_by SET DEFAULT pg_current_xact_id()",
    "CREATE UNIQUE INDEX journal_entries_written ON journal_entries (id, written_by)",
    "ALTER TABLE journal_lines ADD CONSTRAINT journal_lines_of FOREIGN KEY (entry, written_by)
        REFERENCES journal_entries (id, written_by) DEFERRABLE INITIALLY DEFERRED",
    "ALTER TABLE journal_lines DROP CONSTRAINT journal_lines_entry_fkey",
    "CREATE FUNCTION journal_entries_check() RETURNS TRIGGER LANGUAGE plpgsql AS $$
     BEGIN
        IF EXISTS (SELECT 1 FROM written
                WHERE lines <> (SELECT COUNT(*) FROM journal_lines WHERE entry = written.id)) THEN
            RAISE EXCEPTION 'the entry does not have the lines it says' USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (SELECT 1 FROM written, LATERAL (SELECT 1 FROM journal_lines WHERE entry = written.id
                GROUP BY amount_currency HAVING SUM(amount_minor) <> 0) AS unbalanced) THEN
            RAISE EXCEPTION 'the entry does not sum to zero' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
     END $$",
    "CREATE FUNCTION journal_lines_check() RETURNS TRIGGER LANGUAGE plpgsql AS $$
     BEGIN
        IF EXISTS (SELECT 1 FROM written JOIN journal_entries ON journal_entries.id = written.entry) THEN
            RAISE EXCEPTION 'the entry is closed' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
     END $$",
    "CREATE TRIGGER journal_entries_balance_all AFTER INSERT ON journal_entries REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION journal_entries_check()",
    "CREATE TRIGGER journal_lines_closed AFTER INSERT ON journal_lines REFERENCING NEW TABLE AS written
        FOR EACH STATEMENT EXECUTE FUNCTION journal_lines_check()",
    "DROP TRIGGER journal_entries_balance ON journal_entries",
    "DROP TRIGGER journal_lines_balance ON journal_lines",
    "DROP FUNCTION journal_entry_check()",
    "DROP FUNCTION journal_line_check()",
    "DROP FUNCTION journal_balance(UUID, BIGINT)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            for statement in POSTGRES {
                manager.get_connection().execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}
