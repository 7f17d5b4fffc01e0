//! Mail: handed to a server by SMTP, or caught in the development inbox where there is none.
use std::time::Duration;

use chassis::{Error, config::Secret};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

/// How long the server may take for one command, and for the whole message.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where mail goes.
#[derive(Clone)]
pub(crate) enum Mail {
    Server { server: AsyncSmtpTransport<Tokio1Executor>, from: Box<Mailbox> },
    Caught,
}

/// Why the server does not have the message. Says nothing of whom it is for: it is told in an event.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct NotSent {
    pub(crate) reason: String,
    /// Trying again cannot help.
    pub(crate) permanent: bool,
}

impl Mail {
    pub(crate) fn new(server: Option<&Secret>, from: &str) -> Result<Self, Error> {
        let Some(url) = server else { return Ok(Self::Caught) };
        let from = from
            .parse()
            .map_err(|error| Error::Settings(format!("MAIL_FROM is no mail address: {error}")))?;
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
            .map_err(|error| Error::Settings(format!("SMTP_URL is no address of a mail server: {error}")))?
            .timeout(Some(COMMAND_TIMEOUT))
            .build();
        Ok(Self::Server { server, from: Box::new(from) })
    }

    pub(crate) fn is_caught(&self) -> bool {
        matches!(self, Self::Caught)
    }
}

/// Hands one message to the server. The id is the same at every try, so that a server which knows it can drop it.
pub(crate) async fn send(
    server: &AsyncSmtpTransport<Tokio1Executor>,
    from: &Mailbox,
    to: &str,
    id: &str,
    (subject, body): (&str, &str),
) -> Result<(), NotSent> {
    let never = |reason: &str| NotSent { reason: reason.to_owned(), permanent: true };
    let to: Address = to.parse().map_err(|_| never("the address is none"))?;
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .header(ContentType::TEXT_PLAIN)
        .body(body.to_owned())
        .map_err(|_| never("the message cannot be written as mail"))?;
    match tokio::time::timeout(MESSAGE_TIMEOUT, server.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let reason = match error.status() {
                Some(code) => format!("the mail server refused it ({code})"),
                None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
                None => "the mail server cannot be reached".to_owned(),
            };
            Err(NotSent { reason, permanent: error.is_permanent() })
        }
        Err(_) => {
            Err(NotSent { reason: "the mail server did not answer in time".to_owned(), permanent: false })
        }
    }
}
