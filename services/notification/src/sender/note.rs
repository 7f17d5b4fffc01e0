//! Notes what became of messages: together, or else each alone, so that none is another's undoing.
use chassis::{outbox, status, time::Timestamp};
use contract::notification::v1::NotificationFailed;
use sea_orm::DatabaseTransaction;

use super::Sender;
use crate::{
    domain::{Channel, State},
    error::Error,
    store::{
        caught::{self, Caught},
        due::{self, Again, Ending},
        messages::Message,
    },
};

/// A message, and what became of it.
pub(super) struct Tried {
    pub(super) message: Message,
    pub(super) outcome: Outcome,
}

/// What became of a message.
pub(super) enum Outcome {
    Ended {
        ending: Ending,
        /// What the development inbox gets in place of a mail server.
        caught: Option<Caught>,
    },
    Again(Again),
}

impl Outcome {
    /// It ends without having been sent.
    pub(super) fn without(state: State, failure: String, forget: bool) -> Outcome {
        let ending = Ending { state, subject: String::new(), body: String::new(), failure, forget };
        Outcome::Ended { ending, caught: None }
    }
}

impl Sender {
    pub(super) async fn note(&self, tried: Vec<Tried>) {
        if let Err(error) = self.note_all(&tried).await {
            tracing::debug!(error = status::chain(&error), "messages are noted each alone");
            for one in &tried {
                if let Err(error) = self.note_all(std::slice::from_ref(one)).await {
                    tracing::warn!(
                        error = status::chain(&error),
                        "a message could not be noted; its lease runs out"
                    );
                }
            }
        }
    }

    async fn note_all(&self, tried: &[Tried]) -> Result<(), Error> {
        self.db.write(async |tx| note(tx, tried).await).await?;
        let came = tried.iter().any(|Tried { message, outcome }| match outcome {
            Outcome::Ended { ending, .. } => message.channel == Channel::Inbox && ending.state == State::Sent,
            Outcome::Again(_) => false,
        });
        if came {
            self.arrived.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }
}

async fn note(tx: &DatabaseTransaction, tried: &[Tried]) -> Result<(), Error> {
    let endings = tried.iter().filter_map(|Tried { message, outcome }| match outcome {
        Outcome::Ended { ending, .. } => Some((message.id, ending)),
        Outcome::Again(_) => None,
    });
    let postponed = tried.iter().filter_map(|Tried { message, outcome }| match outcome {
        Outcome::Again(again) => Some((message.id, again)),
        Outcome::Ended { .. } => None,
    });
    due::postpone(tx, postponed).await?;
    let ended = due::end(tx, endings, Timestamp::now()).await?;
    let (mut mails, mut failed) = (Vec::new(), Vec::new());
    for Tried { message, outcome } in tried.iter().filter(|tried| ended.contains(&tried.message.id)) {
        let Outcome::Ended { ending, caught } = outcome else { continue };
        mails.extend(caught.as_ref());
        if ending.state == State::Failed {
            failed.push(NotificationFailed {
                notification: message.id.name(),
                recipient: message.recipient.clone(),
                kind: message.kind.clone(),
                reason: ending.failure.clone(),
            });
        }
    }
    caught::insert(tx, mails).await?;
    Ok(outbox::append_many(tx, failed.iter().map(|event| (&event.notification, event)).collect()).await?)
}
