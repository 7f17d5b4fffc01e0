//! The service's own database: bounded pools, the one way to write, and what counts as an outage.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseTransaction, DbErr,
    ExecResult, QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::migration;
use crate::simulated::Statements;

mod reads;

pub use reads::Reads;

/// How long a caller waits for its turn to write before it is refused.
const TURN: Duration = Duration::from_secs(5);
/// The longest a statement or a transaction may take before its database counts as away: longer than the database itself
/// lets the audit's take. A server that vanishes in the middle of one sends nothing that would end the waiting.
const ANSWER_MAX: Duration = Duration::from_secs(90);
const POSTGRES_CONNECTIONS_MAX: u32 = 20;
const SQLITE_CONNECTIONS_MAX: u32 = 5;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// The database that is written to: `postgres://…` or `sqlite://…`.
    pub primary: String,
    /// A copy to read from where a moment's delay does no harm.
    pub replica: Option<String>,
}

impl From<&str> for Url {
    fn from(primary: &str) -> Url {
        Url { primary: primary.to_owned(), replica: None }
    }
}

/// The service's database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: Url,
    writer: Reads,
    replica: Option<Reads>,
    /// In a simulation alone: what is run here is run in one go.
    statements: Option<Statements>,
    /// SQLite has one writer at a time. Waiting here is fair and holds no connection; waiting in SQLite polls.
    turn: Option<Semaphore>,
    committed: Notify,
    announced: Notify,
    parked: Notify,
}

tokio::task_local! {
    /// Whom the running transaction wakes when it commits.
    static WAKES: Wakes;
}

#[derive(Debug, Default)]
struct Wakes {
    /// It has appended to the outbox: the relay need not look otherwise.
    announces: Cell<bool>,
    others: RefCell<Vec<Arc<Notify>>>,
}

impl Db {
    /// Opens the pools.
    pub async fn connect(url: &Url) -> Result<Db, DbErr> {
        Db::connect_by(url, None).await
    }

    /// The same in a simulation.
    pub(crate) async fn connect_by(url: &Url, statements: Option<Statements>) -> Result<Db, DbErr> {
        let open = async |url| Reads::open(options(url, false), &statements).await;
        let writer = open(&url.primary).await?;
        let replica = match &url.replica {
            Some(replica) => Some(open(replica).await?),
            None => None,
        };
        // What is run in one go needs no turns.
        let takes_turns = writer.get_database_backend() == DatabaseBackend::Sqlite && statements.is_none();
        let turn = takes_turns.then(|| Semaphore::new(1));
        let inner = Inner {
            url: url.clone(),
            writer,
            replica,
            statements,
            turn,
            committed: Notify::new(),
            announced: Notify::new(),
            parked: Notify::new(),
        };
        Ok(Db { inner: Arc::new(inner) })
    }

    /// Where to read what may be a moment old: the replica where there is one.
    pub fn reader(&self) -> &Reads {
        self.inner.replica.as_ref().unwrap_or(&self.inner.writer)
    }

    /// Where to read what was just written.
    pub fn writer(&self) -> &Reads {
        &self.inner.writer
    }

    /// Runs `work` in a transaction: commits when it succeeds, and then wakes the relay; rolls back when it fails.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbErr>,
        F: AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>,
    {
        let transaction = pin!(self.transact(work));
        answered(&self.inner.statements, transaction).await
    }

    async fn transact<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DbErr>,
        F: AsyncFnOnce(&DatabaseTransaction) -> Result<T, E>,
    {
        let _turn = self.turn().await?;
        let tx = self.begin().await?;
        let (result, announces, others) = WAKES
            .scope(Wakes::default(), async {
                let result = work(&tx).await;
                WAKES.with(|wakes| (result, wakes.announces.get(), wakes.others.take()))
            })
            .await;
        match result {
            Ok(value) => {
                tx.commit().await?;
                self.inner.committed.notify_waiters();
                if announces {
                    self.inner.announced.notify_waiters();
                }
                others.iter().for_each(|other| other.notify_one());
                Ok(value)
            }
            Err(error) => {
                if let Err(rollback) = tx.rollback().await {
                    tracing::warn!(error = %rollback, "a transaction could not be rolled back; its connection is dropped");
                }
                Err(error)
            }
        }
    }

