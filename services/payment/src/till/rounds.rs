//! Working on what is due: taken by many at once, worked on side by side.

use std::future::Future;
use std::time::Duration;

use chassis::pace::Pace;
use chassis::status;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How often it is looked without a wake: for what is due later, and for what another process has committed.
const EVERY: Duration = Duration::from_secs(1);

/// Takes what is due and works on it, so much at once, until it is told to stop; what was begun is ended.
pub(super) async fn work<T, L, W>(
    wake: &Notify,
    stop: &CancellationToken,
    at_once: usize,
    take: impl Fn(i64) -> L,
    carry_out: impl Fn(T) -> W,
) where
    L: Future<Output = Result<Vec<T>, DbErr>>,
    W: Future<Output = Result<(), Error>>,
{
    let mut work = FuturesUnordered::new();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = Pace::default();
    let (mut look, mut more) = (false, false);
    loop {
        let places = at_once - work.len();
        if look && places > 0 {
            let taking = async {
                pace.turn().await;
                take(i64::try_from(places).unwrap_or(i64::MAX)).await
            };
            tokio::pin!(taking);
            // What is worked on goes on meanwhile: it may hold the database's only pen.
            let taken = loop {
                tokio::select! {
                    taken = &mut taking => break taken,
                    Some(done) = work.next() => report(done),
                }
            };
            let taken = taken.unwrap_or_else(|error| {
                tracing::warn!(error = %status::chain(&error), "the till cannot see what is due");
                Vec::new()
            });
            more = taken.len() == places;
            work.extend(taken.into_iter().map(&carry_out));
        } else {
            more |= look;
        }
        look = tokio::select! {
            Some(done) = work.next() => {
                report(done);
                more
            }
            () = stop.cancelled() => break,
            () = wake.notified() => true,
            _ = every.tick() => true,
        };
    }
    while let Some(done) = work.next().await {
        report(done);
    }
}

fn report(done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(error = %status::chain(&error), "the till could not carry out what is due");
    }
}
