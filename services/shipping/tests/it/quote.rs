//! What sending costs.
use contract::shipping::v1 as pb;

use super::support::{Depot, flat, gbp, money, quote};

impl Depot {
    /// The ways to send something, each with its price in minor units.
    async fn quoted(&self, request: pb::QuoteShippingRequest) -> Vec<(String, i64)> {
        let options = self.anyone().quote_shipping(request).await.expect("a quote").into_inner().options;
        let price = |option: &pb::ShippingOption| {
            chassis::money::Money::try_from(option.price.as_ref().expect("a price")).expect("an amount").minor
        };
        options.iter().map(|option| (option.title.clone(), price(option))).collect()
    }
}

fn options(options: &[(&str, i64)]) -> Vec<(String, i64)> {
    options.iter().map(|(title, price)| ((*title).to_owned(), *price)).collect()
}

#[tokio::test]
async fn the_cheapest_way_comes_first() {
    let depot = Depot::open().await;
    let home = depot.zone(&["GB", "IE"]).await;
    let by_weight =
        pb::Rate { price_per_kilogram: Some(gbp(200)), weight_grams_max: 2000, ..flat("By weight", 100) };
    let free = pb::Rate { free_from: Some(gbp(5000)), ..flat("Standard", 400) };
    for rate in [flat("Express", 900), by_weight, free] {
        depot.rate(&home, rate).await;
    }
    let cases = [
        (1, 1000, options(&[("By weight", 300), ("Standard", 400), ("Express", 900)])),
        (1001, 1000, options(&[("Standard", 400), ("By weight", 500), ("Express", 900)])),
        (2001, 4999, options(&[("Standard", 400), ("Express", 900)])),
        (2001, 5000, options(&[("Standard", 0), ("Express", 900)])),
    ];
    for (weight, subtotal, expected) in cases {
        assert_eq!(
            depot.quoted(quote("IE", weight, gbp(subtotal))).await,
            expected,
            "{weight} g of {subtotal}"
        );
    }
}

#[tokio::test]
async fn a_country_is_sent_to_by_its_zone_or_else_by_the_one_for_the_rest() {
    let depot = Depot::open().await;
    assert!(depot.quoted(quote("GB", 1, gbp(1000))).await.is_empty());
    let home = depot.zone(&["GB"]).await;
    let rest = depot.zone(&["*"]).await;
    depot.rate(&rest, flat("World", 2000)).await;
    // A zone that names a country speaks for it, even if it sends nothing.
    assert!(depot.quoted(quote("GB", 1, gbp(1000))).await.is_empty());
    depot.rate(&home, flat("Home", 300)).await;
    assert_eq!(depot.quoted(quote("GB", 1, gbp(1000))).await, options(&[("Home", 300)]));
    assert_eq!(depot.quoted(quote("NZ", 1, gbp(1000))).await, options(&[("World", 2000)]));
}

#[tokio::test]
async fn rates_in_another_currency_are_left_out() {
    let depot = Depot::open().await;
    let zone = depot.zone(&["GB"]).await;
    depot.rate(&zone, flat("Pounds", 300)).await;
    depot.rate(&zone, pb::Rate { base_price: Some(money(100, "EUR")), ..flat("Euros", 0) }).await;
    assert_eq!(depot.quoted(quote("GB", 1, gbp(1000))).await, options(&[("Pounds", 300)]));
    assert_eq!(depot.quoted(quote("GB", 1, money(1000, "EUR"))).await, options(&[("Euros", 100)]));
    assert!(depot.quoted(quote("GB", 1, money(1000, "JPY"))).await.is_empty());
}
