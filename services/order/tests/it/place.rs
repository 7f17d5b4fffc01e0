//! Placing orders: priced here, secured step by step, or given back.

use contract::order::v1 as pb;
use pb::order::{PaymentState, State};
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn an_order_is_priced_secured_and_confirmed() {
    let shop = Shop::start().await;
    let request =
        pb::PlaceOrderRequest { coupon_code: "tenth".into(), ..buy(&[(CUP, 2), (GIFT_CARD, 1)], gbp(4400)) };
    let order = shop.place(request).await.unwrap();
    assert_eq!((order.state(), order.payment_state()), (State::Confirmed, PaymentState::Authorized));
    let amounts = [&order.subtotal, &order.discount, &order.shipping, &order.tax, &order.total];
    let expected = [gbp(4500), gbp(450), gbp(350), gbp(375 + 300 + 58), gbp(4400)];
    assert_eq!(amounts.map(|amount| amount.clone().unwrap()), expected);
    let line = &order.lines[0];
    assert_eq!((line.line_id.as_str(), line.sku.as_str(), line.title.as_str()), ("1", "CUP", "Cup, Large"));
    assert_eq!(
        (line.discount.clone(), line.total.clone(), line.price_version),
        (Some(gbp(250)), Some(gbp(2250)), 7)
    );
    assert_eq!((order.shipping_rate.as_str(), order.coupon_code.as_str()), ("zones/uk/rates/post", "TENTH"));
    assert_eq!(order.shipping_address, Some(address()));
    let history: Vec<_> = order.history.iter().map(|step| (step.state(), step.actor.as_str())).collect();
    assert_eq!(history, [(State::Placed, "customers"), (State::Confirmed, "order")]);
    assert_eq!(order.payment, format!("payments/{}", order.name.trim_start_matches("orders/")));
    assert_eq!(shop.world.held(), (1, 2, 1));
    assert_eq!(shop.world.facts().payments[&order.name], Some(4400));
    assert_eq!(shop.announced(&order.name).await, ["OrderPlaced", "OrderConfirmed"]);
    let confirmed = shop.said::<pb::OrderConfirmed>(&order.name).await.remove(0);
    assert_eq!(
        (confirmed.total, confirmed.payment, confirmed.country),
        (order.total.clone(), order.payment.clone(), "GB".into())
    );
    assert_eq!(shop.get(&order.name).await, order);
    shop.audit().await;
}

#[tokio::test]
async fn the_token_of_a_payment_is_forgotten_once_it_is_used() {
    let shop = Shop::start().await;
    let mut request = two_cups();
    request.payment_method.as_mut().unwrap().token = "tok_secret".into();
    shop.place(request).await.unwrap();
    assert_eq!(shop.count("SELECT COUNT(*) FROM saga WHERE data LIKE '%tok_secret%'").await, 0);
    assert_eq!(shop.count("SELECT COUNT(*) FROM order_events WHERE payload LIKE '%Lovelace%'").await, 0);
    assert_eq!(shop.count("SELECT COUNT(*) FROM orders WHERE snapshot LIKE '%Lovelace%'").await, 0);
}

#[tokio::test]
async fn a_cart_becomes_one_order() {
    let shop = Shop::start().await;
    shop.world.cart("carts/1", &[(CUP, 2)], "tenth");
    let of_cart = |cart: &str| pb::PlaceOrderRequest { cart: cart.into(), ..buy(&[], gbp(2600)) };
    let order = shop.place(of_cart("carts/current")).await.unwrap();
    assert_eq!((order.state(), order.cart.as_str()), (State::Confirmed, "carts/1"));
    assert_eq!((order.coupon_code.as_str(), order.total), ("TENTH", Some(gbp(2600))));
    let again = shop.place(of_cart("carts/1")).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::FailedPrecondition, "CART_ALREADY_ORDERED"));
    assert_eq!(shop.world.held(), (1, 2, 1));
}

#[tokio::test]
async fn a_cart_whose_order_came_to_nothing_can_be_ordered_again() {
    let shop = Shop::start().await;
    shop.world.cart("carts/1", &[(CUP, 2)], "");
    let request = pb::PlaceOrderRequest { cart: "carts/1".into(), ..buy(&[], gbp(2850)) };
    let mut declined = request.clone();
    declined.payment_method.as_mut().unwrap().token = "declined".into();
    assert_eq!(shop.place(declined).await.unwrap().state(), State::Cancelled);
    let again = pb::PlaceOrderRequest { request_id: request_id(), ..request };
    assert_eq!(shop.place(again).await.unwrap().state(), State::Confirmed);
}

