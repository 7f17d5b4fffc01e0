//! The wire: each RPC reads its request, does one thing, and writes the answer.

mod convert;

use std::time::Instant;

use chassis::caller::{self, Caller};
use chassis::once::{Key, once};
use chassis::page::Page;
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::promotion::v1 as pb;
use contract::promotion::v1::promotion_service_server::PromotionService;
use tonic::{Request, Response, Status};

use self::convert::{Changes, code, coupon_use, draft, priced};
use crate::Service;
use crate::domain::Coupon;
use crate::error::Error;
use crate::service;
use crate::store::{After, coupons, redemptions};

type Answer<T> = Result<Response<T>, Status>;

/// How many ideas there are where the caller does not say.
const IDEAS: u64 = 6;

/// The service that calls, for itself or for the person it serves. The gateway only passes calls on.
pub(crate) fn peer(caller: &Caller) -> Option<&str> {
    caller.service().filter(|service| *service != "gateway")
}

/// Whose key a request id is. A service that asks is one caller, whomever it serves: resumed after a crash it asks again
/// for itself.
fn author(caller: &Caller) -> Caller {
    peer(caller).map_or_else(|| caller.clone(), Caller::service_named)
}

/// Who buys: a service says it, anybody else is it.
fn buyer<'a>(caller: &'a Caller, named: &'a str) -> Option<&'a str> {
    if peer(caller).is_some() && !named.is_empty() { Some(named) } else { caller.subject_if_any() }
}

#[tonic::async_trait]
impl PromotionService for Service {
    async fn evaluate_discounts(
        &self,
        request: Request<pb::EvaluateDiscountsRequest>,
    ) -> Answer<pb::EvaluateDiscountsResponse> {
        let (caller, request) = caller::of(request)?;
        let code = code("coupon_code", &request.coupon_code)?;
        let (lines, subtotal) = priced(&request.lines)?;
        self.guesses.check(&caller, Instant::now())?;
        let customer = buyer(&caller, &request.customer);
        // Limits are kept when a coupon is used; what is told before may be a moment old.
        let told = service::evaluate(self.db.reader(), &code, customer, &lines, subtotal).await;
        if matches!(told, Err(Error::CouponNotFound)) {
            self.guesses.count(&caller, code.as_str(), Instant::now());
        }
        let (coupon, discount) = told?;
        Ok(Response::new(pb::EvaluateDiscountsResponse {
            coupon: coupon.id.name(),
            discount: Some(discount.total.into()),
            line_discounts: discount.lines.into_iter().map(contract::Money::from).collect(),
        }))
    }

    async fn redeem_coupon(&self, request: Request<pb::RedeemCouponRequest>) -> Answer<pb::Redemption> {
        let (caller, request) = caller::of(request)?;
        let asked = coupon_use(&request)?;
        let key = Key::of(&author(&caller), "RedeemCoupon", &request.request_id, &request);
        let redemption =
            once(&self.db, key, async |tx| service::redeem(tx, asked).await.map(pb::Redemption::from))
                .await?;
        Ok(Response::new(redemption))
    }

    async fn release_coupon(&self, request: Request<pb::ReleaseCouponRequest>) -> Answer<pb::Redemption> {
        let (caller, request) = caller::of(request)?;
        let order = wire::foreign_name("order", "orders/{id}", &request.order)?;
        // It stays forestalled although the answer is a refusal: a redemption still on its way must not win.
        if !self.db.write(async |tx| service::forestall(tx, &order).await).await? {
            return Err(Error::RedemptionNotFound.into());
        }
        let key = Key::of(&author(&caller), "ReleaseCoupon", &request.request_id, &request);
        let released =
            once(&self.db, key, async |tx| service::release(tx, &order).await.map(pb::Redemption::from))
                .await?;
        Ok(Response::new(released))
    }

