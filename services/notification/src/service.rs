//! What notification does, as functions over a transaction.
use chassis::{id::Id, time::Timestamp};
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{
        Notification, State,
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
}

/// Asks for a message over every channel of its kind. What was asked for before is not asked for again. Gives the first.
pub(crate) async fn tell(
    tx: &DatabaseTransaction,
    telling: &Telling<'_>,
    now: Timestamp,
) -> Result<Message, Error> {
    let muted = telling.kind.shipping_update
        && preferences::find(tx, telling.recipient).await?.shipping_updates_muted;
    let why_not = if muted { Some("the recipient does not want it") } else { None };
    let mut first = None;
    for channel in telling.kind.channels {
        let message = insert(tx, telling, *channel, why_not, now).await?;
        first.get_or_insert(message);
    }
    first.ok_or(Error::TemplateNotFound)
}

/// Records a message that is not sent on purpose, over the first channel of its kind.
pub(crate) async fn suppress(
    tx: &DatabaseTransaction,
    telling: &Telling<'_>,
    why_not: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(channel) = telling.kind.channels.first() {
        insert(tx, telling, *channel, Some(why_not), now).await?;
    }
    Ok(())
}

async fn insert(
    tx: &DatabaseTransaction,
    telling: &Telling<'_>,
    channel: crate::domain::Channel,
    why_not: Option<&str>,
    now: Timestamp,
) -> Result<Message, Error> {
    let message = Message {
        id: Id::new(),
        dedup_key: telling.dedup_key.clone(),
        channel,
        recipient: telling.recipient.to_owned(),
        kind: telling.kind.name.to_owned(),
        reference: telling.reference.to_owned(),
        state: if why_not.is_some() { State::Suppressed } else { State::Pending },
        address: telling.address.clone(),
        locale: telling.locale.clone(),
        filling: telling.filling.clone(),
        subject: String::new(),
        body: String::new(),
        attempts: 0,
        failure: why_not.unwrap_or_default().to_owned(),
        create_time: now,
        send_time: None,
    };
    messages::insert(tx, &message).await?;
    Ok(message)
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