#[tokio::test]
async fn another_card_can_be_tried_before_cart_has_heard_that_the_first_was_declined() {
    let shop = Shop::start().await;
    for (name, number) in [("carts/1", 1), ("carts/current", 2)] {
        shop.world.cart(&format!("carts/{number}"), &[(CUP, 2)], "");
        let with = |token: &str| {
            let mut request = pb::PlaceOrderRequest { cart: name.into(), ..buy(&[], gbp(2850)) };
            request.payment_method.as_mut().unwrap().token = token.into();
            request
        };
        let declined = shop.place(with("declined")).await.unwrap();
        assert_eq!(declined.state(), State::Cancelled);
        // Cart has heard of the order, and not yet of its end.
        shop.world.close(&declined);
        assert_eq!(shop.place(with("tok_visa")).await.unwrap().state(), State::Confirmed, "{name}");
    }
}

#[tokio::test]
async fn what_was_put_into_the_next_cart_meanwhile_is_not_bought_in_its_place() {
    let shop = Shop::start().await;
    shop.world.cart("carts/1", &[(CUP, 2)], "");
    let with = |token: &str| {
        let mut request = pb::PlaceOrderRequest { cart: "carts/current".into(), ..buy(&[], gbp(2850)) };
        request.payment_method.as_mut().unwrap().token = token.into();
        request
    };
    let declined = shop.place(with("declined")).await.unwrap();
    shop.world.close(&declined);
    shop.world.cart("carts/next", &[(CUP, 1)], "");
    let order = shop.place(with("tok_visa")).await.unwrap();
    assert_eq!((order.state(), order.cart.as_str()), (State::Confirmed, "carts/1"));
}

#[tokio::test]
async fn a_cart_closed_by_a_live_order_stays_closed() {
    let shop = Shop::start().await;
    shop.world.cart("carts/1", &[(CUP, 2)], "");
    let request = || pb::PlaceOrderRequest { cart: "carts/1".into(), ..buy(&[], gbp(2850)) };
    let order = shop.place(request()).await.unwrap();
    shop.world.close(&order);
    let refusal = shop.place(request()).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::FailedPrecondition, "CART_CLOSED"));
}

#[tokio::test]
async fn an_order_that_costs_nothing_takes_no_payment() {
    let shop = Shop::start().await;
    let mut request = buy(&[(FREE, 1)], gbp(0));
    request.shipping_address.as_mut().unwrap().country_code = "IE".into();
    let order = shop.place(request).await.unwrap();
    assert_eq!((order.state(), order.payment_state()), (State::Confirmed, PaymentState::Captured));
    assert_eq!((order.payment.as_str(), shop.world.held()), ("", (0, 0, 0)));
}

#[tokio::test]
async fn tax_is_what_the_country_has() {
    let shop = Shop::start().await;
    let mut request = buy(&[(CUP, 1)], gbp(2200));
    request.shipping_address.as_mut().unwrap().country_code = "DE".into();
    let order = shop.place(request).await.unwrap();
    assert_eq!(order.tax, Some(gbp(200 + 152)));
}

#[tokio::test]
async fn a_refusal_at_any_step_gives_everything_back_and_is_the_reason() {
    let shop = Shop::start().await;
    for (method, cause) in [
        ("RedeemCoupon", "COUPON_EXHAUSTED"),
        ("ReserveStock", "INSUFFICIENT_STOCK"),
        ("AuthorizePayment", "PAYMENT_DECLINED"),
    ] {
        shop.world.fault(method, Fault::Refuse(Code::FailedPrecondition, cause));
        let request = pb::PlaceOrderRequest { coupon_code: "TENTH".into(), ..buy(&[(CUP, 2)], gbp(2600)) };
        let order = shop.place(request).await.unwrap();
        assert_eq!((order.state(), order.cancel_reason.as_str()), (State::Cancelled, cause));
        assert_eq!(order.history.last().unwrap().reason, cause);
        assert_eq!(shop.world.held(), (0, 0, 0), "{cause}");
        assert_eq!(shop.announced(&order.name).await, ["OrderPlaced", "OrderCancelled"]);
        assert!(!shop.said::<pb::OrderCancelled>(&order.name).await[0].confirmed);
    }
    assert_eq!(shop.world.facts().stock["CUP"], 100);
    shop.audit().await;
}

