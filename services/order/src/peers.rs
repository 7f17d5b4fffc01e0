//! The other services, as checkout needs them: their answers in this service's words.

use std::collections::HashMap;

use chassis::caller::Caller;
use chassis::client::{Channel, as_subject};
use chassis::host::Host;
use chassis::money::Money;
use chassis::time::Timestamp;
use contract::cart::v1::{
    Cart as WireCart, GetCartRequest, ReopenCartRequest, cart::State as CartState,
    cart_service_client::CartServiceClient,
};
use contract::catalog::v1::{
    BatchGetVariantsRequest, Variant as WireVariant, catalog_service_client::CatalogServiceClient,
    product::State as ProductState, variant::State as VariantState,
};
use contract::identity::v1::{GetContactRequest, identity_service_client::IdentityServiceClient};
use contract::inventory::v1::{
    BatchGetStockRequest, ReleaseReservationRequest, ReservationLine, ReserveStockRequest,
    inventory_service_client::InventoryServiceClient,
};
use contract::notification::v1::{
    SendNotificationRequest, TemplateValue, notification_service_client::NotificationServiceClient,
};
use contract::payment::v1::{
    AuthorizePaymentRequest, VoidPaymentRequest, payment_service_client::PaymentServiceClient,
};
use contract::promotion::v1::{
    EvaluateDiscountsRequest, PricedLine, RedeemCouponRequest, ReleaseCouponRequest,
    promotion_service_client::PromotionServiceClient,
};
use contract::shipping::v1::{QuoteShippingRequest, shipping_service_client::ShippingServiceClient};
use tonic::{Code, Status};

use crate::checkout::State;
use crate::claims::is_final;
use crate::domain::{Goods, Order};
use crate::error::Error;
use crate::store::claims::Asked;

/// Everyone a checkout talks to.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    cart: CartServiceClient<Channel>,
    catalog: CatalogServiceClient<Channel>,
    identity: IdentityServiceClient<Channel>,
    inventory: InventoryServiceClient<Channel>,
    notification: NotificationServiceClient<Channel>,
    payment: PaymentServiceClient<Channel>,
    promotion: PromotionServiceClient<Channel>,
    shipping: ShippingServiceClient<Channel>,
}

/// What a shopper put together.
#[derive(Debug)]
pub(crate) struct Cart {
    pub(crate) name: String,
    pub(crate) open: bool,
    pub(crate) coupon_code: String,
    pub(crate) lines: Vec<(String, i64)>,
}

/// A variant as it is sold now.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) price: Money,
    pub(crate) price_version: i64,
    pub(crate) stocked: bool,
    pub(crate) weight_grams: i64,
    pub(crate) on_sale: bool,
}

/// A way to send an order.
#[derive(Clone, Debug)]
pub(crate) struct ShippingOption {
    pub(crate) rate: String,
    pub(crate) title: String,
    pub(crate) price: Money,
    pub(crate) days_min: i32,
    pub(crate) days_max: i32,
}

impl Peers {
    pub(crate) fn of(host: &Host) -> Result<Peers, chassis::Error> {
        Ok(Peers {
            cart: CartServiceClient::new(host.client("cart")?),
            catalog: CatalogServiceClient::new(host.client("catalog")?),
            identity: IdentityServiceClient::new(host.client("identity")?),
            inventory: InventoryServiceClient::new(host.client("inventory")?),
            notification: NotificationServiceClient::new(host.client("notification")?),
            payment: PaymentServiceClient::new(host.client("payment")?),
            promotion: PromotionServiceClient::new(host.client("promotion")?),
            shipping: ShippingServiceClient::new(host.client("shipping")?),
        })
    }

    /// The caller's cart: another's is not found there.
    pub(crate) async fn cart(&self, caller: &Caller, name: &str) -> Result<Cart, Error> {
        let request = as_subject(caller, GetCartRequest { name: name.to_owned() });
        let cart = self.cart.clone().get_cart(request).await.map_err(read_from("cart"))?.into_inner();
        Ok(Cart::from(cart))
    }

    /// Has the cart given back that an order was made of.
    pub(crate) async fn reopen_cart(&self, order: &Order) -> Result<(), Error> {
        let request = ReopenCartRequest { order: order.id.name() };
        match self.cart.clone().reopen_cart(request).await {
            // An older release of cart gives it back when it hears of it.
            Err(status) if status.code() == Code::Unimplemented => Ok(()),
            answer => answer.map(drop).map_err(read_from("cart")),
        }
    }

