//! The service on its real database, and its peers played by scripts.
use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use chassis::{
    config::Secret,
    db::Db,
    testing::{Client, TestHost, eventually},
};
use contract::{
    codec::Codec,
    identity::v1::{self as pb, identity_service_client::IdentityServiceClient},
    notification::v1::{Notification, SendNotificationRequest},
    order::v1::{ListOrdersRequest, ListOrdersResponse, Order},
    validate::Input,
};
use sea_orm::{ConnectionTrait, Statement, Value};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, UnaryService},
};

pub(crate) const PASSWORD: &str = "plum-otter-violin-73";
pub(crate) const OTHER_PASSWORD: &str = "walnut-heron-cello-19";

pub(crate) type Identity = IdentityServiceClient<Client>;

/// Identity, running.
pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) db: Db,
    pub(crate) mail: Mailbox,
    pub(crate) orders: Orders,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        Self::start_with(identity::Config::default()).await
    }

    pub(crate) async fn start_with_secret() -> Self {
        let secret = "a secret that is long enough for anybody".to_owned();
        Self::start_with(identity::Config { identity_secrets: Some(Secret::from(secret)) }).await
    }

    async fn start_with(config: identity::Config) -> Self {
        let host = TestHost::new("identity").await;
        let (mail, orders) = (Mailbox::default(), Orders::default());
        host.process().stand_in("notification", StandIn(mail.clone()));
        host.process().stand_in("order", StandIn(orders.clone()));
        let db = host.db::<identity::Migrator>().await.unwrap();
        host.serve(identity::serve(host.host(), config));
        let shop = Self { host, db, mail, orders };
        eventually(async || shop.anyone().get_json_web_key_set(pb::GetJsonWebKeySetRequest {}).await.ok())
            .await;
        shop
    }

    pub(crate) fn anyone(&self) -> Identity {
        IdentityServiceClient::new(self.host.as_anyone())
    }

    pub(crate) fn service(&self, noun: &'static str) -> Identity {
        IdentityServiceClient::new(self.host.as_service(noun))
    }

    pub(crate) fn with(&self, session: &pb::Session) -> Identity {
        IdentityServiceClient::new(self.host.with_token(Some(&session.access_token)))
    }

    /// Registers, without proving the address.
    pub(crate) async fn register(&self, email: &str) {
        self.anyone().register(registration(email)).await.unwrap();
    }

    /// An account in use.
    pub(crate) async fn user(&self, email: &str) -> pb::User {
        self.register(email).await;
        let code = self.mail.code_for(email).await;
        self.anyone().verify_contact(verification(email, &code)).await.unwrap().into_inner()
    }

    /// Somebody signed in.
    pub(crate) async fn customer(&self, email: &str) -> (Identity, pb::Session) {
        self.user(email).await;
        let session = self.sign_in(email, PASSWORD).await.unwrap();
        (self.with(&session), session)
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<pb::Session, Status> {
        let request = pb::LoginRequest { email: email.into(), password: password.into() };
        self.anyone().login(request).await.map(Response::into_inner)
    }

    pub(crate) async fn guest(&self) -> (Identity, pb::Session) {
        let session = self.anyone().create_guest(pb::CreateGuestRequest {}).await.unwrap().into_inner();
        (self.with(&session), session)
    }

    /// An administrator, signed in.
    pub(crate) async fn admin(&self, email: &str) -> (Identity, pb::Session) {
        let admin = identity::create_admin(&self.db, email, None).await.unwrap();
        let session = self.sign_in(email, &admin.password).await.unwrap();
        (self.with(&session), session)
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<pb::Session, Status> {
        let request = pb::RefreshSessionRequest { refresh_token: token.into() };
        self.anyone().refresh_session(request).await.map(Response::into_inner)
    }

    /// Changes the database behind the service's back, as time would.
    pub(crate) async fn sql(&self, sql: &str) {
        self.db.execute(Statement::from_string(self.db.backend(), sql)).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> i64 {
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, values);
        self.db.writer().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    /// How many events of that kind speak of a user.
    pub(crate) async fn announced(&self, kind: &str, user: &str) -> i64 {
        let kind = format!("cartwright.identity.v1.{kind}");
        self.count("SELECT COUNT(*) FROM outbox WHERE kind = $1 AND key = $2", [kind.into(), user.into()])
            .await
    }
}

/// What an account says about itself, to whoever holds its token.
pub(crate) async fn me(mut client: Identity) -> Result<pb::User, Status> {
    client.get_user(pb::GetUserRequest { name: "users/me".into() }).await.map(Response::into_inner)
}

pub(crate) fn registration(email: &str) -> pb::RegisterRequest {
    pb::RegisterRequest {
        email: email.into(),
        password: PASSWORD.into(),
        display_name: "Ann".into(),
        locale: "en".into(),
        request_id: String::new(),
    }
}

pub(crate) fn verification(email: &str, code: &str) -> pb::VerifyContactRequest {
    pb::VerifyContactRequest { email: email.into(), code: code.into() }
}

pub(crate) fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Notification, as identity sees it: keeps what it is asked to send, and can be away.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Mutex<(Vec<SendNotificationRequest>, bool)>>);

impl Mailbox {
    pub(crate) fn to(&self, email: &str) -> Vec<SendNotificationRequest> {
        self.0
            .lock()
            .unwrap()
            .0
            .iter()
            .filter(|message| message.address == email.to_ascii_lowercase())
            .cloned()
            .collect()
    }

    pub(crate) fn codes_to(&self, email: &str) -> Vec<String> {
        self.to(email).into_iter().flat_map(|message| message.values).map(|value| value.value).collect()
    }

    /// Waits for the first code sent to an address.
    pub(crate) async fn code_for(&self, email: &str) -> String {
        eventually(async || self.codes_to(email).first().cloned()).await
    }

    pub(crate) fn go_away(&self, away: bool) {
        self.0.lock().unwrap().1 = away;
    }
}

impl Played for Mailbox {
    const NAME: &'static str = "cartwright.notification.v1.NotificationService";
    type Request = SendNotificationRequest;
    type Reply = Notification;

    fn answer(&self, request: SendNotificationRequest) -> Result<Notification, Status> {
        let mut state = self.0.lock().unwrap();
        if state.1 {
            return Err(Status::unavailable("away"));
        }
        state.0.push(request);
        Ok(Notification::default())
    }
}

/// Order, as identity sees it: there is an open order, or there is none.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<bool>>);

impl Orders {
    pub(crate) fn set_open(&self, open: bool) {
        *self.0.lock().unwrap() = open;
    }
}

impl Played for Orders {
    const NAME: &'static str = "cartwright.order.v1.OrderService";
    type Request = ListOrdersRequest;
    type Reply = ListOrdersResponse;

    fn answer(&self, _: ListOrdersRequest) -> Result<ListOrdersResponse, Status> {
        let orders = if *self.0.lock().unwrap() { vec![Order::default()] } else { Vec::new() };
        Ok(ListOrdersResponse { orders, next_page_token: String::new() })
    }
}

/// A peer of which one RPC is played.
pub(crate) trait Played: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    type Request: prost::Message + Default + Input + 'static;
    type Reply: prost::Message + Default + 'static;

    fn answer(&self, request: Self::Request) -> Result<Self::Reply, Status>;
}

#[derive(Clone)]
pub(crate) struct StandIn<P>(pub(crate) P);

impl<P: Played> NamedService for StandIn<P> {
    const NAME: &'static str = P::NAME;
}

impl<P: Played> UnaryService<P::Request> for StandIn<P> {
    type Response = P::Reply;
    type Future = Ready<Result<Response<P::Reply>, Status>>;

    fn call(&mut self, request: Request<P::Request>) -> Self::Future {
        ready(self.0.answer(request.into_inner()).map(Response::new))
    }
}

impl<P: Played> Service<http::Request<Body>> for StandIn<P> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let act = self.clone();
        Box::pin(
            async move { Ok(Grpc::new(Codec::<P::Reply, P::Request>::default()).unary(act, request).await) },
        )
    }
}
