//! What a coupon would take off.
use std::time::Duration;

use chassis::time::Timestamp;
use contract::promotion::v1 as pb;
use tonic::Code;

use super::support::{ANN, Shop, an_order, euros, evaluate, pence, redeem, refused, ten_percent};

#[tokio::test]
async fn a_discount_adds_up_over_its_lines_and_case_does_not_matter() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(ten_percent("Spring-24")).await;
    assert_eq!(coupon.code, "SPRING-24");
    let told = shop
        .anyone()
        .evaluate_discounts(evaluate("sPrInG-24", &[333, 333, 334, 5]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((told.coupon, told.discount), (coupon.name, pence(100)));
    assert_eq!(told.line_discounts, [33, 33, 33, 1].map(|part| pence(part).unwrap()));
}

#[tokio::test]
async fn a_discount_never_exceeds_what_there_is() {
    let shop = Shop::open().await;
    shop.coupon(pb::Coupon { code: "TEN".to_owned(), amount_off: pence(1000), ..Default::default() }).await;
    let told = shop.anyone().evaluate_discounts(evaluate("TEN", &[300, 0, 99])).await.unwrap().into_inner();
    assert_eq!(told.discount, pence(399));
    assert_eq!(told.line_discounts, [300, 0, 99].map(|part| pence(part).unwrap()));
}

#[tokio::test]
async fn a_coupon_that_does_not_apply_says_why() {
    let shop = Shop::open().await;
    let (now, hour) = (Timestamp::now(), Duration::from_secs(3600));
    let plain = || ten_percent("");
    let cases = [
        ("COUPON_EXPIRED", pb::Coupon { expire_time: Some(now.minus(hour).into()), ..plain() }),
        ("COUPON_NOT_STARTED", pb::Coupon { start_time: Some(now.plus(hour).into()), ..plain() }),
        ("COUPON_BELOW_MINIMUM", pb::Coupon { minimum_subtotal: pence(1001), ..plain() }),
        ("COUPON_CURRENCY", pb::Coupon { percent_off_basis_points: 0, amount_off: euros(1), ..plain() }),
        ("COUPON_DISABLED", pb::Coupon { state: pb::coupon::State::Disabled.into(), ..plain() }),
        ("COUPON_EXHAUSTED", pb::Coupon { redemption_limit: 1, ..plain() }),
        ("COUPON_USED_UP_BY_CUSTOMER", pb::Coupon { redemption_limit_per_customer: 1, ..plain() }),
    ];
    for (reason, coupon) in cases {
        shop.coupon(pb::Coupon { code: reason.to_owned(), ..coupon.clone() }).await;
        if coupon.redemption_limit + coupon.redemption_limit_per_customer > 0 {
            shop.order().redeem_coupon(redeem(reason, &an_order())).await.unwrap();
        }
        let told = shop.customer(ANN).evaluate_discounts(evaluate(reason, &[1000])).await;
        refused(told, Code::FailedPrecondition, reason);
        refused(
            shop.order().redeem_coupon(redeem(reason, &an_order())).await,
            Code::FailedPrecondition,
            reason,
        );
    }
    // What Ann has used up is there for Bob, whoever he says he is.
    let asked = pb::EvaluateDiscountsRequest {
        customer: ANN.to_owned(),
        ..evaluate("COUPON_USED_UP_BY_CUSTOMER", &[1000])
    };
    assert!(shop.customer("users/bob").evaluate_discounts(asked.clone()).await.is_ok());
    refused(
        shop.order().evaluate_discounts(asked).await,
        Code::FailedPrecondition,
        "COUPON_USED_UP_BY_CUSTOMER",
    );
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let shop = Shop::open().await;
    shop.coupon(ten_percent("REAL")).await;
    let mut refusals = Vec::new();
    for guess in 0..30 {
        let told = shop
            .customer("users/mallory")
            .evaluate_discounts(evaluate(&format!("GUESS{guess}"), &[1000]))
            .await;
        refusals.push(told.unwrap_err().code());
    }
    assert_eq!((refusals[0], refusals[29]), (Code::NotFound, Code::ResourceExhausted));
    // A right guess says nothing either, by now; nobody else is hindered.
    let told = shop.customer("users/mallory").evaluate_discounts(evaluate("REAL", &[1000])).await;
    refused(told, Code::ResourceExhausted, "TOO_MANY_UNKNOWN_CODES");
    assert!(shop.customer(ANN).evaluate_discounts(evaluate("REAL", &[1000])).await.is_ok());
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    shop.coupon(ten_percent("C")).await;
    let two_currencies = {
        let mut asked = evaluate("C", &[1, 2]);
        asked.lines[1].total = euros(1);
        asked
    };
    let mut nothing_of_it = evaluate("C", &[1]);
    nothing_of_it.lines[0].quantity = 0;
    let long = "A".repeat(65);
    for (what, asked) in [
        ("65 characters", evaluate(&long, &[1])),
        ("a space", evaluate("A B", &[1])),
        ("a control character", evaluate("A\u{7}", &[1])),
        ("no code", evaluate("", &[1])),
        ("no lines", evaluate("C", &[])),
        ("less than nothing", evaluate("C", &[-1])),
        ("two currencies", two_currencies),
        ("nothing of it", nothing_of_it),
    ] {
        let refusal = shop.anyone().evaluate_discounts(asked).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{what}: {refusal:?}");
    }
}
