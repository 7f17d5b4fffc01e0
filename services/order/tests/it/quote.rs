//! Quoting: what an order would cost, with everything that stands in its way.

use contract::order::v1 as pb;
use pb::quote_problem::Kind;
use tonic::Code;

use crate::support::*;

fn ask(lines: &[(&str, i64)]) -> pb::QuoteOrderRequest {
    let buy = buy(lines, gbp(0));
    pb::QuoteOrderRequest { lines: buy.lines, country_code: "GB".into(), ..Default::default() }
}

async fn quote(shop: &Shop, request: pb::QuoteOrderRequest) -> pb::Quote {
    shop.customer("users/ada").quote_order(request).await.unwrap().into_inner()
}

fn problems(quote: &pb::Quote) -> Vec<(Kind, &str, i64)> {
    quote
        .problems
        .iter()
        .map(|problem| (problem.kind(), problem.variant.as_str(), problem.available))
        .collect()
}

#[tokio::test]
async fn a_quote_says_what_placing_would_cost() {
    let shop = Shop::start().await;
    let quote = quote(&shop, pb::QuoteOrderRequest { coupon_code: "tenth".into(), ..ask(&[(CUP, 2)]) }).await;
    assert_eq!(problems(&quote), []);
    let amounts = [&quote.subtotal, &quote.discount, &quote.shipping, &quote.tax, &quote.total];
    assert_eq!(
        amounts.map(|amount| amount.clone().unwrap()),
        [gbp(2500), gbp(250), gbp(350), gbp(433), gbp(2600)]
    );
    assert_eq!((quote.shipping_rate.as_str(), quote.shipping_options.len()), ("zones/uk/rates/post", 2));
    let order = pb::PlaceOrderRequest {
        coupon_code: "TENTH".into(),
        ..buy(&[(CUP, 2)], quote.total.clone().unwrap())
    };
    assert_eq!(shop.place(order).await.unwrap().total, quote.total);
}

#[tokio::test]
async fn the_rate_asked_for_is_counted() {
    let shop = Shop::start().await;
    let asked = pb::QuoteOrderRequest { shipping_rate: "zones/uk/rates/express".into(), ..ask(&[(CUP, 1)]) };
    assert_eq!(quote(&shop, asked).await.total, Some(gbp(1250 + 900)));
    let nowhere = pb::QuoteOrderRequest { country_code: String::new(), ..ask(&[(CUP, 1)]) };
    let nowhere = quote(&shop, nowhere).await;
    assert_eq!((nowhere.total, nowhere.problems.len()), (Some(gbp(1250)), 0));
}

#[tokio::test]
async fn what_goes_by_no_parcel_pays_for_none() {
    let shop = Shop::start().await;
    let card = quote(&shop, ask(&[(GIFT_CARD, 1)])).await;
    assert_eq!((card.total, card.shipping_options.len(), card.problems.len()), (Some(gbp(2000)), 0, 0));
    let both = quote(&shop, ask(&[(GIFT_CARD, 1), (CUP, 1)])).await;
    assert_eq!(both.total, Some(gbp(2000 + 1250 + 350)));
}

#[tokio::test]
async fn every_problem_is_listed_at_once() {
    let shop = Shop::start().await;
    shop.world.facts().stock.insert("CUP".into(), 3);
    let asked = pb::QuoteOrderRequest {
        coupon_code: "NONE".into(),
        country_code: "AQ".into(),
        ..ask(&[(CUP, 2), (GONE, 1), (OLD, 1), (CUP, 2)])
    };
    let quote = shop.customer("guests/unknown").quote_order(asked).await.unwrap().into_inner();
    let found = problems(&quote);
    let expected = [
        (Kind::VariantUnavailable, GONE, 0),
        (Kind::VariantUnavailable, OLD, 0),
        (Kind::ContactMissing, "", 0),
        (Kind::CouponInvalid, "", 0),
        (Kind::OutOfStock, CUP, 3),
        (Kind::NotShippable, "", 0),
    ];
    assert_eq!(found, expected);
    assert_eq!((quote.lines.len(), quote.total), (2, Some(gbp(5000))), "what can be priced is priced");
    assert!(quote.problems.iter().all(|problem| !problem.message.is_empty()));
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn what_has_no_common_price_has_no_total() {
    let shop = Shop::start().await;
    let mixed = quote(&shop, ask(&[(CUP, 1), (YEN, 1)])).await;
    assert_eq!((problems(&mixed), mixed.total.clone()), (vec![(Kind::CurrencyMixed, "", 0)], None));
    shop.world.cart("carts/1", &[], "");
    let empty = pb::QuoteOrderRequest { cart: "carts/current".into(), ..ask(&[]) };
    assert_eq!(problems(&quote(&shop, empty).await), [(Kind::Empty, "", 0)]);
}

#[tokio::test]
async fn a_question_without_sense_is_refused() {
    let shop = Shop::start().await;
    for request in [
        ask(&[]),
        pb::QuoteOrderRequest { cart: "carts/1".into(), ..ask(&[(CUP, 1)]) },
        pb::QuoteOrderRequest { country_code: "XX".into(), ..ask(&[(CUP, 1)]) },
        ask(&[(CUP, 1000)]),
        ask(&[("cup", 1)]),
        ask(&[(GOLD, 999)]),
    ] {
        let refusal = shop.customer("users/ada").quote_order(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{}", refusal.message());
    }
}

#[tokio::test]
async fn codes_cannot_be_guessed_by_asking_for_prices() {
    let shop = Shop::start().await;
    let asked = |code: String| pb::QuoteOrderRequest { coupon_code: code, ..ask(&[(CUP, 1)]) };
    for guess in 0..30 {
        let quote = quote(&shop, asked(format!("GUESS{guess}"))).await;
        assert_eq!(problems(&quote), [(Kind::CouponInvalid, "", 0)]);
    }
    let right = asked("TENTH".into());
    let refusal = shop.customer("users/ada").quote_order(right.clone()).await.unwrap_err();
    assert_eq!(
        (refusal.code(), reason(&refusal).as_str()),
        (Code::ResourceExhausted, "TOO_MANY_UNKNOWN_CODES")
    );
    assert!(shop.customer("users/bob").quote_order(right).await.is_ok(), "nobody else is hindered");
}