    /// Runs one statement that writes, as a transaction of its own.
    pub async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let _turn = self.turn().await?;
        self.inner.writer.execute_raw(statement).await
    }

    /// Runs one statement that writes and answers rows, as a transaction of its own.
    pub async fn query(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _turn = self.turn().await?;
        self.inner.writer.query_all_raw(statement).await
    }

    /// Runs one statement that is never the same twice, so that preparing it would only fill the cache.
    pub(crate) async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let _turn = self.turn().await?;
        self.inner.writer.execute_unprepared(sql).await
    }

    async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, DbErr> {
        let Some(turn) = &self.inner.turn else { return Ok(None) };
        match tokio::time::timeout(TURN, turn.acquire()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(_)) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => Err(silent()),
        }
    }

    /// Begins on a task of its own: a caller that goes away while `BEGIN` is on its way would otherwise put a
    /// connection with an open transaction back into the pool, and the next caller's writes would be lost.
    #[expect(clippy::disallowed_methods, reason = "this is where transactions begin")]
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let writer = self.inner.writer.pool().clone();
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        unbroken(async move { writer.begin_with_options(options).await })
            .await
            .unwrap_or(Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)))
    }

    /// Wakes whoever waits after every commit made here.
    pub fn committed(&self) -> &Notify {
        &self.inner.committed
    }

    /// Wakes whoever waits after every commit made here that announced an event.
    pub(crate) fn announced(&self) -> &Notify {
        &self.inner.announced
    }

    /// Wakes whoever retries messages that could not be handled.
    pub(crate) fn parked(&self) -> &Notify {
        &self.inner.parked
    }

    /// The same database over one connection that only reads, and for longer than any request may: for the audit, which
    /// then never takes more than one of the database's hands. Close it after use.
    pub async fn auditor(&self) -> Result<Db, DbErr> {
        let url = &self.inner.url.primary;
        let mut options = options(url, true);
        options.max_connections(1).min_connections(1);
        if url.starts_with("sqlite:") {
            options.map_sqlx_sqlite_opts(|sqlite| {
                sqlite.pragma("busy_timeout", "5000").pragma("query_only", "ON")
            });
        } else {
            options.map_sqlx_postgres_opts(|postgres| {
                postgres.options([("statement_timeout", "60s"), ("default_transaction_read_only", "on")])
            });
        }
        let inner = Inner {
            url: Url { primary: url.clone(), replica: None },
            writer: Reads::open(options, &self.inner.statements).await?,
            replica: None,
            statements: self.inner.statements.clone(),
            turn: None,
            committed: Notify::new(),
            announced: Notify::new(),
            parked: Notify::new(),
        };
        Ok(Db { inner: Arc::new(inner) })
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.inner.writer.ping().await
    }

    /// Which database this is, for the few statements that differ.
    pub fn backend(&self) -> DatabaseBackend {
        self.inner.writer.get_database_backend()
    }

    /// Brings the schema up to date: the chassis's own tables first, then the service's.
    #[expect(
        clippy::disallowed_methods,
        reason = "it holds the lock; nothing is written in it, and nobody drops it"
    )]
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), DbErr> {
        // Building an index on a grown table takes longer than any statement of a request may.
        let patient = Database::connect(options(&self.inner.url.primary, true)).await?;
        let lock = if self.backend() == DatabaseBackend::Postgres {
            // Replicas start together; one of them migrates while the others wait here.
            let lock = patient.begin().await?;
            lock.execute_unprepared("SELECT pg_advisory_xact_lock(7220315)").await?;
            Some(lock)
        } else {
            None
        };
        migration::Chassis::up(&patient, None).await?;
        M::up(&patient, None).await?;
        if let Some(lock) = lock {
            lock.commit().await?;
        }
        patient.close().await
    }

    /// Closes the pools. Work under way is finished first.
    pub async fn close(&self) -> Result<(), DbErr> {
        self.inner.writer.close().await?;
        match &self.inner.replica {
            Some(replica) => replica.close().await,
            None => Ok(()),
        }
    }
}

/// Waits for a statement, or a transaction, but not for ever. In a simulation nothing else happens meanwhile.
async fn answered<T, E: From<DbErr>>(
    statements: &Option<Statements>,
    statement: Pin<&mut impl Future<Output = Result<T, E>>>,
) -> Result<T, E> {
    match statements {
        None => tokio::time::timeout(ANSWER_MAX, statement).await.unwrap_or_else(|_| Err(silent().into())),
        Some(statements) => statements.run(statement).await,
    }
}

fn silent() -> DbErr {
    DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
}

/// Notes that the running transaction appended to the outbox.
pub(crate) fn announce() {
    // Outside `Db::write` nobody listens, and the relay's own poll finds the row.
    let _ = WAKES.try_with(|wakes| wakes.announces.set(true));
}

