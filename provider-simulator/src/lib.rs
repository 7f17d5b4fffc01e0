//! A payment provider that moves no money and can be told to misbehave, for tests and for trying things out.
//!
//! It speaks JSON over HTTP/1.1. Every call under `/v1` carries `Authorization: Bearer <api key>`, and one that does
//! something an `Idempotency-Key`: under the same key the same is done once, and something else is 409.
//!
//! | call | does |
//! |---|---|
//! | `POST /v1/authorizations` `{order, token, amount_minor, currency}` | promises money; its key names the authorization |
//! | `POST /v1/captures` `{authorization, amount_minor, currency}` | takes it, or a part and lets go of the rest; once |
//! | `POST /v1/voids` `{authorization, amount_minor, currency}` | forgets it, or makes sure that it is never made |
//! | `POST /v1/refunds` `{authorization, amount_minor, currency}` | gives back what was taken, or a part |
//! | `GET /v1/operations/{key}` | what became of a call: 404 where it never arrived |
//! | `GET /v1/cards/{token}` | `{fingerprint}`: the same for each token of one card |
//! | `GET /v1/statements/{day}?after={key}` | what was taken and given back on a day (UTC), with its fees; `next` asks on |
//!
//! An [`Operation`] answers, with `status` `succeeded` or `declined`; each is announced by a signed webhook ([`webhook`]).
//! What was answered is in a journal on disk before, and everything else is derived from that, so that a crash at any
//! moment forgets nothing. How it misbehaves is its [`Script`], which `PUT /admin/script` replaces.

mod api;
mod book;
mod journal;
mod script;
mod server;
pub mod webhook;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use book::{Ask, Book, Entry, KeyReused, Kind, Operation, Status};
pub use script::{Adjusted, Fault, Planned, Rates, Script, Webhooks};

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The file of its journal; made when missing.
    pub journal: PathBuf,
    /// What callers must show.
    pub api_key: String,
    /// How it behaves at first.
    pub script: Script,
}

/// A running simulator. Dropped it stops as well, a little later.
pub struct Simulator {
    address: SocketAddr,
    provider: Arc<api::Provider>,
    tasks: JoinSet<()>,
}

impl Simulator {
    /// Reads the journal and serves.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read or the address is taken.
    pub async fn start(config: Config) -> io::Result<Simulator> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let (provider, due) = api::Provider::open(&config)?;
        let provider = Arc::new(provider);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, provider.clone()));
        tasks.spawn(webhook::deliver(provider.clone(), due));
        Ok(Simulator { address, provider, tasks })
    }

    /// Where it serves: `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how it behaves from now on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        self.provider.change_script(change);
    }

    /// Everything it has done, oldest first.
    pub fn operations(&self) -> Vec<Operation> {
        self.provider.operations()
    }

    /// How often a call was asked under a key.
    pub fn asked(&self, key: &str) -> u32 {
        self.provider.asked(key)
    }

    /// Announces an operation once more.
    pub fn announce(&self, key: &str) {
        self.provider.announce(key);
    }

    /// Stops as by a crash: no call under way is answered. Afterwards another can be started on the journal.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        while Arc::strong_count(&self.provider) > 1 {
            tokio::task::yield_now().await; // connections end one by one
        }
    }

    /// Serves until it fails.
    pub async fn served(&mut self) {
        self.tasks.join_next().await;
    }
}
