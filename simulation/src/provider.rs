//! The payment provider: its own book, which is the truth about money, and the ways in which it does not tell it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chassis::Timestamp;
use http::{Method, Request, Response, StatusCode};
use provider_simulator::{Ask, Book, Operation};
use serde_json::{Value, json};

use crate::world::World;

/// The key its callers show, and the secret it signs announcements with.
pub(crate) const API_KEY: &str = "sk_simulated";
pub(crate) const SECRET: &str = "whsec_c2ltdWxhdGVkIGFubm91bmNlbWVudHMgYXJlIHNpZ25lZA==";
/// How late it announces at most.
const LATE_MAX_MS: u64 = 8000;

/// The provider. It never dies: it is somebody else's.
#[derive(Default)]
pub(crate) struct Provider {
    book: Book,
    /// What it has still to announce, and when.
    announcements: Vec<(Duration, String)>,
}

impl Provider {
    /// Carries out a request, or repeats what it did before. Nothing where it does not answer.
    pub(crate) fn answer(
        provider: &Arc<Mutex<Provider>>,
        world: &World,
        request: &Request<Bytes>,
    ) -> Option<Response<Bytes>> {
        let mut provider = lock(provider);
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (status, body) = match (request.method(), parts.as_slice()) {
            (&Method::POST, ["v1", collection]) => provider.act(world, collection, request)?,
            (&Method::GET, ["v1", "operations", key]) => match provider.book.find(key) {
                Some(operation) => (StatusCode::OK, json!(operation)),
                None => (StatusCode::NOT_FOUND, Value::Null),
            },
            (&Method::GET, ["v1", "cards", token]) => (StatusCode::OK, json!({ "fingerprint": token })),
            _ => (StatusCode::NOT_FOUND, Value::Null),
        };
        let mut answer = Response::new(Bytes::from(body.to_string()));
        *answer.status_mut() = status;
        Some(answer)
    }

    fn act(
        &mut self,
        world: &World,
        collection: &str,
        request: &Request<Bytes>,
    ) -> Option<(StatusCode, Value)> {
        let refused = (StatusCode::BAD_REQUEST, Value::Null);
        let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
        let Some(Ok(Some(ask))) = key.map(|key| Ask::read(collection, key, request.body())) else {
            return Some(refused);
        };
        let mut state = world.state();
        let rates = state.rates;
        let (hangs, fails, closed) = (
            state.chance.falls(rates.hangs),
            state.chance.falls(rates.fails),
            state.chance.falls(rates.closed),
        );
        state.counts.provider_faults += u64::from(hangs || fails || closed);
        if closed {
            state.tell(format_args!("the provider is closed"));
            return Some((StatusCode::SERVICE_UNAVAILABLE, Value::Null));
        }
        let known = match self.book.done(&ask) {
            Ok(known) => known.is_some(),
            Err(_) => return Some((StatusCode::CONFLICT, Value::Null)),
        };
        if !known {
            for entry in self.book.decide(&ask, Timestamp::now().micros()) {
                let done = &entry.operation;
                state.tell(format_args!("the provider: {:?} {} {:?}", done.kind, done.key, done.status));
                for _ in 0..=u64::from(state.chance.falls(rates.doubled)) {
                    let late = if state.chance.falls(500) { 1 } else { LATE_MAX_MS };
                    let at = crate::machine::elapsed() + Duration::from_millis(state.chance.below(late));
                    self.announcements.push((at, done.key.clone()));
                }
                self.book.apply(entry);
            }
        }
        match (hangs, fails, self.book.find(&ask.key)) {
            (true, _, _) => None,
            (false, true, _) | (false, false, None) => Some((StatusCode::SERVICE_UNAVAILABLE, Value::Null)),
            (false, false, Some(operation)) => Some((StatusCode::OK, json!(operation))),
        }
    }

    /// What it announces now. Untaken, it is announced again a second later.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Operation> {
        let (due, later) =
            std::mem::take(&mut self.announcements).into_iter().partition(|(at, _)| *at <= now);
        self.announcements = later;
        let due: Vec<(Duration, String)> = due;
        due.iter().filter_map(|(_, key)| self.book.find(key).cloned()).collect()
    }

    /// Announces an operation again, later.
    pub(crate) fn again(&mut self, key: &str, now: Duration) {
        self.announcements.push((now + Duration::from_secs(1), key.to_owned()));
    }

    /// All that it did.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.book.operations()
    }
}

pub(crate) fn lock(provider: &Arc<Mutex<Provider>>) -> MutexGuard<'_, Provider> {
    provider.lock().unwrap_or_else(PoisonError::into_inner)
}