/// Wakes somebody of this process once the running transaction has committed, so that they need not look after each
/// commit whether it was meant for them. Outside [`Db::write`], or where it fails, nobody is woken.
pub fn wake(whom: &Arc<Notify>) {
    let _ = WAKES.try_with(|wakes| wakes.others.borrow_mut().push(whom.clone()));
}

/// Runs a future to its end even when whoever waits for it goes away.
#[allow(
    clippy::disallowed_methods,
    reason = "it ends within the acquire timeout, so a drain need not know of it"
)]
async fn unbroken<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Option<T> {
    tokio::spawn(future).await.ok()
}

fn options(url: &str, patient: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .acquire_timeout(Duration::from_secs(2))
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(Duration::from_secs(1));
    if url.starts_with("sqlite:") {
        options
            .max_connections(SQLITE_CONNECTIONS_MAX)
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>);
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .pragma("journal_mode", "WAL")
                .pragma("busy_timeout", "5000")
                // A commit that was answered outlasts a power cut, as it does on a server.
                .pragma("synchronous", "FULL")
                .pragma("foreign_keys", "ON")
        });
    } else {
        options.max_connections(POSTGRES_CONNECTIONS_MAX).idle_timeout(Duration::from_secs(60));
        if !patient {
            options.map_sqlx_postgres_opts(|postgres| {
                postgres.options([
                    ("statement_timeout", "3s"),
                    ("idle_in_transaction_session_timeout", "5s"),
                    // Statements of requests find rows by index and are planned once: a plan made while a table was small
                    // must not read it whole when it has grown. Whoever reads whole tables does so as `auditor`.
                    ("plan_cache_mode", "force_generic_plan"),
                    ("enable_seqscan", "off"),
                    ("jit", "off"),
                ])
            });
        }
    }
    options
}

/// What PostgreSQL says when a statement takes longer than it may.
const TOO_SLOW: &str = "57014";
/// What it says of transactions in each other's way: the two that ask for them to be run again, and waiting too long, as for
/// a lock.
const CONTENDED: [&str; 4] = ["40001", "40P01", "55P03", TOO_SLOW];

/// Whether an error says that the database cannot be reached or asks to try again, rather than that the work is wrong.
/// Looks through the error's sources.
pub fn is_outage(error: &(dyn std::error::Error + 'static)) -> bool {
    any_source(error, |error| match (error.downcast_ref::<DbErr>(), error.downcast_ref::<RuntimeErr>()) {
        (Some(DbErr::ConnectionAcquire(_)), _) => true,
        (Some(DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)), _) | (None, Some(cause)) => {
            lost(cause)
        }
        _ => false,
    })
}

/// Whether a statement took longer than it may: the next time it may do so again.
pub(crate) fn is_too_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    says(error, &[TOO_SLOW])
}

/// Whether somebody else held what a transaction needed, so that nothing of it was done. What needs less may go through.
pub(crate) fn is_contended(error: &(dyn std::error::Error + 'static)) -> bool {
    says(error, &CONTENDED)
}

/// Whether PostgreSQL says one of these.
fn says(error: &(dyn std::error::Error + 'static), codes: &[&str]) -> bool {
    any_source(error, |error| match (error.downcast_ref::<DbErr>(), error.downcast_ref::<RuntimeErr>()) {
        (Some(DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)), _) | (None, Some(cause)) => {
            matches!(cause, RuntimeErr::SqlxError(error)
                if error.as_database_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&code.as_ref())))
        }
        _ => false,
    })
}

fn any_source(
    error: &(dyn std::error::Error + 'static),
    is: impl Fn(&(dyn std::error::Error + 'static)) -> bool,
) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(is)
}

fn lost(cause: &RuntimeErr) -> bool {
    let RuntimeErr::SqlxError(error) = cause else { return false };
    if let sqlx::Error::Database(error) = error.as_ref() {
        let code = error.code().unwrap_or_default();
        return match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // Connection trouble, too many connections, the server going down or coming up, idle for too long, and others
            // in the way.
            Some(_) => {
                ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
                    || code == "25P03"
                    || CONTENDED.contains(&code.as_ref())
            }
            // Busy and locked, each with its extended codes; and a disk that does not answer or is full.
            None => code.parse().is_ok_and(|code: u32| [5, 6, 10, 13].contains(&(code & 0xff))),
        };
    }
    matches!(
        error.as_ref(),
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}
