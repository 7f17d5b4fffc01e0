//! Compares what channels state with our books, each day and when it is asked to.
//!
//! A day's lines are looked up in our books page by page, and of what was booked on that day it is asked which no statement
//! has: not that day's, nor those of the days beside it, since a channel may do just before midnight what is booked after.
//! Nothing is held in memory but keys, and what differs.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chassis::db::Db;
use chassis::time::Timestamp;

use crate::channel::{Channel, Channels, Page};
use crate::config::Config;
use crate::domain::reconcile::{Comparison, Day, Moved, Ours};
use crate::error::Error;
use crate::store::reconcile::{Span, booked, of_lines};
use crate::store::reports::{self, Report, Taken, Wish};

/// How long a page of a statement may take before another replica takes the day over.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is looked whether a day is to be compared.
const EVERY: Duration = Duration::from_secs(60);
/// How long after a failure a day is compared again.
const AGAIN: Duration = Duration::from_secs(600);
/// How many days are caught up with after a shop was down.
const DAYS_MAX: u64 = 31;
/// How long reports are kept.
const KEPT_DAYS: u64 = 400;
const BATCH: i64 = 500;
/// Who compares by the clock.
const CLOCK: &str = "service:payment";

/// Compares books.
#[derive(Clone)]
pub(crate) struct Reconciler {
    db: Db,
    channels: Channels,
    /// How long what is under way is left in peace.
    tolerance: Duration,
    /// From when on the day before is compared.
    after_midnight: Duration,
}

/// Why a day could not be compared.
enum Stopped {
    /// Another replica has taken it.
    Lost,
    /// Its statement could not be read.
    Unread(String),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stopped {
    fn from(error: E) -> Stopped {
        Stopped::Failed(error.into())
    }
}

impl Reconciler {
    pub(crate) fn new(db: &Db, channels: &Channels, config: &Config) -> Reconciler {
        Reconciler {
            db: db.clone(),
            channels: channels.clone(),
            tolerance: Duration::from_secs(config.payment_reconcile_tolerance_seconds),
            after_midnight: Duration::from_secs(u64::from(config.payment_reconcile_hour) * 3600),
        }
    }

    /// Compares a day now, whether or not it was compared before.
    pub(crate) async fn run(&self, channel: &str, day: Day, actor: &str) -> Result<Report, Error> {
        let wish = Wish { actor, unless_done_since: None };
        self.carry_out(channel, day, wish).await?.ok_or(Error::Reconciling)
    }

    /// Compares each day, some hours after its end, until it is told to stop. Of several replicas one does it.
    pub(crate) async fn keep(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            for channel in self.channels.offered() {
                tokio::select! {
                    // What is cut off here is taken up again when its lease has run out.
                    () = &mut stop => return,
                    done = self.catch_up(channel) => if let Err(error) = done {
                        tracing::warn!(channel, error = %chassis::status::chain(&error), "a day could not be compared with its statement");
                    },
                }
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Compares the days of a channel that are over and were not compared.
    async fn catch_up(&self, channel: &str) -> Result<(), Error> {
        let now = Timestamp::now();
        let end = Day::of(now.minus(self.after_midnight));
        let latest = reports::latest(self.db.writer(), channel).await?;
        let mut day = latest.map_or(end.minus(1), |latest| latest.next().max(end.minus(DAYS_MAX)));
        while day < end {
            let wish = Wish { actor: CLOCK, unless_done_since: Some(now.minus(AGAIN)) };
            if self.carry_out(channel, day, wish).await?.is_some() {
                self.db.write(async |tx| reports::forget(tx, day.minus(KEPT_DAYS)).await).await?;
            }
            day = day.next();
        }
        Ok(())
    }

    async fn carry_out(&self, channel: &str, day: Day, wish: Wish<'_>) -> Result<Option<Report>, Error> {
        let taken = self.db.write(async |tx| reports::take(tx, (channel, day), wish, LEASE).await).await?;
        let Some(taken) = taken else { return Ok(None) };
        let compared = match self.compare(channel, day, taken).await {
            Ok(compared) => compared,
            Err(Stopped::Lost) => return Ok(None),
            Err(Stopped::Unread(why)) => {
                tracing::warn!(channel, %day, why, "a statement cannot be read");
                self.db.write(async |tx| reports::fail(tx, taken, &why).await).await?;
                return Err(Error::ChannelUnavailable);
            }
            Err(Stopped::Failed(error)) => return Err(error),
        };
        let news = self.db.write(async |tx| reports::finish(tx, taken, &compared).await).await?;
        let Some(news) = news else { return Ok(None) };
        tell(channel, day, &compared, news);
        reports::find(self.db.writer(), taken.id).await.map_err(Error::from)
    }

    async fn compare(&self, channel: &str, day: Day, taken: Taken) -> Result<Comparison, Stopped> {
        let mut comparison = Comparison::new(Timestamp::now(), self.tolerance);
        let (mut stated, mut after) = (HashSet::new(), Some(String::new()));
        while let Some(from) = after {
            let page = self.page(channel, day, taken, &from).await?;
            let ours = of_lines(self.db.writer(), channel, &page.lines).await?;
            for line in page.lines {
                comparison.line(&line, ours.get(&line.key));
                stated.insert(line.key);
            }
            after = page.next;
        }
        let mut missing: HashMap<String, Ours> = HashMap::new();
        for moved in [Moved::Captured, Moved::Refunded] {
            let (span, mut after) = (Span { from: day.start(), to: day.next().start(), limit: BATCH }, None);
            loop {
                let (page, last) = booked(self.db.writer(), channel, moved, span, after).await?;
                let unstated = page.into_iter().filter(|ours| !stated.contains(&ours.key));
                missing.extend(unstated.map(|ours| (ours.key.clone(), ours)));
                match last {
                    Some(_) => after = last,
                    None => break,
                }
            }
        }
        for beside in [day.minus(1), day.next()] {
            if missing.is_empty() || beside > Day::of(Timestamp::now()) {
                continue;
            }
            let mut after = Some(String::new());
            while let Some(from) = after {
                let page = self.page(channel, beside, taken, &from).await?;
                for line in page.lines {
                    missing.remove(&line.key);
                }
                after = page.next;
            }
        }
        for ours in missing.values() {
            comparison.missing(ours);
        }
        Ok(comparison)
    }

    /// A page of a statement, for as long as the day is ours.
    async fn page(&self, channel: &str, day: Day, taken: Taken, after: &str) -> Result<Page, Stopped> {
        if !self.db.write(async |tx| reports::hold(tx, taken, LEASE).await).await? {
            return Err(Stopped::Lost);
        }
        let page = self.channels.get(channel).statement(day, after).await;
        let page = page.map_err(|fault| Stopped::Unread(fault.to_string()))?;
        // One that does not get on would never end.
        match &page.next {
            Some(next) if next == after => Err(Stopped::Unread("it repeats a page".to_owned())),
            Some(_) | None => Ok(page),
        }
    }
}

/// Tells operators of what no run before had found.
fn tell(channel: &str, day: Day, compared: &Comparison, news: Vec<(String, i64)>) {
    tracing::info!(
        channel, %day, operations = compared.operations, breaks = compared.break_count,
        "our books were compared with a statement"
    );
    for (kind, count) in news {
        tracing::error!(channel, %day, kind, count, "our books and a statement differ: see `cartwright reconcile`");
        let labels = [("channel", channel.to_owned()), ("kind", kind)];
        metrics::counter!("payment_reconciliation_breaks_total", &labels)
            .increment(u64::try_from(count).unwrap_or_default());
    }
}
