//! Reports of sales.
use contract::analytics::v1 as pb;
use contract::analytics::v1::get_sales_report_request::GroupBy;
use contract::order::v1::{OrderCancelled, OrderConfirmed};
use tonic::Code;

use crate::support::{
    DAY, DECEMBER, HOUR, Observer, at, cancelled, confirmed, gbp, imported, line, minor, money, returned,
};

/// Orders, lines, units and net of a row.
fn figures(row: &pb::SalesRow) -> (&str, i64, i64, i64, i64) {
    (row.key.as_str(), row.orders, row.lines, row.units, minor(&row.net))
}

#[tokio::test]
async fn a_report_sums_each_order_once_however_often_it_is_told() {
    let observer = Observer::start().await;
    let first = OrderConfirmed {
        discount: gbp(100),
        shipping: gbp(350),
        total: gbp(100 * 3 + 250 - 100 + 350),
        ..confirmed("orders/1", "users/1", DECEMBER, vec![line("A", 3, 100), line("B", 1, 250)])
    };
    observer.announce("orders/1", &first).await;
    observer
        .announce("orders/2", &confirmed("orders/2", "users/1", DECEMBER + DAY - 1, vec![line("A", 1, 100)]))
        .await;
    observer
        .announce("orders/3", &imported("orders/3", "EIRE", DECEMBER + DAY, vec![line("C", 2_880, 7)]))
        .await;
    // The same fact under another id changes nothing either.
    observer
        .announce("orders/3", &imported("orders/3", "EIRE", DECEMBER + DAY, vec![line("C", 2_880, 7)]))
        .await;
    observer.repeat_all().await;
    let total = observer.report(GroupBy::Total).await;
    assert_eq!(total.iter().map(figures).collect::<Vec<_>>(), [("total", 3, 4, 2_885, 800 + 100 + 20_160)]);
    assert_eq!(
        [&total[0].gross, &total[0].discount, &total[0].shipping, &total[0].total, &total[0].returned]
            .map(minor),
        [550 + 100 + 20_160, 100, 350, 800 + 100 + 20_160, 0]
    );
    let days = observer.report(GroupBy::Day).await;
    assert_eq!(
        days.iter().map(figures).collect::<Vec<_>>(),
        [("2010-12-01", 2, 3, 5, 900), ("2010-12-02", 1, 1, 2_880, 20_160)]
    );
    let countries = observer.report(GroupBy::Country).await;
    assert_eq!(
        countries.iter().map(figures).collect::<Vec<_>>(),
        [("EIRE", 1, 1, 2_880, 20_160), ("United Kingdom", 2, 3, 5, 900)]
    );
    let one_day = observer.report_between(GroupBy::Total, DECEMBER, DECEMBER + DAY).await;
    assert_eq!(
        one_day.iter().map(figures).collect::<Vec<_>>(),
        [("total", 2, 3, 5, 900)],
        "the end is not in it"
    );
    assert_eq!(observer.report_between(GroupBy::Total, DECEMBER - DAY, DECEMBER).await, []);
    let facts = observer.facts().await;
    assert_eq!(
        facts.iter().map(|fact| (fact.subject.as_str(), minor(&fact.amount))).collect::<Vec<_>>(),
        [("orders/1", 800), ("orders/2", 100), ("orders/3", 20_160)]
    );
    observer.audit().await;
}

#[tokio::test]
async fn currencies_are_not_mixed() {
    let observer = Observer::start().await;
    observer.announce("orders/1", &confirmed("orders/1", "users/1", DECEMBER, vec![line("A", 1, 100)])).await;
    let mut yen = line("A", 2, 0);
    (yen.unit_price, yen.total) = (money(500, "JPY"), money(1_000, "JPY"));
    let sale = OrderConfirmed {
        subtotal: money(1_000, "JPY"),
        total: money(1_000, "JPY"),
        lines: vec![yen],
        ..confirmed("orders/2", "users/1", DECEMBER, vec![])
    };
    observer.announce("orders/2", &sale).await;
    let rows = observer.report(GroupBy::Total).await;
    let rows: Vec<_> =
        rows.iter().map(|row| (row.currency_code.as_str(), row.total.as_ref().unwrap().units)).collect();
    assert_eq!(rows, [("GBP", 1), ("JPY", 1_000)]);
    observer.audit().await;
}

