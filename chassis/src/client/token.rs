//! The tokens a service shows to its peers, signed once per half life and not per call.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use http::HeaderValue;
use moka::future::Cache;
use tonic::Status;

use crate::auth::{Keyring, token};
use crate::caller::Caller;
use crate::status;

/// Tokens live a minute; one that is shown still has half of it to travel.
const KEPT: Duration = Duration::from_secs(30);
const KEPT_MAX: u64 = 10_000;

#[derive(Clone, Debug)]
pub(super) struct Tokens {
    keys: Keyring,
    cache: Cache<Key, HeaderValue>,
}

/// Whom a token speaks for. Permissions are part of it: a role that was taken away is not shown on.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Key {
    subject: Option<String>,
    session: Option<String>,
    permissions: u64,
}

impl Tokens {
    pub(super) fn new(keys: &Keyring) -> Tokens {
        Tokens {
            keys: keys.clone(),
            cache: Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build(),
        }
    }

    /// The `authorization` for a call to `audience`, for ourselves or for the person we serve.
    pub(super) async fn header(
        &self,
        audience: &str,
        caller: Option<&Caller>,
    ) -> Result<HeaderValue, Status> {
        let mut hasher = DefaultHasher::new();
        caller.map(Caller::permissions).hash(&mut hasher);
        let key = Key {
            subject: caller.and_then(Caller::subject_if_any).map(str::to_owned),
            session: caller.and_then(Caller::session).map(str::to_owned),
            permissions: hasher.finish(),
        };
        if let Some(header) = self.cache.get(&key).await {
            return Ok(header);
        }
        let token =
            token::internal(&self.keys, audience, caller).map_err(|error| status::internal(&error))?;
        let mut header =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| status::internal(&error))?;
        header.set_sensitive(true);
        self.cache.insert(key, header.clone()).await;
        Ok(header)
    }
}
