//! A shop with goods in it, and the things people do there.
use contract::Money;
use contract::cart::v1::AddItemRequest;
use contract::catalog::v1::BatchGetVariantsRequest;
use contract::common::v1::PostalAddress;
use contract::inventory::v1::{BatchGetStockRequest, ReceiveStockRequest, Stock};
use contract::order::v1::{
    GetOrderRequest, LineRequest, Order, PaymentMethod, PlaceOrderRequest, Quote, QuoteOrderRequest, order,
};
use contract::shipping::v1::{
    ListShipmentsRequest, RecordTrackingRequest, Shipment, TrackingEvent, shipment,
};
use tonic::Status;

use crate::client::{Person, Transport};
use crate::installation::{Installation, Setting};

/// A shop filled with the sample goods, and its administrator.
pub struct Scene {
    /// The shop.
    pub shop: Installation,
    /// Who may do everything an administrator may.
    pub admin: Person,
}

impl Scene {
    /// Starts and fills a shop. Nothing where the setting needs servers that are not there.
    pub async fn open(setting: Setting) -> anyhow::Result<Option<Self>> {
        Scene::open_with(setting, &[]).await
    }

    /// The same, with settings of its own, named as in the environment.
    pub async fn open_with(setting: Setting, settings: &[(&str, &str)]) -> anyhow::Result<Option<Self>> {
        let Some(shop) = Installation::start_with(setting, settings).await? else { return Ok(None) };
        shop.fill().await?;
        let admin = Person::admin(shop.edge()).await?;
        Ok(Some(Scene { shop, admin }))
    }

    /// A customer of this shop.
    pub async fn customer(&self, transport: Transport) -> anyhow::Result<Person> {
        Person::customer(self.shop.edge(), transport).await
    }

    /// A guest of this shop.
    pub async fn guest(&self) -> anyhow::Result<Person> {
        Person::guest(self.shop.edge(), Transport::Grpc).await
    }

    /// The variant of a SKU.
    pub async fn variant(&self, sku: &str) -> anyhow::Result<String> {
        let request = BatchGetVariantsRequest { names: Vec::new(), skus: vec![sku.into()] };
        let found = self.admin.catalog().batch_get_variants(request).await?.into_inner().variants;
        anyhow::ensure!(found.len() == 1, "{sku} is sold {} times", found.len());
        Ok(found[0].name.clone())
    }

    /// What there is of a SKU.
    pub async fn stock(&self, sku: &str) -> anyhow::Result<Stock> {
        let request = BatchGetStockRequest { skus: vec![sku.into()] };
        let mut found = self.admin.inventory().batch_get_stock(request).await?.into_inner().stock;
        found.pop().ok_or_else(|| anyhow::anyhow!("{sku} was never received"))
    }

    /// Takes goods in.
    pub async fn receive(&self, sku: &str, quantity: i64) -> anyhow::Result<()> {
        let request =
            ReceiveStockRequest { sku: sku.into(), quantity, reason: "test".into(), ..Default::default() };
        self.admin.inventory().receive_stock(request).await?;
        Ok(())
    }

    /// The shipment of an order, once it is made.
    pub async fn shipment(&self, order: &str) -> Shipment {
        chassis::testing::eventually(async || {
            let request = ListShipmentsRequest { order: order.into(), ..ListShipmentsRequest::default() };
            self.admin.shipping().list_shipments(request).await.ok()?.into_inner().shipments.pop()
        })
        .await
    }

    /// Notes what happened to a shipment.
    pub async fn track(&self, shipment: &str, state: shipment::State) -> Result<Shipment, Status> {
        let event = TrackingEvent { state: state.into(), ..TrackingEvent::default() };
        let request = RecordTrackingRequest {
            shipment: shipment.into(),
            tracking_event: Some(event),
            request_id: String::new(),
        };
        Ok(self.admin.shipping().record_tracking(request).await?.into_inner())
    }
}

/// What people do.
impl Person {
    /// Puts something into the cart.
    pub async fn add(&self, variant: &str, quantity: i64) -> Result<(), Status> {
        let request = AddItemRequest {
            cart: "carts/current".into(),
            variant: variant.into(),
            quantity,
            request_id: String::new(),
        };
        self.cart().add_item(request).await.map(|_| ())
    }

    /// Asks what the cart would cost, sent to London.
    pub async fn quote_cart(&self, coupon: &str) -> Result<Quote, Status> {
        let request = QuoteOrderRequest {
            cart: "carts/current".into(),
            coupon_code: coupon.into(),
            country_code: "GB".into(),
            ..QuoteOrderRequest::default()
        };
        Ok(self.orders().quote_order(request).await?.into_inner())
    }

    /// The request that buys some of a variant with a test card.
    pub fn order_of(&self, variant: &str, quantity: i64, card: &str) -> PlaceOrderRequest {
        PlaceOrderRequest {
            lines: vec![LineRequest { variant: variant.into(), quantity }],
            ..self.order(card)
        }
    }

    /// The request that buys the cart with a test card.
    pub fn order_of_cart(&self, card: &str) -> PlaceOrderRequest {
        PlaceOrderRequest { cart: "carts/current".into(), ..self.order(card) }
    }

    fn order(&self, card: &str) -> PlaceOrderRequest {
        PlaceOrderRequest {
            shipping_address: Some(PostalAddress {
                recipient: "Ada Lovelace".into(),
                line1: "12 St James's Square".into(),
                city: "London".into(),
                postal_code: "SW1Y 4JH".into(),
                country_code: "GB".into(),
                ..PostalAddress::default()
            }),
            payment_method: Some(PaymentMethod { channel: "sandbox".into(), token: card.into() }),
            expected_total: Some(pounds(1_000_000)),
            request_id: new_request_id(),
            ..PlaceOrderRequest::default()
        }
    }

    /// Places an order.
    pub async fn place(&self, request: PlaceOrderRequest) -> Result<Order, Status> {
        Ok(self.orders().place_order(request).await?.into_inner())
    }

    /// Reads an order.
    pub async fn see(&self, order: &str) -> Result<Order, Status> {
        Ok(self
            .orders()
            .get_order(GetOrderRequest { name: order.into(), ..Default::default() })
            .await?
            .into_inner())
    }

    /// Waits until an order is in a state.
    pub async fn wait_for(&self, order: &str, state: order::State) -> Order {
        chassis::testing::eventually(async || self.see(order).await.ok().filter(|seen| seen.state() == state))
            .await
    }

    /// Waits until the payment of an order is in a state.
    pub async fn wait_for_payment(&self, order: &str, state: order::PaymentState) -> Order {
        chassis::testing::eventually(async || {
            self.see(order).await.ok().filter(|seen| seen.payment_state() == state)
        })
        .await
    }
}

/// An amount in pounds.
pub fn pounds(units: i64) -> Money {
    Money { currency_code: "GBP".into(), units, nanos: 0 }
}

/// A new request id.
pub fn new_request_id() -> String {
    chassis::Id::<Order>::new().to_string()
}
