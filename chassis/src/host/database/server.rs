//! Waits a little for a PostgreSQL server that is still coming up, and says what is waited for.
use std::{
    collections::BTreeSet,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sea_orm::sqlx::{
    self, Connection,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{Error, config::Settings, db::Url};

/// How long a server may take to answer before the start is given up: whoever runs the process starts it again.
const WITHIN: Duration = Duration::from_secs(10);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(500);

/// There is no such database; there is one already, or two made it at once.
const MISSING: &str = "3D000";

/// The server of one service's database.
pub(super) struct Server {
    /// Host and port, without the secrets of the URL.
    pub(super) address: String,
    setting: String,
    /// How long it may take to answer.
    within: Duration,
}

impl Server {
    pub(super) fn of(noun: &str, url: &Url, settings: &Settings) -> Result<Self, Error> {
        let own = settings.peers.database_url(noun).is_some();
        let setting =
            if own { format!("{}_DATABASE_URL", noun.to_uppercase()) } else { "DATABASE_URL".into() };
        let options = Some(&url.primary)
            .filter(|url| url.starts_with("postgres://") || url.starts_with("postgresql://"))
            .and_then(|url| PgConnectOptions::from_str(url).ok())
            .ok_or_else(|| {
                Error::Settings(format!("{setting} must look like postgres://user:secret@host:5432"))
            })?;
        Ok(Self {
            address: format!("{}:{}", options.get_host(), options.get_port()),
            setting,
            within: WITHIN,
        })
    }

    /// A connection; nothing where the server has no such database. A server that does not answer is waited for.
    pub(super) async fn connect(&self, url: &str) -> Result<Option<PgConnection>, Error> {
        let until = Instant::now() + self.within;
        loop {
            let reason = match timeout(ATTEMPT, PgConnection::connect(url)).await {
                Ok(Ok(connection)) => return Ok(Some(connection)),
                Ok(Err(error)) if has_code(&error, &[MISSING]) => return Ok(None),
                Ok(Err(error)) if !may_come_up(&error) => return Err(self.refused(&error)),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {ATTEMPT:?}"),
            };
            if Instant::now() >= until {
                return Err(Error::Settings(format!(
                    "PostgreSQL at {} does not answer ({reason}); {} says where it is",
                    self.address, self.setting
                )));
            }
            self.say_once(&reason);
            sleep(PAUSE).await;
        }
    }

    /// Ten services in one process wait for the same server: one line says so.
    fn say_once(&self, reason: &str) {
        static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(self.address.clone()) {
            tracing::warn!(
                server = self.address,
                setting = self.setting,
                reason,
                "waiting up to {} s for PostgreSQL",
                self.within.as_secs()
            );
        }
    }

    pub(super) fn refused(&self, error: &sqlx::Error) -> Error {
        Error::Settings(format!("PostgreSQL at {} refuses: {error}; see {}", self.address, self.setting))
    }
}

/// Nobody listens yet, the name is not known yet, or the server is starting, stopping or full.
fn may_come_up(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    matches!(error, sqlx::Error::Io(_)) || code.starts_with("57P") || code.starts_with("53")
}

pub(super) fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| codes.contains(&code.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        let mut settings = Settings::defaults(std::path::Path::new("data"));
        settings.peers.set_database_url("order", url.to_owned().into());
        Server::of("order", &Url::from(url), &settings).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_stays_away_is_named_with_its_setting_and_without_its_secret() {
        // A port that was free a moment ago refuses at once.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://shop:hunter2@{free}/order");
        let server = Server { within: Duration::from_millis(700), ..server(&url) };
        let error = server.connect(&url).await.err().unwrap().to_string();
        assert!(error.contains(&format!("PostgreSQL at {free} does not answer")), "{error}");
        assert!(error.contains("ORDER_DATABASE_URL"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_url_that_is_none_names_its_setting() {
        let settings = Settings::defaults(std::path::Path::new("data"));
        let error = Server::of("order", &Url::from("mysql://host"), &settings).err().unwrap().to_string();
        assert!(error.contains("DATABASE_URL"), "{error}");
    }
}
