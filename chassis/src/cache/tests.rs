//! The cache alone, with a Redis that is not there, and with the one that `TEST_REDIS_URL` names.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Cache, Redis, Settings};
use crate::testing::eventually;

fn settings(redis: Option<Redis>) -> Settings {
    Settings { capacity: 1000, ttl: Duration::from_secs(60), absent_ttl: Duration::from_secs(60), redis }
}

/// A Redis shared by tests: each uses keys of its own.
fn redis() -> Option<Redis> {
    #[allow(clippy::disallowed_methods, reason = "the test command tells where its servers are")]
    let url = std::env::var("TEST_REDIS_URL");
    match url {
        Ok(url) if !url.is_empty() => Some(Redis::new(&url).unwrap()),
        _ => {
            eprintln!("SKIPPED: TEST_REDIS_URL names no Redis");
            None
        }
    }
}

fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}

async fn get(cache: &Cache<i64>, key: &str, value: Option<i64>) -> Option<i64> {
    cache.get_with::<(), _>(key, async || Ok(value)).await.unwrap()
}

#[tokio::test]
async fn what_was_found_is_not_looked_up_again_and_neither_is_nothing() {
    let cache = Cache::new("numbers", settings(None));
    assert_eq!(get(&cache, "a", Some(1)).await, Some(1));
    assert_eq!(get(&cache, "a", Some(2)).await, Some(1));
    assert_eq!(get(&cache, "b", None).await, None);
    assert_eq!(get(&cache, "b", Some(2)).await, None);
    cache.invalidate("b").await;
    assert_eq!(get(&cache, "b", Some(3)).await, Some(3));
}

#[tokio::test]
async fn an_error_is_told_and_not_remembered() {
    let cache: Cache<i64> = Cache::new("numbers", settings(None));
    assert_eq!(cache.get_with("a", async || Err("down")).await, Err("down"));
    assert_eq!(get(&cache, "a", Some(1)).await, Some(1));
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_cause_one_look_up() {
    let cache = Cache::new("numbers", settings(None));
    let looked = AtomicUsize::new(0);
    let ask = || {
        cache.get_with::<(), _>("a", async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            looked.fetch_add(1, Ordering::Relaxed);
            Ok(Some(7))
        })
    };
    let answers = futures::future::join_all((0..100).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| *answer == Ok(Some(7))));
    assert_eq!(looked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_was_read_before_an_invalidation_is_not_kept_after_it() {
    let cache = Cache::new("numbers", settings(None));
    let stale = cache.get_with::<(), _>("a", async || {
        cache.invalidate("a").await;
        Ok(Some(1))
    });
    assert_eq!(stale.await, Ok(Some(1)));
    assert_eq!(get(&cache, "a", Some(2)).await, Some(2));
}

#[tokio::test]
async fn entries_end_and_not_all_at_once() {
    let short =
        Settings { ttl: Duration::from_millis(50), absent_ttl: Duration::from_millis(50), ..settings(None) };
    let cache = Cache::new("numbers", short);
    get(&cache, "a", Some(1)).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(get(&cache, "a", Some(2)).await, Some(2));
    let lives: std::collections::BTreeSet<_> =
        (0..50).map(|_| Cache::<i64>::new("n", settings(None)).inner.entry(Some(1)).ttl).collect();
    assert!(lives.len() > 10);
    assert!(lives.iter().all(|ttl| *ttl >= Duration::from_secs(54) && *ttl <= Duration::from_secs(60)));
}

#[tokio::test]
async fn without_its_redis_a_cache_still_caches() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cache = Cache::new("numbers", settings(Some(Redis::new(&format!("redis://{nobody}")).unwrap())));
    let looked = Cell::new(0);
    for _ in 0..10 {
        let found = cache.get_with::<(), _>("a", async || {
            looked.set(looked.get() + 1);
            Ok(Some(1))
        });
        assert_eq!(found.await, Ok(Some(1)));
    }
    assert_eq!(looked.get(), 1);
    cache.invalidate("a").await;
    assert_eq!(get(&cache, "a", Some(2)).await, Some(2));
}

#[tokio::test]
async fn a_redis_that_hangs_delays_one_call_and_not_each() {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", hanging.local_addr().unwrap());
    let cache = Cache::new("numbers", settings(Some(Redis::new(&url).unwrap())));
    let started = std::time::Instant::now();
    for key in 0..50 {
        get(&cache, &key.to_string(), Some(key)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn another_process_finds_what_one_has_looked_up() {
    let (Some(one), Some(other)) = (redis(), redis()) else { return };
    let (one, other) =
        (Cache::new("numbers", settings(Some(one))), Cache::new("numbers", settings(Some(other))));
    let (some, none) = (key(), key());
    assert_eq!(get(&one, &some, Some(1)).await, Some(1));
    assert_eq!(get(&other, &some, Some(2)).await, Some(1));
    assert_eq!(get(&one, &none, None).await, None);
    assert_eq!(get(&other, &none, Some(2)).await, None);
}

#[tokio::test]
async fn what_one_process_invalidates_every_process_forgets() {
    let (Some(one), Some(other)) = (redis(), redis()) else { return };
    let (one, other) =
        (Cache::new("numbers", settings(Some(one))), Cache::new("numbers", settings(Some(other))));
    // Both listen once a word said by one reaches the other.
    let key = key();
    for (speaker, listener) in [(&one, &other), (&other, &one)] {
        let newest = Cell::new(0);
        eventually(async || {
            newest.set(newest.get() + 1);
            speaker.invalidate(&key).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            (get(listener, &key, Some(newest.get())).await == Some(newest.get()) && newest.get() > 1)
                .then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_unreadable_entry_counts_as_none() {
    let Some(redis) = redis() else { return };
    let key = key();
    let words: Cache<String> = Cache::new("numbers", settings(Some(redis.clone())));
    words.get_with::<(), _>(&key, async || Ok(Some("seven".to_owned()))).await.unwrap();
    let numbers = Cache::new("numbers", settings(Some(redis)));
    assert_eq!(get(&numbers, &key, Some(7)).await, Some(7));
}
