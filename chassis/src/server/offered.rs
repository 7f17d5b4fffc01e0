//! Turns away calls of methods that this server does not have, in the words of every other refusal.
use std::{collections::BTreeSet, sync::Arc};

use super::around::{Answer, Around, Call, Inner, proceed, refuse};
use crate::{policy, status};

/// The services that are offered here.
#[derive(Clone)]
pub(super) struct Offered(Arc<BTreeSet<&'static str>>);

impl Offered {
    pub(super) fn new(services: impl IntoIterator<Item = &'static str>) -> Self {
        Self(Arc::new(services.into_iter().collect()))
    }

    fn has(&self, path: &str) -> bool {
        let service =
            path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(service, _)| service);
        // Health and reflection are not of the contract, and know their own methods.
        let known = policy::of(path).is_some() || path.starts_with("/grpc.");
        known && service.is_some_and(|service| self.0.contains(service))
    }
}

impl Around for Offered {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        if self.has(call.uri().path()) {
            proceed(inner, call).await
        } else {
            refuse(status::unknown_method())
        }
    }
}
