//! A database for each test, on either of the two.

use std::ops::Deref;

use sea_orm::{ConnectionTrait, Database};
use sea_orm_migration::MigratorTrait;
use uuid::Uuid;

use super::told;
use crate::db::{Db, Url};

/// The two databases that everything must work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// The server at `TEST_DATABASE_URL`.
    Postgres,
}

impl Backend {
    /// The one chosen for this run with `TEST_BACKEND=sqlite|postgres`; SQLite where nothing is said.
    ///
    /// # Panics
    ///
    /// When something else is said.
    pub fn chosen() -> Backend {
        match told("TEST_BACKEND").as_deref() {
            None | Some("sqlite") => Backend::Sqlite,
            Some("postgres") => Backend::Postgres,
            Some(other) => panic!("TEST_BACKEND is sqlite or postgres, not {other}"),
        }
    }
}

/// A new database, gone after the test.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    url: Url,
    _folder: Folder,
}

impl TestDb {
    /// A database with a service's schema, on the backend chosen for this run.
    ///
    /// # Panics
    ///
    /// When PostgreSQL is chosen and there is none, or the schema cannot be made.
    pub async fn new<M: MigratorTrait>() -> TestDb {
        match TestDb::on::<M>(Backend::chosen()).await {
            Some(db) => db,
            None => panic!("TEST_BACKEND=postgres needs TEST_DATABASE_URL; run it with scripts/with-servers"),
        }
    }

    /// A database with a service's schema on one of the backends, or none, said loudly, where there is no PostgreSQL.
    ///
    /// # Panics
    ///
    /// When the schema cannot be made.
    pub async fn on<M: MigratorTrait>(backend: Backend) -> Option<TestDb> {
        let (url, folder) = TestDb::place(backend).await?;
        let db = open(&url).await;
        if let Err(error) = db.migrate::<M>().await {
            panic!("the schema cannot be made: {error}");
        }
        Some(TestDb { db, url, _folder: folder })
    }

    /// Where it is, for whoever opens it a second time.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Opens it a second time, as another process would.
    pub async fn again(&self) -> Db {
        open(&self.url).await
    }

    async fn place(backend: Backend) -> Option<(Url, Folder)> {
        match backend {
            Backend::Sqlite => {
                let folder = Folder::new();
                Some((Url::from(format!("sqlite://{}", folder.0.join("test.db").display()).as_str()), folder))
            }
            Backend::Postgres => {
                let Some(server) = told("TEST_DATABASE_URL") else {
                    eprintln!("SKIPPED: this test needs PostgreSQL; run it with scripts/with-servers");
                    return None;
                };
                let name = format!("test_{}", Uuid::now_v7().simple());
                let made = async {
                    let maintenance = Database::connect(format!("{server}/postgres")).await?;
                    maintenance.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
                    maintenance.close().await
                };
                if let Err(error) = made.await {
                    panic!("a test's database cannot be made: {error}");
                }
                Some((Url::from(format!("{server}/{name}").as_str()), Folder::new()))
            }
        }
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

async fn open(url: &Url) -> Db {
    match Db::connect(url).await {
        Ok(db) => db,
        Err(error) => panic!("a test's database cannot be opened: {error}"),
    }
}

/// A folder that is removed with its owner.
#[derive(Debug)]
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Folder {
        let folder = std::env::temp_dir().join(format!("cartwright-test-{}", Uuid::now_v7().simple()));
        if let Err(error) = std::fs::create_dir_all(&folder) {
            panic!("a test's folder cannot be made: {error}");
        }
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind is the system's to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
