//! Hands messages to notification after the transaction that asked for them: a crash in between loses none.
use std::{sync::Arc, time::Duration};

use chassis::{client, db::Db, time::Timestamp};
use contract::notification::v1::{
    SendNotificationRequest, TemplateValue, notification_service_client::NotificationServiceClient,
};
use sea_orm::DbErr;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    domain::User,
    store::outbound::{self, Pending},
    vault::Vault,
};

/// The kind of message that brings a code.
pub(crate) const VERIFY_CONTACT: &str = "verify-contact";
/// Tells the owner of an address that somebody tried to register with it.
pub(crate) const ACCOUNT_EXISTS: &str = "account-exists";
/// Brings the code for a new password.
pub(crate) const PASSWORD_RESET: &str = "password-reset";
/// Tells that the password was changed.
pub(crate) const PASSWORD_CHANGED: &str = "password-changed";
/// Seals the codes that wait here.
pub(crate) const PURPOSE: &str = "code on its way";

const EVERY: Duration = Duration::from_secs(1);
/// Longer than a call takes, so that no two replicas hand over the same message.
const LEASE: Duration = Duration::from_secs(10);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The worker.
#[derive(Clone)]
pub(crate) struct Messenger {
    db: Db,
    vault: Vault,
    notification: NotificationServiceClient<client::Channel>,
    woken: Arc<Notify>,
}

impl Messenger {
    pub(crate) fn new(db: &Db, vault: &Vault, channel: client::Channel) -> Self {
        let notification = NotificationServiceClient::new(channel);
        Self { db: db.clone(), vault: vault.clone(), notification, woken: Arc::default() }
    }

    /// Says that something was queued.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Hands over what is due until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "messages could not be looked through");
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn round(&self) -> Result<(), DbErr> {
        let now = Timestamp::now();
        for pending in outbound::due(self.db.writer(), now).await? {
            if outbound::claim(&self.db, &pending, LEASE, now).await? {
                self.hand_over(pending).await?;
            }
        }
        Ok(())
    }

    async fn hand_over(&self, pending: Pending) -> Result<(), DbErr> {
        let id = pending.id;
        let Some(request) = self.request(&pending) else { return outbound::delete(&self.db, id).await };
        match self.notification.clone().send_notification(request).await {
            Ok(_) => outbound::delete(&self.db, id).await,
            Err(status)
                if matches!(
                    status.code(),
                    Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition
                ) =>
            {
                tracing::error!(kind = pending.kind, code = ?status.code(), reason = status.message(), "notification refuses a message");
                outbound::delete(&self.db, id).await
            }
            Err(status) => {
                tracing::warn!(kind = pending.kind, code = ?status.code(), attempt = pending.attempts + 1, "a message waits for notification");
                let delay = Duration::from_millis(500)
                    * 2_u32.saturating_pow(u32::try_from(pending.attempts).unwrap_or(0).min(10));
                outbound::postpone(&self.db, id, Timestamp::now().plus(delay.min(DELAY_MAX))).await
            }
        }
    }

    /// The call to make; nothing where it has come too late, or the person is gone.
    fn request(&self, pending: &Pending) -> Option<SendNotificationRequest> {
        if pending.expire_time <= Timestamp::now() {
            tracing::warn!(kind = pending.kind, "a message was not handed over in time and is dropped");
            return None;
        }
        let values = match &pending.sealed_code {
            Some(sealed) => {
                let code = String::from_utf8(self.vault.unseal(PURPOSE, sealed)?).ok()?;
                vec![TemplateValue { key: "code".to_owned(), value: code }]
            }
            None => Vec::new(),
        };
        let user: chassis::id::Id<User> = pending.user_id;
        Some(SendNotificationRequest {
            recipient: user.name(),
            kind: pending.kind.clone(),
            address: pending.email.clone()?,
            locale: pending.locale.clone(),
            values,
            request_id: pending.id.to_string(),
        })
    }
}
