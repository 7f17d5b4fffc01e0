//! Streams what comes to an inbox: told at once by this replica, found within a second when another one sent it.
use std::{collections::HashSet, pin::Pin, time::Duration};

use chassis::{db::Db, id::Id, time::Timestamp};
use contract::notification::v1 as pb;
use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    domain::Notification,
    error::Error,
    store::messages::{self, Message},
};

const EVERY: Duration = Duration::from_secs(1);
/// A message gets its time a moment before it is committed: that far back is looked again.
const OVERLAP: Duration = Duration::from_secs(10);

/// The stream of an inbox.
pub(crate) type Inbox = Pin<Box<dyn Stream<Item = Result<pb::Notification, Status>> + Send>>;

struct Watching {
    db: Db,
    recipient: String,
    began: Timestamp,
    since: Timestamp,
    seen: HashSet<Id<Notification>>,
    arrived: watch::Receiver<u64>,
    shutdown: CancellationToken,
}

/// What comes from now on, until the client goes or the server stops.
pub(crate) fn inbox(
    db: &Db,
    recipient: &str,
    arrived: watch::Receiver<u64>,
    shutdown: CancellationToken,
) -> Inbox {
    let now = Timestamp::now();
    let watching = Watching {
        db: db.clone(),
        recipient: recipient.to_owned(),
        began: now,
        since: now,
        seen: HashSet::new(),
        arrived,
        shutdown,
    };
    let batches = stream::unfold(watching, |mut watching| async move {
        match watching.next().await {
            Some(Ok(messages)) => {
                Some((messages.into_iter().map(|message| Ok(message.into())).collect(), watching))
            }
            Some(Err(status)) => Some((vec![Err(status)], watching)),
            None => None,
        }
    });
    batches.flat_map(|batch: Vec<Result<pb::Notification, Status>>| stream::iter(batch)).boxed()
}

impl Watching {
    async fn next(&mut self) -> Option<Result<Vec<Message>, Status>> {
        loop {
            self.arrived.mark_unchanged();
            let from = self.since.minus(OVERLAP).max(self.began);
            let found = match messages::inbox_since(self.db.writer(), &self.recipient, from).await {
                Ok(found) => found,
                Err(error) => return Some(Err(Error::from(error).into())),
            };
            self.since = found
                .iter()
                .filter_map(|message| message.send_time)
                .max()
                .unwrap_or(self.since)
                .max(self.since);
            let kept: HashSet<_> = found.iter().map(|message| message.id).collect();
            let fresh: Vec<_> =
                found.into_iter().filter(|message| !self.seen.contains(&message.id)).collect();
            self.seen = kept;
            if !fresh.is_empty() {
                return Some(Ok(fresh));
            }
            tokio::select! {
                changed = self.arrived.changed() => if changed.is_err() { return None },
                () = tokio::time::sleep(EVERY) => {}
                () = self.shutdown.cancelled() => return None,
            }
        }
    }
}
