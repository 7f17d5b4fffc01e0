//! The service on its real database, and its peers played by scripts.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chassis::{
    config::Secret,
    db::Db,
    event::Event,
    migration::Nothing,
    outbox,
    server::Server,
    testing::{Client, TestHost, eventually},
};
use contract::{
    Money,
    identity::v1::{Contact, GetContactRequest, UserErased},
    notification::v1::{self as pb, notification_service_client::NotificationServiceClient},
    order::v1::{GetOrderRequest, Order, OrderLine},
};
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Response, Status};
use uuid::Uuid;

use super::peer::{Played, StandIn};

pub(crate) type Notifications = NotificationServiceClient<Client>;

pub(crate) const ANN: &str = "users/01890000-0000-7000-8000-00000000000a";
pub(crate) const BOB: &str = "users/01890000-0000-7000-8000-00000000000b";
pub(crate) const ORDER: &str = "orders/01890000-0000-7000-8000-000000000001";
pub(crate) const ORDER_NUMBER: &str = "0000-0000-0001";

/// Notification, running.
pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) db: Db,
    pub(crate) people: People,
    /// Another service's database: what is put in its outbox is announced.
    elsewhere: Db,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With mail that is really sent.
    pub(crate) async fn mailing(url: &str) -> Self {
        Self::start_with(Some(url.to_owned())).await
    }

    async fn start_with(smtp: Option<String>) -> Self {
        let host = TestHost::new("notification").await;
        let people = People::default();
        people.know(ANN, "ann@example.com", "Ann", "en");
        people.know(BOB, "bob@example.com", "Bob", "de");
        host.process().stand_in("identity", StandIn(people.clone()));
        host.process().stand_in("order", StandIn(Orders));
        let db = host.db::<notification::Migrator>().await.unwrap();
        let config = notification::Config {
            smtp_url: smtp.map(Secret::from),
            mail_from: "Shop <shop@example.com>".into(),
            mail_retry_ms: 10,
        };
        let catalog = host.process().host("catalog");
        let elsewhere = catalog.db::<Nothing>().await.unwrap();
        catalog.serve(Server::new(&catalog, &elsewhere).run());
        host.serve(notification::serve(host.host(), config));
        let shop = Self { host, db, people, elsewhere };
        // Ready once an event arrives.
        eventually(async || {
            shop.announce("users/none", &UserErased { user: "users/none".into() }).await;
            (shop.count("SELECT COUNT(*) FROM inbox").await > 0).then_some(())
        })
        .await;
        shop
    }

    pub(crate) fn anyone(&self) -> Notifications {
        NotificationServiceClient::new(self.host.as_anyone())
    }

    pub(crate) fn customer(&self, subject: &str) -> Notifications {
        NotificationServiceClient::new(self.host.as_customer(subject))
    }

    pub(crate) fn staff(&self, permissions: &[&str]) -> Notifications {
        NotificationServiceClient::new(self.host.as_staff(permissions))
    }

    pub(crate) fn identity(&self) -> Notifications {
        NotificationServiceClient::new(self.host.as_service("identity"))
    }

    /// Announces an event, and waits until it is on its way.
    pub(crate) async fn announce<E: Event>(&self, key: &str, event: &E) -> Uuid {
        let id = self.elsewhere.write(async |tx| outbox::append(tx, key, event).await).await.unwrap();
        self.published(id).await;
        id
    }

    /// Has an event delivered a second time.
    pub(crate) async fn announce_again(&self, id: Uuid) {
        let sql = "UPDATE outbox SET published_at = NULL WHERE id = $1";
        let statement = Statement::from_sql_and_values(self.elsewhere.backend(), sql, [id.into()]);
        self.elsewhere.execute(statement).await.unwrap();
        self.published(id).await;
    }

    async fn published(&self, id: Uuid) {
        eventually(async || {
            let sql = "SELECT 1 FROM outbox WHERE id = $1 AND published_at IS NOT NULL";
            let statement = Statement::from_sql_and_values(self.elsewhere.backend(), sql, [id.into()]);
            self.elsewhere.writer().query_one_raw(statement).await.unwrap()
        })
        .await;
    }

    pub(crate) async fn of(&self, recipient: &str) -> Vec<pb::Notification> {
        let request = pb::ListNotificationsRequest { page_size: 1000, page_token: String::new() };
        self.customer(recipient).list_notifications(request).await.unwrap().into_inner().notifications
    }

    /// Waits until somebody's message of that kind has ended over a channel.
    pub(crate) async fn ended(
        &self,
        recipient: &str,
        kind: &str,
        channel: pb::template::Channel,
    ) -> pb::Notification {
        eventually(async || {
            let messages = self.of(recipient).await;
            let one = |message: &pb::Notification| {
                message.kind == kind
                    && message.channel() == channel
                    && message.state() != pb::notification::State::Pending
            };
            messages.into_iter().find(one)
        })
        .await
    }

    /// Mail that the development inbox caught, newest first.
    pub(crate) async fn caught(&self, address: &str) -> Vec<pb::InboxMessage> {
        let request = pb::ListInboxMessagesRequest { address: address.into(), ..Default::default() };
        self.anyone().list_inbox_messages(request).await.map(Response::into_inner).unwrap().inbox_messages
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.db.backend(), sql);
        self.db.writer().query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

