//! Sends what is due: looks up where to and what about, fills the template, hands it over, tries again.
use std::time::Duration;

use chassis::{client, db::Db, id::Id, money::Money, outbox, status, time::Timestamp};
use contract::{
    identity::v1::{self as identity, identity_service_client::IdentityServiceClient},
    notification::v1::NotificationFailed,
    order::v1::{self as order, order_service_client::OrderServiceClient},
};
use futures::{StreamExt, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    domain::{Channel, State, delay_after, kind, template::Filling},
    error::Error,
    mail::{self, Mail},
    store::{
        caught::{self, Caught},
        messages::{self, Ending, Message},
        templates,
    },
};

const EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How long caught mail is kept.
const CAUGHT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Longer than all that one try may take, so that no two replicas send the same message.
const LEASE: Duration = Duration::from_secs(60);
const BATCH: i64 = 64;
const AT_ONCE: usize = 8;
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

/// A message with everything that is needed to send it.
struct Worded {
    address: String,
    subject: String,
    body: String,
}

/// Why a message is not sent now.
enum Not {
    /// A service that is needed does not answer: the try is not counted.
    Yet(String),
    /// This try failed.
    ThisTime(String),
    /// No try can succeed.
    Ever(String),
    /// There is nobody to tell.
    AtAll(&'static str),
}

impl Sender {
    /// Sends what is due until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut sweep_at = tokio::time::Instant::now();
        loop {
            let committed = self.db.committed().notified();
            tokio::pin!(committed);
            committed.as_mut().enable();
            let full = match self.round(&shutdown).await {
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
                continue;
            }
            tokio::select! {
                () = committed => {}
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn round(&self, shutdown: &CancellationToken) -> Result<usize, Error> {
        let now = Timestamp::now();
        let due = messages::due(self.db.writer(), now, BATCH).await?;
        let count = due.len();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |message| {
                if shutdown.is_cancelled() {
                    return;
                }
                if let Err(error) = self.attempt(message).await {
                    tracing::warn!(
                        error = status::chain(&error),
                        "a message could not be noted; its lease runs out"
                    );
                }
            })
            .await;
        Ok(count)
    }

    async fn attempt(&self, message: Message) -> Result<(), Error> {
        if !messages::claim(&self.db, &message, LEASE, Timestamp::now()).await? {
            return Ok(());
        }
        let tries = message.attempts + 1;
        let secret = kind::find(&message.kind).is_some_and(|kind| kind.secret);
        let outcome = match self.word(&message).await {
            Ok(worded) => self.send(&message, worded, secret).await?,
            Err(not) => Err(not),
        };
        let Err(not) = outcome else { return Ok(()) };
        match not {
            Not::Yet(reason) => {
                let next_time = Timestamp::now().plus(PEER_WAIT);
                Ok(messages::postpone(&self.db, message.id, next_time, &reason, false).await?)
            }
            Not::ThisTime(reason) => match delay_after(tries, self.retry) {
                Some(delay) => {
                    tracing::warn!(
                        notification.kind = message.kind,
                        attempt = tries,
                        reason,
                        "a message was not sent; it is tried again"
                    );
                    Ok(messages::postpone(&self.db, message.id, Timestamp::now().plus(delay), &reason, true)
                        .await?)
                }
                None => self.give_up(&message, &reason, secret).await,
            },
            Not::Ever(reason) => self.give_up(&message, &reason, secret).await,
            Not::AtAll(reason) => {
                let ending =
                    Ending { state: State::Suppressed, subject: "", body: "", failure: reason, forget: true };
                self.end(&message, &ending).await
            }
        }
    }

    async fn send(&self, message: &Message, worded: Worded, secret: bool) -> Result<Result<(), Not>, Error> {
        let now = Timestamp::now();
        if message.channel == Channel::Email
            && let Mail::Server { server, from } = &self.mail
        {
            let sent = mail::send(
                server,
                from,
                &worded.address,
                &message.id.to_string(),
                (&worded.subject, &worded.body),
            )
            .await;
            if let Err(error) = sent {
                return Ok(Err(if error.permanent {
                    Not::Ever(error.reason)
                } else {
                    Not::ThisTime(error.reason)
                }));
            }
        }
        // What brings a code is not kept.
        let (subject, body) = if secret { ("", "") } else { (worded.subject.as_str(), worded.body.as_str()) };
        let ending = Ending { state: State::Sent, subject, body, failure: "", forget: true };
        self.db
            .write(async |tx| {
                if messages::end(tx, message.id, &ending, now).await?
                    && message.channel == Channel::Email
                    && self.mail.is_caught()
                {
                    let caught = Caught {
                        id: Id::new(),
                        address: worded.address.clone(),
                        recipient: message.recipient.clone(),
                        kind: message.kind.clone(),
                        subject: worded.subject.clone(),
                        body: worded.body.clone(),
                        send_time: now,
                    };
                    caught::insert(tx, &caught).await?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        if message.channel == Channel::Inbox {
            self.arrived.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(Ok(()))
    }

    async fn give_up(&self, message: &Message, reason: &str, secret: bool) -> Result<(), Error> {
        tracing::error!(notification.id = %message.id, notification.kind = message.kind, reason, "a message is given up");
        let ending = Ending { state: State::Failed, subject: "", body: "", failure: reason, forget: secret };
        self.end(message, &ending).await
    }

    async fn end(&self, message: &Message, ending: &Ending<'_>) -> Result<(), Error> {
        let now = Timestamp::now();
        self.db
            .write(async |tx| {
                if messages::end(tx, message.id, ending, now).await? && ending.state == State::Failed {
                    let event = NotificationFailed {
                        notification: message.id.name(),
                        recipient: message.recipient.clone(),
                        kind: message.kind.clone(),
                        reason: ending.failure.to_owned(),
                    };
                    outbox::append(tx, &message.id.name(), &event).await?;
                }
                Ok(())
            })
            .await
    }

    /// Finds out where to and what about, and fills the template.
    async fn word(&self, message: &Message) -> Result<Worded, Not> {
        let (address, name, locale) = if message.address.is_empty() {
            self.contact(&message.recipient).await?
        } else {
            (message.address.clone(), String::new(), String::new())
        };
        if message.channel == Channel::Email && address.is_empty() {
            return Err(Not::AtAll("no address is known"));
        }
        let locale = if message.locale.is_empty() { locale } else { message.locale.clone() };
        let mut filling = message.filling.clone();
        let name = if name.is_empty() { somebody(&locale).to_owned() } else { name };
        filling.entry("name".to_owned()).or_insert(name);
        if message.reference.starts_with("orders/") {
            self.describe_order(&message.reference, &mut filling).await?;
        }
        let template = templates::closest(self.db.reader(), &message.kind, &locale, message.channel).await;
        let template = template
            .map_err(|error| Not::Yet(format!("the templates cannot be read: {error}")))?
            .ok_or_else(|| Not::Ever("there is no template".to_owned()))?;
        let (subject, body) = template.fill(&filling);
        Ok(Worded { address, subject, body })
    }

    /// Address, name and locale.
    async fn contact(&self, recipient: &str) -> Result<(String, String, String), Not> {
        let request = identity::GetContactRequest { subject: recipient.to_owned() };
        match self.identity.clone().get_contact(request).await {
            Ok(contact) => {
                let contact = contact.into_inner();
                Ok((contact.email, contact.display_name, contact.locale))
            }
            Err(status) if status.code() == Code::NotFound => Err(Not::AtAll("the recipient is not known")),
            Err(status) => Err(unanswered("identity", &status)),
        }
    }

    async fn describe_order(&self, name: &str, filling: &mut Filling) -> Result<(), Not> {
        let request = order::GetOrderRequest { name: name.to_owned(), ..Default::default() };
        let order = self
            .orders
            .clone()
            .get_order(request)
            .await
            .map_err(|status| unanswered("order", &status))?
            .into_inner();
        filling.insert("order".to_owned(), order.number.clone());
        filling.insert("total".to_owned(), amount(order.total.as_ref()));
        let lines = order
            .lines
            .iter()
            .map(|line| format!("{} x {}  {}", line.quantity, line.title, amount(line.total.as_ref())));
        filling.insert("lines".to_owned(), lines.collect::<Vec<_>>().join("\n"));
        Ok(())
    }
}

/// A service that is away costs no try; one that refuses does.
fn unanswered(noun: &str, status: &tonic::Status) -> Not {
    let reason = format!("{noun} answered {:?}", status.code());
    let away = matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::Unknown
    );
    if away { Not::Yet(reason) } else { Not::ThisTime(reason) }
}

fn amount(money: Option<&contract::Money>) -> String {
    money.and_then(|money| Money::try_from(money).ok()).map(|money| money.to_string()).unwrap_or_default()
}

/// How somebody is addressed who has not said a name.
fn somebody(locale: &str) -> &'static str {
    match locale.split('-').next().unwrap_or_default() {
        "de" => "liebe Kundin, lieber Kunde",
        "zh" => "尊敬的客户",
        _ => "there",
    }
}
