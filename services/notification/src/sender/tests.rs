//! Messages that are asked for, taken and noted together.
use chassis::{
    consumer::Consumer,
    event::{Envelope, Event},
    testing::{TestHost, TestProcess},
};
use contract::order::v1::{OrderConfirmed, OrderImported, OrderShipped};
use sea_orm::{ConnectionTrait, Statement};

use super::*;
use crate::{Service, service};

struct Office {
    _host: TestHost,
    sender: Sender,
    consumer: Consumer,
}

impl Office {
    async fn open() -> Office {
        let process = TestProcess::new().await;
        let host = process.host("notification");
        let db = host.db::<crate::Migrator>().await.expect("a database");
        let client = |noun| host.host().client(noun).expect("a client");
        let sender = Sender {
            db: db.clone(),
            identity: IdentityServiceClient::new(client("identity")),
            orders: OrderServiceClient::new(client("order")),
            mail: Mail::Caught,
            retry: Duration::from_secs(5),
            arrived: watch::Sender::new(0),
        };
        let service = Service {
            db: db.clone(),
            mail_is_caught: true,
            arrived: sender.arrived.clone(),
            shutdown: CancellationToken::new(),
        };
        let consumer = Consumer::new(&db, "notification")
            .on::<OrderConfirmed>(service.clone())
            .on::<OrderShipped>(service.clone())
            .on::<OrderImported>(service);
        Office { _host: host, sender, consumer }
    }

    async fn receive(&self, events: &[Envelope]) {
        self.consumer.receive_all(events).await.expect("taken over");
    }

    async fn lease(&self) -> Vec<Message> {
        self.sender.db.write(async |tx| due::lease(tx, LEASE, BATCH).await).await.expect("leased")
    }

    /// How many rows a condition on a table finds.
    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let statement = Statement::from_string(self.sender.db.backend(), sql);
        let row = self.sender.db.writer().query_one_raw(statement).await.expect("a count");
        row.and_then(|row| row.try_get_by_index(0).ok()).expect("a count")
    }
}

fn events<E: Event>(orders: &[&str], event: impl Fn(String, String) -> E) -> Vec<Envelope> {
    let envelope = |order: &&str| {
        let (name, customer) = (format!("orders/{order}"), format!("users/{order}"));
        Envelope::new("order", &name, &event(name.clone(), customer))
    };
    orders.iter().map(envelope).collect()
}

fn confirmed(orders: &[&str]) -> Vec<Envelope> {
    events(orders, |order, customer| OrderConfirmed { order, customer, ..Default::default() })
}

#[tokio::test]
async fn of_orders_that_are_told_of_together_each_is_told_once() {
    let office = Office::open().await;
    let mute = async |tx: &_| {
        service::update_preferences(
            tx,
            "users/2",
            |muted| muted.shipping_updates_muted = true,
            Timestamp::now(),
        )
        .await
    };
    office.sender.db.write(mute).await.expect("muted");
    let mut all = confirmed(&["1", "2", "3"]);
    office.receive(&all[..1]).await;
    // The same news under another id, news that happened elsewhere, and news that nobody can read.
    all.extend(confirmed(&["3"]));
    all.extend(events(&["4"], |order, customer| OrderImported { order, customer, ..Default::default() }));
    all.extend(events(&["1", "2"], |order, customer| OrderShipped { order, customer, ..Default::default() }));
    office.receive(&all).await;
    all.insert(0, Envelope { payload: vec![255].into(), ..confirmed(&["5"]).remove(0) });
    all.extend(confirmed(&["6"]));
    office.receive(&all).await;

    // By mail and to the inbox; only by mail where nothing is sent.
    assert_eq!(office.count("notifications WHERE kind = 'order-confirmed' AND state = 'PENDING'").await, 8);
    assert_eq!(
        office.count("notifications WHERE kind = 'order-confirmed' AND state = 'SUPPRESSED'").await,
        1
    );
    assert_eq!(office.count("notifications WHERE kind = 'order-shipped' AND state = 'PENDING'").await, 2);
    assert_eq!(office.count("notifications WHERE kind = 'order-shipped' AND state = 'SUPPRESSED'").await, 2);
    assert_eq!(office.count("parked WHERE state = 'PARKED'").await, 1);
}

#[tokio::test]
async fn what_a_dead_process_had_taken_is_sent_by_the_next_at_once() {
    let office = Office::open().await;
    office.receive(&confirmed(&["1"])).await;
    let taken = office.lease().await;
    assert!(office.lease().await.is_empty());
    due::abandon_all(&office.sender.db).await.expect("given up");
    let again = office.lease().await;
    assert_eq!((again.len(), again[0].attempts), (taken.len(), 2), "each try is counted");
}

#[tokio::test]
async fn messages_are_taken_once_and_a_note_that_fails_is_not_the_undoing_of_others() {
    let office = Office::open().await;
    office.receive(&confirmed(&["1", "2", "3", "4"])).await;
    let leased = office.lease().await;
    assert_eq!(leased.len(), 8);
    assert!(office.lease().await.is_empty(), "what is taken is not taken again");
    let same = Id::new();
    let mails = leased.into_iter().filter(|message| message.channel == Channel::Email).enumerate();
    let tried: Vec<Tried> = mails
        .map(|(number, message)| {
            let caught = Caught {
                // The inbox knows the second mail's id already.
                id: if number < 2 { same } else { Id::new() },
                address: String::new(),
                recipient: message.recipient.clone(),
                kind: message.kind.clone(),
                subject: String::new(),
                body: String::new(),
                send_time: Timestamp::now(),
            };
            let ending = Ending {
                state: State::Sent,
                subject: String::new(),
                body: "told".to_owned(),
                failure: String::new(),
                forget: true,
            };
            let outcome = match number {
                3 => Outcome::without(State::Failed, "the mail server refused it".to_owned(), false),
                _ => Outcome::Ended { ending, caught: Some(caught) },
            };
            Tried { message, outcome }
        })
        .collect();
    office.sender.note(tried).await;
    assert_eq!(office.count("notifications WHERE state = 'SENT' AND body = 'told'").await, 2);
    assert_eq!(office.count("notifications WHERE state = 'FAILED'").await, 1);
    assert_eq!(office.count("caught_mail").await, 2);
    assert_eq!(office.count("outbox WHERE kind LIKE '%.NotificationFailed'").await, 1);
    assert_eq!(office.count("notifications WHERE state = 'PENDING'").await, 5);
}
