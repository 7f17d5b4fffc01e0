//! The tables of the saga log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

/// Ended sagas are nearly all of them, and nobody looks for those by their lease: the index holds the others only.
pub(crate) const UNFINISHED: [&str; 2] = [
    "DROP INDEX saga_by_lease",
    "CREATE INDEX saga_unfinished ON saga (kind, lease_until) WHERE end_time IS NULL",
];

/// Creates `saga`, one row a saga, and `saga_steps`, one row for each step run or undone.
pub(crate) async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("saga")
                .col(uuid("id").primary_key())
                .col(text("kind"))
                .col(text("subject"))
                .col(integer("version"))
                .col(text("state"))
                .col(text("step"))
                .col(text("data"))
                .col(text("owner"))
                .col(big_integer("fence"))
                .col(big_integer("lease_until"))
                .col(integer("attempts"))
                .col(big_integer("next_attempt_at"))
                .col(big_integer("deadline_at"))
                .col(text_null("last_error"))
                .col(text_null("refusal"))
                .col(big_integer("create_time"))
                .col(big_integer("update_time"))
                .col(big_integer_null("end_time"))
                .to_owned(),
        )
        .await?;
    // The one query that runs while nothing happens: which sagas of a kind have no live owner.
    manager
        .create_index(
            Index::create().name("saga_by_lease").table("saga").col("kind").col("lease_until").to_owned(),
        )
        .await?;
    manager
        .create_index(Index::create().name("saga_by_subject").table("saga").col("subject").to_owned())
        .await?;
    manager
        .create_table(
            Table::create()
                .table("saga_steps")
                .col(uuid("saga_id"))
                .col(integer("seq"))
                .col(text("step"))
                .col(text("direction"))
                .col(integer("attempt"))
                .col(text("outcome"))
                .col(text_null("error"))
                .col(big_integer("start_time"))
                .col(big_integer_null("end_time"))
                .primary_key(Index::create().col("saga_id").col("seq"))
                .to_owned(),
        )
        .await
}
