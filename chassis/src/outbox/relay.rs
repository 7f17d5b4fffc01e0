//! The relay: takes events from the outbox to the bus, in order for each key, until the bus has confirmed them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::StreamExt;
use sea_orm::{DatabaseBackend, DbErr, FromQueryResult, Statement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::{Bus, Unavailable};
use crate::db::Db;
use crate::event::Envelope;
use crate::failpoint;
use crate::pace::Pace;
use crate::rows::{self, Column, Rows};
use crate::time::Timestamp;

/// Events read, sent and marked together.
const BATCH: usize = 256;
/// Keys sent at the same time. Within a key the next event waits for the confirm of the one before.
const KEYS_AT_ONCE: usize = 64;
/// A commit wakes the relay; this finds what another process committed.
const POLL: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Sends one database's events. Any number may run; one of them is active at a time.
#[derive(Debug)]
pub struct Relay {
    db: Db,
    source: String,
    bus: Bus,
    owner: Uuid,
    lease: Duration,
    held_until: Option<Instant>,
}

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    id: Uuid,
    kind: String,
    key: String,
    trace: Option<String>,
    payload: Vec<u8>,
    create_time: i64,
}

#[derive(PartialEq)]
enum Pass {
    /// Everything committed so far is on the bus.
    Clear,
    /// The bus did not take all of it.
    Blocked,
    /// Another relay is active.
    Idle,
}

impl Relay {
    /// A relay of the events that `source` announces in `db`.
    pub fn new(db: &Db, source: &str, bus: Bus) -> Relay {
        Relay {
            db: db.clone(),
            source: source.to_owned(),
            bus,
            owner: Uuid::now_v7(),
            lease: Duration::from_secs(10),
            held_until: None,
        }
    }

    /// How long after its last sign of life this relay is replaced by another. 10 seconds by default.
    pub fn lease(mut self, lease: Duration) -> Relay {
        self.lease = lease;
        self
    }

    /// Sends until told to stop; what is being sent then is still finished.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (mut pace, mut pause) = (Pace::default(), PAUSE_MIN);
        let db = self.db.clone();
        // While the bus is away the lease runs out, and a relay elsewhere may have more luck.
        while shutdown.run_until_cancelled(self.bus.ready()).await.is_some() {
            if shutdown.run_until_cancelled(pace.turn()).await.is_none() {
                break;
            }
            // Listening starts before reading, so that a commit in between is not missed.
            let announced = db.announced().notified();
            tokio::pin!(announced);
            announced.as_mut().enable();
            let pass = self.pass(&shutdown).await.unwrap_or_else(|error| {
                tracing::warn!(error = %error, "the outbox cannot be read; trying again");
                Pass::Blocked
            });
            let wait = async {
                match pass {
                    Pass::Clear => {
                        pause = PAUSE_MIN;
                        let _ = tokio::time::timeout(POLL, announced).await;
                    }
                    Pass::Idle => tokio::time::sleep(POLL.min(self.lease)).await,
                    Pass::Blocked => {
                        // New events may be for someone who does take them, so they shorten the wait, but not below
                        // the least pause: a bus that is down must not be hammered at the rate of commits.
                        tokio::time::sleep(PAUSE_MIN).await;
                        let _ = tokio::time::timeout(pause.saturating_sub(PAUSE_MIN), announced).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                }
            };
            let _ = shutdown.run_until_cancelled(wait).await;
        }
        if let Err(error) = self.release().await {
            tracing::warn!(error = %error, "the relay's lease could not be given back; it runs out by itself");
        }
    }

    /// Goes once through everything unpublished. A key that fails is left alone for the rest of the pass, so that
    /// its order is kept and the others are not held up.
    async fn pass(&mut self, shutdown: &CancellationToken) -> Result<Pass, DbErr> {
        let mut blocked: HashSet<String> = HashSet::new();
        let mut after = 0;
        while !shutdown.is_cancelled() {
            if !self.hold().await? {
                return Ok(Pass::Idle);
            }
            let rows = self.read(after).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let full = rows.len() == BATCH;
            let sent = self.send(rows, &mut blocked).await;
            self.mark(&sent).await?;
            if !full {
                break;
            }
        }
        Ok(if blocked.is_empty() { Pass::Clear } else { Pass::Blocked })
    }

    async fn read(&self, after: i64) -> Result<Vec<Row>, DbErr> {
        Row::find_by_statement(Statement::from_sql_and_values(
            self.db.backend(),
            format!(
                "SELECT seq, id, kind, key, trace, payload, create_time FROM outbox
                 WHERE published_at IS NULL AND seq > $1 ORDER BY seq LIMIT {BATCH}"
            ),
            [after.into()],
        ))
        .all(self.db.writer())
        .await
    }

