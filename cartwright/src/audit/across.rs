//! What must agree between two services: orders with money, stock, coupons, sales and messages.
use chassis::Money;
use contract::operations::v1::Fact;

use super::Finding;
use super::book::{Book, amount, quantity};
use crate::operator::Operator;

/// The states in which an order is carried out, or was.
const STANDS: [&str; 4] = ["CONFIRMED", "SHIPPED", "DELIVERED", "RETURNED"];

/// Compares the books of the services.
pub(crate) async fn compare(operator: &Operator) -> anyhow::Result<Vec<Finding>> {
    let read = async |noun, kind| Book::read(operator, noun, kind).await;
    let orders = read("order", "order").await?;
    let sales = read("order", "order.sale").await?;
    let coupons = read("order", "order.coupon").await?;
    let due = read("order", "order.refund_due").await?;
    let captured = read("payment", "payment.captured").await?;
    let refunded = read("payment", "payment.refunded").await?;
    let held_money = read("payment", "payment.held").await?;
    let sold = read("inventory", "inventory.sold").await?;
    let held_stock = read("inventory", "inventory.held").await?;
    let redemptions = read("promotion", "promotion.redemption").await?;
    let counted = read("analytics", "analytics.sale").await?;
    let sent = read("shipping", "shipping.sent").await?;
    let confirmations = read("notification", "notification.confirmation").await?;

    let stands = |order: &str| orders.of(order).is_some_and(|order| STANDS.contains(&order.state.as_str()));
    let state = |order: &str| orders.of(order).map_or("unknown", |order| order.state.as_str()).to_owned();

    // Its money is held, and its parcel with it, until somebody has decided.
    let under_review = |held: &Fact| held.state == "REVIEW" && stands(&held.subject);
    let decided = |order: &&Fact| !held_money.of(&order.subject).is_some_and(under_review);

    let mut findings = Vec::new();

    // A cancelled order may have been captured before: then all of it is given back.
    let mut wrong = Vec::new();
    for payment in captured.iter() {
        let order = &payment.subject;
        let refunded_in_full = || refunded.of(order).and_then(amount) == amount(payment);
        let paid = stands(order) && pays(payment, orders.of(order).and_then(amount));
        if !paid && !refunded_in_full() {
            wrong.push(format!(
                "{order} is {} and {} was captured, not refunded",
                state(order),
                shown(payment)
            ));
        }
    }
    findings.push(Finding::across(
        "I7",
        "a captured payment belongs to an order of the same amount, or is refunded",
        captured.len(),
        wrong,
    ));

    let unpaid = orders
        .iter()
        .filter(|order| stands(&order.subject) && amount(order).is_some())
        .filter(|order| !captured.of(&order.subject).is_some_and(|payment| pays(payment, amount(order))))
        .filter(decided)
        .map(|order| {
            format!("{} is {} and its {} was not captured", order.subject, order.state, shown(order))
        });
    findings.push(Finding::across(
        "I7",
        "an order that is carried out is paid, or under review",
        orders.len(),
        unpaid.collect(),
    ));

    // More may have been given back: staff may refund what nobody was owed. Payment's own books keep it below the capture.
    let owed = due.iter().filter(|due| captured.of(&due.subject).is_some()).filter(|due| {
        let given = refunded.of(&due.subject).and_then(amount).map_or(0, |amount| amount.minor);
        let taken = captured.of(&due.subject).and_then(amount).map_or(0, |amount| amount.minor);
        given < amount(due).map_or(0, |amount| amount.minor.min(taken))
    });
    let owed = owed.map(|due| {
        let given = refunded.of(&due.subject).map_or("nothing".into(), shown);
        format!("{} is owed {} and was given {given}", due.subject, shown(due))
    });
    findings.push(Finding::across(
        "I7",
        "what is to be given back was given back",
        due.len(),
        owed.collect(),
    ));

    let kept = held_money.iter().filter(|held| state(&held.subject) != "PLACED" && !under_review(held));
    let kept = kept.map(|held| {
        format!("{} is {} and {} is still held", held.subject, state(&held.subject), shown(held))
    });
    findings.push(Finding::across(
        "I17",
        "money is held only for orders under way or under review",
        held_money.len(),
        kept.collect(),
    ));

    let kept =
        held_stock.iter().filter(|held| held.quantity != 0 && state(&held.subject) != "PLACED").map(|held| {
            format!(
                "{} is {} and {} units are still reserved",
                held.subject,
                state(&held.subject),
                held.quantity
            )
        });
    findings.push(Finding::across(
        "I12",
        "stock is reserved only for orders under way",
        held_stock.len(),
        kept.collect(),
    ));

    let owed = |order: &contract::operations::v1::Fact| quantity(order).filter(|_| stands(&order.subject));
    findings.push(Finding::across(
        "I13",
        "stock sold is what orders hold",
        orders.len(),
        orders.differences(&sold, owed, quantity, ToString::to_string),
    ));

    let code = |fact: &contract::operations::v1::Fact| {
        Some(fact.reference.to_uppercase()).filter(|code| !code.is_empty())
    };
    findings.push(Finding::across(
        "I29",
        "coupon redemptions match the orders that used them",
        coupons.len().max(redemptions.len()),
        coupons.differences(&redemptions, code, code, Clone::clone),
    ));

    findings.push(Finding::across(
        "I33",
        "sales facts equal the confirmed orders",
        sales.len(),
        sales.differences(
            &counted,
            |sale| Some(amount(sale)),
            |fact| Some(amount(fact)),
            |amount| amount.map_or("0".into(), |amount| amount.to_string()),
        ),
    ));

    let told = sales.iter().filter(|sale| {
        let state = confirmations.of(&sale.subject).map(|confirmation| confirmation.state.as_str());
        !matches!(state, Some("SENT" | "SUPPRESSED"))
    });
    let told = told.map(|sale| {
        let state =
            confirmations.of(&sale.subject).map_or("missing", |confirmation| confirmation.state.as_str());
        format!("{}: its confirmation is {state}", sale.subject)
    });
    findings.push(Finding::across(
        "I32",
        "each confirmed order has one confirmation, sent or suppressed",
        sales.len(),
        told.collect(),
    ));

    // A checkout that was undone holds nothing anywhere. One cancelled later gave back what it had.
    let undone = orders.iter().filter(|order| order.state == "CANCELLED").filter_map(|order| {
        let subject = &order.subject;
        let kept_money = captured.of(subject).and_then(amount) != refunded.of(subject).and_then(amount);
        let left = [
            ("stock", sold.of(subject).and_then(quantity).is_some()),
            ("a reservation", held_stock.of(subject).and_then(quantity).is_some()),
            ("a coupon's use", redemptions.of(subject).is_some()),
            ("held money", held_money.of(subject).is_some()),
            ("captured money", kept_money),
        ];
        let left: Vec<_> = left.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect();
        (!left.is_empty()).then(|| format!("{subject} is CANCELLED and keeps {}", left.join(", ")))
    });
    findings.push(Finding::across("I17", "a cancelled order keeps nothing", orders.len(), undone.collect()));

    // A parcel may leave while its order is being cancelled; then its money is given back, and staff call it back.
    let unpaid = sent.iter().filter(|sent| {
        let order = orders.of(&sent.subject);
        let free = order.is_some_and(|order| amount(order).is_none());
        sent.quantity != 0 && !free && captured.of(&sent.subject).is_none()
    });
    let unpaid = unpaid.map(|sent| {
        format!("{} is {}, and {} units left unpaid", sent.subject, state(&sent.subject), sent.quantity)
    });
    findings.push(Finding::across("I31", "what was sent was paid", sent.len(), unpaid.collect()));

    let earned = orders.iter().filter(|order| stands(&order.subject)).filter(decided).filter_map(|order| {
        let sale = counted.of(&order.subject).and_then(amount);
        let money = captured.of(&order.subject).and_then(amount);
        let words = |amount: Option<Money>| amount.map_or("nothing".into(), |amount| amount.to_string());
        (sale != money).then(|| {
            format!("{}: {} in the report, {} in the till", order.subject, words(sale), words(money))
        })
    });
    findings.push(Finding::across(
        "I33",
        "what is reported as sold is what the till took",
        orders.len(),
        earned.collect(),
    ));
    Ok(findings)
}

/// Whether a payment is what its order costs. Staff may take a part of it and let the rest go.
fn pays(payment: &contract::operations::v1::Fact, total: Option<chassis::money::Money>) -> bool {
    let (Some(taken), Some(total)) = (amount(payment), total) else { return false };
    taken == total
        || payment.state == "PARTIAL" && taken.currency == total.currency && taken.minor < total.minor
}

fn shown(fact: &contract::operations::v1::Fact) -> String {
    amount(fact).map_or("nothing".into(), |amount| amount.to_string())
}
