//! What payment refuses to take in.
use contract::payment::v1 as pb;
use tonic::Code;

use super::support::{Shop, a_request, an_order, gbp, money, pay, refund, void};

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused() {
    let shop = Shop::open().await;
    let good = || pay(&an_order(), "tok_visa");
    let fraction = contract::Money { currency_code: "GBP".to_owned(), units: 1, nanos: 5_000_000 };
    let wrong = [
        ("nothing to pay", pb::AuthorizePaymentRequest { amount: gbp(0), ..good() }),
        ("less than nothing", pb::AuthorizePaymentRequest { amount: gbp(-1), ..good() }),
        ("no amount", pb::AuthorizePaymentRequest { amount: None, ..good() }),
        ("too much", pb::AuthorizePaymentRequest { amount: gbp(i64::MAX), ..good() }),
        ("half a penny", pb::AuthorizePaymentRequest { amount: Some(fraction), ..good() }),
        ("no currency", pb::AuthorizePaymentRequest { amount: money("XXX", 1), ..good() }),
        ("no order", pb::AuthorizePaymentRequest { order: "carts/1".to_owned(), ..good() }),
        ("no customer", pb::AuthorizePaymentRequest { customer: "services/order".to_owned(), ..good() }),
        ("no channel", pb::AuthorizePaymentRequest { channel: "cash".to_owned(), ..good() }),
        ("not to be paid through", pb::AuthorizePaymentRequest { channel: "imported".to_owned(), ..good() }),
        ("no token", pb::AuthorizePaymentRequest { token: String::new(), ..good() }),
        ("no request id", pb::AuthorizePaymentRequest { request_id: String::new(), ..good() }),
        ("no UUID", pb::AuthorizePaymentRequest { request_id: "1".to_owned(), ..good() }),
    ];
    for (what, request) in wrong {
        assert_eq!(
            shop.order().authorize_payment(request).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{what}"
        );
    }
    assert_eq!(
        shop.order().void_payment(void("payments/1")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let nameless = pb::GetPaymentRequest { name: "payments/1".to_owned() };
    assert_eq!(shop.finance().get_payment(nameless).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments").await, 0);
}

#[tokio::test]
async fn a_card_number_is_refused_wherever_it_is() {
    const CARD: &str = "4242 4242 4242 4242";
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let good = || pay(&an_order(), "tok_visa");
    let card = || CARD.to_owned();
    let refusals = [
        shop.order()
            .authorize_payment(pb::AuthorizePaymentRequest { token: card(), ..good() })
            .await
            .unwrap_err(),
        shop.order()
            .authorize_payment(pb::AuthorizePaymentRequest { customer: format!("users/{CARD}"), ..good() })
            .await
            .unwrap_err(),
        shop.order()
            .authorize_payment(pb::AuthorizePaymentRequest { channel: card(), ..good() })
            .await
            .unwrap_err(),
        shop.order()
            .void_payment(pb::VoidPaymentRequest { order: format!("orders/{CARD}"), request_id: a_request() })
            .await
            .unwrap_err(),
        shop.finance()
            .refund_payment(pb::RefundPaymentRequest { reason: format!("to {CARD}"), ..refund(&payment, 1) })
            .await
            .unwrap_err(),
        shop.finance()
            .list_payments(pb::ListPaymentsRequest { order: card(), ..Default::default() })
            .await
            .unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.code(), Code::InvalidArgument);
        assert!(!format!("{refusal:?}").contains("4242"), "{refusal:?}");
    }
}