    /// Sends the rows and returns which of them were confirmed.
    async fn send(&self, rows: Vec<Row>, blocked: &mut HashSet<String>) -> Vec<i64> {
        let mut lines: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut keyless = Vec::new();
        for row in rows {
            if row.key.is_empty() {
                keyless.push(vec![row]);
            } else if !blocked.contains(&row.key) {
                lines.entry(row.key.clone()).or_default().push(row);
            }
        }
        let lines = lines.into_values().chain(keyless).map(|line| self.send_line(line));
        let results: Vec<_> = futures::stream::iter(lines).buffer_unordered(KEYS_AT_ONCE).collect().await;
        let mut sent = Vec::new();
        for (confirmed, stuck) in results {
            sent.extend(confirmed);
            blocked.extend(stuck);
        }
        sent
    }

    /// Sends the events of one key one after the other, up to the first that is not confirmed, whose key it returns.
    async fn send_line(&self, line: Vec<Row>) -> (Vec<i64>, Option<String>) {
        let mut confirmed = Vec::with_capacity(line.len());
        for row in line {
            let seq = row.seq;
            let envelope = Envelope {
                id: row.id,
                kind: row.kind,
                key: row.key,
                source: self.source.clone(),
                time: Timestamp::from_micros(row.create_time),
                trace: row.trace,
                payload: row.payload.into(),
            };
            if let Err(error) = self.publish(&envelope).await {
                tracing::debug!(error = %error, event.id = %envelope.id, event.kind = envelope.kind, "an event was not taken by the bus");
                metrics::counter!("outbox_publish_failures_total").increment(1);
                return (confirmed, Some(envelope.key));
            }
            metrics::histogram!("outbox_publish_delay_seconds")
                .record(Timestamp::now().since(envelope.time).as_secs_f64());
            confirmed.push(seq);
        }
        (confirmed, None)
    }

    async fn publish(&self, envelope: &Envelope) -> Result<(), Unavailable> {
        failpoint::at("publishing", &[&envelope.kind]).await?;
        self.bus.publish(envelope).await?;
        Ok(failpoint::at("published", &[&envelope.kind]).await?)
    }

    /// Marks what was confirmed. It needs no fence: a confirmed event is published, whoever sent it.
    async fn mark(&self, sent: &[i64]) -> Result<(), DbErr> {
        if sent.is_empty() {
            return Ok(());
        }
        const SEQ: [Column; 1] = [rows::bigint("sent")];
        let sql = "UPDATE outbox SET published_at = $1 FROM {rows} AS these WHERE seq = sent";
        let rows = Rows::new(&SEQ, sent.iter().map(|seq| [(*seq).into()]));
        rows.run_alone(&self.db, sql, &[Timestamp::now().micros().into()]).await?;
        metrics::counter!("outbox_published_total").increment(u64::try_from(sent.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Takes or renews the lease; false while another relay has it. A file of SQLite belongs to one process, which
    /// starts anew at once after a crash instead of waiting for its own old lease.
    async fn hold(&mut self) -> Result<bool, DbErr> {
        if self.db.backend() == DatabaseBackend::Sqlite {
            return Ok(true);
        }
        let asked = Instant::now();
        if self.held_until.is_some_and(|until| until > asked + self.lease / 2) {
            return Ok(true);
        }
        let now = Timestamp::now();
        let until = now.plus(self.lease).micros();
        let taken = self
            .db
            .execute(Statement::from_sql_and_values(
                self.db.backend(),
                "INSERT INTO lease (name, owner, fence, expire_time) VALUES ('relay', $1, 1, $2)
                 ON CONFLICT (name) DO UPDATE SET
                    fence = lease.fence + (CASE WHEN lease.owner = excluded.owner THEN 0 ELSE 1 END),
                    owner = excluded.owner, expire_time = excluded.expire_time
                 WHERE lease.owner = excluded.owner OR lease.expire_time < $3",
                [self.owner.into(), until.into(), now.micros().into()],
            ))
            .await?
            .rows_affected()
            == 1;
        self.held_until = taken.then(|| asked + self.lease);
        Ok(taken)
    }

    /// Gives the lease back, so that another relay need not wait for its end.
    async fn release(&mut self) -> Result<(), DbErr> {
        if self.held_until.take().is_some() {
            self.db
                .execute(Statement::from_sql_and_values(
                    self.db.backend(),
                    "UPDATE lease SET expire_time = 0 WHERE name = 'relay' AND owner = $1",
                    [self.owner.into()],
                ))
                .await?;
        }
        Ok(())
    }
}
