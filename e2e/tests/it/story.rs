//! One story, told in every setting and over both transports: from registration to delivery, with what goes wrong on the way.
use chassis::status;
use contract::cart::v1::ApplyCouponRequest;
use contract::order::v1::order::{PaymentState, State};
use contract::order::v1::{CancelOrderRequest, ReceiveReturnRequest, RequestReturnRequest, ReturnLine};
use contract::shipping::v1::shipment;
use e2e::scene::new_request_id;
use e2e::{Person, Scene, Setting, Transport};
use tonic::Code;

#[tokio::test]
async fn the_story_holds_in_one_process_on_sqlite() -> anyhow::Result<()> {
    the_story_holds(Setting::Embedded).await
}

#[tokio::test]
async fn the_story_holds_in_one_process_on_servers() -> anyhow::Result<()> {
    the_story_holds(Setting::OneProcess).await
}

#[tokio::test]
async fn the_story_holds_in_separate_processes_on_servers() -> anyhow::Result<()> {
    the_story_holds(Setting::Separate).await
}

async fn the_story_holds(setting: Setting) -> anyhow::Result<()> {
    let Some(scene) = Scene::open(setting).await? else { return Ok(()) };
    let told = async {
        for transport in [Transport::Grpc, Transport::GrpcWeb] {
            let ada = scene.customer(transport).await?;
            a_purchase_is_delivered(&scene, &ada).await?;
            a_declined_card_holds_nothing(&scene, &ada).await?;
            a_cancelled_order_gives_everything_back(&scene, &ada).await?;
        }
        a_guest_buys_without_an_account(&scene).await?;
        nobody_sees_what_is_not_theirs(&scene).await?;
        goods_come_back(&scene).await?;
        anyhow::Ok(())
    };
    if let Err(error) = told.await {
        anyhow::bail!("{error:#}\n{}", scene.shop.logs());
    }
    scene.shop.audit().await?;
    Ok(())
}

async fn a_purchase_is_delivered(scene: &Scene, ada: &Person) -> anyhow::Result<()> {
    let (mug, lamp) = (scene.variant("MUG-STONE").await?, scene.variant("LAMP-DESK").await?);
    let before = scene.stock("MUG-STONE").await?;
    ada.add(&mug, 2).await?;
    ada.add(&lamp, 1).await?;
    let coupon = ApplyCouponRequest {
        cart: "carts/current".into(),
        code: "welcome10".into(),
        request_id: String::new(),
    };
    ada.cart().apply_coupon(coupon).await?;
    let quote = ada.quote_cart("").await?;
    assert!(quote.problems.is_empty(), "{:?}", quote.problems);
    assert_eq!(quote.discount.as_ref().map(|money| (money.units, money.nanos)), Some((11, 400_000_000)));

    // The total shown is the most the customer pays.
    let mut request = ada.order_of_cart("tok_visa");
    request.expected_total = Some(e2e::scene::pounds(1));
    let refused = ada.place(request.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), status::reason(&refused).as_deref()),
        (Code::FailedPrecondition, Some("PRICE_CHANGED"))
    );

    request.expected_total = quote.total.clone();
    request.request_id = new_request_id();
    let order = ada.place(request.clone()).await?;
    assert_eq!(order.state(), State::Confirmed, "{order:?}");
    assert_eq!(order.total, quote.total);

    // The same request is the same order; the same id for something else is refused.
    assert_eq!(ada.place(request.clone()).await?.name, order.name);
    request.payment_method.as_mut().expect("a payment method").token = "tok_mastercard".into();
    assert_eq!(ada.place(request).await.unwrap_err().code(), Code::AlreadyExists);

    ada.wait_for_payment(&order.name, PaymentState::Captured).await;
    let shipment = scene.shipment(&order.name).await;
    scene.track(&shipment.name, shipment::State::Dispatched).await?;
    ada.wait_for(&order.name, State::Shipped).await;
    scene.track(&shipment.name, shipment::State::Delivered).await?;
    ada.wait_for(&order.name, State::Delivered).await;
    let backwards = scene.track(&shipment.name, shipment::State::InTransit).await.unwrap_err();
    assert_eq!(backwards.code(), Code::FailedPrecondition);

    let after = chassis::testing::eventually(async || {
        scene.stock("MUG-STONE").await.ok().filter(|stock| stock.reserved == before.reserved)
    })
    .await;
    assert_eq!(after.on_hand, before.on_hand - 2);
    Ok(())
}

