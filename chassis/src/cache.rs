//! A cache of two levels: in this process, and in Redis where there is one. It may forget at any time, and never fails.

mod redis;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::redis::Redis;

/// How a cache is bounded.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Entries kept in this process.
    pub capacity: u64,
    /// How long an entry is believed; each lives up to a tenth shorter, so that they do not all end at once.
    pub ttl: Duration,
    /// How long it is believed that there is nothing.
    pub absent_ttl: Duration,
    /// The second level.
    pub redis: Option<Redis>,
}

/// A named cache, cheap to clone. Never decide about money or stock by what it says.
#[derive(Clone)]
pub struct Cache<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    name: &'static str,
    settings: Settings,
    local: moka::future::Cache<String, Entry<V>>,
    /// Counts invalidations: what was read from the database before one is not kept after it.
    epoch: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Entry<V> {
    value: Option<V>,
    ttl: Duration,
}

impl<V> Debug for Cache<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl<V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Cache<V> {
    /// A cache called `name`, which tells its keys in Redis from those of others.
    pub fn new(name: &'static str, settings: Settings) -> Cache<V> {
        let local =
            moka::future::Cache::builder().max_capacity(settings.capacity).expire_after(OwnTtl).build();
        let epoch = Arc::new(AtomicU64::new(0));
        if let Some(redis) = &settings.redis {
            let (local, epoch) = (local.clone(), Arc::clone(&epoch));
            redis.subscribe(name, move |key| {
                epoch.fetch_add(1, Ordering::SeqCst);
                let local = local.clone();
                async move {
                    match key {
                        Some(key) => local.invalidate(&key).await,
                        None => local.invalidate_all(),
                    }
                }
            });
        }
        Cache { inner: Arc::new(Inner { name, settings, local, epoch }) }
    }

    /// The value of `key`, from the nearest place that has it, or from `load`. Whoever asks meanwhile waits for the same
    /// answer; that there is nothing is remembered too, an error is not.
    pub async fn get_with<E, F>(&self, key: &str, load: F) -> Result<Option<V>, E>
    where
        E: Clone + Send + Sync + 'static,
        F: AsyncFnOnce() -> Result<Option<V>, E>,
    {
        let inner = &*self.inner;
        if let Some(entry) = inner.local.get(key).await {
            inner.count("memory");
            return Ok(entry.value);
        }
        let entry = inner.local.try_get_with_by_ref(key, inner.fetch(key, load)).await;
        entry.map(|entry| entry.value).map_err(|error| E::clone(&error))
    }

    /// Forgets `key` here, in Redis, and in every other process that shares the Redis.
    pub async fn invalidate(&self, key: &str) {
        let inner = &*self.inner;
        inner.epoch.fetch_add(1, Ordering::SeqCst);
        inner.local.invalidate(key).await;
        if let Some(redis) = &inner.settings.redis {
            redis.forget(inner.name, key).await;
            // What another caller brought here from Redis meanwhile.
            inner.local.invalidate(key).await;
        }
    }
}

impl<V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Inner<V> {
    async fn fetch<E, F>(&self, key: &str, load: F) -> Result<Entry<V>, E>
    where
        F: AsyncFnOnce() -> Result<Option<V>, E>,
    {
        if let Some(redis) = &self.settings.redis
            && let Some(json) = redis.get(self.name, key).await
            && let Ok(value) = serde_json::from_slice::<Option<V>>(&json)
        {
            self.count("redis");
            return Ok(self.entry(value));
        }
        self.count("miss");
        let before = self.epoch.load(Ordering::SeqCst);
        let entry = self.entry(load().await?);
        if self.epoch.load(Ordering::SeqCst) != before {
            // Something was invalidated while we read: the value may be the old one, so it serves this call alone.
            return Ok(Entry { ttl: Duration::ZERO, ..entry });
        }
        if let (Some(redis), Ok(json)) = (&self.settings.redis, serde_json::to_vec(&entry.value)) {
            redis.set(self.name, key, json, entry.ttl).await;
        }
        Ok(entry)
    }

    fn entry(&self, value: Option<V>) -> Entry<V> {
        let ttl = if value.is_some() { self.settings.ttl } else { self.settings.absent_ttl };
        let tenth = u64::try_from((ttl / 10).as_micros()).unwrap_or(u64::MAX);
        Entry { value, ttl: ttl - Duration::from_micros(rand::rng().random_range(0..=tenth)) }
    }

    fn count(&self, level: &'static str) {
        metrics::counter!("cache_requests_total", "cache" => self.name, "level" => level).increment(1);
    }
}

struct OwnTtl;

impl<V> Expiry<String, Entry<V>> for OwnTtl {
    fn expire_after_create(&self, _: &String, entry: &Entry<V>, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }
}

/// What happens to this process's copies when another one invalidates: one key, or all when messages may be lost.
type Forget = Box<dyn Fn(Option<String>) -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

fn boxed<F>(forget: impl Fn(Option<String>) -> F + Send + Sync + 'static) -> Forget
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move |key| Box::pin(forget(key)))
}

#[cfg(test)]
mod tests;
