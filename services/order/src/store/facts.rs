//! The orders as the books see them.

use std::collections::HashMap;

use chassis::money::Money;
use chassis::operations::Fact;
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect};

use super::{events, rows, snapshots};
use crate::domain::Order;
use crate::error::Error;

/// What checking a page of orders found.
#[derive(Debug, Default)]
pub(crate) struct CheckPage {
    pub(crate) checked: u64,
    pub(crate) last: Option<Uuid>,
    /// Orders whose events do not amount to their row, or have a gap.
    pub(crate) differ: Vec<String>,
    /// Orders that took a step which they may not take.
    pub(crate) missteps: Vec<String>,
    /// Snapshots that are not what the events up to them amount to.
    pub(crate) snapshots: Vec<String>,
    /// Orders whose total is not the sum of their lines and shipping.
    pub(crate) do_not_add_up: Vec<String>,
}

/// Checks the orders after one, by id: each row against its replayed events, each total against its lines.
pub(crate) async fn check_after(
    db: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<CheckPage, Error> {
    let mut query = rows::Entity::find().order_by_asc(rows::Column::Id).limit(limit);
    if let Some(after) = after {
        query = query.filter(rows::Column::Id.gt(after));
    }
    let found = query.all(db).await?;
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    let mut histories = events::of_all(db, &ids).await?.into_iter().peekable();
    let kept = snapshots::of_all(db, &ids).await?.into_iter();
    let kept: HashMap<_, _> = kept.map(|row| ((row.order_id, row.version), row.state)).collect();
    let mut page = CheckPage { last: ids.last().copied(), ..CheckPage::default() };
    for row in found {
        let mut history = Vec::new();
        while let Some((_, event)) = histories.next_if(|(id, _)| *id == row.id) {
            history.push(event);
        }
        let name = format!("orders/{}", row.id);
        page.checked += 1;
        let mut missteps = false;
        let mut wrong = Vec::new();
        let replayed = Order::replay_watched(row.id.into(), history, |before, event, after| {
            missteps |= !before.may(event);
            if let Some(state) = kept.get(&(row.id, after.version))
                && serde_json::to_string(after).ok().as_ref() != Some(state)
            {
                wrong.push(format!("{name} at {}", after.version));
            }
        });
        page.snapshots.append(&mut wrong);
        if missteps {
            page.missteps.push(name.clone());
        }
        match replayed {
            Ok(order) => {
                // An event appended between the two reads makes the replay newer, not wrong.
                if order.version <= row.version && !row.agrees_with(&order)? {
                    page.differ.push(name.clone());
                }
                if !adds_up(&order) {
                    page.do_not_add_up.push(name);
                }
            }
            Err(_) => page.differ.push(name),
        }
    }
    Ok(page)
}

fn adds_up(order: &Order) -> bool {
    let amounts = &order.amounts;
    let lines: i64 = order.lines.iter().map(|line| line.total.minor).sum();
    let discounts: i64 = order.lines.iter().map(|line| line.discount.minor).sum();
    let each = order.lines.iter().all(|line| {
        line.unit_price
            .minor
            .checked_mul(line.quantity)
            .is_some_and(|full| full - line.discount.minor == line.total.minor)
    });
    each && lines + amounts.shipping.minor == amounts.total.minor && discounts == amounts.discount.minor
}

/// Facts of one kind about the orders after one, by id, which is the order of their names too.
pub(crate) async fn facts(
    db: &impl ConnectionTrait,
    kind: &str,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Fact>, DbErr> {
    let mut query = rows::Entity::find().order_by_asc(rows::Column::Id).limit(limit);
    if let Some(after) = after {
        query = query.filter(rows::Column::Id.gt(after));
    }
    query = match kind {
        "order.sale" => query.filter(rows::Column::Sold.eq(true)),
        "order.coupon" => {
            query.filter(rows::Column::CouponCode.ne("")).filter(rows::Column::State.ne("CANCELLED"))
        }
        "order.refund_due" => query.filter(rows::Column::RefundDueMinor.gt(0)),
        _ => query,
    };
    let found = query.into_partial_model::<Figures>().all(db).await?;
    Ok(found.into_iter().filter_map(|row| fact(kind, row)).collect())
}

/// What facts are made of: all but the snapshot, which is the bulk of a row.
#[derive(DerivePartialModel)]
#[sea_orm(entity = "rows::Entity")]
struct Figures {
    id: Uuid,
    state: String,
    payment: String,
    coupon_code: String,
    discount_minor: i64,
    total_minor: i64,
    total_currency: String,
    refund_due_minor: i64,
    units: i64,
}

fn fact(kind: &str, row: Figures) -> Option<Fact> {
    let currency = row.total_currency.parse().ok()?;
    let subject = format!("orders/{}", row.id);
    let amount = |minor| Some(Money::new(minor, currency));
    Some(match kind {
        "order" => Fact {
            subject,
            state: row.state,
            amount: amount(row.total_minor),
            quantity: row.units,
            reference: row.payment,
        },
        "order.sale" => Fact { subject, amount: amount(row.total_minor), ..Fact::default() },
        "order.coupon" => Fact {
            subject,
            amount: amount(row.discount_minor),
            reference: row.coupon_code,
            ..Fact::default()
        },
        "order.refund_due" => Fact { subject, amount: amount(row.refund_due_minor), ..Fact::default() },
        _ => return None,
    })
}
