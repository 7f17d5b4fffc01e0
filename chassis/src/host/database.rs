//! Makes a service's database exist before the first connection.
use sea_orm_migration::MigratorTrait;

use crate::{
    Error,
    config::Settings,
    db::{Db, Url},
    simulated::Statements,
};

mod server;

use sea_orm::sqlx::{self, Connection};
use server::{Server, has_code};

/// Makes the folder of a SQLite file, or the database on a PostgreSQL server.
async fn create_if_missing(noun: &str, url: &Url, settings: &Settings) -> Result<(), Error> {
    if url.primary.starts_with("sqlite:") {
        return super::folder::make(&settings.data_dir);
    }
    let server = Server::of(noun, url, settings)?;
    // The service may be allowed nothing but its own database, so that one is tried first.
    if server.connect(&url.primary).await?.is_some() {
        return Ok(());
    }
    let Some((base, name, query)) = parts(&url.primary) else { return Ok(()) };
    let Some(mut maintenance) = server.connect(&format!("{base}/postgres{query}")).await? else {
        return Err(Error::Settings(format!(
            "there is no database {name} on {}, and none called postgres to make it from",
            server.address
        )));
    };
    let quoted = name.replace('"', "\"\"");
    let made = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{quoted}\"")))
        .execute(&mut maintenance)
        .await;
    match made {
        Ok(_) => tracing::info!(database = name, "made the database"),
        // Two replicas started together, and the other one made it.
        Err(error) if has_code(&error, &["42P04", "23505"]) => {}
        Err(error) => return Err(server.refused(&error)),
    }
    // What this connection was for is done, however it ends.
    drop(maintenance.close().await);
    Ok(())
}

/// Opens a service's database, made when missing and, unless settings forbid, brought up to date.
pub async fn open<M: MigratorTrait>(noun: &str, settings: &Settings) -> Result<Db, Error> {
    open_by::<M>(noun, settings, None).await
}

/// The same in a simulation.
pub(super) async fn open_by<M: MigratorTrait>(
    noun: &str,
    settings: &Settings,
    statements: Option<Statements>,
) -> Result<Db, Error> {
    let primary = settings.database(noun)?.expose().to_owned();
    let replica = settings.database_replica(noun).map(|url| url.expose().to_owned());
    let url = Url { primary, replica };
    create_if_missing(noun, &url, settings).await?;
    let db = Db::connect_by(&url, statements).await?;
    if settings.migrate {
        db.migrate::<M>().await?;
    }
    Ok(db)
}

/// Brings the schema up to date, whatever the settings say about doing so at start.
pub(super) async fn migrate<M: MigratorTrait>(noun: &str, settings: &Settings) -> Result<(), Error> {
    let primary = settings.database(noun)?.expose().to_owned();
    let url = Url { primary, replica: None };
    create_if_missing(noun, &url, settings).await?;
    let db = Db::connect(&url).await?;
    db.migrate::<M>().await?;
    tracing::info!(service = noun, "the schema is up to date");
    Ok(db.close().await?)
}

/// Server, database and query of a URL: `postgres://host`, `order` and `?sslmode=disable`.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (base, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let (server, name) = base.rsplit_once('/')?;
    Some((server, name, query))
}
