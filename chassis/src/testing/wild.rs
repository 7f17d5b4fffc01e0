//! A relay that keeps the one thing that is promised, the order of each key's first deliveries, and spares nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use sea_orm::{DbErr, FromQueryResult, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bus::{AmqpBus, Bus};
use crate::db::Db;
use crate::event::Envelope;
use crate::time::Timestamp;

/// How late an event may be sent.
const LATE_MAX_MS: u64 = 1500;
/// An empty pass is followed by this pause.
const PAUSE: Duration = Duration::from_millis(50);
/// Field 2000, a number: no event of this release has it. As a newer release writes, in `bytea`.
const OF_THE_FUTURE: &str = r"'\x807d01'::bytea";

/// Takes the place of one database's relay on PostgreSQL: sends keys in whatever order, late, everything up to three
/// times, and now and then again what was sent long ago.
pub struct WildRelay {
    db: Db,
    source: String,
    bus: Bus,
    chance: StdRng,
    sent: Vec<Envelope>,
    copies: usize,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    kind: String,
    key: String,
    trace: Option<String>,
    payload: Vec<u8>,
    create_time: i64,
}

impl WildRelay {
    /// Takes the lease from the real relay, which finds that out within five seconds.
    pub async fn seize(db: Db, source: &str, bus: &AmqpBus, seed: u64) -> Result<WildRelay, DbErr> {
        db.execute(Statement::from_sql_and_values(
            db.backend(),
            "INSERT INTO lease (name, owner, fence, expire_time) VALUES ('relay', $1, 1, $2)
             ON CONFLICT (name) DO UPDATE SET
                fence = lease.fence + 1, owner = excluded.owner, expire_time = excluded.expire_time",
            [Uuid::now_v7().into(), i64::MAX.into()],
        ))
        .await?;
        let (source, bus) = (source.to_owned(), Bus::Amqp(bus.clone()));
        Ok(WildRelay { db, source, bus, chance: StdRng::seed_from_u64(seed), sent: Vec::new(), copies: 0 })
    }

    /// Sends until it is over, and gives the lease back. Answers how many events it has sent, and how many copies.
    pub async fn run(mut self, over: &CancellationToken) -> Result<(usize, usize), DbErr> {
        while !over.is_cancelled() {
            if self.pass().await? == 0 {
                let _ = over.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
        let back = "UPDATE lease SET expire_time = 0 WHERE name = 'relay'";
        self.db.execute_unprepared(back).await?;
        Ok((self.sent.len(), self.copies - self.sent.len()))
    }

    async fn pass(&mut self) -> Result<usize, DbErr> {
        let newer = format!(
            "UPDATE outbox SET payload = payload || {OF_THE_FUTURE}
             WHERE published_at IS NULL AND substring(payload FROM length(payload) - 2) <> {OF_THE_FUTURE}"
        );
        self.db.execute_unprepared(&newer).await?;
        let read = "SELECT id, kind, key, trace, payload, create_time FROM outbox
                    WHERE published_at IS NULL ORDER BY seq LIMIT 256";
        let rows = Row::find_by_statement(Statement::from_string(self.db.backend(), read));
        let rows = rows.all(self.db.writer()).await?;
        let mut count = 0;
        let mut lines: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
        for row in rows {
            lines.entry(row.key.clone()).or_default().push(self.envelope(row));
        }
        let mut lines: Vec<Vec<Envelope>> = lines.into_values().collect();
        lines.shuffle(&mut self.chance);
        let mut plans = Vec::new();
        for line in lines {
            let late = Duration::from_millis(self.chance.random_range(0..=LATE_MAX_MS));
            let mut deliveries = Vec::new();
            for event in line {
                let times = self.chance.random_range(1..=3);
                deliveries.extend(std::iter::repeat_n(event.clone(), times));
                if self.chance.random_bool(0.3) {
                    // Of this key or of another, and applied long ago.
                    deliveries.extend(self.sent.choose(&mut self.chance).cloned());
                }
                self.sent.push(event);
                count += 1;
            }
            self.copies += deliveries.len();
            plans.push((late, deliveries));
        }
        let bus = &self.bus;
        let sending = plans.into_iter().map(async |(late, deliveries)| {
            tokio::time::sleep(late).await;
            for event in deliveries {
                // Where the broker does not take it, it is asked again: the order of a key must be kept.
                while bus.publish(&event).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        futures::future::join_all(sending).await;
        let sent: Vec<String> =
            self.sent[self.sent.len() - count..].iter().map(|event| format!("'{}'", event.id)).collect();
        if count > 0 {
            let now = Timestamp::now().micros();
            let mark = format!("UPDATE outbox SET published_at = {now} WHERE id IN ({})", sent.join(","));
            self.db.execute_unprepared(&mark).await?;
        }
        Ok(count)
    }

    fn envelope(&self, row: Row) -> Envelope {
        Envelope {
            id: row.id,
            kind: row.kind,
            key: row.key,
            source: self.source.clone(),
            time: Timestamp::from_micros(row.create_time),
            trace: row.trace,
            payload: row.payload.into(),
        }
    }
}
