//! RPCs on variants.
use std::collections::BTreeSet;

use chassis::caller::{self, Caller};
use chassis::once::{Key, once};
use contract::catalog::v1 as pb;
use tonic::{Request, Status};

use super::{sees_drafts, wire};
use crate::Service;
use crate::domain::product::State;
use crate::domain::variant::{Name, Offer};
use crate::error::Error;
use crate::service;

pub(super) async fn create(
    this: &Service,
    request: Request<pb::CreateVariantRequest>,
) -> Result<pb::Variant, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "CreateVariant", &request.request_id, &request);
    let parent = wire::product_id("parent", &request.parent)?;
    let new = wire::new_variant("variant", chassis::wire::required("variant", request.variant)?)?;
    let actor = caller.key();
    let created = once(&this.db, key, async |tx| {
        service::variant::create(tx, &actor, parent, new).await.map(pb::Variant::from)
    })
    .await?;
    this.views.forget(parent, []).await;
    Ok(created)
}

pub(super) async fn get(
    this: &Service,
    request: Request<pb::GetVariantRequest>,
) -> Result<pb::Variant, Status> {
    let (caller, request) = caller::of(request)?;
    let name = wire::variant_name("name", &request.name)?;
    let found = this.views.offers(&[name.variant], &[]).await;
    let found = found.map_err(|error| chassis::status::internal(error.as_ref()))?;
    let shown = found.into_iter().find(|offer| offer.variant.name() == name && is_shown(&caller, offer));
    Ok(shown.ok_or(Error::VariantNotFound(request.name))?.into())
}

pub(super) async fn update(
    this: &Service,
    request: Request<pb::UpdateVariantRequest>,
) -> Result<pb::Variant, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "UpdateVariant", &request.request_id, &request);
    let variant = chassis::wire::required("variant", request.variant)?;
    let name = wire::variant_name("variant.name", &variant.name)?;
    let change = wire::variant_change(variant, request.update_mask.as_ref())?;
    let updated = once(&this.db, key, async |tx| {
        service::variant::update(tx, name, change).await.map(pb::Variant::from)
    })
    .await?;
    this.views.forget_variant(name, &updated.sku).await;
    Ok(updated)
}

pub(super) async fn delete(
    this: &Service,
    request: Request<pb::DeleteVariantRequest>,
) -> Result<pb::DeleteVariantResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let key = Key::of(&caller, "DeleteVariant", &request.request_id, &request);
    let name = wire::variant_name("name", &request.name)?;
    let done = once(&this.db, key, async |tx| {
        service::variant::archive(tx, name).await.map(|_| pb::DeleteVariantResponse {})
    })
    .await?;
    this.views.forget_all_of(name.product).await;
    Ok(done)
}

pub(super) async fn batch_get(
    this: &Service,
    request: Request<pb::BatchGetVariantsRequest>,
) -> Result<pb::BatchGetVariantsResponse, Status> {
    let (caller, request) = caller::of(request)?;
    let names: Vec<Name> = request.names.iter().filter_map(|name| Name::parse(name)).collect();
    let ids: Vec<_> = names.iter().map(|name| name.variant).collect();
    let skus: Vec<&str> = request.skus.iter().map(String::as_str).collect();
    // Orders are priced by what the database says now; a copy, however fresh, may be the price before.
    let found = if caller.service() == Some("order") {
        this.pricing.offers(ids, request.skus.clone()).await?
    } else {
        this.views.offers(&ids, &skus).await.map_err(|error| chassis::status::internal(error.as_ref()))?
    };
    let mut seen = BTreeSet::new();
    let asked =
        |offer: &Offer| names.contains(&offer.variant.name()) || skus.contains(&offer.variant.sku.as_str());
    let shown = found
        .into_iter()
        .filter(|offer| is_shown(&caller, offer) && asked(offer) && seen.insert(offer.variant.id));
    Ok(pb::BatchGetVariantsResponse { variants: shown.map(Into::into).collect() })
}

fn is_shown(caller: &Caller, offer: &Offer) -> bool {
    offer.product_state != State::Draft || sees_drafts(caller)
}
