//! Sends what is due: takes it by a lease, words it, hands it over, and notes what became of it, many messages at a time.
mod note;
mod word;

use std::{collections::BTreeMap, time::Duration};

use chassis::{client, db::Db, id::Id, pace::Pace, status, time::Timestamp};
use contract::{
    identity::v1::identity_service_client::IdentityServiceClient,
    order::v1::order_service_client::OrderServiceClient,
};
use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    note::{Outcome, Tried},
    word::{Not, Worded},
};
use crate::{
    domain::{Channel, State, delay_after, kind, template::Template},
    error::Error,
    mail::{self, Mail},
    store::{
        caught::{self, Caught},
        due::{self, Again, Ending},
        messages::Message,
        templates,
    },
};

const EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How long caught mail is kept.
const CAUGHT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Longer than all that one try may take, so that no two replicas send the same message.
const LEASE: Duration = Duration::from_secs(60);
/// Messages taken together. All of them are under way at once, so that none waits for its turn while its lease runs.
const BATCH: i64 = 16;
const AT_ONCE: usize = 16;
/// How long a message waits for a service that it needs to be worded.
const PEER_WAIT: Duration = Duration::from_secs(2);

/// The worker.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) db: Db,
    pub(crate) identity: IdentityServiceClient<client::Channel>,
    pub(crate) orders: OrderServiceClient<client::Channel>,
    pub(crate) mail: Mail,
    pub(crate) retry: Duration,
    /// Counts what came to inboxes, so that whoever watches one looks again.
    pub(crate) arrived: watch::Sender<u64>,
}

impl Sender {
    /// Sends what is due until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut sweep_at = tokio::time::Instant::now();
        let mut pace = Pace::default();
        loop {
            pace.turn().await;
            let committed = self.db.committed().notified();
            tokio::pin!(committed);
            committed.as_mut().enable();
            let full = match self.round().await {
                Ok(count) => count == usize::try_from(BATCH).unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(error = status::chain(&error), "messages could not be looked through");
                    false
                }
            };
            if tokio::time::Instant::now() >= sweep_at {
                sweep_at += SWEEP_EVERY;
                let before = Timestamp::now().minus(CAUGHT_FOR);
                if let Err(error) = self.db.write(async |tx| caught::sweep(tx, before).await).await {
                    tracing::warn!(%error, "old mail could not be swept");
                }
            }
            if shutdown.is_cancelled() {
                return;
            }
            if full {
                pace.hurry();
                continue;
            }
            tokio::select! {
                () = committed => {}
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn round(&self) -> Result<usize, Error> {
        if !due::any(self.db.writer(), Timestamp::now()).await? {
            return Ok(0);
        }
        let leased = self.db.write(async |tx| due::lease(tx, LEASE, BATCH).await).await?;
        let count = leased.len();
        let kinds = leased.iter().map(|message| message.kind.as_str()).collect();
        let templates = templates::of_kinds(self.db.reader(), &kinds).await;
        let templates = templates
            .map_err(|error| Not::Yet(format!("the templates cannot be read: {}", status::chain(&error))));
        stream::iter(stories(leased))
            .map(|story| self.attempt(story, &templates))
            .buffer_unordered(AT_ONCE)
            // Whatever is ready is noted at once, and together.
            .ready_chunks(AT_ONCE)
            .for_each(|tried| self.note(tried.into_iter().flatten().collect()))
            .await;
        Ok(count)
    }

    /// Tries to send messages to one recipient about one thing.
    async fn attempt(&self, story: Vec<Message>, templates: &Result<Vec<Template>, Not>) -> Vec<Tried> {
        let facts = match story.first() {
            Some(first) => self.facts(first).await,
            None => return Vec::new(),
        };
        let mut tried = Vec::new();
        for message in story {
            let worded = match (&facts, templates) {
                (Ok(facts), Ok(templates)) => word::fill(&message, facts, templates),
                (Err(not), _) | (_, Err(not)) => Err(not.clone()),
            };
            let outcome = match worded {
                Ok(worded) => self.send(&message, worded).await,
                Err(not) => Err(not),
            };
            let outcome = outcome.unwrap_or_else(|not| self.not_sent(&message, not));
            tried.push(Tried { message, outcome });
        }
        tried
    }

    async fn send(&self, message: &Message, worded: Worded) -> Result<Outcome, Not> {
        let mail = message.channel == Channel::Email;
        if let (true, Mail::Server { server, from }) = (mail, &self.mail) {
            let text = (worded.subject.as_str(), worded.body.as_str());
            let sent = mail::send(server, from, &worded.address, &message.id.to_string(), text).await;
            sent.map_err(|error| match error.permanent {
                true => Not::Ever(error.reason),
                false => Not::ThisTime(error.reason),
            })?;
        }
        let Worded { address, subject, body } = worded;
        let caught = (mail && self.mail.is_caught()).then(|| Caught {
            id: Id::new(),
            address,
            recipient: message.recipient.clone(),
            kind: message.kind.clone(),
            subject: subject.clone(),
            body: body.clone(),
            send_time: Timestamp::now(),
        });
        // What brings a code is not kept.
        let (subject, body) = if is_secret(message) { Default::default() } else { (subject, body) };
        let ending = Ending { state: State::Sent, subject, body, failure: String::new(), forget: true };
        Ok(Outcome::Ended { ending, caught })
    }

    fn not_sent(&self, message: &Message, not: Not) -> Outcome {
        let (reason, ever) = match not {
            Not::Yet(failure) => {
                let next_time = Timestamp::now().plus(PEER_WAIT);
                return Outcome::Again(Again { next_time, failure, counted: false });
            }
            Not::AtAll(reason) => return Outcome::without(State::Suppressed, reason.to_owned(), true),
            Not::ThisTime(reason) => (reason, false),
            Not::Ever(reason) => (reason, true),
        };
        match delay_after(message.attempts, self.retry).filter(|_| !ever) {
            Some(delay) => {
                tracing::warn!(
                    notification.kind = message.kind,
                    attempt = message.attempts,
                    reason,
                    "a message was not sent; it is tried again"
                );
                let next_time = Timestamp::now().plus(delay);
                Outcome::Again(Again { next_time, failure: reason, counted: true })
            }
            None => {
                tracing::error!(notification.id = %message.id, notification.kind = message.kind, reason, "a message is given up");
                Outcome::without(State::Failed, reason, is_secret(message))
            }
        }
    }
}

/// The messages of one recipient about one thing, which is looked up once for all of them.
fn stories(messages: Vec<Message>) -> impl Iterator<Item = Vec<Message>> {
    let mut stories: BTreeMap<_, Vec<Message>> = BTreeMap::new();
    for message in messages {
        let key = (message.recipient.clone(), message.reference.clone(), message.address.clone());
        stories.entry(key).or_default().push(message);
    }
    stories.into_values()
}

fn is_secret(message: &Message) -> bool {
    kind::find(&message.kind).is_some_and(|kind| kind.secret)
}

#[cfg(test)]
mod tests;
