//! The life of an order, without a database.

use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;

use super::*;

fn gbp(minor: i64) -> Money {
    Money::new(minor, "GBP".parse().expect("a currency"))
}

fn placed() -> Order {
    let item = |sku: &str, quantity, price| Item {
        variant: format!("products/p/variants/{sku}"),
        sku: sku.into(),
        title: sku.into(),
        quantity,
        unit_price: gbp(price),
        price_version: 1,
        stocked: sku != "POST",
        weight_grams: 100,
    };
    let goods = Goods::of(vec![item("CUP", 3, 333), item("POST", 1, 250)]).expect("goods");
    let goods = goods.discounted(&[gbp(100), gbp(0)]).expect("a discount");
    let amounts = goods.amounts(gbp(500), 2000).expect("amounts");
    let placed = Placed {
        customer: "users/1".into(),
        cart: String::new(),
        lines: goods.lines,
        amounts,
        coupon_code: String::new(),
        shipping_rate: "zones/uk/rates/post".into(),
        country: "GB".into(),
        expire_time: Timestamp::from_micros(900_000_000),
    };
    Order::begin(Id::new(), &recorded(1, Event::Placed(placed))).expect("an order")
}

fn recorded(version: i64, event: Event) -> Recorded {
    Recorded { version, event, actor: "customers".into(), time: Timestamp::from_micros(version) }
}

fn after(mut order: Order, events: impl IntoIterator<Item = Event>) -> Order {
    for event in events {
        order.apply(&recorded(order.version + 1, event)).expect("a sound history");
    }
    order
}

fn in_state(state: State) -> Order {
    let confirmed = || Event::Confirmed { payment: Some("payments/1".into()) };
    let shipped = || Event::Shipped { shipment: "shipments/1".into() };
    let everything = || vec![("1".to_owned(), 3), ("2".to_owned(), 1)];
    match state {
        State::Placed => placed(),
        State::Confirmed => after(placed(), [confirmed()]),
        State::Shipped => after(placed(), [confirmed(), shipped()]),
        State::Delivered => after(placed(), [confirmed(), shipped(), Event::Delivered]),
        State::Cancelled => after(placed(), [Event::Cancelled { reason: "X".into() }]),
        State::Returned => {
            let order = in_state(State::Delivered);
            let id = Id::new();
            let requested = order.request_return(id, &everything()).expect("a return");
            let order = after(order, [requested]);
            let received = order.receive_return(id).expect("receivable").expect("news");
            after(order, [received])
        }
    }
}

const STATES: [State; 6] =
    [State::Placed, State::Confirmed, State::Shipped, State::Delivered, State::Cancelled, State::Returned];

#[test]
fn an_order_is_cancelled_only_before_it_ships() {
    for (state, event) in [
        (State::Placed, Some("CancellationRequested")),
        (State::Confirmed, Some("Cancelled")),
        (State::Cancelled, None),
    ] {
        let event_found = in_state(state).cancel("X").expect("cancellable");
        assert_eq!(event_found.map(|event| event.kind()), event, "{state:?}");
    }
    for state in [State::Shipped, State::Delivered, State::Returned] {
        assert!(matches!(in_state(state).cancel("X"), Err(Refused::NotCancellable { .. })), "{state:?}");
    }
}

#[test]
fn asking_twice_to_cancel_a_running_checkout_is_asking_once() {
    let asked = after(placed(), [Event::CancellationRequested { reason: "X".into() }]);
    assert_eq!(asked.state, State::Placed);
    assert!(asked.cancel("Y").expect("cancellable").is_none());
    assert!(matches!(asked.confirm(None), Err(Refused::CancellationRequested { reason }) if reason == "X"));
}

#[test]
fn only_a_confirmed_order_ships_and_only_a_shipped_one_arrives() {
    for state in STATES {
        let order = in_state(state);
        let ships = matches!(order.ship("shipments/1"), Ok(Some(Event::Shipped { .. })));
        assert_eq!(ships, state == State::Confirmed, "{state:?}");
        let arrives = matches!(order.deliver(), Ok(Some(Event::Delivered)));
        assert_eq!(arrives, state == State::Shipped, "{state:?}");
    }
}

#[test]
fn goods_that_leave_after_a_cancellation_are_noted() {
    let cancelled = after(in_state(State::Confirmed), [Event::Cancelled { reason: "X".into() }]);
    assert!(matches!(cancelled.ship("shipments/1"), Ok(Some(Event::LeftAfterCancellation { .. }))));
}

