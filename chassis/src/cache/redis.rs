//! The second level: shared by all processes, and tells them what to forget. When it is down, nobody notices but us.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use deadpool_redis::redis::{self, AsyncCommands, RedisError};
use deadpool_redis::{Config, Pool, Runtime};
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::{Forget, boxed};
use crate::Error;

/// A cache that answers slower than the database is none.
const PATIENCE: Duration = Duration::from_millis(100);
/// After a failure Redis is left alone this long, so that each call does not wait for it anew.
const REST: Duration = Duration::from_secs(1);
const CHANNEL: &str = "cartwright:cache";

/// A Redis that caches share. It connects when first used; made without it being up.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    client: redis::Client,
    caches: Mutex<HashMap<&'static str, Vec<Forget>>>,
    resting: Mutex<Option<Instant>>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis")
    }
}

impl Redis {
    /// The Redis at `url`. Fails only when the URL makes no sense.
    pub fn new(url: &str) -> Result<Redis, Error> {
        let wrong = |error: &dyn fmt::Display| Error::Settings(format!("REDIS_URL: {error}"));
        let pool = Config::from_url(url).create_pool(Some(Runtime::Tokio1)).map_err(|error| wrong(&error))?;
        let client = redis::Client::open(url).map_err(|error| wrong(&error))?;
        let inner = Arc::new(Inner { pool, client, caches: Mutex::default(), resting: Mutex::default() });
        begin(listen(Arc::downgrade(&inner)));
        Ok(Redis { inner })
    }

    pub(super) fn subscribe<F>(
        &self,
        name: &'static str,
        forget: impl Fn(Option<String>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut caches = self.inner.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.entry(name).or_default().push(boxed(forget));
    }

    pub(super) async fn get(&self, name: &str, key: &str) -> Option<Vec<u8>> {
        let key = full(name, key);
        self.ask(async |mut connection| connection.get::<_, Option<Vec<u8>>>(key).await).await.flatten()
    }

    pub(super) async fn set(&self, name: &str, key: &str, value: Vec<u8>, ttl: Duration) {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let key = full(name, key);
        self.ask(async |mut connection| connection.pset_ex::<_, _, ()>(key, value, millis).await).await;
    }

    /// Drops the key and says so. Asked even while resting: a change that is not told is believed for a whole ttl.
    pub(super) async fn forget(&self, name: &str, key: &str) {
        *self.resting() = None;
        let message = format!("{name} {key}");
        let key = full(name, key);
        self.ask(async |mut connection| {
            redis::pipe()
                .del(key)
                .ignore()
                .publish(CHANNEL, message)
                .ignore()
                .query_async::<()>(&mut connection)
                .await
        })
        .await;
    }

    async fn ask<T>(
        &self,
        work: impl AsyncFnOnce(deadpool_redis::Connection) -> Result<T, RedisError>,
    ) -> Option<T> {
        if self.resting().is_some_and(|until| until > Instant::now()) {
            return None;
        }
        let answer = timeout(PATIENCE, async {
            let connection = self.inner.pool.get().await.map_err(|error| error.to_string())?;
            work(connection).await.map_err(|error| error.to_string())
        })
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()));
        match answer {
            Ok(value) => Some(value),
            Err(error) => {
                *self.resting() = Some(Instant::now() + REST);
                metrics::counter!("cache_redis_failures_total").increment(1);
                debug!(error, "redis did not answer; going on without");
                None
            }
        }
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.inner.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    async fn tell(&self, name: Option<&str>, key: Option<&str>) {
        let told: Vec<_> = {
            let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
            (caches.iter())
                .filter(|(cache, _)| name.is_none_or(|name| name == **cache))
                .flat_map(|(_, forgets)| forgets.iter().map(|forget| forget(key.map(str::to_owned))))
                .collect()
        };
        for forget in told {
            forget.await;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "it only listens, so a drain need not wait for it")]
fn begin(listening: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(listening);
}

/// Hears what others invalidate, as long as anybody uses this Redis.
async fn listen(redis: Weak<Inner>) {
    let mut warned = false;
    while let Some(inner) = redis.upgrade() {
        let client = inner.client.clone();
        let subscribed = async {
            let mut messages = client.get_async_pubsub().await?;
            messages.subscribe(CHANNEL).await?;
            Ok::<_, RedisError>(messages)
        };
        match timeout(Duration::from_secs(2), subscribed).await {
            Ok(Ok(messages)) => {
                warned = false;
                // Whatever was said while nobody listened is lost.
                inner.tell(None, None).await;
                drop(inner);
                hear(&redis, messages).await;
            }
            Ok(Err(_)) | Err(_) if warned => {}
            Ok(Err(_)) | Err(_) => {
                warned = true;
                warn!("redis cannot be reached; caching in this process only");
            }
        }
        sleep(REST).await;
    }
}

async fn hear(redis: &Weak<Inner>, messages: redis::aio::PubSub) {
    let mut messages = messages.into_on_message();
    loop {
        // Looked up now and then, so that the task ends with the last user.
        let message = match timeout(Duration::from_secs(5), messages.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(_) if redis.strong_count() > 0 => continue,
            Err(_) => return,
        };
        let Some(inner) = redis.upgrade() else { return };
        if let Ok(text) = message.get_payload::<String>()
            && let Some((name, key)) = text.split_once(' ')
        {
            inner.tell(Some(name), Some(key)).await;
        }
    }
}

fn full(name: &str, key: &str) -> String {
    format!("cartwright:cache:{name}:{key}")
}
