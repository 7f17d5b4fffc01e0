//! Coupons as staff keep them.
use std::time::Duration;

use chassis::time::Timestamp;
use contract::promotion::v1 as pb;
use contract::promotion::v1::coupon::State;
use tonic::Code;

use super::support::{ANN, Shop, a_request, an_order, euros, evaluate, pence, redeem, refused, ten_percent};

fn create(coupon: pb::Coupon) -> pb::CreateCouponRequest {
    pb::CreateCouponRequest { coupon: Some(coupon), request_id: a_request() }
}

fn update(coupon: pb::Coupon, paths: &[&str]) -> pb::UpdateCouponRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    pb::UpdateCouponRequest {
        coupon: Some(coupon),
        update_mask: Some(prost_types::FieldMask { paths }),
        request_id: a_request(),
    }
}

#[tokio::test]
async fn a_coupon_is_made_as_it_was_asked_for() {
    let shop = Shop::open().await;
    let now = Timestamp::now();
    let asked = pb::Coupon {
        code: "WINTER_5".to_owned(),
        title: "Five off in winter".to_owned(),
        amount_off: pence(500),
        minimum_subtotal: pence(2000),
        start_time: Some(now.into()),
        expire_time: Some(now.plus(Duration::from_secs(60)).into()),
        redemption_limit: 100,
        redemption_limit_per_customer: 1,
        // What only promotion says is not taken from the request.
        redemption_count: 99,
        name: "coupons/mine".to_owned(),
        ..Default::default()
    };
    let request = create(asked.clone());
    let made = shop.staff().create_coupon(request.clone()).await.unwrap().into_inner();
    let expected = pb::Coupon {
        name: made.name.clone(),
        state: State::Active.into(),
        redemption_count: 0,
        create_time: made.create_time,
        update_time: made.create_time,
        etag: made.etag.clone(),
        ..asked
    };
    assert_eq!(made, expected);
    assert_eq!(shop.read(&made).await, made);
    refused(
        shop.staff().create_coupon(create(ten_percent("winter_5"))).await,
        Code::AlreadyExists,
        "COUPON_CODE_TAKEN",
    );
    refused(shop.customer(ANN).create_coupon(request).await, Code::PermissionDenied, "PERMISSION_MISSING");
}

