//! What notification does, as functions over a transaction.
use chassis::{id::Id, time::Timestamp};
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{
        Channel, Notification, State,
        kind::Kind,
        template::{Filling, Template},
    },
    error::Error,
    store::{caught, messages, messages::Message, preferences, preferences::Preferences, templates},
};

/// A message to ask for.
pub(crate) struct Telling<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) recipient: &'a str,
    /// What makes it this message and no other: it is told once over each channel.
    pub(crate) dedup_key: String,
    pub(crate) reference: &'a str,
    pub(crate) address: String,
    pub(crate) locale: String,
    pub(crate) filling: Filling,
}

impl<'a> Telling<'a> {
    /// A message about something, told once.
    pub(crate) fn about(kind: &'static Kind, recipient: &'a str, reference: &'a str) -> Self {
        Self {
            kind,
            recipient,
            dedup_key: format!("{}:{reference}", kind.name),
            reference,
            address: String::new(),
            locale: String::new(),
            filling: Filling::new(),
        }
    }

    /// The same with one more value.
    pub(crate) fn with(mut self, place: &str, value: String) -> Self {
        self.filling.insert(place.to_owned(), value);
        self
    }

    fn message(&self, channel: Channel, why_not: Option<&str>, now: Timestamp) -> Message {
        Message {
            id: Id::new(),
            dedup_key: self.dedup_key.clone(),
            channel,
            recipient: self.recipient.to_owned(),
            kind: self.kind.name.to_owned(),
            reference: self.reference.to_owned(),
            state: if why_not.is_some() { State::Suppressed } else { State::Pending },
            address: self.address.clone(),
            locale: self.locale.clone(),
            filling: self.filling.clone(),
            subject: String::new(),
            body: String::new(),
            attempts: 0,
            failure: why_not.unwrap_or_default().to_owned(),
            create_time: now,
            send_time: None,
        }
    }
}

/// Asks for messages, each over every channel of its kind. What was asked for before is not asked for again.
pub(crate) async fn tell(
    tx: &DatabaseTransaction,
    tellings: &[Telling<'_>],
    now: Timestamp,
) -> Result<Vec<Message>, Error> {
    let updates = tellings.iter().filter(|telling| telling.kind.shipping_update);
    let muted = preferences::muted(tx, &updates.map(|telling| telling.recipient).collect()).await?;
    let each = |telling: &Telling<'_>| {
        let muted = telling.kind.shipping_update && muted.contains(telling.recipient);
        let why_not = muted.then_some("the recipient does not want it");
        let channels = telling.kind.channels.iter();
        channels.map(|channel| telling.message(*channel, why_not, now)).collect::<Vec<_>>()
    };
    let messages: Vec<Message> = tellings.iter().flat_map(each).collect();
    messages::insert(tx, &messages).await?;
    Ok(messages)
}

/// Records messages that are not sent on purpose, each over the first channel of its kind.
pub(crate) async fn suppress(
    tx: &DatabaseTransaction,
    tellings: &[Telling<'_>],
    why_not: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let first = |telling: &Telling<'_>| {
        telling.kind.channels.first().map(|channel| telling.message(*channel, Some(why_not), now))
    };
    Ok(messages::insert(tx, &tellings.iter().filter_map(first).collect::<Vec<_>>()).await?)
}

/// Sends a failed message again. Asking again while it is on its way changes nothing.
pub(crate) async fn resend(
    tx: &DatabaseTransaction,
    id: Id<Notification>,
    now: Timestamp,
) -> Result<Message, Error> {
    let message = messages::find(tx, id).await?.ok_or(Error::NotificationNotFound)?;
    match message.state {
        State::Failed if crate::domain::kind::find(&message.kind).is_some_and(|kind| kind.secret) => {
            Err(Error::NotKept)
        }
        State::Failed => {
            messages::revive(tx, id, now).await?;
            messages::find(tx, id).await?.ok_or(Error::NotificationNotFound)
        }
        State::Pending => Ok(message),
        State::Sent | State::Suppressed => Err(Error::NotFailed),
    }
}

/// Changes what somebody wants to be told.
pub(crate) async fn update_preferences(
    tx: &DatabaseTransaction,
    subject: &str,
    change: impl FnOnce(&mut Preferences),
    now: Timestamp,
) -> Result<Preferences, Error> {
    let mut preferences = preferences::find(tx, subject).await?;
    change(&mut preferences);
    preferences::save(tx, subject, preferences, now).await?;
    Ok(preferences)
}

/// Changes a template, or makes one for another language.
pub(crate) async fn update_template(
    tx: &DatabaseTransaction,
    template: &Template,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(templates::save(tx, template, now).await?)
}

/// Forgets everything personal about somebody.
pub(crate) async fn erase(tx: &DatabaseTransaction, subject: &str) -> Result<(), Error> {
    messages::erase(tx, subject).await?;
    caught::erase(tx, subject).await?;
    Ok(preferences::erase(tx, subject).await?)
}
