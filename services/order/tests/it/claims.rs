//! Guests' orders that users claim.

use chassis::testing::eventually;
use contract::identity::v1::UserErased;
use contract::order::v1 as pb;
use tonic::{Code, Response, Status};

use crate::support::*;

const GUEST: &str = "guests/known";
const BOB: &str = "users/bob";
const HERS: &str = "known@example.com";

async fn guests_order(shop: &Shop) -> pb::Order {
    shop.customer(GUEST).place_order(two_cups()).await.unwrap().into_inner()
}

async fn ask(shop: &Shop, user: &str, order: &str, email: &str) -> Result<(), Status> {
    let request = pb::RequestOrderClaimRequest { order: order.into(), email: email.into() };
    shop.customer(user).request_order_claim(request).await.map(drop)
}

async fn claim(shop: &Shop, user: &str, order: &str, code: &str) -> Result<pb::Order, Status> {
    let request = pb::ClaimOrderRequest { order: order.into(), code: code.into() };
    shop.customer(user).claim_order(request).await.map(Response::into_inner)
}

/// The code of the latest mail about an order, once so many were sent.
async fn code(shop: &Shop, mails: usize) -> String {
    let mail = eventually(async || {
        let facts = shop.world.facts();
        facts.mails.last().filter(|_| facts.mails.len() == mails).cloned()
    })
    .await;
    assert_eq!(
        (mail.recipient.as_str(), mail.kind.as_str(), mail.address.as_str()),
        (GUEST, "claim-order", HERS)
    );
    let code = mail.values.iter().find(|value| value.key == "code").unwrap().value.clone();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    code
}

/// Waits until everything that was asked has been looked at.
async fn looked_at(shop: &Shop) {
    let waiting = "SELECT COUNT(*) FROM order_claims WHERE next_time IS NOT NULL OR email IS NOT NULL";
    eventually(async || (shop.count(waiting).await == 0).then_some(())).await;
}

/// What people call an order.
fn number(order: &str) -> String {
    let digits = order[order.len() - 12..].to_uppercase();
    format!("{}-{}-{}", &digits[..4], &digits[4..8], &digits[8..])
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

fn telling(refusal: &Status) -> (Code, String, String) {
    (refusal.code(), reason(refusal), refusal.message().to_owned())
}

#[tokio::test]
async fn a_guests_order_is_claimed_with_the_code_that_was_mailed() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    ask(&shop, BOB, &order.name, " Known@Example.com ").await.unwrap();
    let code = code(&shop, 1).await;

    let claimed = claim(&shop, BOB, &order.name, &code).await.unwrap();
    assert_eq!((claimed.customer.as_str(), claimed.shipping_address), (BOB, Some(address())));
    assert_eq!(shop.orders_of(BOB).await.len(), 1);
    assert_eq!(shop.orders_of(GUEST).await, []);
    let hers = pb::GetOrderRequest { name: order.name.clone(), ..Default::default() };
    assert_eq!(shop.customer(GUEST).get_order(hers).await.unwrap_err().code(), Code::NotFound);
    let said = shop.said::<pb::OrderClaimed>(&order.name).await;
    let expected =
        pb::OrderClaimed { order: order.name.clone(), customer: BOB.into(), previous_customer: GUEST.into() };
    assert_eq!(said, [expected]);

    let again = claim(&shop, BOB, &order.name, &code).await.unwrap();
    assert_eq!((again.version, again.customer.as_str()), (claimed.version, BOB));
    assert!(claim(&shop, BOB, &order.name, "").await.is_ok(), "whose order it is needs no code");
    let eve = claim(&shop, "users/eve", &order.name, &code).await.unwrap_err();
    assert_eq!((eve.code(), reason(&eve).as_str()), (Code::InvalidArgument, "CODE_INVALID"));
    shop.audit().await;
}

#[tokio::test]
async fn whoever_is_reached_where_the_guest_is_needs_no_code() {
    let shop = Shop::start().await;
    shop.world.facts().contacts.insert(BOB.into(), HERS.into());
    shop.world.facts().contacts.insert("users/eve".into(), "eve@example.com".into());
    let order = guests_order(&shop).await;
    let eve = claim(&shop, "users/eve", &order.name, "").await.unwrap_err();
    assert_eq!((eve.code(), reason(&eve).as_str()), (Code::NotFound, "ORDER_NOT_FOUND"));
    assert_eq!(claim(&shop, BOB, &order.name, "").await.unwrap().customer, BOB);
    assert!(shop.world.facts().mails.is_empty());
    // What follows is the user's: cancelling, and erasing what is personal.
    let cancelled = shop.customer(BOB).cancel_order(cancel(&order)).await.unwrap().into_inner();
    assert_eq!(cancelled.state(), pb::order::State::Cancelled);
    shop.announce(BOB, &UserErased { user: BOB.into() }).await;
    eventually(async || shop.get(&order.name).await.shipping_address.is_none().then_some(())).await;
    shop.audit().await;
}

