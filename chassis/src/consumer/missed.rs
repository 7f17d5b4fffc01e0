//! Events that passed this consumer by: announced before its queue was there, or lost with a broker's disk. They are read
//! from the outboxes of their announcers, in order.
//!
//! `heard` keeps for each announcer the place up to which every event is applied or kept here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Consumer;
use crate::bus::Unavailable;
use crate::event::Envelope;
use crate::history;
use crate::time::Timestamp;

/// Events read together.
pub(crate) const PAGE: usize = 100;
/// How often outboxes are looked through besides.
const EVERY: Duration = Duration::from_secs(300);
/// What is younger than this is most likely on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// Places are given before the commit: until a transaction must have ended, an earlier place may still be filled.
const SETTLED: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);
/// What is dated this long after the queue was bound waits in it, however far the announcer's clock is off.
const SURELY_BOUND: Duration = Duration::from_secs(60);

/// An event in the outbox of its announcer.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Its place there.
    pub sequence: i64,
    /// The event.
    pub envelope: Envelope,
}

/// The outboxes of the other services.
#[async_trait]
pub trait Outboxes: Send + Sync {
    /// The next events of these types after a place, in order. None: there are no more.
    async fn read(&self, source: &str, kinds: &[String], after: i64) -> Result<Vec<Announced>, Unavailable>;
}

/// What one announcer's outbox was read to.
enum End {
    Read,
    /// The announcer or the own database did not answer.
    Unread,
}

