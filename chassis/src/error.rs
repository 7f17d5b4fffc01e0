//! What can stop a service from starting or running; what an RPC may answer is a `Status`.

/// Why a service could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing or makes no sense.
    #[error("{0}")]
    Settings(String),
    /// A key file is missing or is not an Ed25519 key.
    #[error("key {name}: {reason}")]
    Key {
        /// The file or the peer the key belongs to.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database refused.
    #[error("the database")]
    Database(#[from] sea_orm::DbErr),
    /// A socket or a file refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gRPC transport refused.
    #[error("the gRPC transport")]
    Transport(#[from] tonic::transport::Error),
    /// Anything else a service could not do.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error with nothing but its text.
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into().into())
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    /// The error and everything below it on one line, for the operator who reads it.
    pub fn chain(&self) -> String {
        crate::status::chain(self)
    }
}
