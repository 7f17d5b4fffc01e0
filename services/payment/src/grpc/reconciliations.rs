//! The wire of reconciliation: reports and their breaks.

use chassis::caller;
use chassis::money::{Currency, Money};
use chassis::page::Page;
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::payment::v1 as pb;
use contract::payment::v1::reconciliation_service_server::ReconciliationService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::Service;
use crate::domain::reconcile::{Day, Kind, Total};
use crate::error::Error;
use crate::store::reports::{self, Kept, Report, State};

#[tonic::async_trait]
impl ReconciliationService for Service {
    async fn run_reconciliation(
        &self,
        request: Request<pb::RunReconciliationRequest>,
    ) -> Result<Response<pb::Reconciliation>, Status> {
        let (caller, request) = caller::of(request)?;
        if !self.channels.offers(&request.channel) {
            return Err(status::invalid("channel", "is not a channel of this shop"));
        }
        let today = Day::of(Timestamp::now());
        let day = match request.day.as_str() {
            "" => today.minus(1),
            day => Day::parse(day)
                .filter(|day| *day <= today)
                .ok_or_else(|| status::invalid("day", "must be a day like 2026-11-20, not after today"))?,
        };
        let report = self.reconciler.run(&request.channel, day, caller.subject()?).await?;
        Ok(Response::new(report.into()))
    }

    async fn get_reconciliation(
        &self,
        request: Request<pb::GetReconciliationRequest>,
    ) -> Result<Response<pb::Reconciliation>, Status> {
        let (_, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let report = reports::find(self.db.writer(), id).await.map_err(Error::from)?;
        Ok(Response::new(report.ok_or(Error::NoReport)?.into()))
    }

    async fn list_reconciliations(
        &self,
        request: Request<pb::ListReconciliationsRequest>,
    ) -> Result<Response<pb::ListReconciliationsResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let channel = request.channel.as_str();
        let page = Page::of(request.page_size, &request.page_token, &format!("reconciliations {channel}"))?;
        let after = match page.after.as_deref() {
            Some([day, id]) => Some((day.clone(), uuid(id)?)),
            Some(_) => return Err(stray()),
            None => None,
        };
        let found =
            reports::list(self.db.writer(), channel, after, page.size + 1).await.map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |report| vec![report.day.to_string(), report.id.to_string()]);
        let reconciliations = found.into_iter().map(pb::Reconciliation::from).collect();
        Ok(Response::new(pb::ListReconciliationsResponse { reconciliations, next_page_token }))
    }

    async fn list_reconciliation_breaks(
        &self,
        request: Request<pb::ListReconciliationBreaksRequest>,
    ) -> Result<Response<pb::ListReconciliationBreaksResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let id = wire::name::<Report>("parent", &request.parent)?;
        let report =
            reports::find(self.db.writer(), id).await.map_err(Error::from)?.ok_or(Error::NoReport)?;
        let resolved = request.show_resolved;
        let page = Page::of(request.page_size, &request.page_token, &format!("breaks {id} {resolved}"))?;
        let after = match page.after.as_deref() {
            Some([id]) => Some(uuid(id)?),
            Some(_) => return Err(stray()),
            None => None,
        };
        let found = reports::breaks(self.db.writer(), id, resolved, after, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |kept| vec![kept.id.to_string()]);
        let reconciliation_breaks = found.into_iter().map(|kept| shown(&report, kept)).collect();
        Ok(Response::new(pb::ListReconciliationBreaksResponse { reconciliation_breaks, next_page_token }))
    }
}

fn uuid(text: &str) -> Result<Uuid, Status> {
    text.parse().map_err(|_| stray())
}

fn stray() -> Status {
    status::invalid("page_token", "is not a token of this list")
}

impl From<Report> for pb::Reconciliation {
    fn from(report: Report) -> Self {
        let state = match report.state {
            State::Running => pb::reconciliation::State::Running,
            State::Matched => pb::reconciliation::State::Matched,
            State::Broken => pb::reconciliation::State::Broken,
            State::Failed => pb::reconciliation::State::Failed,
        };
        let total = |(currency, total): (String, Total)| {
            let currency: Currency = currency.parse().ok()?;
            let money = |minor| Some(Money::new(minor, currency).into());
            Some(pb::ReconciliationTotal {
                captured: money(total.captured),
                channel_captured: money(total.channel_captured),
                refunded: money(total.refunded),
                channel_refunded: money(total.channel_refunded),
            })
        };
        pb::Reconciliation {
            name: report.id.name(),
            channel: report.channel,
            day: report.day.to_string(),
            state: state.into(),
            operation_count: report.operation_count,
            break_count: report.break_count,
            totals: report.totals.into_iter().filter_map(total).collect(),
            run_count: report.run_count,
            actor: report.actor,
            create_time: Some(report.create_time.into()),
            run_time: Some(report.run_time.into()),
            error: report.error,
        }
    }
}

fn shown(report: &Report, kept: Kept) -> pb::ReconciliationBreak {
    let kind = match kept.found.kind {
        Kind::MissingAtChannel => pb::reconciliation_break::Kind::MissingAtChannel,
        Kind::MissingHere => pb::reconciliation_break::Kind::MissingHere,
        Kind::AmountDiffers => pb::reconciliation_break::Kind::AmountDiffers,
        Kind::CurrencyDiffers => pb::reconciliation_break::Kind::CurrencyDiffers,
        Kind::StatusDiffers => pb::reconciliation_break::Kind::StatusDiffers,
    };
    pb::ReconciliationBreak {
        name: format!("{}/{}", report.id.name(), kept.id.name()),
        kind: kind.into(),
        operation: kept.found.moved.name().to_owned(),
        operation_key: kept.found.key,
        channel_reference: kept.found.reference,
        order: kept.found.order,
        payment: kept.found.payment.map(|payment| payment.name()).unwrap_or_default(),
        amount: kept.found.amount.map(Into::into),
        channel_amount: kept.found.channel_amount.map(Into::into),
        status: kept.found.status,
        operation_time: Some(kept.found.time.into()),
        create_time: Some(kept.create_time.into()),
        resolve_time: kept.resolve_time.map(Into::into),
    }
}
