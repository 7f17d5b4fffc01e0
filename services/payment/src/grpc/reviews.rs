//! The wire of risk: rules, the blocklist, and what operators decide about payments under review.

use std::time::Duration;

use chassis::caller;
use chassis::once::{Key, once};
use chassis::page::Page;
use chassis::{status, wire};
use contract::payment::v1 as pb;
use contract::payment::v1::risk_service_server::RiskService;
use tonic::{Request, Response, Status};

use super::{after, convert, keys};
use crate::Service;
use crate::domain::risk::{Blocked, Limit, Made, Outcome, Rule, Scope, WINDOW_MAX};
use crate::error::Error;
use crate::risk::{self, Reviewer};
use crate::store::risk as rules;

#[tonic::async_trait]
impl RiskService for Service {
    async fn get_risk_rule(
        &self,
        request: Request<pb::GetRiskRuleRequest>,
    ) -> Result<Response<pb::RiskRule>, Status> {
        let (_, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let rule = rules::find_rule(self.db.writer(), id).await.map_err(Error::from)?.ok_or(Error::NoRule)?;
        Ok(Response::new(rule.into()))
    }

    async fn list_risk_rules(
        &self,
        request: Request<pb::ListRiskRulesRequest>,
    ) -> Result<Response<pb::ListRiskRulesResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let scope = format!("risk rules {}", request.show_deleted);
        let page = Page::of(request.page_size, &request.page_token, &scope)?;
        let found = rules::list_rules(self.db.writer(), request.show_deleted, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |rule| keys(rule.made.create_time, rule.id.uuid()));
        let risk_rules = found.into_iter().map(pb::RiskRule::from).collect();
        Ok(Response::new(pb::ListRiskRulesResponse { risk_rules, next_page_token }))
    }

    async fn create_risk_rule(
        &self,
        request: Request<pb::CreateRiskRuleRequest>,
    ) -> Result<Response<pb::RiskRule>, Status> {
        let (caller, request) = caller::of(request)?;
        let rule = wire::required("risk_rule", request.risk_rule.as_ref())?;
        let (outcome, limit) = (outcome(rule)?, limit(rule)?);
        let key = Key::of(&caller, "CreateRiskRule", &request.request_id, &request);
        let creator = caller.subject()?;
        let work = async |tx: &_| {
            risk::create_rule(tx, creator, &rule.title, outcome, limit).await.map(pb::RiskRule::from)
        };
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn delete_risk_rule(
        &self,
        request: Request<pb::DeleteRiskRuleRequest>,
    ) -> Result<Response<pb::RiskRule>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "DeleteRiskRule", &request.request_id, &request);
        let deleter = caller.subject()?;
        let work = async |tx: &_| risk::delete_rule(tx, deleter, id).await.map(pb::RiskRule::from);
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn list_blocklist_entries(
        &self,
        request: Request<pb::ListBlocklistEntriesRequest>,
    ) -> Result<Response<pb::ListBlocklistEntriesResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let (customer, deleted) = (request.customer.as_str(), request.show_deleted);
        let page =
            Page::of(request.page_size, &request.page_token, &format!("blocklist {customer} {deleted}"))?;
        let found = rules::list_entries(self.db.writer(), customer, deleted, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |entry| keys(entry.made.create_time, entry.id.uuid()));
        let blocklist_entries = found.into_iter().map(pb::BlocklistEntry::from).collect();
        Ok(Response::new(pb::ListBlocklistEntriesResponse { blocklist_entries, next_page_token }))
    }

    async fn create_blocklist_entry(
        &self,
        request: Request<pb::CreateBlocklistEntryRequest>,
    ) -> Result<Response<pb::BlocklistEntry>, Status> {
        let (caller, request) = caller::of(request)?;
        let entry = wire::required("blocklist_entry", request.blocklist_entry.as_ref())?;
        let customer = convert::customer("blocklist_entry.customer", &entry.customer)?;
        let key = Key::of(&caller, "CreateBlocklistEntry", &request.request_id, &request);
        let creator = caller.subject()?;
        let work = async |tx: &_| {
            risk::block(tx, creator, &customer, &entry.reason).await.map(pb::BlocklistEntry::from)
        };
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn delete_blocklist_entry(
        &self,
        request: Request<pb::DeleteBlocklistEntryRequest>,
    ) -> Result<Response<pb::BlocklistEntry>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "DeleteBlocklistEntry", &request.request_id, &request);
        let deleter = caller.subject()?;
        let work = async |tx: &_| risk::unblock(tx, deleter, id).await.map(pb::BlocklistEntry::from);
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn approve_payment(
        &self,
        request: Request<pb::ApprovePaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "ApprovePayment", &request.request_id, &request);
        let reviewer = Reviewer { name: caller.subject()?, note: &request.note };
        let work = async |tx: &_| risk::approve(tx, reviewer, id).await.map(pb::Payment::from);
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn refuse_payment(
        &self,
        request: Request<pb::RefusePaymentRequest>,
    ) -> Result<Response<pb::Payment>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "RefusePayment", &request.request_id, &request);
        let reviewer = Reviewer { name: caller.subject()?, note: &request.note };
        let work = async |tx: &_| risk::refuse(tx, reviewer, id).await.map(pb::Payment::from);
        Ok(Response::new(once(&self.db, key, work).await?))
    }
}

