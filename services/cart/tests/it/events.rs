//! What becomes of carts when others speak, or when nobody does.
use chassis::testing::eventually;
use contract::cart::v1 as pb;
use contract::cart::v1::cart::State;
use contract::catalog::v1::{ProductChanged, VariantState};
use contract::identity::v1::UserErased;
use contract::order::v1::{EventLine, OrderCancelled, OrderPlaced};
use sea_orm::Statement;

use super::support::{BAG, HAT, Shop, content, gbp, variant};

fn placed(cart: &pb::Cart, order: &str) -> OrderPlaced {
    OrderPlaced {
        order: order.to_owned(),
        customer: cart.owner.clone(),
        cart: cart.name.clone(),
        lines: cart.lines.iter().map(ordered).collect(),
        total: None,
    }
}

fn ordered(line: &pb::CartLine) -> EventLine {
    EventLine { variant: line.variant.clone(), quantity: line.quantity, ..Default::default() }
}

async fn until(shop: &Shop, cart: &pb::Cart, state: State) -> pb::Cart {
    let owner = shop.shopper(&cart.owner);
    eventually(async || owner.get(&cart.name).await.ok().filter(|cart| cart.state() == state)).await
}

#[tokio::test]
async fn a_cart_that_became_an_order_is_closed_and_the_next_is_empty() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    let cart = ada.add(HAT, 1).await.unwrap();
    let event = shop.announce("orders/1", &placed(&cart, "orders/1")).await;
    let closed = until(&shop, &cart, State::Ordered).await;
    assert_eq!(closed.order, "orders/1");
    let next = ada.add(BAG, 1).await.unwrap();
    assert_ne!(next.name, cart.name);
    shop.announce_again(event).await;
    // News of somebody else's cart closes nothing.
    let foreign = OrderPlaced { customer: "users/bob".to_owned(), ..placed(&next, "orders/2") };
    shop.announce("orders/2", &foreign).await;
    shop.announce("users/none", &UserErased { user: "users/none".to_owned() }).await;
    assert_eq!(content(&ada.cart().await), [("BAG", 1)]);
    let refusal = ada
        .0
        .clone()
        .add_item(pb::AddItemRequest { cart: cart.name, ..super::support::add(HAT, 1) })
        .await
        .unwrap_err();
    assert_eq!(chassis::status::reason(&refusal).as_deref(), Some("CART_NOT_OPEN"));
    shop.balances().await;
}

#[tokio::test]
async fn what_is_put_in_while_the_order_is_made_is_in_the_next_cart() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    let cart = ada.add(HAT, 2).await.unwrap();
    let order = placed(&cart, "orders/1");
    // Order has read the cart, and cart has not heard of the order yet.
    ada.add(HAT, 1).await.unwrap();
    ada.add(BAG, 4).await.unwrap();
    let event = shop.announce("orders/1", &order).await;
    let closed = until(&shop, &cart, State::Ordered).await;
    assert_eq!(content(&closed), [("HAT", 2)]);
    shop.announce_again(event).await;
    assert_eq!(content(&ada.cart().await), [("HAT", 1), ("BAG", 4)]);
    // All of it is back in one cart where the order comes to nothing.
    let cancelled = OrderCancelled { order: "orders/1".to_owned(), ..Default::default() };
    shop.announce("orders/1", &cancelled).await;
    until(&shop, &cart, State::Merged).await;
    assert_eq!(content(&ada.cart().await), [("HAT", 3), ("BAG", 4)]);
    shop.balances().await;
}

#[tokio::test]
async fn an_order_that_comes_to_nothing_gives_the_cart_back() {
    let shop = Shop::open().await;
    let (ada, bob) = (shop.shopper("users/ada"), shop.shopper("users/bob"));
    let (hers, his) = (ada.add(HAT, 1).await.unwrap(), bob.add(HAT, 1).await.unwrap());
    for (cart, order) in [(&hers, "orders/1"), (&his, "orders/2")] {
        shop.announce(order, &placed(cart, order)).await;
        until(&shop, cart, State::Ordered).await;
    }
    bob.add(BAG, 1).await.unwrap();
    for order in ["orders/1", "orders/2"] {
        let cancelled = OrderCancelled { order: order.to_owned(), confirmed: false, ..Default::default() };
        let event = shop.announce(order, &cancelled).await;
        shop.announce_again(event).await;
    }
    until(&shop, &hers, State::Open).await;
    assert_eq!(content(&ada.cart().await), [("HAT", 1)]);
    // Whoever has begun another cart finds the goods there.
    until(&shop, &his, State::Merged).await;
    assert_eq!(content(&bob.cart().await), [("BAG", 1), ("HAT", 1)]);
    shop.balances().await;
}

