//! Orders that are told of together, or in another order than they were made.

use chassis::auth::Verifier;
use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::event::Envelope;
use chassis::money::Money;
use chassis::testing::{TestHost, TestProcess};
use chassis::time::Timestamp;
use contract::order::v1::EventLine;
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};

use super::*;
use crate::domain::{Line, State};

/// The cart service's ear, and its database.
struct Shop {
    db: Db,
    consumer: Consumer,
    /// The database lives as long as its process.
    _host: TestHost,
}

impl Shop {
    async fn open() -> Shop {
        let host = TestProcess::new().await.host("cart");
        let db = host.db::<crate::Migrator>().await.expect("a database");
        let preview =
            crate::preview::Preview::new(&host.host(), &crate::Config::default()).expect("a preview");
        let verifier = Verifier::new(host.host().keys.clone(), host.host().access.clone());
        let service = Service { db: db.clone(), preview, verifier };
        let consumer =
            Consumer::new(&db, "cart").on::<OrderPlaced>(service.clone()).on::<OrderCancelled>(service);
        Shop { db, consumer, _host: host }
    }

    /// A cart that somebody has begun.
    async fn cart_of(&self, owner: &str) -> Cart {
        self.db.write(async |tx| store::load_open(tx, owner).await).await.expect("a cart")
    }

    /// What became of a cart.
    async fn now(&self, cart: &Cart) -> Cart {
        store::find(self.db.writer(), Some(&cart.owner), cart.id).await.expect("a cart").expect("a cart")
    }

    async fn put_in(&self, cart: &Cart, variant: &str) {
        let line = Line {
            variant: variant.to_owned(),
            sku: variant.to_owned(),
            title: variant.to_owned(),
            quantity: 1,
            added_price: Money::new(100, "GBP".parse().expect("a currency")),
        };
        self.db.write(async |tx| store::lines::put(tx, cart.id, &line).await).await.expect("put in");
    }

    async fn hears(&self, news: &[Envelope]) {
        self.consumer.receive_all(news).await.expect("taken over");
    }
}

/// The name of an order: as of all orders, those made later sort later.
fn name(number: usize) -> String {
    format!("orders/{number:02}")
}

/// What cart hears, or its shopper does.
#[derive(Clone, Copy, Debug)]
enum News {
    First,
    Second,
    FirstEnded,
    Looked,
}

/// The same news, where one of each of these was ordered.
fn with(variants: &[&str], news: Envelope) -> Envelope {
    let line =
        |variant: &&str| EventLine { variant: (*variant).to_owned(), quantity: 1, ..Default::default() };
    let event = OrderPlaced::decode(news.payload.clone()).expect("an event");
    let event = OrderPlaced { lines: variants.iter().map(line).collect(), ..event };
    Envelope { payload: event.encode_to_vec().into(), ..news }
}

fn placed(number: usize, owner: &str, cart: Option<&Cart>) -> Envelope {
    let order = name(number);
    let cart = cart.map(|cart| cart.id.name()).unwrap_or_default();
    let event = OrderPlaced { order: order.clone(), customer: owner.to_owned(), cart, ..Default::default() };
    Envelope::new("order", &order, &event)
}

/// An order that came to nothing before it was confirmed.
fn cancelled(number: usize) -> Envelope {
    let event = OrderCancelled { order: name(number), ..Default::default() };
    Envelope::new("order", &event.order, &event)
}

#[tokio::test]
async fn carts_whose_orders_are_told_together_are_closed_each_by_its_own() {
    let shop = Shop::open().await;
    let mut carts = Vec::new();
    for number in 0..5 {
        carts.push(shop.cart_of(&format!("users/{number}")).await);
    }
    let known = placed(10, "users/0", Some(&carts[0]));
    shop.hears(std::slice::from_ref(&known)).await;
    let later = Timestamp::now();
    shop.hears(&[
        known,
        placed(11, "users/1", Some(&carts[1])),
        // News of an older order changes nothing, a cart of somebody else is not theirs, and an order may have none.
        placed(1, "users/0", Some(&carts[0])),
        placed(21, "users/1", Some(&carts[2])),
        placed(22, "users/1", None),
        placed(13, "users/3", Some(&carts[3])),
    ])
    .await;
    // News that nobody can read is not the others' undoing.
    let damaged = Envelope { payload: vec![255].into(), ..placed(23, "users/4", Some(&carts[4])) };
    shop.hears(&[damaged, placed(14, "users/4", Some(&carts[4]))]).await;

    for (number, before) in carts.iter().enumerate() {
        let cart = shop.now(before).await;
        if number == 2 {
            assert_eq!((cart.state, cart.version), (State::Open, before.version));
        } else {
            assert_eq!((cart.state, cart.version), (State::Ordered, before.version + 1));
            assert_eq!(cart.order, name(10 + number));
            assert_eq!(cart.update_time > later, number != 0);
        }
    }
    let parked = Statement::from_string(shop.db.backend(), "SELECT 1 FROM parked WHERE state = 'PARKED'");
    assert_eq!(shop.db.writer().query_all_raw(parked).await.expect("parked").len(), 1);
}