fn outcome(rule: &pb::RiskRule) -> Result<Outcome, Status> {
    match rule.outcome() {
        pb::risk_rule::Outcome::Unspecified => Err(status::invalid("risk_rule.outcome", "is required")),
        pb::risk_rule::Outcome::Review => Ok(Outcome::Review),
        pb::risk_rule::Outcome::Deny => Ok(Outcome::Deny),
    }
}

fn limit(rule: &pb::RiskRule) -> Result<Limit, Status> {
    let amount_max = rule.amount_max.as_ref();
    let amount_max =
        amount_max.map(|most| convert::positive("risk_rule.amount_max", Some(most))).transpose()?;
    let attempts_max = (rule.attempts_max > 0).then_some(i64::from(rule.attempts_max));
    let Some(window) = &rule.window else {
        if attempts_max.is_some() || rule.scope() != pb::risk_rule::Scope::Unspecified {
            return Err(status::invalid("risk_rule.window", "is required where payments count together"));
        }
        return Ok(Limit::Amount(wire::required("risk_rule.amount_max", amount_max)?));
    };
    let window = Duration::try_from(*window).ok();
    let window = window.filter(|window| (Duration::from_secs(1)..=WINDOW_MAX).contains(window));
    let window = window.ok_or_else(|| status::invalid("risk_rule.window", "must be a second to 31 days"))?;
    if attempts_max.is_none() && amount_max.is_none() {
        return Err(status::invalid("risk_rule.attempts_max", "is required where there is no amount_max"));
    }
    let scope = match rule.scope() {
        pb::risk_rule::Scope::Unspecified | pb::risk_rule::Scope::Customer => Scope::Customer,
        pb::risk_rule::Scope::CustomerAndChannel => Scope::CustomerAndChannel,
    };
    Ok(Limit::Velocity { window, scope, attempts_max, amount_max })
}

impl From<Rule> for pb::RiskRule {
    fn from(rule: Rule) -> Self {
        let (scope, window, attempts_max, amount_max) = match rule.limit {
            Limit::Amount(most) => (pb::risk_rule::Scope::Unspecified, None, None, Some(most)),
            Limit::Velocity { window, scope, attempts_max, amount_max } => {
                let scope = match scope {
                    Scope::Customer => pb::risk_rule::Scope::Customer,
                    Scope::CustomerAndChannel => pb::risk_rule::Scope::CustomerAndChannel,
                };
                (scope, Some(window), attempts_max, amount_max)
            }
        };
        let outcome = match rule.outcome {
            Outcome::Review => pb::risk_rule::Outcome::Review,
            Outcome::Deny => pb::risk_rule::Outcome::Deny,
        };
        let (creator, create_time, deleter, delete_time) = made(rule.made);
        pb::RiskRule {
            name: rule.id.name(),
            title: rule.title,
            outcome: outcome.into(),
            amount_max: amount_max.map(Into::into),
            attempts_max: attempts_max.and_then(|most| i32::try_from(most).ok()).unwrap_or_default(),
            window: window.and_then(|window| window.try_into().ok()),
            scope: scope.into(),
            creator,
            create_time,
            deleter,
            delete_time,
        }
    }
}

impl From<Blocked> for pb::BlocklistEntry {
    fn from(entry: Blocked) -> Self {
        let (creator, create_time, deleter, delete_time) = made(entry.made);
        pb::BlocklistEntry {
            name: entry.id.name(),
            customer: entry.customer,
            reason: entry.reason,
            creator,
            create_time,
            deleter,
            delete_time,
        }
    }
}

type Times = (String, Option<prost_types::Timestamp>, String, Option<prost_types::Timestamp>);

fn made(made: Made) -> Times {
    let (deleter, delete_time) = made.ended.unzip();
    (made.creator, Some(made.create_time.into()), deleter.unwrap_or_default(), delete_time.map(Into::into))
}