#[tokio::test]
async fn a_provider_that_answers_late_is_asked_again_under_the_same_id() {
    let shop = Shop::start().await;
    for code in [Code::DeadlineExceeded, Code::Unavailable, Code::Internal] {
        shop.world.facts().request_ids.clear();
        shop.world.fault("AuthorizePayment", Fault::LoseAnswer(code));
        let order = shop.confirmed().await;
        let ids = shop.world.facts().request_ids["AuthorizePayment"].clone();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(shop.world.facts().payments[&order.name], Some(2850));
    }
    assert_eq!(shop.world.held(), (0, 6, 3));
}

#[tokio::test]
async fn a_payment_that_happened_before_it_was_refused_is_given_up() {
    let shop = Shop::start().await;
    shop.world.fault("AuthorizePayment", Fault::LoseAnswer(Code::DeadlineExceeded));
    shop.world.fault("AuthorizePayment", Fault::Refuse(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    let order = shop.place(two_cups()).await.unwrap();
    assert_eq!((order.state(), order.payment_state()), (State::Cancelled, PaymentState::Voided));
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn only_so_many_are_sold_as_there_are_even_on_two_lines() {
    let shop = Shop::start().await;
    shop.world.facts().stock.insert("CUP".into(), 3);
    let order = shop.place(buy(&[(CUP, 2), (CUP, 2)], gbp(5350))).await.unwrap();
    assert_eq!((order.state(), order.cancel_reason.as_str()), (State::Cancelled, "INSUFFICIENT_STOCK"));
    assert_eq!(shop.world.facts().stock["CUP"], 3);
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_before_anything_is_done() {
    let shop = Shop::start().await;
    shop.world.cart("carts/empty", &[], "");
    type Spoil = fn(&mut pb::PlaceOrderRequest);
    let cases: [(Code, &str, Spoil); 24] = [
        (Code::FailedPrecondition, "PRICE_CHANGED", |request| request.expected_total = Some(gbp(2849))),
        (Code::FailedPrecondition, "PRICE_CHANGED", |request| {
            request.expected_total = Some(money(2850, "EUR"))
        }),
        (Code::FailedPrecondition, "CART_EMPTY", |request| {
            request.lines.clear();
            request.cart = "carts/empty".into();
        }),
        (Code::NotFound, "CART_NOT_FOUND", |request| {
            request.lines.clear();
            request.cart = "carts/of-somebody-else".into();
        }),
        (Code::NotFound, "VARIANT_NOT_FOUND", |request| request.lines[0].variant = GONE.into()),
        // A product's name is not a variant's.
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.lines[0].variant = "products/1".into()),
        (Code::FailedPrecondition, "VARIANT_UNAVAILABLE", |request| request.lines[0].variant = OLD.into()),
        (Code::FailedPrecondition, "CURRENCY_MIXED", |request| {
            request.lines.push(pb::LineRequest { variant: YEN.into(), quantity: 1 });
        }),
        (Code::InvalidArgument, "AMOUNT_TOO_LARGE", |request| {
            request.lines[0] = pb::LineRequest { variant: GOLD.into(), quantity: 999 };
        }),
        (Code::NotFound, "COUPON_NOT_FOUND", |request| request.coupon_code = "NONE".into()),
        (Code::FailedPrecondition, "COUPON_EXPIRED", |request| request.coupon_code = "OVER".into()),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.coupon_code = "TWO WORDS".into()),
        (Code::FailedPrecondition, "NOT_SHIPPABLE", |request| {
            request.shipping_address.as_mut().unwrap().country_code = "AQ".into();
        }),
        (Code::FailedPrecondition, "SHIPPING_RATE_UNAVAILABLE", |request| {
            request.shipping_rate = "zones/x/rates/y".into()
        }),
        (Code::InvalidArgument, "INVALID_FIELD", |request| {
            request.shipping_address.as_mut().unwrap().country_code = "XX".into();
        }),
        (Code::InvalidArgument, "INVALID_FIELD", |request| {
            request.shipping_address.as_mut().unwrap().line1 = "x".repeat(5000);
        }),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.shipping_address = None),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.lines[0].quantity = 0),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.request_id = "not a uuid".into()),
        (Code::InvalidArgument, "INVALID_FIELD", |request| {
            request.payment_method.as_mut().unwrap().token = "4242 4242 4242 4242".into();
        }),
        (Code::InvalidArgument, "INVALID_FIELD", |request| {
            request.payment_method.as_mut().unwrap().channel = "imported".into();
        }),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.expected_total = Some(gbp(-1))),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.shipping_rate = "by air".into()),
        (Code::InvalidArgument, "INVALID_FIELD", |request| request.shipping_rate = "zones/x/rates/".into()),
    ];
    for (code, cause, spoil) in cases {
        let mut request = two_cups();
        spoil(&mut request);
        let refusal = shop.place(request).await.unwrap_err();
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (code, cause), "{}", refusal.message());
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM orders").await, 0);
    assert_eq!(shop.count("SELECT COUNT(*) FROM requests").await, 0);
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn the_refusal_of_a_changed_price_says_the_new_one() {
    let shop = Shop::start().await;
    let refusal = shop.place(buy(&[(CUP, 2)], gbp(2000))).await.unwrap_err();
    let values = chassis::status::metadata(&refusal);
    assert_eq!((values["total"].as_str(), values["currency"].as_str()), ("28.50", "GBP"));
    assert!(
        shop.place(buy(&[(CUP, 2)], gbp(3000))).await.is_ok(),
        "a lower total than expected is no reason to refuse"
    );
}

