//! Where a running shop listens, kept in the data folder so that the tools find it.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where the edge, the probes and each service listen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The edge, as a client on this machine calls it.
    pub(crate) edge: String,
    /// The metrics and the health of the process.
    pub(crate) probes: String,
    /// Each service.
    pub(crate) services: BTreeMap<String, String>,
}

impl Addresses {
    /// Reads what a running shop wrote; nothing where none has.
    pub(crate) fn read(data_dir: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(file(data_dir)).ok()?).ok()
    }

    /// Tells the tools. Written aside and renamed, so that nobody reads half of it.
    pub(crate) fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(data_dir)?;
        let aside = data_dir.join("addresses.json.new");
        std::fs::write(&aside, serde_json::to_string_pretty(self)?)?;
        std::fs::rename(aside, file(data_dir))?;
        Ok(())
    }

    /// Forgets them, when the shop stops.
    pub(crate) fn remove(data_dir: &Path) {
        // Gone already is as good.
        let _ = std::fs::remove_file(file(data_dir));
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("addresses.json")
}

/// How a client on this machine calls what listens there.
pub(crate) fn url(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() { "127.0.0.1".into() } else { address.ip().to_string() };
    format!("http://{host}:{}", address.port())
}