impl Consumer {
    /// Applies what is missing before anything new is received, so that each aggregate's events keep their order. An
    /// announcer that is away is waited for a while; then what it has is read later. What is announced meanwhile waits in
    /// the queue, which is bound by now: following it in the outbox would never end under load.
    pub async fn catch_up(&self, shutdown: &CancellationToken) {
        let began = Instant::now();
        let until = Timestamp::now().plus(SURELY_BOUND);
        let mut left: BTreeSet<String> = self.announcers().into_keys().collect();
        while !shutdown.is_cancelled() {
            left = self.read_outboxes(&left, until, shutdown).await;
            if left.is_empty() {
                return;
            }
            if began.elapsed() >= self.patience {
                tracing::warn!(service = self.noun, announcers = ?left, "receiving although some outboxes could not be read");
                return;
            }
            let _ = shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    /// Looks through the outboxes from time to time, for what was lost without anybody noticing.
    pub(crate) async fn catch_up_always(&self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let all = self.announcers().into_keys().collect();
            self.read_outboxes(&all, Timestamp::now().minus(ON_ITS_WAY), &shutdown).await;
        }
    }

    /// Reads the outboxes of these announcers up to a time, and returns those that could not be read.
    async fn read_outboxes(
        &self,
        announcers: &BTreeSet<String>,
        until: Timestamp,
        shutdown: &CancellationToken,
    ) -> BTreeSet<String> {
        let mut unread = BTreeSet::new();
        for (source, kinds) in self.announcers() {
            if !announcers.contains(&source) {
                continue;
            }
            let kinds: Vec<String> = kinds.into_iter().collect();
            match self.read_outbox(&source, &kinds, until, shutdown).await {
                Ok(End::Read) => {}
                Ok(End::Unread) => drop(unread.insert(source)),
                Err(error) => {
                    tracing::warn!(%error, source, "what was heard cannot be read");
                    unread.insert(source);
                }
            }
        }
        unread
    }

    async fn read_outbox(
        &self,
        source: &str,
        kinds: &[String],
        until: Timestamp,
        shutdown: &CancellationToken,
    ) -> Result<End, DbErr> {
        let Some(outboxes) = &self.outboxes else { return Ok(End::Read) };
        let mut heard = self.heard(source, kinds).await?;
        let mut after = heard;
        while !shutdown.is_cancelled() {
            let now = Timestamp::now();
            let page = match outboxes.read(source, kinds, after).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(%error, source, "an outbox cannot be read");
                    return Ok(End::Unread);
                }
            };
            let page: Vec<Announced> =
                page.into_iter().take_while(|event| event.envelope.time <= until).collect();
            let missed = self.unknown(&page).await?;
            for event in &missed {
                tracing::info!(
                    event.id = %event.id, event.kind, event.key, "an event had passed by and is applied from its outbox"
                );
                metrics::counter!("consumer_missed_total", "kind" => event.kind.clone()).increment(1);
            }
            if self.receive_all(&missed).await.is_err() {
                return Ok(End::Unread);
            }
            let settled = page.iter().take_while(|event| now.since(event.envelope.time) >= SETTLED).last();
            if let Some(settled) = settled.map(|event| event.sequence).filter(|sequence| *sequence > heard) {
                heard = settled;
                self.note_heard(source, kinds, heard).await?;
            }
            match page.last() {
                Some(last) => after = last.sequence,
                None => break,
            }
        }
        Ok(End::Read)
    }

    /// The events of a page that are neither applied nor kept here, in order. What is older than the history is not
    /// asked about: whether it was applied is forgotten.
    async fn unknown(&self, page: &[Announced]) -> Result<Vec<Envelope>, DbErr> {
        let first = history::first_id(history::start(self.history_days));
        let asked: Vec<&Envelope> =
            page.iter().map(|event| &event.envelope).filter(|event| event.id >= first).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut known = BTreeSet::new();
        for chunk in asked.chunks(PAGE) {
            // Always as many places, so that the statement is prepared once.
            let ids = chunk.iter().map(|event| event.id).chain(std::iter::repeat(Uuid::nil())).take(PAGE);
            let places: Vec<String> = (1..=PAGE).map(|place| format!("${place}")).collect();
            let places = places.join(", ");
            let sql = format!(
                "SELECT id FROM inbox WHERE id IN ({places}) UNION SELECT event_id FROM parked WHERE event_id IN ({places})"
            );
            let values: Vec<Value> = ids.map(Value::from).collect();
            let rows = self
                .db
                .writer()
                .query_all_raw(Statement::from_sql_and_values(self.db.backend(), sql, values))
                .await?;
            for row in rows {
                known.insert(row.try_get_by_index::<Uuid>(0)?);
            }
        }
        Ok(asked.into_iter().filter(|event| !known.contains(&event.id)).cloned().collect())
    }

    /// The announcers of what it handles, with the types of each: `cartwright.order.v1.OrderPlaced` is order's.
    fn announcers(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut announcers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for kind in self.kinds() {
            if let Some(source) = kind.split('.').nth(1) {
                announcers.entry(source.to_owned()).or_default().insert(kind);
            }
        }
        announcers
    }

    /// The place up to which an outbox is known. Who asks for other types than before begins anew.
    async fn heard(&self, source: &str, kinds: &[String]) -> Result<i64, DbErr> {
        #[derive(FromQueryResult)]
        struct Heard {
            kinds: String,
            sequence: i64,
        }
        let heard = Heard::find_by_statement(Statement::from_sql_and_values(
            self.db.backend(),
            "SELECT kinds, sequence FROM heard WHERE source = $1",
            [source.into()],
        ))
        .one(self.db.writer())
        .await?;
        Ok(heard.filter(|heard| heard.kinds == kinds.join(" ")).map_or(0, |heard| heard.sequence))
    }

    async fn note_heard(&self, source: &str, kinds: &[String], sequence: i64) -> Result<(), DbErr> {
        self.db
            .execute(Statement::from_sql_and_values(
                self.db.backend(),
                "INSERT INTO heard (source, kinds, sequence, update_time) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (source) DO UPDATE SET
                    kinds = excluded.kinds, sequence = excluded.sequence, update_time = excluded.update_time",
                [source.into(), kinds.join(" ").into(), sequence.into(), Timestamp::now().micros().into()],
            ))
            .await
            .map(drop)
    }
}
