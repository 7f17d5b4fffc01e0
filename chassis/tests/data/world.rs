//! A small world: one event, one table of effects, and services that can be told to fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chassis::bus::Bus;
use chassis::consumer::{self, Consumer, Delivery, Handle};
use chassis::db::Db;
use chassis::migration::Nothing;
use chassis::outbox::{self, Relay};
use chassis::testing::{Backend, TestDb};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Says that the thing called `name` was counted for the `number`th time.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Counted {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int64, tag = "2")]
    pub(crate) number: i64,
}

impl prost::Name for Counted {
    const NAME: &'static str = "Counted";
    const PACKAGE: &'static str = "cartwright.test.v1";
}

/// A database of each kind, with the table of effects.
pub(crate) async fn databases() -> Vec<TestDb> {
    let mut databases = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        databases.extend(database(backend).await);
    }
    databases
}

pub(crate) async fn database(backend: Backend) -> Option<TestDb> {
    let db = TestDb::on::<Nothing>(backend).await?;
    let serial = match backend {
        Backend::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
        Backend::Postgres => "BIGSERIAL PRIMARY KEY",
    };
    let sql = format!("CREATE TABLE effects (seq {serial}, name TEXT NOT NULL, number BIGINT NOT NULL)");
    db.writer().execute_unprepared(&sql).await.unwrap();
    Some(db)
}

/// The best database there is, for tests that are about something else.
pub(crate) async fn any_database() -> TestDb {
    match database(Backend::Postgres).await {
        Some(db) => db,
        None => database(Backend::Sqlite).await.unwrap(),
    }
}

pub(crate) async fn effect(tx: &DatabaseTransaction, name: &str, number: i64) -> Result<(), DbErr> {
    tx.execute_raw(Statement::from_sql_and_values(
        tx.get_database_backend(),
        "INSERT INTO effects (name, number) VALUES ($1, $2)",
        [name.into(), number.into()],
    ))
    .await?;
    Ok(())
}

/// Does something and announces it.
pub(crate) async fn count(db: &Db, name: &str, number: i64) -> Result<(), DbErr> {
    db.write(async |tx| {
        effect(tx, name, number).await?;
        outbox::append(tx, name, &Counted { name: name.into(), number }).await?;
        Ok(())
    })
    .await
}

/// What was done, by name, in order.
pub(crate) async fn effects(db: &Db) -> BTreeMap<String, Vec<i64>> {
    let rows = db
        .writer()
        .query_all_raw(Statement::from_string(db.backend(), "SELECT name, number FROM effects ORDER BY seq"))
        .await
        .unwrap();
    let mut effects: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in rows {
        effects.entry(row.try_get_by_index(0).unwrap()).or_default().push(row.try_get_by_index(1).unwrap());
    }
    effects
}

pub(crate) async fn number(db: &Db, sql: &str) -> i64 {
    let row = db.writer().query_one_raw(Statement::from_string(db.backend(), sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

pub(crate) async fn unpublished(db: &Db) -> i64 {
    number(db, "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL").await
}

/// A consumer's service.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) calls: AtomicUsize,
    /// Names that fail, and how often they still do.
    pub(crate) failures: Mutex<BTreeMap<String, usize>>,
    pub(crate) down: AtomicBool,
}

impl Counter {
    pub(crate) fn new() -> Arc<Counter> {
        Arc::default()
    }

    pub(crate) fn fail(&self, name: &str, times: usize) {
        self.failures.lock().unwrap().insert(name.into(), times);
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn consumer(self: &Arc<Counter>, db: &Db) -> Consumer {
        Consumer::new(db, "counter").pause(Duration::from_millis(5)).on::<Counted>(self.clone())
    }
}

impl Handle<Counted> for Counter {
    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        event: Counted,
        delivery: &Delivery,
    ) -> Result<(), consumer::Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert_eq!(delivery.key, event.name);
        effect(tx, &event.name, event.number).await?;
        if self.down.load(Ordering::SeqCst) {
            return Err(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout).into());
        }
        let mut failures = self.failures.lock().unwrap();
        match failures.get_mut(&event.name) {
            Some(&mut 0) | None => Ok(()),
            Some(&mut usize::MAX) => Err(consumer::Error::poison("it is poison")),
            Some(left) => {
                *left -= 1;
                Err(consumer::Error::failed("not now"))
            }
        }
    }
}

/// Runs a relay until dropped.
pub(crate) fn relay(db: &Db, bus: &Bus) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(Relay::new(db, "test", bus.clone()).run(stop.clone()));
    stop.drop_guard()
}

/// Runs a consumer until dropped.
pub(crate) fn serve(bus: &Bus, noun: &'static str, consumer: Consumer) -> DropGuard {
    let stop = CancellationToken::new();
    let (bus, token) = (bus.clone(), stop.clone());
    tokio::spawn(async move { bus.serve(noun, Some(consumer), token).await });
    stop.drop_guard()
}