#[tokio::test]
async fn whoever_has_only_looked_meanwhile_has_the_same_cart_back() {
    let shop = Shop::open().await;
    let ada = shop.shopper("users/ada");
    let cart = ada.add(HAT, 1).await.unwrap();
    shop.announce("orders/1", &placed(&cart, "orders/1")).await;
    until(&shop, &cart, State::Ordered).await;
    let looked_at = ada.cart().await;
    assert!(looked_at.lines.is_empty());
    // Order says so before it is heard; saying it again, or hearing it then, changes nothing.
    for _ in 0..2 {
        shop.reopen("orders/1").await.unwrap();
        let back = ada.cart().await;
        assert_eq!((back.name.as_str(), content(&back)), (cart.name.as_str(), vec![("HAT", 1)]));
    }
    let cancelled = OrderCancelled { order: "orders/1".to_owned(), ..Default::default() };
    shop.announce("orders/1", &cancelled).await;
    ada.add(BAG, 1).await.unwrap();
    assert_eq!(content(&ada.get(&cart.name).await.unwrap()), [("HAT", 1), ("BAG", 1)]);
    assert_eq!(ada.get(&looked_at.name).await.unwrap().state(), State::Merged);
    shop.reopen("orders/of-no-cart").await.unwrap();
    shop.balances().await;
}

#[tokio::test]
async fn an_order_cancelled_after_it_was_confirmed_keeps_the_cart_closed() {
    let shop = Shop::open().await;
    let cart = shop.shopper("users/ada").add(HAT, 1).await.unwrap();
    shop.announce("orders/1", &placed(&cart, "orders/1")).await;
    let cancelled = OrderCancelled { order: "orders/1".to_owned(), confirmed: true, ..Default::default() };
    shop.announce("orders/1", &cancelled).await;
    until(&shop, &cart, State::Ordered).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_person_who_is_erased() {
    let shop = Shop::open().await;
    let (ada, bob) = (shop.shopper("users/ada"), shop.shopper("users/bob"));
    let (old, his) = (ada.add(HAT, 1).await.unwrap(), bob.add(HAT, 1).await.unwrap());
    shop.announce("orders/1", &placed(&old, "orders/1")).await;
    until(&shop, &old, State::Ordered).await;
    ada.add(BAG, 1).await.unwrap();
    let event = shop.announce("users/ada", &UserErased { user: "users/ada".to_owned() }).await;
    eventually(async || ada.get(&old.name).await.err()).await;
    shop.announce_again(event).await;
    assert!(ada.cart().await.lines.is_empty());
    assert_eq!(bob.cart().await.name, his.name);
}

#[tokio::test]
async fn a_cart_that_has_been_closed_for_long_is_forgotten() {
    let shop = Shop::with(cart::Config { cart_abandoned_every_ms: 20, ..cart::Config::default() }).await;
    let (ada, bob) = (shop.shopper("users/ada"), shop.shopper("users/bob"));
    let (old, young) = (ada.add(HAT, 1).await.unwrap(), bob.add(HAT, 1).await.unwrap());
    for (cart, order) in [(&old, "orders/1"), (&young, "orders/2")] {
        shop.announce(order, &placed(cart, order)).await;
        until(&shop, cart, State::Ordered).await;
    }
    let open = ada.add(BAG, 1).await.unwrap();
    // Ada's are thirty days older.
    let thirty_days = "UPDATE carts SET update_time = update_time - 2592000000000 WHERE owner = 'users/ada'";
    shop.db.execute(Statement::from_string(shop.db.backend(), thirty_days)).await.unwrap();
    eventually(async || ada.get(&old.name).await.err()).await;
    assert_eq!(content(&bob.get(&young.name).await.unwrap()), [("HAT", 1)]);
    assert_eq!(content(&ada.get(&open.name).await.unwrap()), [("BAG", 1)]);
    shop.balances().await;
}

#[tokio::test]
async fn a_changed_product_is_looked_up_again() {
    let shop = Shop::with(cart::Config { cart_preview_ms: 60_000, ..cart::Config::default() }).await;
    let ada = shop.shopper("users/ada");
    ada.add(HAT, 1).await.unwrap();
    shop.sell(variant(HAT, 1500), 10);
    assert_eq!(ada.cart().await.subtotal, Some(gbp(1250)));
    let variants = vec![VariantState { variant: HAT.to_owned(), ..Default::default() }];
    shop.announce(
        "products/1",
        &ProductChanged { product: "products/1".to_owned(), variants, ..Default::default() },
    )
    .await;
    eventually(async || (ada.cart().await.subtotal == Some(gbp(1500))).then_some(())).await;
}

#[tokio::test]
async fn a_cart_nobody_comes_back_to_is_abandoned_once_and_taken_up_again_by_who_does() {
    let shop = Shop::with(cart::Config { cart_abandoned_every_ms: 20, ..cart::Config::default() }).await;
    let (ada, empty) = (shop.shopper("users/ada"), shop.shopper("guests/g").cart().await);
    let cart = ada.add(HAT, 2).await.unwrap();
    let a_day_ago = "UPDATE carts SET update_time = update_time - 86500000000";
    shop.db.execute(Statement::from_string(shop.db.backend(), a_day_ago)).await.unwrap();
    until(&shop, &cart, State::Abandoned).await;
    // An empty one simply goes.
    eventually(async || shop.shopper("guests/g").get(&empty.name).await.err()).await;
    let told: Vec<pb::CartAbandoned> = shop.announced().await;
    let expected = pb::CartAbandoned { cart: cart.name.clone(), owner: "users/ada".to_owned(), lines: 1 };
    assert_eq!(told, [expected]);

    let again = ada.cart().await;
    assert_eq!(
        (again.name.as_str(), again.state(), content(&again)),
        (cart.name.as_str(), State::Open, vec![("HAT", 2)])
    );
    shop.balances().await;
}
