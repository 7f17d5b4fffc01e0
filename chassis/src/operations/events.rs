//! Events announced and applied, and how far they are behind.

use std::time::Duration;

use contract::operations::v1 as pb;
use sea_orm::{DbErr, FromQueryResult, Statement};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::Error;
use crate::db::Db;
use crate::history;
use crate::page::Page;
use crate::status;
use crate::time::Timestamp;

/// The table of announced events, and the one of applied events.
pub(super) const OUTBOX: &str = "outbox";
pub(super) const INBOX: &str = "inbox";

const GAUGES_EVERY: Duration = Duration::from_secs(5);

#[derive(FromQueryResult)]
struct Reference {
    id: Uuid,
    kind: String,
    key: String,
}

pub(super) async fn list(
    db: &Db,
    table: &'static str,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<pb::EventReference>, String), Status> {
    let page = Page::of(page_size, page_token, table)?;
    let after = match page.after.as_ref().and_then(|keys| keys.first()) {
        Some(id) => super::parse_uuid(id)
            .ok_or_else(|| status::invalid("page_token", "is not a token of this list"))?,
        None => Uuid::nil(),
    };
    let events = Reference::find_by_statement(Statement::from_sql_and_values(
        db.backend(),
        format!("SELECT id, kind, key FROM {table} WHERE id > $1 ORDER BY id LIMIT {}", page.size + 1),
        [after.into()],
    ))
    .all(db.writer())
    .await
    .map_err(Error::from)?;
    let (events, next) = page.cut(events, |event| vec![event.id.to_string()]);
    let reference = |event: Reference| pb::EventReference {
        event_id: event.id.to_string(),
        r#type: event.kind,
        key: event.key,
    };
    Ok((events.into_iter().map(reference).collect(), next))
}

#[derive(FromQueryResult)]
struct Lag {
    unpublished: i64,
    oldest: Option<i64>,
    retrying: i64,
    parked: i64,
    sagas: i64,
}

/// Keeps the gauges of what is not done, until shutdown.
pub(crate) async fn watch(db: Db, noun: &'static str, shutdown: CancellationToken) {
    loop {
        match backlog(&db).await {
            Ok(lag) => lag.show(noun),
            Err(error) => tracing::debug!(service = noun, %error, "what is not done cannot be counted"),
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(GAUGES_EVERY)).await.is_none() {
            return;
        }
    }
}

impl Lag {
    fn age(&self) -> Option<Duration> {
        self.oldest.map(|oldest| Timestamp::now().since(Timestamp::from_micros(oldest)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of so many is not read to the last digit")]
    fn show(&self, noun: &'static str) {
        metrics::gauge!("outbox_unpublished", "service" => noun).set(self.unpublished as f64);
        metrics::gauge!("outbox_oldest_unpublished_seconds", "service" => noun)
            .set(self.age().unwrap_or_default().as_secs_f64());
        metrics::gauge!("consumer_retrying", "service" => noun).set(self.retrying as f64);
        metrics::gauge!("consumer_parked", "service" => noun).set(self.parked as f64);
        metrics::gauge!("saga_open", "service" => noun).set(self.sagas as f64);
    }
}

/// Counts what is not done. It reads the writer: a replica would hide what was just announced.
async fn backlog(db: &Db) -> Result<Lag, DbErr> {
    Lag::find_by_statement(Statement::from_string(
        db.backend(),
        "SELECT
            (SELECT COUNT(*) FROM outbox WHERE published_at IS NULL) AS unpublished,
            (SELECT MIN(create_time) FROM outbox WHERE published_at IS NULL) AS oldest,
            (SELECT COUNT(*) FROM parked WHERE state = 'RETRYING') AS retrying,
            (SELECT COUNT(*) FROM parked WHERE state = 'PARKED') AS parked,
            (SELECT COUNT(*) FROM saga WHERE end_time IS NULL) AS sagas",
    ))
    .one(db.writer())
    .await?
    .ok_or_else(|| DbErr::RecordNotFound("a row of counts".to_owned()))
}

pub(super) async fn lag(db: &Db, history_days: u16) -> Result<pb::EventLag, DbErr> {
    let lag = backlog(db).await?;
    let start = history::start(history_days);
    Ok(pb::EventLag {
        unpublished: lag.unpublished,
        oldest_unpublished_age: lag.age().and_then(|age| age.try_into().ok()),
        retrying: lag.retrying,
        parked: lag.parked,
        running_sagas: lag.sagas,
        pending_work: 0,
        announced: counts(db, OUTBOX, start).await?,
        applied: counts(db, INBOX, start).await?,
        history_start_time: Some(start.into()),
    })
}

#[derive(FromQueryResult)]
struct Count {
    kind: String,
    count: i64,
}

async fn counts(db: &Db, table: &'static str, start: Timestamp) -> Result<Vec<pb::EventCount>, DbErr> {
    let counts = Count::find_by_statement(Statement::from_sql_and_values(
        db.backend(),
        format!("SELECT kind, COUNT(*) AS count FROM {table} WHERE id >= $1 GROUP BY kind ORDER BY kind"),
        [history::first_id(start).into()],
    ))
    .all(db.writer())
    .await?;
    Ok(counts.into_iter().map(|count| pb::EventCount { r#type: count.kind, count: count.count }).collect())
}

/// A count as the wire has it.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
