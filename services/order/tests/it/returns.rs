//! Sending goods back.

use contract::order::v1 as pb;
use pb::r#return::State;
use tonic::{Code, Response};

use crate::support::*;

fn back(order: &pb::Order, lines: &[(&str, i64)]) -> pb::RequestReturnRequest {
    let line = |(line_id, quantity): &(&str, i64)| pb::ReturnLine {
        line_id: (*line_id).to_owned(),
        quantity: *quantity,
        refund: None,
    };
    pb::RequestReturnRequest {
        order: order.name.clone(),
        lines: lines.iter().map(line).collect(),
        reason: "Too big".into(),
        request_id: request_id(),
    }
}

fn receive(found: &pb::Return) -> pb::ReceiveReturnRequest {
    pb::ReceiveReturnRequest { name: found.name.clone(), request_id: request_id() }
}

async fn list(shop: &Shop, order: &pb::Order) -> Vec<pb::Return> {
    let request = pb::ListReturnsRequest { parent: order.name.clone(), ..Default::default() };
    shop.customer("users/ada").list_returns(request).await.unwrap().into_inner().returns
}

#[tokio::test]
async fn goods_come_back_and_their_price_is_given_back() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let mut ada = shop.customer("users/ada");
    let asked = ada.request_return(back(&order, &[("1", 1)])).await.unwrap().into_inner();
    assert_eq!(
        (asked.state(), asked.refund.clone(), asked.reason.as_str()),
        (State::Requested, Some(gbp(1250)), "Too big")
    );
    assert!(asked.name.starts_with(&format!("{}/returns/", order.name)));
    assert_eq!(shop.said::<pb::OrderReturned>(&order.name).await, []);

    let mut staff = shop.staff(&["order.return"]);
    let request = receive(&asked);
    let received = staff.receive_return(request.clone()).await.unwrap().into_inner();
    assert_eq!((received.state(), received.reason.as_str()), (State::Received, "Too big"));
    assert_eq!(staff.receive_return(request).await.unwrap().into_inner(), received);
    assert_eq!(
        staff.receive_return(receive(&asked)).await.unwrap().into_inner(),
        received,
        "receiving again changes nothing"
    );
    let said = shop.said::<pb::OrderReturned>(&order.name).await;
    assert_eq!(said.len(), 1);
    assert_eq!(
        (said[0].refund.clone(), said[0].imported, said[0].r#return.as_str()),
        (Some(gbp(1250)), false, asked.name.as_str())
    );
    assert_eq!((said[0].lines[0].sku.as_str(), said[0].lines[0].quantity), ("CUP", 1));
    assert_eq!(shop.get(&order.name).await.lines[0].returned_quantity, 1);
    assert_eq!(list(&shop, &order).await, [received]);

    let rest = ada.request_return(back(&order, &[("1", 1)])).await.unwrap().into_inner();
    staff.receive_return(receive(&rest)).await.unwrap();
    let order = shop.get(&order.name).await;
    assert_eq!(order.state(), pb::order::State::Returned);
    assert_eq!(shop.count("SELECT COUNT(*) FROM order_events WHERE payload LIKE '%Too big%'").await, 0);
    assert_eq!(shop.count("SELECT COUNT(*) FROM outbox WHERE kind LIKE '%OrderReturned'").await, 2);
    shop.audit().await;
}

#[tokio::test]
async fn more_than_was_bought_or_what_is_not_there_does_not_come_back() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let fresh = shop.confirmed().await;
    for (of, lines, code, cause) in [
        (&order, vec![("1", 3)], Code::FailedPrecondition, "RETURN_TOO_LARGE"),
        (&order, vec![("1", 1), ("1", 2)], Code::FailedPrecondition, "RETURN_TOO_LARGE"),
        (&order, vec![("2", 1)], Code::InvalidArgument, "ORDER_LINE_UNKNOWN"),
        (&order, vec![("1", 0)], Code::InvalidArgument, "INVALID_FIELD"),
        (&order, vec![], Code::InvalidArgument, "INVALID_FIELD"),
        (&fresh, vec![("1", 1)], Code::FailedPrecondition, "ORDER_NOT_RETURNABLE"),
    ] {
        let refusal = shop.customer("users/ada").request_return(back(of, &lines)).await.unwrap_err();
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (code, cause), "{lines:?}");
    }
    let refusal = shop.customer("users/mallory").request_return(back(&order, &[("1", 1)])).await.unwrap_err();
    assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::NotFound, "ORDER_NOT_FOUND"));
}

#[tokio::test]
async fn a_return_is_asked_for_once_per_request() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let request = back(&order, &[("1", 1)]);
    let mut ada = shop.customer("users/ada");
    let first = ada.request_return(request.clone()).await.map(Response::into_inner).unwrap();
    assert_eq!(ada.request_return(request).await.map(Response::into_inner).unwrap(), first);
    assert_eq!(list(&shop, &order).await.len(), 1);
}

#[tokio::test]
async fn a_refused_return_gives_nothing_back() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let asked =
        shop.customer("users/ada").request_return(back(&order, &[("1", 2)])).await.unwrap().into_inner();
    let refuse =
        pb::RefuseReturnRequest { name: asked.name.clone(), reason: "Used".into(), request_id: request_id() };
    let customer = shop.customer("users/ada").refuse_return(refuse.clone()).await.unwrap_err();
    assert_eq!(customer.code(), Code::PermissionDenied);
    let mut staff = shop.staff(&["order.return"]);
    assert_eq!(staff.refuse_return(refuse).await.unwrap().into_inner().state(), State::Refused);
    let late = staff.receive_return(receive(&asked)).await.unwrap_err();
    assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "RETURN_CLOSED"));
    let absent = pb::Return { name: format!("{}/returns/{}", order.name, uuid::Uuid::now_v7()), ..asked };
    let absent = staff.receive_return(receive(&absent)).await.unwrap_err();
    assert_eq!((absent.code(), reason(&absent).as_str()), (Code::NotFound, "RETURN_NOT_FOUND"));
    assert_eq!(shop.facts("order.refund_due").await, []);
}

#[tokio::test]
async fn returns_are_listed_page_by_page() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let mut ada = shop.customer("users/ada");
    for _ in 0..2 {
        ada.request_return(back(&order, &[("1", 1)])).await.unwrap();
    }
    let mut request =
        pb::ListReturnsRequest { parent: order.name.clone(), page_size: 1, ..Default::default() };
    let first = ada.list_returns(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let second = ada.list_returns(request.clone()).await.unwrap().into_inner();
    assert_eq!([first.returns, second.returns].concat(), list(&shop, &order).await);
    assert_eq!(
        shop.customer("users/mallory").list_returns(request).await.unwrap_err().code(),
        Code::NotFound
    );
}
