//! The provider's announcements, on their way to payment: late, twice, before the answer, or to somebody who is down.

use std::sync::Arc;
use std::time::Duration;

use contract::payment::v1::payment_service_client::PaymentServiceClient;
use contract::payment::v1::{ReceiveWebhookRequest, WebhookHeader};
use provider_simulator::webhook;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::machine;
use crate::provider::{self, SECRET};
use crate::shop::Shop;

/// How often the provider looks whether it has something to announce.
const EVERY: Duration = Duration::from_millis(50);

/// Announces what the provider did, until each announcement is taken.
pub(crate) fn announce(shop: &Shop, outside: &Handle) -> JoinHandle<()> {
    let mut payment = PaymentServiceClient::new(shop.channel("gateway", "payment"));
    let of = Arc::clone(&shop.provider);
    outside.spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let due = provider::lock(&of).due(machine::elapsed());
            for operation in due {
                let signed = webhook::announcement(&operation, &[SECRET.to_owned()]);
                let header = |name: &str, value: String| WebhookHeader { name: name.into(), value };
                let request = ReceiveWebhookRequest {
                    channel: "sandbox".into(),
                    headers: vec![
                        header("webhook-id", signed.id),
                        header("webhook-timestamp", signed.timestamp.to_string()),
                        header("webhook-signature", signed.signature),
                    ],
                    body: signed.body,
                };
                if payment.receive_webhook(request).await.is_err() {
                    provider::lock(&of).again(&operation.key, machine::elapsed());
                }
            }
        }
    })
}
