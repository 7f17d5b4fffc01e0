//! What requests name, and the pages of the lists.

use chassis::db::Db;
use chassis::id::Id;
use chassis::page::Page;
use chassis::{status, wire};
use contract::inventory::v1 as pb;
use tonic::Status;

use crate::domain::movement::Entry;
use crate::domain::{LocationId, Reservation, Sku, State};
use crate::error::Error;
use crate::store;
use crate::store::journal::Filter;

pub(super) fn sku(field: &str, text: &str) -> Result<Sku, Status> {
    Sku::parse(text).ok_or_else(|| status::invalid(field, "must be a SKU of at most 64 characters"))
}

pub(super) fn stock_name(field: &str, name: &str) -> Result<Sku, Status> {
    Sku::parse_name(name)
        .ok_or_else(|| status::invalid(field, "must be a name like stock/{sku}, percent-encoded"))
}

/// A location; the default one where none is named.
pub(super) fn location_name(field: &str, name: &str) -> Result<LocationId, Status> {
    match name {
        "" => Ok(LocationId::default_one()),
        name => LocationId::parse_name(name)
            .ok_or_else(|| status::invalid(field, "must be a name like locations/{location}")),
    }
}

pub(super) fn order_name(name: &str) -> Result<String, Status> {
    wire::foreign_name("order", "orders/{id}", name)
}

/// A page of stock by SKU.
pub(super) struct ListStock<'a> {
    pub(super) size: i32,
    pub(super) token: &'a str,
    pub(super) only_low: bool,
}

impl ListStock<'_> {
    pub(super) async fn page(&self, db: &Db) -> Result<(Vec<pb::Stock>, String), Status> {
        let scope = if self.only_low { "low stock" } else { "stock" };
        let page = Page::of(self.size, self.token, scope)?;
        let after = page.after.as_deref().and_then(<[String]>::first).map_or("", String::as_str);
        let found = store::stock::list_after(db.reader(), after, page.size + 1, self.only_low).await;
        let (stock, next) = page.cut(found.map_err(Error::from)?, |stock| vec![stock.sku.to_string()]);
        Ok((stock.into_iter().map(pb::Stock::from).collect(), next))
    }
}

pub(super) async fn movements(
    db: &Db,
    request: &pb::ListMovementsRequest,
) -> Result<(Vec<pb::Movement>, String), Status> {
    let of = match request.sku.as_str() {
        "" => None,
        text => Some(sku("sku", text)?),
    };
    let reference = Some(request.reference.as_str()).filter(|reference| !reference.is_empty());
    let page = Page::of(
        request.page_size,
        &request.page_token,
        &format!("movements\u{1f}{}\u{1f}{}", request.sku, request.reference),
    )?;
    let before = page
        .after
        .as_deref()
        .and_then(|keys| Some((keys.first()?.parse().ok()?, keys.get(1)?.parse().ok()?)));
    let filter = Filter { sku: of.as_ref(), reference, before };
    let found = store::journal::list(db.reader(), &filter, page.size + 1).await.map_err(Error::from)?;
    let keys = |entry: &Entry| vec![entry.cause.time.micros().to_string(), entry.id.to_string()];
    let (found, next) = page.cut(found, keys);
    Ok((found.into_iter().map(pb::Movement::from).collect(), next))
}

pub(super) async fn locations(
    db: &Db,
    request: &pb::ListLocationsRequest,
) -> Result<(Vec<pb::Location>, String), Status> {
    let page = Page::of(request.page_size, &request.page_token, "locations")?;
    let after =
        page.after.as_deref().and_then(|keys| Some((keys.first()?.parse().ok()?, keys.get(1)?.as_str())));
    let found = store::locations::list_after(db.reader(), after, page.size + 1).await.map_err(Error::from)?;
    let keys = |location: &crate::domain::Location| {
        vec![location.priority.to_string(), location.id.as_str().to_owned()]
    };
    let (found, next) = page.cut(found, keys);
    Ok((found.into_iter().map(pb::Location::from).collect(), next))
}

pub(super) async fn reservation(db: &Db, name: &str) -> Result<Reservation, Status> {
    let id: Id<Reservation> = wire::name("name", name)?;
    let found = store::reservations::find(db.writer(), id).await.map_err(Error::from)?;
    // One that was released before it was made never was.
    Ok(found.filter(|found| found.state != State::Barred).ok_or(Error::ReservationNotFound)?)
}