async fn a_declined_card_holds_nothing(scene: &Scene, ada: &Person) -> anyhow::Result<()> {
    let blanket = scene.variant("BLANKET-WOOL").await?;
    let before = scene.stock("BLANKET-WOOL").await?;
    let order = ada.place(ada.order_of(&blanket, 3, "tok_declined")).await?;
    assert_eq!(
        (order.state(), order.cancel_reason.as_str()),
        (State::Cancelled, "PAYMENT_DECLINED"),
        "{order:?}"
    );
    let after = scene.stock("BLANKET-WOOL").await?;
    assert_eq!((after.available, after.reserved), (before.available, before.reserved));

    // Another card can be tried at once: whatever cart has heard by then, it is ada's again.
    ada.add(&blanket, 1).await?;
    let declined = ada.place(ada.order_of_cart("tok_declined")).await?;
    assert_eq!(declined.state(), State::Cancelled);
    let order = ada.place(ada.order_of_cart("tok_visa")).await?;
    assert_eq!(order.state(), State::Confirmed, "{order:?}");
    Ok(())
}

async fn a_cancelled_order_gives_everything_back(scene: &Scene, ada: &Person) -> anyhow::Result<()> {
    let clock = scene.variant("CLOCK-WALL").await?;
    let before = scene.stock("CLOCK-WALL").await?;
    let order = ada.place(ada.order_of(&clock, 2, "tok_visa")).await?;
    assert_eq!(order.state(), State::Confirmed);
    ada.wait_for_payment(&order.name, PaymentState::Captured).await;
    let cancel = CancelOrderRequest {
        name: order.name.clone(),
        reason: "too many clocks".into(),
        request_id: new_request_id(),
    };
    let cancelled = ada.orders().cancel_order(cancel.clone()).await?.into_inner();
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!(ada.orders().cancel_order(cancel).await?.into_inner().state(), State::Cancelled);
    ada.wait_for_payment(&order.name, PaymentState::Refunded).await;
    chassis::testing::eventually(async || {
        let stock = scene.stock("CLOCK-WALL").await.ok()?;
        (stock.available == before.available && stock.on_hand == before.on_hand).then_some(())
    })
    .await;
    Ok(())
}

async fn a_guest_buys_without_an_account(scene: &Scene) -> anyhow::Result<()> {
    let guest = scene.guest().await?;
    let note = scene.variant("NOTE-DOT").await?;
    guest.add(&note, 1).await?;
    let order = guest.place(guest.order_of_cart("tok_mastercard")).await?;
    assert_eq!((order.state(), order.customer.as_str()), (State::Confirmed, guest.subject.as_str()));
    Ok(())
}

async fn nobody_sees_what_is_not_theirs(scene: &Scene) -> anyhow::Result<()> {
    let (ada, eve) = (scene.customer(Transport::Grpc).await?, scene.customer(Transport::Grpc).await?);
    let pen = scene.variant("PEN-FOUNTAIN").await?;
    let order = ada.place(ada.order_of(&pen, 1, "tok_visa")).await?;
    let theirs = eve.see(&order.name).await.unwrap_err();
    let none = eve.see(&format!("orders/{}", new_request_id())).await.unwrap_err();
    assert_eq!((theirs.code(), none.code()), (Code::NotFound, Code::NotFound));
    let cancel =
        CancelOrderRequest { name: order.name.clone(), reason: String::new(), request_id: String::new() };
    assert_eq!(eve.orders().cancel_order(cancel).await.unwrap_err().code(), Code::NotFound);
    let nobody = Person::anyone(scene.shop.edge(), Transport::Grpc).await?;
    assert_eq!(nobody.see(&order.name).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(ada.see(&order.name).await?.state(), State::Confirmed);
    Ok(())
}

async fn goods_come_back(scene: &Scene) -> anyhow::Result<()> {
    let ada = scene.customer(Transport::Grpc).await?;
    let vase = scene.variant("VASE-GLASS").await?;
    let order = ada.place(ada.order_of(&vase, 3, "tok_visa")).await?;
    ada.wait_for_payment(&order.name, PaymentState::Captured).await;
    let shipment = scene.shipment(&order.name).await;
    scene.track(&shipment.name, shipment::State::Delivered).await?;
    ada.wait_for(&order.name, State::Delivered).await;
    let line = |quantity| ReturnLine { line_id: order.lines[0].line_id.clone(), quantity, refund: None };
    let ask = |quantity| RequestReturnRequest {
        order: order.name.clone(),
        lines: vec![line(quantity)],
        reason: "one is enough".into(),
        request_id: String::new(),
    };
    assert_eq!(ada.orders().request_return(ask(4)).await.unwrap_err().code(), Code::FailedPrecondition);
    let wanted = ada.orders().request_return(ask(2)).await?.into_inner();
    let before = scene.stock("VASE-GLASS").await?;
    let receive = ReceiveReturnRequest { name: wanted.name, request_id: new_request_id() };
    scene.admin.orders().receive_return(receive).await?;
    ada.wait_for_payment(&order.name, PaymentState::PartiallyRefunded).await;
    chassis::testing::eventually(async || {
        scene.stock("VASE-GLASS").await.ok().filter(|stock| stock.on_hand == before.on_hand + 2)
    })
    .await;
    Ok(())
}
