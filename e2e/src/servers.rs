//! The servers below the shop, as the test command started them, and what can be done to them.
use anyhow::{Context, ensure};
use chassis::testing::Broker;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::process::Command;

use crate::installation::Installation;

/// Has a server do something, such as `rabbitmq crash`, and answers what it said.
pub async fn control(server: &str, commands: &[&str]) -> anyhow::Result<String> {
    let program = Broker::control(server).context("run it by `./just test` or `scripts/with-servers`")?;
    let done = Command::new(program).args(commands).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (said, complained) = (text(&done.stdout), text(&done.stderr));
    ensure!(done.status.success(), "{server} could not {commands:?}: {said}\n{complained}");
    Ok(said)
}

/// Starts a server that was stopped or crashed. One whose last processes are still going needs a moment.
pub async fn start(server: &str) -> anyhow::Result<()> {
    let mut tries = 0;
    while let Err(error) = control(server, &["start"]).await {
        ensure!(tries < 10, error);
        tries += 1;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    Ok(())
}

/// A PostgreSQL server of its own, whose disk can be filled. It ends with the test command, or when another is started.
pub struct SmallServer {
    /// Its URL, without a database.
    pub url: String,
}

impl SmallServer {
    /// Starts one whose data, or whose log of writes, `wal`, lies on a small disk. Nothing where that cannot be.
    pub async fn start(disk: &str) -> anyhow::Result<Option<SmallServer>> {
        if Broker::find().is_none() {
            return Ok(None);
        }
        if let Err(error) = control("small", &["init", disk]).await {
            ensure!(format!("{error}").contains("permission denied"), error);
            eprintln!("SKIPPED: only root can have a small disk: {error}");
            return Ok(None);
        }
        Ok(Some(SmallServer { url: control("small", &["url"]).await? }))
    }

    /// Takes all the room that is left.
    pub async fn fill(&self) -> anyhow::Result<()> {
        control("small", &["fill"]).await.map(drop)
    }

    /// Gives it back.
    pub async fn free(&self) -> anyhow::Result<()> {
        control("small", &["free"]).await.map(drop)
    }

    /// Ends it, and gives its disk back.
    pub async fn end(self) -> anyhow::Result<()> {
        control("small", &["end"]).await.map(drop)
    }
}

/// A connection to a service's database, for what only a look into it can tell.
pub async fn database(shop: &Installation, noun: &str) -> anyhow::Result<DatabaseConnection> {
    Ok(Database::connect(shop.database_url(noun)?).await?)
}

/// The number that a statement answers.
pub async fn number(database: &DatabaseConnection, sql: &str) -> anyhow::Result<i64> {
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
    Ok(row.context("a statement without an answer")?.try_get_by_index(0)?)
}
