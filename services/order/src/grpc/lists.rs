//! Pages of orders: whose, how many fit into one answer, and where the next begins.

use chassis::caller::Caller;
use chassis::id::Id;
use chassis::page::Page;
use chassis::status;
use chassis::time::Timestamp;
use contract::order::v1 as pb;
use prost::Message;
use tonic::{Code, Status};

use super::tell;
use crate::domain::Order;
use crate::error::DOMAIN;
use crate::store::{Details, Owner};

/// A page ends early where its orders get larger than this together: clients take answers up to 4 MiB.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Whose orders a list shows: the caller's own, or with order.read.any a customer's or everyone's.
pub(super) fn listed<'a>(caller: &'a Caller, customer: &'a str) -> Result<Owner<'a>, Status> {
    let own = caller.subject()?;
    match customer {
        "" => Ok(Owner::Only(own)),
        customer if customer == own => Ok(Owner::Only(own)),
        _ if !caller.may("order.read.any") => {
            let words = "the orders of others take the permission order.read.any";
            let permission = [("permission", "order.read.any".to_owned())];
            Err(status::plain(Code::PermissionDenied, "PERMISSION_MISSING", DOMAIN, words, &permission))
        }
        "customers/-" => Ok(Owner::Anyone),
        customer => Ok(Owner::Only(customer)),
    }
}

/// The orders of a page that fit into one answer, and where to go on. Orders from elsewhere have hundreds of lines.
pub(super) fn fitting(page: &Page, found: Vec<(Order, Details)>) -> (Vec<pb::Order>, String) {
    let place = |order: &Order| vec![order.create_time.micros().to_string(), order.id.to_string()];
    let (found, next_page_token) = page.cut(found, |(order, _)| place(order));
    let mut orders = Vec::with_capacity(found.len());
    let (mut bytes, mut last) = (0, None);
    for (order, details) in &found {
        let told = tell::order(order, details);
        bytes += told.encoded_len();
        if let Some(last) = last.filter(|_| bytes > PAGE_BYTES_MAX) {
            return (orders, page.token(&place(last)));
        }
        orders.push(told);
        last = Some(order);
    }
    (orders, next_page_token)
}

pub(super) fn after(keys: &[String]) -> Result<(Timestamp, Id<Order>), Status> {
    let read = match keys {
        [time, id] => time.parse().ok().zip(id.parse().ok()),
        _ => None,
    };
    let (time, id) = read.ok_or_else(|| status::invalid("page_token", "is not a token of this list"))?;
    Ok((Timestamp::from_micros(time), id))
}