#[test]
fn payment_news_in_any_order_ends_the_same() {
    let order = in_state(State::Confirmed);
    let refunded = order.refunded("payments/1", gbp(100), gbp(100)).expect("news");
    let order = after(order, [refunded]);
    assert_eq!(order.payment_state, PaymentState::Refunded);
    assert!(order.captured("payments/1").is_none());
    assert!(order.voided("payments/1").is_none());
}

#[test]
fn more_than_was_bought_does_not_come_back() {
    let order = in_state(State::Delivered);
    let order_after =
        after(order.clone(), [order.request_return(Id::new(), &[("1".into(), 2)]).expect("two of three")]);
    for (wanted, left) in
        [(vec![("1".to_owned(), 2)], 1), (vec![("1".to_owned(), 1), ("1".to_owned(), 1)], 1)]
    {
        let refused = order_after.request_return(Id::new(), &wanted);
        assert!(
            matches!(refused, Err(Refused::ReturnTooLarge { left: found, .. }) if found == left),
            "{wanted:?}"
        );
    }
    assert!(matches!(order.request_return(Id::new(), &[("9".into(), 1)]), Err(Refused::NoSuchLine(_))));
    for state in [State::Placed, State::Confirmed, State::Cancelled, State::Returned] {
        let refused = in_state(state).request_return(Id::new(), &[("1".into(), 1)]);
        assert!(matches!(refused, Err(Refused::NotReturnable { .. })), "{state:?}");
    }
}

#[test]
fn a_line_that_comes_back_in_parts_is_refunded_to_the_penny() {
    let mut order = in_state(State::Delivered);
    for _ in 0..3 {
        let id = Id::new();
        let requested = order.request_return(id, &[("1".into(), 1)]).expect("one more");
        order = after(order, [requested]);
        let received = order.receive_return(id).expect("receivable").expect("news");
        order = after(order, [received]);
        assert!(order.receive_return(id).expect("received already").is_none());
        assert!(matches!(order.refuse_return(id), Err(Refused::ReturnClosed { .. })));
    }
    assert_eq!(order.refund_due(), gbp(3 * 333 - 100));
    assert_eq!((order.state, order.units()), (State::Delivered, 0));
}

#[test]
fn an_order_of_which_everything_came_back_is_returned() {
    let order = in_state(State::Returned);
    assert_eq!(order.refund_due(), gbp(3 * 333 - 100 + 250));
    assert_eq!(order.history.last().map(|last| last.state), Some(State::Returned));
}

#[test]
fn a_refused_return_can_be_asked_for_again() {
    let order = in_state(State::Delivered);
    let id = Id::new();
    let requested = order.request_return(id, &[("1".into(), 3)]).expect("all of it");
    let order = after(order, [requested]);
    let refused = order.refuse_return(id).expect("refusable").expect("news");
    let order = after(order, [refused]);
    assert!(order.refuse_return(id).expect("refused already").is_none());
    assert!(matches!(order.receive_return(id), Err(Refused::ReturnClosed { .. })));
    assert!(order.request_return(Id::new(), &[("1".into(), 3)]).is_ok());
}

#[test]
fn a_history_with_a_gap_is_broken() {
    let mut order = placed();
    assert!(order.apply(&recorded(3, Event::Delivered)).is_err());
    assert!(Order::replay(order.id, []).is_err());
    assert!(Order::replay(order.id, [recorded(1, Event::Delivered)]).is_err());
}

#[test]
fn a_cancellation_asks_for_money_only_after_confirmation() {
    assert_eq!(in_state(State::Cancelled).refund_due(), gbp(0));
    let cancelled = after(in_state(State::Confirmed), [Event::Cancelled { reason: "X".into() }]);
    assert_eq!(cancelled.refund_due(), cancelled.amounts.total);
    assert_eq!(cancelled.units(), 0);
}

#[test]
fn events_survive_storage() {
    let order = in_state(State::Returned);
    let events = [
        Event::Confirmed { payment: None },
        Event::PaymentRefunded { payment: "payments/1".into(), refunded: gbp(1), captured: gbp(2) },
        Event::Delivered,
        Event::ReturnRequested { id: Id::new(), lines: order.returns[0].lines.clone() },
    ];
    for event in events {
        let stored = serde_json::to_string(&event).expect("JSON");
        assert!(stored.contains(event.kind()), "{stored}");
        assert_eq!(serde_json::from_str::<Event>(&stored).expect("an event"), event);
    }
    let stored = serde_json::to_string(&order).expect("JSON");
    assert_eq!(serde_json::from_str::<Order>(&stored).expect("an order"), order);
}
