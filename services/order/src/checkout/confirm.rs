//! Confirming orders, the pivot of the checkout: many in one transaction.

use chassis::db::Db;
use chassis::once::{self, Key};
use chassis::saga::{self, Failure, Ticket};
use chassis::status;
use chassis::together::{Served, Wish};
use contract::order::v1 as pb;
use tonic::{Code, Status};

use super::ACTOR;
use crate::domain::{Event, Order};
use crate::error::{DOMAIN, Error};
use crate::store;

/// An order to confirm.
#[derive(Clone)]
pub(crate) struct Confirming {
    name: String,
    order: Order,
    /// Nothing where it is so already.
    confirmed: Option<Event>,
    ticket: Ticket,
    request: Key,
}

impl Confirming {
    pub(super) fn new(order: Order, confirmed: Option<Event>, ticket: Ticket, request: Key) -> Confirming {
        Confirming { name: order.id.name(), order, confirmed, ticket, request }
    }
}

impl Wish for Confirming {
    type Answer = Order;

    fn about(&self) -> &str {
        &self.name
    }
}

/// Confirms orders, ends their checkouts and answers their requests.
pub(crate) async fn confirm(db: &Db, asked: Vec<Confirming>) -> Served<Confirming> {
    let confirmed = db.write(async |tx| {
        let news = asked.iter().filter_map(|of| Some((of.order.clone(), of.confirmed.clone()?)));
        let mut news = store::append_all(tx, news.collect(), ACTOR).await?.into_iter();
        let after = |of: &Confirming| match &of.confirmed {
            Some(_) => news.next().unwrap_or_else(|| of.order.clone()),
            None => of.order.clone(),
        };
        let orders: Vec<Order> = asked.iter().map(after).collect();
        let replies = asked.iter().zip(&orders).map(|(of, order)| (&of.request, pb::Order::from(order)));
        once::settle_all(tx, replies.collect()).await?;
        let tickets: Vec<Ticket> = asked.iter().map(|of| of.ticket.clone()).collect();
        saga::finish_all(tx, &tickets).await.map_err(outdated)?;
        Ok::<_, Error>(orders)
    });
    Ok(confirmed.await?.into_iter().map(Ok).collect())
}

/// Another owner has the saga of one of them, or the database is away.
fn outdated(failure: Failure) -> Error {
    let message = match failure {
        Failure::Refused(refusal) => refusal.message,
        Failure::Unavailable(error) | Failure::Unknown(error) | Failure::Pending(error) => error,
    };
    Status::from(Error::Passed(Box::new(status::plain(Code::Aborted, "SAGA_LOST", DOMAIN, &message, &[]))))
        .into()
}