/// What is in a cart: variants and quantities.
fn content(cart: &Cart) -> Vec<(&str, i64)> {
    cart.lines.iter().map(|line| (line.variant.as_str(), line.quantity)).collect()
}

#[tokio::test]
async fn goods_ordered_twice_of_a_cart_are_in_one_place_however_the_news_come() {
    let shop = Shop::open().await;
    // Of a cup and a hat the cup was ordered first, in vain; then both. Meanwhile a pen was put in.
    let ways: [&[News]; 6] = [
        &[News::First, News::FirstEnded, News::Second],
        &[News::First, News::Second, News::FirstEnded],
        &[News::Second, News::First, News::FirstEnded],
        &[News::First, News::Looked, News::FirstEnded, News::Second],
        &[News::First, News::Looked, News::Second, News::FirstEnded],
        &[News::Looked, News::First, News::FirstEnded, News::Second],
    ];
    for (way, news) in ways.into_iter().enumerate() {
        let (first, second) = (10 * way + 1, 10 * way + 2);
        let owner = format!("users/{way}");
        let cart = shop.cart_of(&owner).await;
        for variant in ["cup", "hat", "pen"] {
            shop.put_in(&cart, variant).await;
        }
        for one in news {
            let event = match one {
                News::First => with(&["cup"], placed(first, &owner, Some(&cart))),
                News::Second => with(&["cup", "hat"], placed(second, &owner, Some(&cart))),
                News::FirstEnded => cancelled(first),
                News::Looked => {
                    shop.cart_of(&owner).await;
                    continue;
                }
            };
            shop.hears(&[event]).await;
        }
        let ordered = shop.now(&cart).await;
        assert_eq!((ordered.state, ordered.order.clone()), (State::Ordered, name(second)), "{news:?}");
        assert_eq!(content(&ordered), [("cup", 1), ("hat", 1)], "{news:?}");
        assert_eq!(content(&shop.cart_of(&owner).await), [("pen", 1)], "{news:?}");
        // The second comes to nothing too.
        shop.hears(&[cancelled(second)]).await;
        let mut open = shop.cart_of(&owner).await;
        open.lines.sort_by(|one, other| one.variant.cmp(&other.variant));
        assert_eq!(content(&open), [("cup", 1), ("hat", 1), ("pen", 1)], "{news:?}");
    }
}

#[tokio::test]
async fn a_cart_stays_with_its_live_order_when_an_older_one_comes_to_nothing() {
    let shop = Shop::open().await;
    // Order gave the first one up before it made the second of the same cart. How news of the two may come:
    let ways: [&[&[usize]]; 4] = [&[&[1], &[2]], &[&[1, 2]], &[&[2, 1]], &[&[2], &[1]]];
    for (way, told) in ways.into_iter().enumerate() {
        let (first, second) = (10 * way + 1, 10 * way + 2);
        let owner = format!("users/{way}");
        let cart = shop.cart_of(&owner).await;
        for orders in told {
            let news = orders.iter().map(|order| placed(10 * way + order, &owner, Some(&cart)));
            shop.hears(&news.collect::<Vec<_>>()).await;
        }
        shop.hears(&[cancelled(first)]).await;
        let ordered = shop.now(&cart).await;
        assert_eq!((ordered.state, ordered.order), (State::Ordered, name(second)), "{told:?}");
        // The second comes to nothing as well: now the cart is the shopper's again.
        shop.hears(&[cancelled(second)]).await;
        let open = shop.now(&cart).await;
        assert_eq!((open.state, open.order), (State::Open, String::new()), "{told:?}");
    }
}