pub(crate) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn send(kind: &str, address: &str, values: &[(&str, &str)]) -> pb::SendNotificationRequest {
    let value =
        |(key, value): &(&str, &str)| pb::TemplateValue { key: (*key).into(), value: (*value).into() };
    pb::SendNotificationRequest {
        recipient: ANN.into(),
        kind: kind.into(),
        address: address.into(),
        locale: String::new(),
        values: values.iter().map(value).collect(),
        request_id: request_id(),
    }
}

/// Identity, as notification sees it.
#[derive(Clone, Default)]
pub(crate) struct People(Arc<Mutex<(HashMap<String, Contact>, bool)>>);

impl People {
    pub(crate) fn know(&self, subject: &str, email: &str, display_name: &str, locale: &str) {
        let contact = Contact {
            subject: subject.into(),
            email: email.into(),
            display_name: display_name.into(),
            locale: locale.into(),
        };
        self.0.lock().unwrap().0.insert(subject.into(), contact);
    }

    pub(crate) fn forget(&self, subject: &str) {
        self.0.lock().unwrap().0.remove(subject);
    }

    pub(crate) fn go_away(&self, away: bool) {
        self.0.lock().unwrap().1 = away;
    }
}

impl Played for People {
    const NAME: &'static str = "cartwright.identity.v1.IdentityService";
    type Request = GetContactRequest;
    type Reply = Contact;

    fn answer(&self, request: GetContactRequest) -> Result<Contact, Status> {
        let state = self.0.lock().unwrap();
        if state.1 {
            return Err(Status::unavailable("away"));
        }
        state.0.get(&request.subject).cloned().ok_or_else(|| Status::not_found("nobody"))
    }
}

/// Order, as notification sees it: every order is one mug for 12.50.
#[derive(Clone)]
struct Orders;

impl Played for Orders {
    const NAME: &'static str = "cartwright.order.v1.OrderService";
    type Request = GetOrderRequest;
    type Reply = Order;

    fn answer(&self, request: GetOrderRequest) -> Result<Order, Status> {
        let total = Money { currency_code: "GBP".into(), units: 12, nanos: 500_000_000 };
        let line = OrderLine {
            title: "Mug {{name}}".into(),
            quantity: 1,
            total: Some(total.clone()),
            ..Default::default()
        };
        Ok(Order {
            name: request.name,
            number: ORDER_NUMBER.to_owned(),
            lines: vec![line],
            total: Some(total),
            ..Default::default()
        })
    }
}