#[tokio::test]
async fn what_is_given_back_counts_against_its_order_in_whatever_order_it_is_told() {
    let observer = Observer::start().await;
    let sale = |order: &str| confirmed(order, "users/1", DECEMBER, vec![line("A", 4, 100)]);
    observer.announce("orders/1", &sale("orders/1")).await;
    observer.announce("orders/1", &cancelled("orders/1", 400)).await;
    observer.announce("orders/2", &cancelled("orders/2", 400)).await;
    observer.announce("orders/2", &sale("orders/2")).await;
    observer
        .announce("orders/3", &returned("orders/3", "orders/3/returns/1", vec![line("A", 1, 100)], 100))
        .await;
    observer.announce("orders/3", &sale("orders/3")).await;
    observer
        .announce("orders/3", &returned("orders/3", "orders/3/returns/2", vec![line("A", 2, 100)], 200))
        .await;
    observer.announce("orders/4", &OrderCancelled { confirmed: false, ..cancelled("orders/4", 400) }).await;
    observer.repeat_all().await;
    let row = &observer.report(GroupBy::Total).await[0];
    assert_eq!((row.orders, row.cancelled_orders, row.returned_units), (3, 2, 3));
    assert_eq!((minor(&row.total), minor(&row.returned), minor(&row.net)), (1_200, 1_100, 100));
    assert_eq!(observer.facts().await.len(), 3);
    observer.audit().await;
}

#[tokio::test]
async fn what_sold_best_comes_first() {
    let observer = Observer::start().await;
    observer
        .announce(
            "orders/1",
            &confirmed("orders/1", "users/1", DECEMBER, vec![line("a", 3, 100), line("A", 2, 500)]),
        )
        .await;
    observer
        .announce(
            "orders/2",
            &confirmed(
                "orders/2",
                "users/1",
                DECEMBER + HOUR,
                vec![line("A", 2, 400), line("B", 4, 1), line("a", 1, 90)],
            ),
        )
        .await;
    let top = async |page_size| {
        let request =
            pb::GetTopProductsRequest { start_time: at(DECEMBER), end_time: at(DECEMBER + DAY), page_size };
        observer.staff().get_top_products(request).await.unwrap().into_inner().top_products
    };
    let shown: Vec<_> = top(0).await.into_iter().map(|top| (top.sku, top.units, minor(&top.gross))).collect();
    assert_eq!(shown, [("A".into(), 4, 1_800), ("B".into(), 4, 4), ("a".into(), 4, 390)]);
    assert_eq!(top(1).await.len(), 1);
    assert_eq!(top(1).await[0].variant, "products/p/variants/A");
}

#[tokio::test]
async fn many_orders_add_up_exactly() {
    let observer = Observer::start().await;
    let (mut gross, mut units) = (0, 0);
    for index in 0..60_i64 {
        let lines: Vec<_> = (0..index % 5 + 1)
            .map(|place| line(&format!("S{place}"), index + 1, 33 * place + index))
            .collect();
        gross += lines.iter().map(|line| minor(&line.total)).sum::<i64>();
        units += lines.iter().map(|line| line.quantity).sum::<i64>();
        let order = format!("orders/{index}");
        observer.announce(&order, &imported(&order, "France", DECEMBER + index * HOUR, lines)).await;
    }
    let days = observer.report(GroupBy::Day).await;
    assert_eq!(days.len(), 3);
    assert_eq!(days.iter().map(|row| minor(&row.gross)).sum::<i64>(), gross);
    assert_eq!(days.iter().map(|row| row.units).sum::<i64>(), units);
    observer.audit().await;
}

#[tokio::test]
async fn reports_are_for_those_who_may_and_of_a_bounded_span() {
    let observer = Observer::start().await;
    let of = |start, end| pb::GetSalesReportRequest { start_time: at(start), end_time: at(end), group_by: 0 };
    let sound = of(DECEMBER, DECEMBER + 366 * DAY);
    assert!(observer.staff().get_sales_report(sound).await.is_ok());
    assert_eq!(
        observer.customer("users/1").get_sales_report(sound).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(observer.anyone().get_sales_report(sound).await.unwrap_err().code(), Code::Unauthenticated);
    for (request, field) in [
        (of(DECEMBER, DECEMBER), "end_time"),
        (of(DECEMBER, DECEMBER - 1), "end_time"),
        (of(DECEMBER, DECEMBER + 366 * DAY + 1), "end_time"),
        (pb::GetSalesReportRequest { end_time: None, ..sound }, "end_time"),
        (pb::GetSalesReportRequest { start_time: None, ..sound }, "start_time"),
        (pb::GetSalesReportRequest { group_by: 99, ..sound }, "group_by"),
    ] {
        let refused = observer.staff().get_sales_report(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(chassis::status::violations(&refused)[0].0, field, "{request:?}");
    }
    let funnel = pb::GetFunnelRequest { start_time: at(DECEMBER), end_time: at(DECEMBER - 1) };
    assert_eq!(observer.staff().get_funnel(funnel).await.unwrap_err().code(), Code::InvalidArgument);
    let top = pb::GetTopProductsRequest {
        start_time: at(DECEMBER),
        end_time: at(DECEMBER + 400 * DAY),
        page_size: 0,
    };
    assert_eq!(observer.staff().get_top_products(top).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_event_that_makes_no_sense_is_parked() {
    let observer = Observer::start().await;
    let broken = OrderConfirmed { total: None, ..confirmed("orders/1", "users/1", DECEMBER, vec![]) };
    observer.announce("orders/1", &broken).await;
    observer.repeat_all().await;
    assert_eq!(observer.parked().await, 1);
    assert_eq!(observer.report(GroupBy::Total).await, []);
}