#[tokio::test]
async fn a_coupon_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    let (now, plain) = (Timestamp::now(), || ten_percent("C"));
    for (what, coupon) in [
        ("nothing off", pb::Coupon { percent_off_basis_points: 0, ..plain() }),
        ("101 percent", pb::Coupon { percent_off_basis_points: 10_100, ..plain() }),
        ("less than nothing off", pb::Coupon { percent_off_basis_points: -500, ..plain() }),
        ("both kinds", pb::Coupon { amount_off: pence(1), ..plain() }),
        ("no pennies off", pb::Coupon { percent_off_basis_points: 0, amount_off: pence(0), ..plain() }),
        (
            "ends before it starts",
            pb::Coupon { start_time: Some(now.into()), expire_time: Some(now.into()), ..plain() },
        ),
        ("nothing to spend", pb::Coupon { discount_budget: pence(0), ..plain() }),
        ("a limit below zero", pb::Coupon { redemption_limit: -1, ..plain() }),
        (
            "two currencies",
            pb::Coupon {
                percent_off_basis_points: 0,
                amount_off: pence(1),
                minimum_subtotal: euros(1),
                ..plain()
            },
        ),
        ("a space in the code", pb::Coupon { code: "A B".to_owned(), ..plain() }),
        ("wide letters", pb::Coupon { code: "ＡＢ".to_owned(), ..plain() }),
        ("65 characters", pb::Coupon { code: "A".repeat(65), ..plain() }),
        ("no code", pb::Coupon { code: String::new(), ..plain() }),
        ("an unknown state", pb::Coupon { state: 99, ..plain() }),
    ] {
        let refusal = shop.staff().create_coupon(create(coupon)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{what}: {refusal:?}");
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_if_nobody_was_faster() {
    let shop = Shop::open().await;
    let coupon =
        shop.coupon(pb::Coupon { title: "Old".to_owned(), redemption_limit: 5, ..ten_percent("C") }).await;
    let mine = pb::Coupon { title: "New".to_owned(), redemption_limit: 0, ..coupon.clone() };
    let changed = shop.staff().update_coupon(update(mine.clone(), &["title"])).await.unwrap().into_inner();
    assert_eq!((changed.title.as_str(), changed.redemption_limit), ("New", 5));
    assert_ne!(changed.etag, coupon.etag);
    refused(
        shop.staff().update_coupon(update(mine.clone(), &["title"])).await,
        Code::Aborted,
        "COUPON_STALE",
    );

    let whole = pb::Coupon { etag: String::new(), ..mine.clone() };
    let changed =
        shop.staff().update_coupon(update(whole.clone(), &["redemption_limit"])).await.unwrap().into_inner();
    assert_eq!(changed.redemption_limit, 0);
    let amount = pb::Coupon { name: coupon.name.clone(), amount_off: pence(300), ..Default::default() };
    let changed = shop.staff().update_coupon(update(amount.clone(), &[])).await.unwrap().into_inner();
    assert_eq!(
        (changed.percent_off_basis_points, changed.amount_off, changed.title.as_str()),
        (0, pence(300), "New")
    );

    for paths in [&["code"][..], &["redemption_count"], &["title", "nonsense"]] {
        let refusal = shop.staff().update_coupon(update(whole.clone(), paths)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{paths:?}");
    }
    let nothing_off = update(pb::Coupon { amount_off: None, ..amount }, &["percent_off_basis_points"]);
    assert_eq!(shop.staff().update_coupon(nothing_off).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_limit_is_not_lowered_below_what_was_used() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(ten_percent("C")).await;
    for _ in 0..2 {
        shop.order().redeem_coupon(redeem("C", &an_order())).await.unwrap();
    }
    for coupon in [
        pb::Coupon { name: coupon.name.clone(), redemption_limit: 1, ..Default::default() },
        pb::Coupon { name: coupon.name.clone(), redemption_limit_per_customer: 1, ..Default::default() },
    ] {
        let refusal = shop.staff().update_coupon(update(coupon, &[])).await;
        refused(refusal, Code::FailedPrecondition, "COUPON_LIMIT_BELOW_COUNT");
    }
    let just = pb::Coupon {
        name: coupon.name.clone(),
        redemption_limit: 2,
        redemption_limit_per_customer: 2,
        ..Default::default()
    };
    shop.staff().update_coupon(update(just, &[])).await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn a_budget_that_comes_later_counts_what_was_taken_off_before() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(ten_percent("C")).await;
    for _ in 0..2 {
        shop.order().redeem_coupon(redeem("C", &an_order())).await.unwrap();
    }
    let budget = |amount| {
        let coupon = pb::Coupon { name: coupon.name.clone(), discount_budget: amount, ..Default::default() };
        update(coupon, &["discount_budget"])
    };
    let refusal = shop.staff().update_coupon(budget(pence(199))).await;
    refused(refusal, Code::FailedPrecondition, "COUPON_BUDGET_BELOW_TOTAL");
    let changed = shop.staff().update_coupon(budget(pence(200))).await.unwrap().into_inner();
    assert_eq!((changed.discount_budget, changed.discount_total), (pence(200), pence(200)));
    let refusal = shop.order().redeem_coupon(redeem("C", &an_order())).await;
    refused(refusal, Code::FailedPrecondition, "COUPON_EXHAUSTED");
    shop.balances().await;
    let changed = shop.staff().update_coupon(budget(None)).await.unwrap().into_inner();
    assert_eq!((changed.discount_budget, changed.discount_total), (None, None));
    shop.order().redeem_coupon(redeem("C", &an_order())).await.unwrap();
}

#[tokio::test]
async fn a_withdrawn_coupon_is_gone_and_its_uses_stay() {
    let shop = Shop::open().await;
    let coupon = shop.coupon(ten_percent("C")).await;
    shop.order().redeem_coupon(redeem("C", &an_order())).await.unwrap();
    let withdraw = || pb::DeleteCouponRequest { name: coupon.name.clone(), request_id: a_request() };
    for _ in 0..2 {
        shop.staff().delete_coupon(withdraw()).await.unwrap();
    }
    let read = shop.staff().get_coupon(pb::GetCouponRequest { name: coupon.name.clone() }).await;
    refused(read, Code::NotFound, "COUPON_NOT_FOUND");
    refused(
        shop.customer(ANN).evaluate_discounts(evaluate("C", &[1000])).await,
        Code::NotFound,
        "COUPON_NOT_FOUND",
    );
    refused(shop.order().redeem_coupon(redeem("C", &an_order())).await, Code::NotFound, "COUPON_NOT_FOUND");
    assert_eq!(shop.redemptions(&coupon).await.len(), 1);
    let other = shop.coupon(ten_percent("C")).await;
    assert_ne!(other.name, coupon.name);
    let unknown =
        pb::DeleteCouponRequest { name: format!("coupons/{}", a_request()), request_id: String::new() };
    refused(shop.staff().delete_coupon(unknown).await, Code::NotFound, "COUPON_NOT_FOUND");
    shop.balances().await;
}

#[tokio::test]
async fn coupons_and_uses_come_in_pages() {
    let shop = Shop::open().await;
    let mut codes = Vec::new();
    for number in 0..5 {
        codes.insert(0, shop.coupon(ten_percent(&format!("C{number}"))).await.code);
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListCouponsRequest { page_size: 2, page_token: token };
        let page = shop.staff().list_coupons(request).await.unwrap().into_inner();
        found.extend(page.coupons.into_iter().map(|coupon| coupon.code));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, codes);
    let mut orders = Vec::new();
    for code in ["C1", "C1", "C2"] {
        let used = shop.order().redeem_coupon(redeem(code, &an_order())).await.unwrap().into_inner();
        orders.insert(0, used.order);
    }
    let request = pb::ListRedemptionsRequest { page_size: 2, ..Default::default() };
    let page = shop.staff().list_redemptions(request.clone()).await.unwrap().into_inner();
    let rest = pb::ListRedemptionsRequest { page_token: page.next_page_token, ..request };
    let rest = shop.staff().list_redemptions(rest).await.unwrap().into_inner();
    let found: Vec<_> = page.redemptions.into_iter().chain(rest.redemptions).map(|used| used.order).collect();
    assert_eq!(found, orders);
    let refusal = shop.customer(ANN).list_coupons(pb::ListCouponsRequest::default()).await;
    refused(refusal, Code::PermissionDenied, "PERMISSION_MISSING");
}
