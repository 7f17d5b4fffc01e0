//! Words messages: looks up where to and what about, and fills the templates.
use chassis::money::Money;
use chassis::status;
use contract::{identity::v1 as identity, order::v1 as order};
use tonic::Code;

use super::Sender;
use crate::{
    domain::{
        Channel,
        template::{Filling, Template, closest},
    },
    store::messages::Message,
};

/// A message with everything that is needed to send it.
pub(super) struct Worded {
    pub(super) address: String,
    pub(super) subject: String,
    pub(super) body: String,
}

/// What messages to one recipient about one thing have in common.
pub(super) struct Facts {
    address: String,
    name: String,
    locale: String,
    filling: Filling,
}

/// Why a message is not sent now.
#[derive(Clone, Debug)]
pub(super) enum Not {
    /// A service that is needed does not answer: the try is not counted.
    Yet(String),
    /// This try failed.
    ThisTime(String),
    /// No try can succeed.
    Ever(String),
    /// There is nobody to tell.
    AtAll(&'static str),
}

/// Fills the template of a message.
pub(super) fn fill(message: &Message, facts: &Facts, templates: &[Template]) -> Result<Worded, Not> {
    if message.channel == Channel::Email && facts.address.is_empty() {
        return Err(Not::AtAll("no address is known"));
    }
    let locale = if message.locale.is_empty() { &facts.locale } else { &message.locale };
    let mut filling = message.filling.clone();
    let name = if facts.name.is_empty() { somebody(locale) } else { &facts.name };
    filling.entry("name".to_owned()).or_insert_with(|| name.to_owned());
    filling.extend(facts.filling.clone());
    let template = closest(templates, &message.kind, locale, message.channel);
    let template = template.ok_or_else(|| Not::Ever("there is no template".to_owned()))?;
    let (subject, body) = template.fill(&filling);
    Ok(Worded { address: facts.address.clone(), subject, body })
}

impl Sender {
    /// Finds out where to and what about, for all messages that have that in common with this one.
    pub(super) async fn facts(&self, message: &Message) -> Result<Facts, Not> {
        let (address, name, locale) = if message.address.is_empty() {
            self.contact(&message.recipient).await?
        } else {
            (message.address.clone(), String::new(), String::new())
        };
        let mut filling = Filling::new();
        if message.reference.starts_with("orders/") {
            self.describe_order(&message.reference, &mut filling).await?;
        }
        Ok(Facts { address, name, locale, filling })
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

/// A service that is away costs no try, nor one that does not know our keys or our question yet; one that refuses does.
fn unanswered(noun: &str, status: &tonic::Status) -> Not {
    let reason = format!("{noun} answered {:?}", status.code());
    if status::is_away(status) { Not::Yet(reason) } else { Not::ThisTime(reason) }
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