#[tokio::test]
async fn a_guest_says_first_where_to_be_reached() {
    let shop = Shop::start().await;
    let refusal = shop.customer("guests/unknown").place_order(two_cups()).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::FailedPrecondition, "CONTACT_MISSING"));
    let order = shop.customer("guests/known").place_order(two_cups()).await.unwrap().into_inner();
    assert_eq!((order.state(), order.customer.as_str()), (State::Confirmed, "guests/known"));
}

#[tokio::test]
async fn a_peer_that_is_away_is_no_refusal() {
    let shop = Shop::start().await;
    shop.world.fault("BatchGetVariants", Fault::LoseAnswer(Code::Internal));
    let away = shop.place(two_cups()).await.unwrap_err();
    assert_eq!((away.code(), reason(&away).as_str()), (Code::Unavailable, "PEER_AWAY"));
    let nobody = shop.host.as_anyone();
    let refusal = contract::order::v1::order_service_client::OrderServiceClient::new(nobody)
        .place_order(two_cups())
        .await;
    assert_eq!(refusal.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_payment_that_takes_its_time_is_waited_for() {
    let shop = Shop::start().await;
    for _ in 0..12 {
        shop.world.fault("AuthorizePayment", Fault::Refuse(Code::Unavailable, "PAYMENT_UNKNOWN"));
    }
    let order = shop.place(two_cups()).await.unwrap();
    let order = shop.until(&order, State::Confirmed).await;
    assert_eq!(shop.world.held(), (0, 2, 1));
    let lasts = order.expire_time.unwrap().seconds - order.create_time.unwrap().seconds;
    assert!((59..=61).contains(&lasts), "{lasts} s, as configured");
    shop.audit().await;
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled_and_everything_given_back() {
    let shop = Shop::with(order::Config { checkout_seconds: 1, ..config() }).await;
    for _ in 0..500 {
        shop.world.fault("AuthorizePayment", Fault::Refuse(Code::Unavailable, "PAYMENT_UNKNOWN"));
    }
    // The channel still does not say what became of it: giving it up is decided all the same.
    shop.world.fault("VoidPayment", Fault::LoseAnswer(Code::Unavailable));
    shop.world.fault("VoidPayment", Fault::Refuse(Code::Unavailable, "PAYMENT_UNDERWAY"));
    let request = pb::PlaceOrderRequest { coupon_code: "TENTH".into(), ..buy(&[(CUP, 2)], gbp(2600)) };
    let order = shop.place(request).await.unwrap();
    let order = shop.until(&order, State::Cancelled).await;
    assert_eq!(
        (order.cancel_reason.as_str(), order.payment_state()),
        ("ORDER_EXPIRED", PaymentState::Voided)
    );
    assert_eq!((shop.world.held(), shop.world.facts().stock["CUP"]), ((0, 0, 0), 100));
    shop.audit().await;
}
