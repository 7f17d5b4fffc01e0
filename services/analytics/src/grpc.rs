//! The RPCs: from the wire to the domain, one call, and back.
use std::collections::BTreeMap;

use chassis::caller::{self, Caller};
use chassis::money::Money;
use chassis::once::{Key, once};
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::analytics::v1 as pb;
use contract::analytics::v1::analytics_service_server::AnalyticsService;
use contract::analytics::v1::get_sales_report_request::GroupBy as Wish;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::domain::behaviour::Kind;
use crate::domain::sale::{GroupBy, Row, Top};
use crate::domain::{Behaviour, Profile, Span};
use crate::error::Error;
use crate::{Service, service, store};

/// How many of what sold best are shown where nothing is said.
const TOP_DEFAULT: u32 = 10;

#[tonic::async_trait]
impl AnalyticsService for Service {
    async fn record_behaviour(
        &self,
        request: Request<pb::RecordBehaviourRequest>,
    ) -> Result<Response<pb::RecordBehaviourResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let key = Key::of(&caller, "RecordBehaviour", &request.request_id, &request);
        let done = recorded(&caller, request.behaviours)?;
        let recorded = once(&self.db, key, async |tx| {
            for (visitor, behaviours) in &done {
                service::record(tx, visitor, behaviours).await?;
            }
            Ok::<_, Error>(pb::RecordBehaviourResponse {})
        })
        .await?;
        Ok(Response::new(recorded))
    }

    async fn get_sales_report(
        &self,
        request: Request<pb::GetSalesReportRequest>,
    ) -> Result<Response<pb::SalesReport>, Status> {
        let (_, request) = caller::of(request)?;
        let span = span(request.start_time.as_ref(), request.end_time.as_ref())?;
        let by = match request.group_by() {
            Wish::Unspecified | Wish::Total => GroupBy::Total,
            Wish::Day => GroupBy::Day,
            Wish::Country => GroupBy::Country,
        };
        let rows = store::report::sales(self.db.reader(), span, by).await.map_err(Error::from)?;
        Ok(Response::new(pb::SalesReport { rows: rows.into_iter().map(Into::into).collect() }))
    }

    async fn get_funnel(
        &self,
        request: Request<pb::GetFunnelRequest>,
    ) -> Result<Response<pb::Funnel>, Status> {
        let (_, request) = caller::of(request)?;
        let span = span(request.start_time.as_ref(), request.end_time.as_ref())?;
        let funnel = store::report::funnel(self.db.reader(), span).await.map_err(Error::from)?;
        let steps = [
            ("view", funnel.view),
            ("cart", funnel.cart),
            ("checkout", funnel.checkout),
            ("order", funnel.order),
        ];
        let steps = steps.into_iter().map(|(step, visitors)| pb::FunnelStep { step: step.into(), visitors });
        Ok(Response::new(pb::Funnel { steps: steps.collect() }))
    }

    async fn get_top_products(
        &self,
        request: Request<pb::GetTopProductsRequest>,
    ) -> Result<Response<pb::GetTopProductsResponse>, Status> {
        let (_, request) = caller::of(request)?;
        let span = span(request.start_time.as_ref(), request.end_time.as_ref())?;
        let size = u32::try_from(request.page_size).ok().filter(|size| *size > 0).unwrap_or(TOP_DEFAULT);
        let top = store::report::top(self.db.reader(), span, size).await.map_err(Error::from)?;
        Ok(Response::new(pb::GetTopProductsResponse {
            top_products: top.into_iter().map(Into::into).collect(),
        }))
    }

    async fn get_user_profile(
        &self,
        request: Request<pb::GetUserProfileRequest>,
    ) -> Result<Response<pb::UserProfile>, Status> {
        let (_, request) = caller::of(request)?;
        let user = request.name.strip_suffix("/profile").filter(|user| is_user(user));
        let user = user.ok_or_else(|| status::invalid("name", "must be a name like users/{uuid}/profile"))?;
        let profile = store::person::profile(self.db.reader(), user).await.map_err(Error::from)?;
        Ok(Response::new(shown(profile, &request.name)))
    }
}

fn span(
    start: Option<&prost_types::Timestamp>,
    end: Option<&prost_types::Timestamp>,
) -> Result<Span, Status> {
    let (start, end) = (wire::timestamp("start_time", start)?, wire::timestamp("end_time", end)?);
    Ok(Span::new(start, end).map_err(Error::from)?)
}

fn is_user(name: &str) -> bool {
    name.strip_prefix("users/").is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// What was done, by whom. A token says who it was; without one each behaviour brings the id its browser keeps, which
/// can name no user.
fn recorded(
    caller: &Caller,
    behaviours: Vec<pb::Behaviour>,
) -> Result<BTreeMap<String, Vec<Behaviour>>, Status> {
    let now = Timestamp::now();
    let mut done: BTreeMap<String, Vec<Behaviour>> = BTreeMap::new();
    for (index, behaviour) in behaviours.into_iter().enumerate() {
        let field = |field: &str| format!("behaviours[{index}].{field}");
        let kind = match behaviour.kind() {
            pb::behaviour::Kind::Unspecified => return Err(status::invalid(&field("kind"), "is required")),
            pb::behaviour::Kind::ViewProduct => Kind::ViewProduct,
            pb::behaviour::Kind::Search => Kind::Search,
            pb::behaviour::Kind::AddToCart => Kind::AddToCart,
            pb::behaviour::Kind::BeginCheckout => Kind::BeginCheckout,
        };
        let time = wire::optional_timestamp(&field("time"), behaviour.time.as_ref())?;
        if !behaviour.product.is_empty() {
            wire::foreign_name(&field("product"), "products/{id}", &behaviour.product)?;
        }
        let visitor = match caller.subject_if_any() {
            Some(subject) => subject.to_owned(),
            None if is_visitor(&behaviour.visitor) => behaviour.visitor,
            None => return Err(status::invalid(&field("visitor"), "must be letters, digits and hyphens")),
        };
        let behaviour = Behaviour::new(kind, behaviour.product, behaviour.query, time, now);
        done.entry(visitor).or_default().push(behaviour.map_err(|why| Error::Behaviour(index, why))?);
    }
    Ok(done)
}

fn is_visitor(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn shown(profile: Profile, name: &str) -> pb::UserProfile {
    let tags = profile.tags(Timestamp::now());
    pb::UserProfile {
        name: name.into(),
        orders: profile.orders,
        spent: profile.spent.into_iter().map(Into::into).collect(),
        tags: tags.into_iter().map(Into::into).collect(),
        recent_products: profile.recent_products,
        last_order_time: profile.last_order_time.map(Into::into),
        last_seen_time: profile.last_seen_time.map(Into::into),
    }
}

impl From<Row> for pb::SalesRow {
    fn from(row: Row) -> Self {
        let money = |minor| Some(Money::new(minor, row.currency).into());
        pb::SalesRow {
            key: row.key.text(),
            currency_code: row.currency.to_string(),
            orders: row.orders,
            lines: row.lines,
            units: row.units,
            gross: money(row.gross_minor),
            discount: money(row.discount_minor),
            shipping: money(row.shipping_minor),
            total: money(row.total_minor),
            returned: money(row.returned_minor),
            net: money(row.total_minor - row.returned_minor),
            cancelled_orders: row.cancelled_orders,
            returned_units: row.returned_units,
        }
    }
}

impl From<Top> for pb::TopProduct {
    fn from(top: Top) -> Self {
        pb::TopProduct { sku: top.sku, variant: top.variant, units: top.units, gross: Some(top.gross.into()) }
    }
}