    async fn create_coupon(&self, request: Request<pb::CreateCouponRequest>) -> Answer<pb::Coupon> {
        let (caller, request) = caller::of(request)?;
        let coupon = wire::required("coupon", request.coupon.as_ref())?;
        let (code, terms) = (code("coupon.code", &coupon.code)?, draft(coupon)?);
        let key = Key::of(&caller, "CreateCoupon", &request.request_id, &request);
        let made =
            once(&self.db, key, async |tx| service::create(tx, code, terms).await.map(pb::Coupon::from))
                .await?;
        Ok(Response::new(made))
    }

    async fn get_coupon(&self, request: Request<pb::GetCouponRequest>) -> Answer<pb::Coupon> {
        let (_, request) = caller::of(request)?;
        let id = wire::name::<Coupon>("name", &request.name)?;
        let coupon =
            coupons::find(self.db.writer(), id).await.map_err(Error::from)?.ok_or(Error::CouponNotFound)?;
        Ok(Response::new(coupon.into()))
    }

    async fn list_coupons(
        &self,
        request: Request<pb::ListCouponsRequest>,
    ) -> Answer<pb::ListCouponsResponse> {
        let (_, request) = caller::of(request)?;
        let page = Page::of(request.page_size, &request.page_token, "coupons")?;
        let found =
            coupons::list(self.db.writer(), after(&page)?, page.size + 1).await.map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |coupon| keys(coupon.create_time, coupon.id.uuid()));
        Ok(Response::new(pb::ListCouponsResponse {
            coupons: found.into_iter().map(pb::Coupon::from).collect(),
            next_page_token,
        }))
    }

    async fn update_coupon(&self, request: Request<pb::UpdateCouponRequest>) -> Answer<pb::Coupon> {
        let (caller, request) = caller::of(request)?;
        let coupon = wire::required("coupon", request.coupon.as_ref())?;
        let id = wire::name("coupon.name", &coupon.name)?;
        let changes = Changes::read(coupon, request.update_mask.as_ref())?;
        let key = Key::of(&caller, "UpdateCoupon", &request.request_id, &request);
        let work = async |tx: &_| {
            service::update(tx, id, &coupon.etag, |terms| changes.apply(terms)).await.map(pb::Coupon::from)
        };
        let changed = once(&self.db, key, work).await?;
        Ok(Response::new(changed))
    }

    async fn delete_coupon(
        &self,
        request: Request<pb::DeleteCouponRequest>,
    ) -> Answer<pb::DeleteCouponResponse> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "DeleteCoupon", &request.request_id, &request);
        let work = async |tx: &_| service::delete(tx, id).await.map(|()| pb::DeleteCouponResponse {});
        Ok(Response::new(once(&self.db, key, work).await?))
    }

    async fn list_redemptions(
        &self,
        request: Request<pb::ListRedemptionsRequest>,
    ) -> Answer<pb::ListRedemptionsResponse> {
        let (_, request) = caller::of(request)?;
        let coupon = match request.coupon.as_str() {
            "" => None,
            name => Some(wire::name::<Coupon>("coupon", name)?),
        };
        let page =
            Page::of(request.page_size, &request.page_token, &format!("redemptions {}", request.coupon))?;
        let found = redemptions::list(self.db.writer(), coupon, after(&page)?, page.size + 1)
            .await
            .map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |used| keys(used.create_time, used.id.uuid()));
        let redemptions = found.into_iter().map(pb::Redemption::from).collect();
        Ok(Response::new(pb::ListRedemptionsResponse { redemptions, next_page_token }))
    }

    async fn get_recommendations(
        &self,
        request: Request<pb::GetRecommendationsRequest>,
    ) -> Answer<pb::GetRecommendationsResponse> {
        let (_, request) = caller::of(request)?;
        if !request.product.is_empty() {
            wire::foreign_name("product", "products/{id}", &request.product)?;
        }
        let most = match u64::try_from(request.page_size).unwrap_or_default() {
            0 => IDEAS,
            most => most,
        };
        let products = service::recommend(self.db.reader(), &request.product, most).await?;
        Ok(Response::new(pb::GetRecommendationsResponse { products }))
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
