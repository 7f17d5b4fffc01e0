//! The wire: each RPC as its domain call, and the domain as messages.

mod convert;
mod reconciliations;
mod reviews;

use chassis::caller::{self, Caller};
use chassis::once::{Key, once};
use chassis::page::Page;
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::payment::v1 as pb;
use contract::payment::v1::payment_service_server::PaymentService;
use tonic::{Request, Response, Status};

use crate::Service;
use crate::channel::Announcement;
use crate::domain::{Payment, State, ledger};
use crate::error::Error;
use crate::service::{self, Asked, Giver, Intended};
use crate::store::payments::Filter;
use crate::store::{After, ledger as journal, payments, refunds, webhooks};

use convert::{account_balances, intent};

/// Whose key a request id is. A service that asks is one caller, whomever it serves: resumed after a crash it asks again
/// for itself.
fn author(caller: &Caller) -> Caller {
    service::peer(caller).map_or_else(|| caller.clone(), Caller::service_named)
}

#[tonic::async_trait]
impl PaymentService for Service {
    async fn authorize_payment(
        &self,
        request: Request<pb::AuthorizePaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let intent = intent(&request)?;
        if !self.channels.offers(&intent.channel) {
            return Err(status::invalid("channel", "is not a channel of this shop"));
        }
        let key = Key::of(&author(&caller), "AuthorizePayment", &request.request_id, &request);
        let payment = match self.intents.ask(Asked { intent, key }).await? {
            Intended::New(taken) => self.till.promise(*taken, &request.token).await?,
            Intended::Known(id) => self.till.authorize(id, &request.token).await?,
        };
        Ok(Response::new(payment.into()))
    }

    async fn capture_payment(
        &self,
        request: Request<pb::CapturePaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let part = request.amount.as_ref().map(|part| convert::positive("amount", Some(part))).transpose()?;
        let key = Key::of(&author(&caller), "CapturePayment", &request.request_id, &request);
        once(&self.db, key, async |tx| service::capture(tx, id, part).await.map(pb::Payment::from)).await?;
        decided(self.till.advance(id).await?)
    }

    async fn void_payment(
        &self,
        request: Request<pb::VoidPaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let order = wire::foreign_name("order", "orders/{id}", &request.order)?;
        // It stays forestalled although the answer is a refusal: an authorization still on its way must not win.
        if !self.db.write(async |tx| service::forestall(tx, &order).await).await? {
            return Err(Error::NotFound.into());
        }
        let key = Key::of(&author(&caller), "VoidPayment", &request.request_id, &request);
        let voided =
            once(&self.db, key, async |tx| service::void(tx, &order).await.map(pb::Payment::from)).await?;
        decided(self.till.advance(wire::name("name", &voided.name)?).await?)
    }

