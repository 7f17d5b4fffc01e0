//! Orders that are told of together.

use chassis::auth::Verifier;
use chassis::consumer::Consumer;
use chassis::event::Envelope;
use chassis::testing::TestProcess;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, Statement};

use super::*;
use crate::domain::State;

fn placed(number: usize, owner: &str, cart: Option<&Cart>) -> Envelope {
    let order = format!("orders/{number}");
    let cart = cart.map(|cart| cart.id.name()).unwrap_or_default();
    let event = OrderPlaced { order: order.clone(), customer: owner.to_owned(), cart, ..Default::default() };
    Envelope::new("order", &order, &event)
}

#[tokio::test]
async fn carts_whose_orders_are_told_together_are_closed_each_by_its_own() {
    let process = TestProcess::new().await;
    let host = process.host("cart");
    let db = host.db::<crate::Migrator>().await.expect("a database");
    let preview = crate::preview::Preview::new(&host.host(), &crate::Config::default()).expect("a preview");
    let verifier = Verifier::new(host.host().keys.clone(), host.host().access.clone());
    let service = Service { db: db.clone(), preview, verifier };
    let consumer = Consumer::new(&db, "cart").on::<OrderPlaced>(service);
    let mut carts = Vec::new();
    for number in 0..5 {
        let open = async |tx: &_| store::load_open(tx, &format!("users/{number}")).await;
        carts.push(db.write(open).await.expect("a cart"));
    }
    let known = placed(0, "users/0", Some(&carts[0]));
    consumer.receive_all(std::slice::from_ref(&known)).await.expect("taken over");
    let later = Timestamp::now();
    let all = [
        known,
        placed(1, "users/1", Some(&carts[1])),
        // A cart that is closed stays as it is, one of somebody else is not theirs, and an order may have none.
        placed(10, "users/0", Some(&carts[0])),
        placed(11, "users/1", Some(&carts[2])),
        placed(12, "users/1", None),
        placed(3, "users/3", Some(&carts[3])),
    ];
    consumer.receive_all(&all).await.expect("taken over");
    // News that nobody can read is not the others' undoing.
    let damaged = Envelope { payload: vec![255].into(), ..placed(13, "users/4", Some(&carts[4])) };
    consumer.receive_all(&[damaged, placed(4, "users/4", Some(&carts[4]))]).await.expect("taken over");

    for (number, before) in carts.iter().enumerate() {
        let load = async |tx: &_| store::load(tx, &before.owner, before.id).await;
        let cart = db.write(load).await.expect("a cart").expect("a cart");
        if number == 2 {
            assert_eq!((cart.state, cart.version), (State::Open, before.version));
        } else {
            assert_eq!((cart.state, cart.version), (State::Ordered, before.version + 1));
            assert_eq!(cart.order, format!("orders/{number}"));
            assert_eq!(cart.update_time > later, number != 0);
        }
    }
    let parked = Statement::from_string(db.backend(), "SELECT 1 FROM parked WHERE state = 'PARKED'");
    assert_eq!(db.writer().query_all_raw(parked).await.expect("parked").len(), 1);
}
