//! Between the wire and the domain: what is asked for is judged here, field by field.
use chassis::wire;
use contract::notification::v1 as pb;
use pb::template::Channel as PbChannel;
use tonic::Status;

use crate::{
    domain::{
        Channel, State, kind,
        template::{self, Template},
    },
    error::Error,
    service::Telling,
    store::{caught::Caught, messages::Message, preferences::Preferences, templates::Kept},
};

/// The message that another service asks for.
pub(super) fn telling(request: &pb::SendNotificationRequest) -> Result<Telling<'_>, Error> {
    let kind = kind::find(&request.kind).ok_or_else(|| Error::field("kind", "is none that is known"))?;
    let person = request
        .recipient
        .split_once('/')
        .is_some_and(|(collection, id)| matches!(collection, "users" | "guests") && !id.is_empty());
    if !person {
        return Err(Error::field("recipient", "must be a name like users/{id} or guests/{id}"));
    }
    if !request.address.is_empty() && request.address.parse::<lettre::Address>().is_err() {
        return Err(Error::field("address", "must be an e-mail address"));
    }
    if !request.locale.is_empty() && !template::is_locale(&request.locale) {
        return Err(Error::field("locale", "must be a language tag such as en or zh-CN"));
    }
    let mut telling = Telling::about(kind, &request.recipient, "");
    telling.dedup_key = format!("request:{}", request.request_id.to_ascii_lowercase());
    telling.address = request.address.to_ascii_lowercase();
    telling.locale.clone_from(&request.locale);
    telling.filling = request.values.iter().map(|value| (value.key.clone(), value.value.clone())).collect();
    Ok(telling)
}

pub(super) fn template_name(name: &str) -> Result<(&str, &str, Channel), Error> {
    template::parse_name(name)
        .ok_or_else(|| Error::field("name", "must be a name like templates/welcome.en.email"))
}

/// The template to save.
pub(super) fn template(template: Option<&pb::Template>) -> Result<Template, Status> {
    let new = wire::required("template", template)?;
    let kind = kind::find(&new.kind).ok_or_else(|| Error::field("template.kind", "is none that is known"))?;
    if !template::is_locale(&new.locale) {
        return Err(Error::field("template.locale", "must be a language tag such as en or zh-CN").into());
    }
    let channel = match new.channel() {
        PbChannel::Email => Channel::Email,
        PbChannel::Inbox => Channel::Inbox,
        PbChannel::Unspecified => return Err(Error::field("template.channel", "is required").into()),
    };
    if !kind.channels.contains(&channel) {
        return Err(Error::field("template.channel", "is none of this kind's").into());
    }
    if new.subject.chars().any(char::is_control) {
        return Err(Error::field("template.subject", "must be one line").into());
    }
    for (field, text) in [("template.subject", &new.subject), ("template.body", &new.body)] {
        if let Some(fault) = template::fault(text, kind) {
            return Err(Error::field(field, fault).into());
        }
    }
    Ok(Template {
        kind: new.kind.clone(),
        locale: new.locale.clone(),
        channel,
        subject: new.subject.clone(),
        body: new.body.clone(),
    })
}

pub(super) fn preferences(subject: &str, kept: Preferences) -> pb::Preferences {
    pb::Preferences {
        name: format!("{subject}/preferences"),
        shipping_updates_muted: kept.shipping_updates_muted,
        marketing_muted: kept.marketing_muted,
    }
}

/// How the caller's preferences change. Without a mask a switch can only be turned on, for off is what is not set.
pub(super) fn preferences_change(
    subject: &str,
    request: &pb::UpdatePreferencesRequest,
) -> Result<impl FnOnce(&mut Preferences) + use<>, Status> {
    let named = wire::mask(request.update_mask.as_ref(), &["shipping_updates_muted", "marketing_muted"])?;
    let new = wire::required("preferences", request.preferences.as_ref())?;
    // Somebody else's preferences do not exist for the caller, so a name can only be their own.
    if !new.name.is_empty() && new.name != format!("{subject}/preferences") {
        return Err(Error::field("preferences.name", "must be the caller's own").into());
    }
    let masked = request.update_mask.as_ref().is_some_and(|mask| !mask.paths.is_empty());
    let changed = |field: &str, new: bool| (named.contains(&field) && (masked || new)).then_some(new);
    let shipping = changed("shipping_updates_muted", new.shipping_updates_muted);
    let marketing = changed("marketing_muted", new.marketing_muted);
    Ok(move |kept: &mut Preferences| {
        kept.shipping_updates_muted = shipping.unwrap_or(kept.shipping_updates_muted);
        kept.marketing_muted = marketing.unwrap_or(kept.marketing_muted);
    })
}

impl From<Channel> for PbChannel {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Email => Self::Email,
            Channel::Inbox => Self::Inbox,
        }
    }
}

impl From<State> for pb::notification::State {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Sent => Self::Sent,
            State::Suppressed => Self::Suppressed,
            State::Failed => Self::Failed,
        }
    }
}

impl From<Message> for pb::Notification {
    fn from(message: Message) -> Self {
        Self {
            name: message.id.name(),
            recipient: message.recipient,
            kind: message.kind,
            channel: PbChannel::from(message.channel).into(),
            state: pb::notification::State::from(message.state).into(),
            subject: message.subject,
            body: message.body,
            reference: message.reference,
            attempts: message.attempts,
            failure: message.failure,
            create_time: Some(message.create_time.into()),
            send_time: message.send_time.map(Into::into),
        }
    }
}

impl From<Kept> for pb::Template {
    fn from(kept: Kept) -> Self {
        Self {
            name: kept.template.name(),
            kind: kept.template.kind,
            locale: kept.template.locale,
            channel: PbChannel::from(kept.template.channel).into(),
            subject: kept.template.subject,
            body: kept.template.body,
            update_time: Some(kept.update_time.into()),
        }
    }
}

impl From<Caught> for pb::InboxMessage {
    fn from(caught: Caught) -> Self {
        Self {
            address: caught.address,
            subject: caught.subject,
            body: caught.body,
            kind: caught.kind,
            send_time: Some(caught.send_time.into()),
        }
    }
}
