//! Makes a service's database exist before the first connection.
use std::path::Path;

use sea_orm::{ConnectionTrait, Database, DbErr, Statement};
use sea_orm_migration::MigratorTrait;

use crate::{
    Error,
    config::Settings,
    db::{Db, Url},
};

/// Makes the folder of a SQLite file, or the database on a PostgreSQL server.
pub(super) async fn create_if_missing(url: &Url, data_dir: &Path) -> Result<(), Error> {
    if url.primary.starts_with("sqlite:") {
        return std::fs::create_dir_all(data_dir)
            .map_err(Error::io(format!("making {}", data_dir.display())));
    }
    let Some((server, name, query)) = parts(&url.primary) else { return Ok(()) };
    // The service may be allowed nothing but its own database, so that one is tried first.
    match Database::connect(&url.primary).await {
        Ok(connection) => return Ok(connection.close().await?),
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(error.into()),
    }
    let maintenance = Database::connect(format!("{server}/postgres{query}")).await?;
    let quoted = name.replace('"', "\"\"");
    let made = maintenance
        .execute_raw(Statement::from_string(
            maintenance.get_database_backend(),
            format!("CREATE DATABASE \"{quoted}\""),
        ))
        .await;
    match made {
        Ok(_) => tracing::info!(database = name, "made the database"),
        // Two replicas started together, and the other one made it.
        Err(error) if is_there_already(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(maintenance.close().await?)
}

/// Opens a service's database, made when missing and, unless settings forbid, brought up to date.
pub async fn open<M: MigratorTrait>(noun: &str, settings: &Settings) -> Result<Db, Error> {
    let primary = settings.database(noun)?.expose().to_owned();
    let replica = settings.database_replica(noun).map(|url| url.expose().to_owned());
    let url = Url { primary, replica };
    create_if_missing(&url, &settings.data_dir).await?;
    let db = Db::connect(&url).await?;
    if settings.migrate {
        db.migrate::<M>().await?;
    }
    Ok(db)
}

/// Brings the schema up to date, whatever the settings say about doing so at start.
pub(super) async fn migrate<M: MigratorTrait>(noun: &str, settings: &Settings) -> Result<(), Error> {
    let primary = settings.database(noun)?.expose().to_owned();
    let url = Url { primary, replica: None };
    create_if_missing(&url, &settings.data_dir).await?;
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

fn is_missing(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains("3D000") || text.contains("does not exist")
}

fn is_there_already(error: &DbErr) -> bool {
    let text = error.to_string();
    text.contains("already exists") || text.contains("duplicate key")
}
