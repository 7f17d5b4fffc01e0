//! Clients of the edge, by native gRPC and by grpc-web.
use contract::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use contract::cart::v1::cart_service_client::CartServiceClient;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::identity::v1::identity_service_client::IdentityServiceClient;
use contract::identity::v1::{
    CreateGuestRequest, LoginRequest, RegisterRequest, SetGuestContactRequest, VerifyContactRequest,
};
use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::notification::v1::ListInboxMessagesRequest;
use contract::notification::v1::notification_service_client::NotificationServiceClient;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::payment::v1::payment_service_client::PaymentServiceClient;
use contract::promotion::v1::promotion_service_client::PromotionServiceClient;
use contract::shipping::v1::shipping_service_client::ShippingServiceClient;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::transport::Endpoint;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};

use crate::installation::ADMIN;

/// How calls travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Native gRPC over HTTP/2.
    Grpc,
    /// grpc-web over HTTP/1.1, as browsers call.
    GrpcWeb,
}

type Error = Box<dyn std::error::Error + Send + Sync>;
type Inner = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Error>;

/// A way to the edge that puts the caller's token into each call.
#[derive(Clone)]
pub struct Edge {
    inner: Inner,
    token: Option<http::HeaderValue>,
}

impl Service<http::Request<Body>> for Edge {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Self::Response, Error>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if let Some(token) = &self.token {
            request.headers_mut().insert(http::header::AUTHORIZATION, token.clone());
        }
        self.inner.call(request)
    }
}

/// Somebody who calls the shop: nobody in particular, a guest, a customer or an administrator.
#[derive(Clone)]
pub struct Person {
    edge: Edge,
    origin: Uri,
    /// Who the person is once known: `users/{user}` or `guests/{guest}`.
    pub subject: String,
    /// Where the person reads mail.
    pub email: String,
    /// The access token, once there is one.
    pub access_token: String,
}

/// The password of every customer in the tests.
pub const PASSWORD: &str = "a customer's long password";

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident),* $(,)?) => {
        impl Person {
            $($(#[$doc])* pub fn $name(&self) -> $client<Edge> {
                $client::with_origin(self.edge.clone(), self.origin.clone())
            })*
        }
    };
}

clients! {
    /// Identity, as this person sees it.
    identity: IdentityServiceClient,
    /// Catalog, as this person sees it.
    catalog: CatalogServiceClient,
    /// Inventory, as this person sees it.
    inventory: InventoryServiceClient,
    /// Carts, as this person sees them.
    cart: CartServiceClient,
    /// Orders, as this person sees them.
    orders: OrderServiceClient,
    /// Payments, as this person sees them.
    payments: PaymentServiceClient,
    /// Coupons, as this person sees them.
    promotions: PromotionServiceClient,
    /// Shipments, as this person sees them.
    shipping: ShippingServiceClient,
    /// Messages, as this person sees them.
    notifications: NotificationServiceClient,
    /// Reports, as this person sees them.
    analytics: AnalyticsServiceClient,
}

impl Person {
    /// Somebody without a token.
    pub async fn anyone(edge: &str, transport: Transport) -> anyhow::Result<Self> {
        let inner: Inner = match transport {
            Transport::Grpc => {
                let channel = Endpoint::from_shared(edge.to_owned())?.connect().await?;
                BoxCloneSyncService::new(channel.map_err(Error::from))
            }
            Transport::GrpcWeb => {
                let client = Client::builder(TokioExecutor::new()).build_http();
                let client =
                    ServiceBuilder::new().layer(tonic_web::GrpcWebClientLayer::new()).service(client);
                BoxCloneSyncService::new(
                    client.map_err(Error::from).map_response(|answer| answer.map(Body::new)),
                )
            }
        };
        let edge_of = Edge { inner, token: None };
        let (subject, email, access_token) = Default::default();
        Ok(Person { edge: edge_of, origin: edge.parse()?, subject, email, access_token })
    }

    /// A guest who can be reached.
    pub async fn guest(edge: &str, transport: Transport) -> anyhow::Result<Self> {
        let mut guest = Person::anyone(edge, transport).await?;
        let session = guest.identity().create_guest(CreateGuestRequest {}).await?.into_inner();
        guest.become_known(session.subject, &session.access_token)?;
        guest.email = address("guest");
        let contact = SetGuestContactRequest { email: guest.email.clone(), locale: String::new() };
        guest.identity().set_guest_contact(contact).await?;
        Ok(guest)
    }

    /// A customer who has registered, proven the address with the mailed code, and signed in.
    pub async fn customer(edge: &str, transport: Transport) -> anyhow::Result<Self> {
        let mut customer = Person::anyone(edge, transport).await?;
        customer.email = address("customer");
        let (email, password) = (customer.email.clone(), PASSWORD.to_owned());
        let register = RegisterRequest {
            email: email.clone(),
            password: password.clone(),
            ..RegisterRequest::default()
        };
        customer.identity().register(register).await?;
        let code = customer.mailed_code().await;
        customer.identity().verify_contact(VerifyContactRequest { email: email.clone(), code }).await?;
        customer.sign_in(&email, &password).await?;
        Ok(customer)
    }

    /// The same person at another address of the same shop.
    pub async fn at(&self, edge: &str) -> anyhow::Result<Self> {
        let mut moved = Person::anyone(edge, Transport::Grpc).await?;
        moved.email = self.email.clone();
        moved.become_known(self.subject.clone(), &self.access_token)?;
        Ok(moved)
    }

    /// The administrator.
    pub async fn admin(edge: &str) -> anyhow::Result<Self> {
        let mut admin = Person::anyone(edge, Transport::Grpc).await?;
        admin.sign_in(ADMIN.0, ADMIN.1).await?;
        Ok(admin)
    }

    /// Signs in with a password.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> anyhow::Result<()> {
        let login = LoginRequest { email: email.into(), password: password.into() };
        let session = self.identity().login(login).await?.into_inner();
        self.become_known(session.subject, &session.access_token)
    }

    fn become_known(&mut self, subject: String, token: &str) -> anyhow::Result<()> {
        self.subject = subject;
        self.access_token = token.into();
        self.edge.token = Some(format!("Bearer {token}").parse()?);
        Ok(())
    }

    async fn mailed_code(&self) -> String {
        chassis::testing::eventually(async || {
            let request = ListInboxMessagesRequest {
                address: self.email.clone(),
                ..ListInboxMessagesRequest::default()
            };
            let messages =
                self.notifications().list_inbox_messages(request).await.ok()?.into_inner().inbox_messages;
            messages.iter().find_map(|message| six_digits(&message.body))
        })
        .await
    }
}

fn six_digits(text: &str) -> Option<String> {
    text.split(|letter: char| !letter.is_ascii_digit()).find(|word| word.len() == 6).map(String::from)
}

fn address(who: &str) -> String {
    format!("{who}.{}@example.com", chassis::Id::<Person>::new().uuid().simple())
}