#[tokio::test]
async fn nobody_learns_whether_there_is_an_order() {
    let shop = Shop::start().await;
    let (guests, adas) = (guests_order(&shop).await, shop.confirmed().await);
    let absent = format!("orders/{}", uuid::Uuid::now_v7());
    for (order, email) in [(&guests.name, "eve@example.com"), (&adas.name, HERS), (&absent, HERS)] {
        ask(&shop, "users/eve", order, email).await.unwrap();
    }
    looked_at(&shop).await;
    assert!(shop.world.facts().mails.is_empty(), "nothing is mailed where the address is another");
    for (code, expected) in [("123456", Code::InvalidArgument), ("", Code::NotFound)] {
        let mut told = Vec::new();
        for order in [&guests.name, &adas.name, &absent] {
            let refusal = claim(&shop, "users/eve", order, code).await.unwrap_err();
            assert_eq!(refusal.code(), expected);
            let (code, reason, words) = telling(&refusal);
            told.push((code, reason, words.replace(&number(order), "")));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    }
    let guest = ask(&shop, GUEST, &guests.name, HERS).await.unwrap_err();
    assert_eq!((guest.code(), reason(&guest).as_str()), (Code::PermissionDenied, "USER_REQUIRED"));
    assert_eq!(ask(&shop, BOB, &guests.name, "nowhere").await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_code_has_five_tries_and_only_the_latest_works() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    ask(&shop, BOB, &order.name, HERS).await.unwrap();
    let first = code(&shop, 1).await;
    // Asking again at once changes nothing.
    ask(&shop, BOB, &order.name, HERS).await.unwrap();
    looked_at(&shop).await;
    assert_eq!(shop.world.facts().mails.len(), 1);
    for _ in 0..5 {
        let refusal = claim(&shop, BOB, &order.name, &wrong(&first)).await.unwrap_err();
        assert_eq!(reason(&refusal), "CODE_INVALID");
    }
    assert_eq!(reason(&claim(&shop, BOB, &order.name, &first).await.unwrap_err()), "CODE_INVALID");
    shop.some_time_ago("UPDATE order_claims SET create_time = create_time - 120000000").await;
    ask(&shop, BOB, &order.name, HERS).await.unwrap();
    let second = code(&shop, 2).await;
    assert!(first == second || claim(&shop, BOB, &order.name, &first).await.is_err());
    assert_eq!(claim(&shop, BOB, &order.name, &second).await.unwrap().customer, BOB);
}

#[tokio::test]
async fn a_code_works_for_a_quarter_of_an_hour() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    ask(&shop, BOB, &order.name, HERS).await.unwrap();
    let code = code(&shop, 1).await;
    shop.some_time_ago("UPDATE order_claims SET expire_time = expire_time - 900000000").await;
    assert_eq!(reason(&claim(&shop, BOB, &order.name, &code).await.unwrap_err()), "CODE_INVALID");
}

#[tokio::test]
async fn nobody_is_flooded_with_codes() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    for user in 0..7 {
        ask(&shop, &format!("users/{user}"), &order.name, HERS).await.unwrap();
        looked_at(&shop).await;
    }
    assert_eq!(shop.world.facts().mails.len(), 5, "five an hour about one order, whoever asks");
    for _ in 0..10 {
        ask(&shop, BOB, &format!("orders/{}", uuid::Uuid::now_v7()), HERS).await.unwrap();
    }
    let refusal = ask(&shop, BOB, &order.name, HERS).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::ResourceExhausted, "TOO_MANY_CLAIMS"));
}

#[tokio::test]
async fn a_lost_answer_mails_the_same_code_again() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    shop.world.fault("SendNotification", Fault::LoseAnswer(Code::Unavailable));
    shop.world.fault("GetContact", Fault::Refuse(Code::Unavailable, "AWAY"));
    ask(&shop, BOB, &order.name, HERS).await.unwrap();
    looked_at(&shop).await;
    let code = code(&shop, 1).await;
    assert_eq!(claim(&shop, BOB, &order.name, &code).await.unwrap().customer, BOB);
}

#[tokio::test]
async fn an_order_is_claimed_by_the_number_that_stands_in_its_mails() {
    let shop = Shop::start().await;
    let order = guests_order(&shop).await;
    assert_eq!(order.number, number(&order.name));
    ask(&shop, BOB, &order.number.to_lowercase(), HERS).await.unwrap();
    let code = code(&shop, 1).await;
    let claimed = claim(&shop, BOB, &format!("orders/{}", order.number), &code).await.unwrap();
    assert_eq!((claimed.name, claimed.customer.as_str()), (order.name, BOB));
    assert_eq!(ask(&shop, BOB, "orders/1", HERS).await.unwrap_err().code(), Code::InvalidArgument);
    shop.audit().await;
}

#[tokio::test]
async fn an_order_that_is_being_carried_out_is_claimed_once_that_has_ended() {
    let shop = Shop::start().await;
    shop.world.facts().contacts.insert(BOB.into(), HERS.into());
    let hold = std::sync::Arc::new(tokio::sync::Notify::new());
    shop.world.fault("AuthorizePayment", Fault::Hold(hold.clone()));
    let mut guest = shop.customer(GUEST);
    let placing = async { guest.place_order(two_cups()).await.unwrap().into_inner() };
    let claiming = async {
        let order = eventually(async || shop.orders_of(GUEST).await.pop()).await;
        let early = claim(&shop, BOB, &order.name, "").await.unwrap_err();
        hold.notify_one();
        early
    };
    let (order, early) = tokio::join!(placing, claiming);
    assert_eq!((early.code(), reason(&early).as_str()), (Code::FailedPrecondition, "ORDER_NOT_CLAIMABLE"));
    assert_eq!(claim(&shop, BOB, &order.name, "").await.unwrap().customer, BOB);
}
