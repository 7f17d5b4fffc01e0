//! Mending what is shown of orders from their events.
use chassis::config::Settings;
use contract::order::v1::RebuildOrdersRequest;
use contract::order::v1::order_service_client::OrderServiceClient;

use crate::operator::Operator;

/// Orders asked for by one call: few enough for its deadline.
const PAGE: i32 = 500;

/// Rebuilds every order, page by page, and tells which were not what their events amount to.
pub(crate) async fn orders(settings: &Settings) -> anyhow::Result<()> {
    let operator = Operator::new(settings)?;
    let mut orders = OrderServiceClient::new(operator.channel("order")?);
    let mut request = RebuildOrdersRequest { page_size: PAGE, page_token: String::new() };
    let (mut checked, mut repaired) = (0, 0);
    loop {
        let page = orders.rebuild_orders(operator.ask(request.clone())).await?.into_inner();
        for order in &page.repaired {
            say!("{order} was out of step and is mended.");
        }
        checked += page.checked;
        repaired += page.repaired.len();
        if page.next_page_token.is_empty() {
            say!("{checked} orders were replayed, and {repaired} of them mended.");
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}
