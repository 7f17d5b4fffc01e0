//! RPCs on prices.
use chassis::caller;
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::page::Page;
use contract::catalog::v1 as pb;
use tonic::{Request, Status};

use super::wire;
use crate::Service;
use crate::domain::Price;
use crate::error::Error;
use crate::{service, store};

pub(super) async fn set(this: &Service, request: Request<pb::SetPriceRequest>) -> Result<pb::Price, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "SetPrice", &request.request_id, &request);
    let name = wire::variant_name("variant", &request.variant)?;
    let price = chassis::wire::required("price", request.price)?;
    let amount = wire::amount(price.amount.as_ref())?;
    let from = chassis::wire::optional_timestamp("price.effective_time", price.effective_time.as_ref())?;
    let actor = caller.key();
    let set = once(&this.db, key, async |tx| {
        let price = service::price::set(tx, &actor, name, amount, from).await?;
        Ok::<_, Error>(wire::price(name, price))
    })
    .await?;
    this.views.forget_all_of(name.product).await;
    this.prices_set.notify_one();
    Ok(set)
}

pub(super) async fn list(
    this: &Service,
    request: Request<pb::ListPricesRequest>,
) -> Result<pb::ListPricesResponse, Status> {
    let (_, request) = caller::of(request)?;
    let name = wire::variant_name("parent", &request.parent)?;
    let page = Page::of(request.page_size, &request.page_token, &format!("prices {name}"))?;
    let after = page.after.as_ref().and_then(|keys| keys.first()?.parse::<Id<Price>>().ok());
    let db = this.db.reader();
    if store::variant::find(db, name).await.map_err(Error::from)?.is_none() {
        return Err(Error::VariantNotFound(request.parent).into());
    }
    let prices = store::price::list(db, name.variant, &page, after).await.map_err(Error::from)?;
    let (prices, next_page_token) = page.cut(prices, |price| vec![price.id.to_string()]);
    let prices = prices.into_iter().map(|price| wire::price(name, price)).collect();
    Ok(pb::ListPricesResponse { prices, next_page_token })
}