    /// The variants of these names, as they are now; those that are not found are left out.
    pub(crate) async fn variants(&self, names: Vec<String>) -> Result<HashMap<String, Variant>, Error> {
        let request = BatchGetVariantsRequest { names, skus: Vec::new() };
        let found = self.catalog.clone().batch_get_variants(request).await.map_err(read_from("catalog"))?;
        found
            .into_inner()
            .variants
            .into_iter()
            .map(|variant| Ok((variant.name.clone(), read_variant(variant)?)))
            .collect()
    }

    /// Where somebody can be reached, if anywhere: an address in its one spelling.
    pub(crate) async fn contact(&self, subject: &str) -> Result<Option<String>, Error> {
        let request = GetContactRequest { subject: subject.to_owned() };
        match self.identity.clone().get_contact(request).await {
            Ok(contact) => Ok(Some(contact.into_inner().email).filter(|email| !email.is_empty())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(read_from("identity")(status)),
        }
    }

    /// Has the code of a claim mailed to the guest. Again it is the same message.
    pub(crate) async fn mail_claim_code(
        &self,
        asked: &Asked,
        order: &Order,
        code: String,
    ) -> Result<(), Error> {
        let value = |key: &str, value: String| TemplateValue { key: key.to_owned(), value };
        let request = SendNotificationRequest {
            recipient: order.customer.clone(),
            kind: "claim-order".to_owned(),
            address: asked.email.clone(),
            values: vec![value("order", order.number().to_string()), value("code", code)],
            request_id: asked.id.to_string(),
            ..SendNotificationRequest::default()
        };
        match self.notification.clone().send_notification(request).await {
            Ok(_) => Ok(()),
            Err(status) if is_final(status.code()) => Err(status.into()),
            Err(_) => Err(Error::PeerAway { noun: "notification" }),
        }
    }

    /// What there is of these SKUs; of one that was never received there is nothing.
    pub(crate) async fn stock(&self, skus: Vec<String>) -> Result<HashMap<String, i64>, Error> {
        let request = BatchGetStockRequest { skus };
        let found = self.inventory.clone().batch_get_stock(request).await.map_err(read_from("inventory"))?;
        Ok(found.into_inner().stock.into_iter().map(|stock| (stock.sku, stock.available)).collect())
    }

    /// What a coupon takes off each line. It is asked for the caller, because promotion counts who guesses at codes.
    pub(crate) async fn discounts(
        &self,
        caller: &Caller,
        code: &str,
        customer: &str,
        goods: &Goods,
    ) -> Result<Vec<Money>, Error> {
        let line = |line: &crate::domain::Line| PricedLine {
            variant: line.variant.clone(),
            quantity: line.quantity,
            total: Some(line.total.into()),
        };
        let request = EvaluateDiscountsRequest {
            coupon_code: code.to_owned(),
            lines: goods.lines.iter().map(line).collect(),
            customer: customer.to_owned(),
        };
        let asked = as_subject(caller, request);
        let found = self.promotion.clone().evaluate_discounts(asked).await.map_err(read_from("promotion"))?;
        found
            .into_inner()
            .line_discounts
            .iter()
            .map(|discount| read_money("promotion", Some(discount)))
            .collect()
    }

    /// The ways to send goods to a country, the cheapest first.
    pub(crate) async fn shipping(&self, country: &str, goods: &Goods) -> Result<Vec<ShippingOption>, Error> {
        let request = QuoteShippingRequest {
            country_code: country.to_owned(),
            weight_grams: goods.weight_grams(),
            subtotal: Some(goods.subtotal.into()),
        };
        let found = self.shipping.clone().quote_shipping(request).await.map_err(read_from("shipping"))?;
        let option = |option: contract::shipping::v1::ShippingOption| {
            Ok(ShippingOption {
                price: read_money("shipping", option.price.as_ref())?,
                rate: option.rate,
                title: option.title,
                days_min: option.days_min,
                days_max: option.days_max,
            })
        };
        let options: Result<Vec<_>, Error> = found.into_inner().options.into_iter().map(option).collect();
        Ok(options?.into_iter().filter(|option| option.price.currency == goods.subtotal.currency).collect())
    }

    pub(crate) async fn redeem_coupon(&self, of: &State, request_id: String) -> Result<(), Status> {
        let Some(coupon) = &of.coupon else { return Ok(()) };
        let request = RedeemCouponRequest {
            coupon_code: coupon.code.clone(),
            order: of.order.name(),
            customer: of.customer.clone(),
            discount: Some(coupon.discount.into()),
            subtotal: Some(coupon.subtotal.into()),
            request_id,
        };
        self.promotion.clone().redeem_coupon(request).await.map(drop)
    }

    pub(crate) async fn release_coupon(&self, of: &State, request_id: String) -> Result<(), Status> {
        let request = ReleaseCouponRequest { order: of.order.name(), request_id };
        absent_is_done(self.promotion.clone().release_coupon(request).await)
    }

    pub(crate) async fn reserve_stock(&self, of: &State, request_id: String) -> Result<(), Status> {
        let line = |(sku, quantity): &(String, i64)| ReservationLine {
            sku: sku.clone(),
            quantity: *quantity,
            location: String::new(),
        };
        let request = ReserveStockRequest {
            order: of.order.name(),
            lines: of.stock.iter().map(line).collect(),
            expire_time: Some(Timestamp::from_micros(of.stock_expire_time).into()),
            request_id,
        };
        self.inventory.clone().reserve_stock(request).await.map(drop)
    }

    pub(crate) async fn release_stock(&self, of: &State) -> Result<(), Status> {
        let request = ReleaseReservationRequest { order: of.order.name() };
        absent_is_done(self.inventory.clone().release_reservation(request).await)
    }

    /// Has the money promised, and tells the payment's name.
    pub(crate) async fn authorize_payment(&self, of: &State, request_id: String) -> Result<String, Status> {
        let request = AuthorizePaymentRequest {
            order: of.order.name(),
            customer: of.customer.clone(),
            amount: Some(of.total.into()),
            channel: of.channel.clone(),
            token: of.token.clone(),
            request_id,
        };
        Ok(self.payment.clone().authorize_payment(request).await?.into_inner().name)
    }

    pub(crate) async fn void_payment(&self, of: &State, request_id: String) -> Result<(), Status> {
        let request = VoidPaymentRequest { order: of.order.name(), request_id };
        absent_is_done(self.payment.clone().void_payment(request).await)
    }
}

impl From<WireCart> for Cart {
    fn from(cart: WireCart) -> Cart {
        Cart {
            open: cart.state() == CartState::Open,
            name: cart.name,
            coupon_code: cart.coupon_code,
            lines: cart.lines.into_iter().map(|line| (line.variant, line.quantity)).collect(),
        }
    }
}

fn read_variant(variant: WireVariant) -> Result<Variant, Error> {
    let on_sale = variant.state() == VariantState::Active && variant.product_state() == ProductState::Active;
    let title = match variant.title.as_str() {
        "" => variant.product_title,
        form => format!("{}, {form}", variant.product_title),
    };
    Ok(Variant {
        price: read_money("catalog", variant.price.as_ref())?,
        sku: variant.sku,
        title,
        price_version: variant.price_version,
        stocked: variant.stocked,
        weight_grams: variant.weight_grams,
        on_sale,
    })
}

fn read_money(noun: &'static str, money: Option<&contract::Money>) -> Result<Money, Error> {
    let money = money.and_then(|money| Money::try_from(money).ok()).filter(|money| money.minor >= 0);
    money.ok_or(Error::PeerWrong { noun, what: "an amount of money" })
}

/// What a failed read means: a refusal is the caller's to hear, anything else is the peer's trouble.
fn read_from(noun: &'static str) -> impl Fn(Status) -> Error {
    move |status| match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::ResourceExhausted => {
            Error::Passed(Box::new(status))
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => {
            tracing::warn!(rpc.peer = noun, code = ?status.code(), "a peer could not be read");
            Error::PeerAway { noun }
        }
    }
}

/// Giving back what was never taken is done. The peer keeps a mark, so that the late taking is refused.
fn absent_is_done<T>(answer: Result<T, Status>) -> Result<(), Status> {
    match answer {
        Err(status) if status.code() == Code::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}
