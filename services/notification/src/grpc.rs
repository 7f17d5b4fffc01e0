//! The RPCs of notification: wire to domain, one call, domain to wire.
mod wire;

use chassis::{
    caller,
    once::{Key, once},
    page::Page,
    time::Timestamp,
    wire as fields,
};
use contract::notification::v1 as pb;
use pb::notification_service_server::NotificationService;
use tonic::{Request, Response, Status};

use crate::{
    Service,
    domain::Notification,
    error::Error,
    service, store,
    watch::{self, Inbox},
};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl NotificationService for Service {
    async fn send_notification(
        &self,
        request: Request<pb::SendNotificationRequest>,
    ) -> Reply<pb::Notification> {
        let (caller, request) = caller::of(request)?;
        let telling = wire::telling(&request)?;
        let key = Key::of(&caller, "SendNotification", &request.request_id, &request);
        let notification = once(&self.db, key, async |tx| {
            let told = service::tell(tx, std::slice::from_ref(&telling), Timestamp::now()).await?;
            told.into_iter().next().map(pb::Notification::from).ok_or(Error::TemplateNotFound)
        })
        .await?;
        Ok(Response::new(notification))
    }

    async fn list_notifications(
        &self,
        request: Request<pb::ListNotificationsRequest>,
    ) -> Reply<pb::ListNotificationsResponse> {
        let (caller, request) = caller::of(request)?;
        let recipient = caller.subject()?;
        let page =
            Page::of(request.page_size, &request.page_token, &format!("notifications of {recipient}"))?;
        let found = store::messages::list(self.db.reader(), recipient, &page).await.map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |message| vec![message.create_time.micros().to_string(), message.id.to_string()]);
        let notifications = found.into_iter().map(pb::Notification::from).collect();
        Ok(Response::new(pb::ListNotificationsResponse { notifications, next_page_token }))
    }

    type WatchInboxStream = Inbox;

    async fn watch_inbox(&self, request: Request<pb::WatchInboxRequest>) -> Reply<Inbox> {
        let (caller, _) = caller::of(request)?;
        let arrived = self.arrived.subscribe();
        Ok(Response::new(watch::inbox(&self.db, caller.subject()?, arrived, self.shutdown.clone())))
    }

    async fn resend_notification(
        &self,
        request: Request<pb::ResendNotificationRequest>,
    ) -> Reply<pb::Notification> {
        let (caller, request) = caller::of(request)?;
        let id = fields::name::<Notification>("name", &request.name)?;
        let key = Key::of(&caller, "ResendNotification", &request.request_id, &request);
        let notification = once(&self.db, key, async |tx| {
            service::resend(tx, id, Timestamp::now()).await.map(pb::Notification::from)
        })
        .await?;
        Ok(Response::new(notification))
    }

    async fn get_preferences(&self, request: Request<pb::GetPreferencesRequest>) -> Reply<pb::Preferences> {
        let (caller, _) = caller::of(request)?;
        let subject = caller.subject()?;
        let kept = store::preferences::find(self.db.writer(), subject).await.map_err(Error::from)?;
        Ok(Response::new(wire::preferences(subject, kept)))
    }

    async fn update_preferences(
        &self,
        request: Request<pb::UpdatePreferencesRequest>,
    ) -> Reply<pb::Preferences> {
        let (caller, request) = caller::of(request)?;
        let subject = caller.subject()?;
        let change = wire::preferences_change(subject, &request)?;
        let key = Key::of(&caller, "UpdatePreferences", &request.request_id, &request);
        let kept = once(&self.db, key, async |tx| {
            let kept = service::update_preferences(tx, subject, change, Timestamp::now()).await?;
            Ok::<_, Error>(wire::preferences(subject, kept))
        })
        .await?;
        Ok(Response::new(kept))
    }

    async fn list_templates(
        &self,
        request: Request<pb::ListTemplatesRequest>,
    ) -> Reply<pb::ListTemplatesResponse> {
        let (_, request) = caller::of(request)?;
        let page = Page::of(request.page_size, &request.page_token, "templates")?;
        let found = store::templates::list(self.db.reader(), &page).await.map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |kept| {
            let template = &kept.template;
            vec![template.kind.clone(), template.locale.clone(), template.channel.as_str().to_owned()]
        });
        let templates = found.into_iter().map(pb::Template::from).collect();
        Ok(Response::new(pb::ListTemplatesResponse { templates, next_page_token }))
    }

    async fn get_template(&self, request: Request<pb::GetTemplateRequest>) -> Reply<pb::Template> {
        let (_, request) = caller::of(request)?;
        let (kind, locale, channel) = wire::template_name(&request.name)?;
        let kept =
            store::templates::find(self.db.writer(), kind, locale, channel).await.map_err(Error::from)?;
        Ok(Response::new(kept.ok_or(Error::TemplateNotFound)?.into()))
    }

    async fn update_template(&self, request: Request<pb::UpdateTemplateRequest>) -> Reply<pb::Template> {
        let (caller, request) = caller::of(request)?;
        let template = wire::template(request.template.as_ref())?;
        let key = Key::of(&caller, "UpdateTemplate", &request.request_id, &request);
        let kept = once(&self.db, key, async |tx| {
            let update_time = Timestamp::now();
            service::update_template(tx, &template, update_time).await?;
            let kept = store::templates::Kept { template: template.clone(), update_time };
            Ok::<_, Error>(pb::Template::from(kept))
        })
        .await?;
        Ok(Response::new(kept))
    }

    async fn list_inbox_messages(
        &self,
        request: Request<pb::ListInboxMessagesRequest>,
    ) -> Reply<pb::ListInboxMessagesResponse> {
        let (_, request) = caller::of(request)?;
        if !self.mail_is_caught {
            return Err(Error::InboxDisabled.into());
        }
        let address = request.address.to_ascii_lowercase();
        let page = Page::of(request.page_size, &request.page_token, &format!("mail to {address}"))?;
        let only_to = (!address.is_empty()).then_some(address.as_str());
        let found = store::caught::list(self.db.writer(), only_to, &page).await.map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |caught| vec![caught.send_time.micros().to_string(), caught.id.to_string()]);
        let inbox_messages = found.into_iter().map(pb::InboxMessage::from).collect();
        Ok(Response::new(pb::ListInboxMessagesResponse { inbox_messages, next_page_token }))
    }
}