    async fn refund_payment(
        &self,
        request: Request<pb::RefundPaymentRequest>,
    ) -> Result<Response<pb::Refund>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("payment", &request.payment)?;
        let amount = convert::positive("amount", request.amount.as_ref())?;
        let giver = Giver { caller: &caller, limit: self.refund_limit };
        let key = Key::of(&author(&caller), "RefundPayment", &request.request_id, &request);
        let work = async |tx: &_| {
            service::refund(tx, &giver, id, amount, &request.reason).await.map(pb::Refund::from)
        };
        let refund = once(&self.db, key, work).await?;
        let refund = self.till.refund(convert::refund_id(&refund.name)?).await?;
        Ok(Response::new(refund.into()))
    }

    async fn get_payment(
        &self,
        request: Request<pb::GetPaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let payment = self.visible(&caller, wire::name("name", &request.name)?).await?;
        let shown = pb::Payment::from(payment);
        Ok(Response::new(if is_staff(&caller) { shown } else { convert::for_customer(shown) }))
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Result<Response<pb::ListPaymentsResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let filter = Filter {
            order: &request.order,
            needs_attention: request.needs_attention,
            under_review: request.under_review,
        };
        let page = Page::of(request.page_size, &request.page_token, &format!("payments {filter:?}"))?;
        let found = payments::list(self.db.reader(), filter, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |payment| keys(payment.create_time, payment.id.uuid()));
        let payments = found.into_iter().map(pb::Payment::from).collect();
        Ok(Response::new(pb::ListPaymentsResponse { payments, next_page_token }))
    }

    async fn list_refunds(
        &self,
        request: Request<pb::ListRefundsRequest>,
    ) -> Result<Response<pb::ListRefundsResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let payment = self.visible(&caller, wire::name("parent", &request.parent)?).await?;
        let page = Page::of(request.page_size, &request.page_token, &format!("refunds {}", payment.id))?;
        let found = refunds::list(self.db.writer(), payment.id, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |refund| keys(refund.create_time, refund.id.uuid()));
        let shown = |refund: pb::Refund| match is_staff(&caller) {
            true => refund,
            false => pb::Refund { attention: String::new(), ..refund },
        };
        let refunds = found.into_iter().map(pb::Refund::from).map(shown).collect();
        Ok(Response::new(pb::ListRefundsResponse { refunds, next_page_token }))
    }

    async fn receive_webhook(
        &self,
        request: Request<pb::ReceiveWebhookRequest>,
    ) -> Result<Response<pb::ReceiveWebhookResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let headers: Vec<(String, String)> =
            request.headers.into_iter().map(|header| (header.name, header.value)).collect();
        let announcement = Announcement { headers: &headers, body: &request.body, now: Timestamp::now() };
        let notice = self.channels.read(&request.channel, &announcement).map_err(Error::from)?;
        self.db.write(async |tx| self.till.hear(tx, &request.channel, notice).await).await?;
        Ok(Response::new(pb::ReceiveWebhookResponse {}))
    }

    async fn list_webhook_events(
        &self,
        request: Request<pb::ListWebhookEventsRequest>,
    ) -> Result<Response<pb::ListWebhookEventsResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let state = convert::webhook_state(request.state());
        let page = Page::of(request.page_size, &request.page_token, &format!("webhook events {state:?}"))?;
        let found = webhooks::list(self.db.reader(), state, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |event| keys(event.receive_time, event.id.uuid()));
        let webhook_events = found.into_iter().map(pb::WebhookEvent::from).collect();
        Ok(Response::new(pb::ListWebhookEventsResponse { webhook_events, next_page_token }))
    }

    async fn list_journal_entries(
        &self,
        request: Request<pb::ListJournalEntriesRequest>,
    ) -> Result<Response<pb::ListJournalEntriesResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let page = Page::of(request.page_size, &request.page_token, &format!("journal {}", request.order))?;
        let found = journal::list(self.db.reader(), &request.order, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |entry| keys(entry.post_time, entry.id.uuid()));
        let journal_entries = found.into_iter().map(pb::JournalEntry::from).collect();
        Ok(Response::new(pb::ListJournalEntriesResponse { journal_entries, next_page_token }))
    }

    async fn list_account_balances(
        &self,
        request: Request<pb::ListAccountBalancesRequest>,
    ) -> Result<Response<pb::ListAccountBalancesResponse>, Status> {
        caller::of(request)?;
        let balances = journal::balances(self.db.reader()).await.map_err(Error::from)?;
        Ok(Response::new(pb::ListAccountBalancesResponse {
            account_balances: account_balances(balances, ledger::title),
        }))
    }
}

impl Service {
    /// A payment that the caller may see. Anybody else's does not exist for them.
    async fn visible(&self, caller: &Caller, id: chassis::id::Id<Payment>) -> Result<Payment, Error> {
        let found = payments::find(self.db.writer(), id).await?;
        let may = |payment: &Payment| {
            is_staff(caller) || caller.subject_if_any() == Some(payment.customer.as_str())
        };
        found.filter(may).ok_or(Error::NotFound)
    }
}

/// Whether the caller sees what is nobody's own.
fn is_staff(caller: &Caller) -> bool {
    service::peer(caller).is_some() || caller.may("payment.read.any")
}

/// The answer once the channel has done what was decided; until then the caller may ask again.
fn decided(payment: Payment) -> Result<Response<pb::Payment>, Status> {
    match payment.state {
        State::Pending | State::Unknown | State::Authorized => Err(Error::Underway.into()),
        State::Captured | State::Voided | State::Refunded | State::PartiallyRefunded | State::Declined => {
            Ok(Response::new(payment.into()))
        }
    }
}

fn keys(time: Timestamp, id: uuid::Uuid) -> Vec<String> {
    vec![time.micros().to_string(), id.to_string()]
}

fn after(page: &Page) -> Result<Option<After>, Status> {
    let Some(keys) = &page.after else { return Ok(None) };
    let key = match keys.as_slice() {
        [time, id] => time.parse().ok().map(Timestamp::from_micros).zip(id.parse().ok()),
        _ => None,
    };
    key.map(Some).ok_or_else(|| status::invalid("page_token", "is not a token of this list"))
}
