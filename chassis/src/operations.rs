//! What every service offers its operators: its parked messages, how far its events are behind, and its books.

mod books;
mod events;
mod messages;
mod outbox;
mod own;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use contract::operations::v1 as pb;
use contract::operations::v1::operations_service_server::{OperationsService, OperationsServiceServer};
use sea_orm::DbErr;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Request, Response, Status};
use tower::Service;
use uuid::Uuid;

pub use books::{Books, Fact, Finding};
pub(crate) use events::watch;
pub(crate) use outbox::RemoteOutboxes;
pub(crate) use watch::Watch;

use crate::consumer::Consumer;
use crate::db::Db;
use crate::time::Timestamp;
use crate::{caller, history, status};

const DOMAIN: &str = "cartwright";

/// The service `cartwright.operations.v1.OperationsService` over one service's own database.
#[derive(Clone, Debug)]
pub struct Operations(OperationsServiceServer<Desk>);

impl Operations {
    /// The operators' view of the service called `noun`, which knows its events for so many days.
    pub fn new(
        db: &Db,
        noun: &str,
        consumer: Option<Consumer>,
        books: Option<Arc<dyn Books>>,
        history_days: u16,
    ) -> Operations {
        let desk = Desk { db: db.clone(), noun: noun.to_owned(), consumer, books, history_days };
        Operations(OperationsServiceServer::new(desk))
    }
}

impl NamedService for Operations {
    const NAME: &'static str = <OperationsServiceServer<Desk> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Operations {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = tonic::codegen::BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// Who answers.
#[derive(Clone)]
struct Desk {
    db: Db,
    noun: String,
    consumer: Option<Consumer>,
    books: Option<Arc<dyn Books>>,
    history_days: u16,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("noun", &self.noun).finish_non_exhaustive()
    }
}

/// Why an operator is refused.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no parked message {0}")]
    MessageNotFound(String),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        match &error {
            Error::MessageNotFound(_) => {
                status::refusal(Code::NotFound, "PARKED_MESSAGE_NOT_FOUND", DOMAIN, &error)
            }
            Error::Database(_) => status::internal(&error),
        }
    }
}

#[tonic::async_trait]
impl OperationsService for Desk {
    async fn list_parked_messages(
        &self,
        request: Request<pb::ListParkedMessagesRequest>,
    ) -> Result<Response<pb::ListParkedMessagesResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(messages::list(&self.db, request.page_size, &request.page_token).await?))
    }

    async fn redrive_parked_message(
        &self,
        request: Request<pb::RedriveParkedMessageRequest>,
    ) -> Result<Response<pb::ParkedMessage>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = messages::id(&request.name)?;
        Ok(Response::new(messages::redrive(&self.db, &caller, id, &request).await?))
    }

    async fn get_event_lag(
        &self,
        _: Request<pb::GetEventLagRequest>,
    ) -> Result<Response<pb::EventLag>, Status> {
        let mut lag = events::lag(&self.db, self.history_days).await.map_err(Error::from)?;
        // A type that is consumed counts even where none was applied yet: that is when it is behind.
        for kind in self.consumer.iter().flat_map(Consumer::kinds) {
            if !lag.applied.iter().any(|known| known.r#type == kind) {
                lag.applied.push(pb::EventCount { r#type: kind, count: 0 });
            }
        }
        if let Some(books) = &self.books {
            lag.pending_work = events::count(books.pending(&self.db).await.map_err(Error::from)?);
        }
        Ok(Response::new(lag))
    }

    async fn list_published_events(
        &self,
        request: Request<pb::ListPublishedEventsRequest>,
    ) -> Result<Response<pb::ListPublishedEventsResponse>, Status> {
        let request = request.into_inner();
        let (events, next_page_token) =
            events::list(&self.db, events::OUTBOX, request.page_size, &request.page_token).await?;
        Ok(Response::new(pb::ListPublishedEventsResponse { events, next_page_token }))
    }

    async fn list_applied_events(
        &self,
        request: Request<pb::ListAppliedEventsRequest>,
    ) -> Result<Response<pb::ListAppliedEventsResponse>, Status> {
        let request = request.into_inner();
        let (events, next_page_token) =
            events::list(&self.db, events::INBOX, request.page_size, &request.page_token).await?;
        let subscriptions = self.consumer.iter().flat_map(Consumer::kinds).collect();
        Ok(Response::new(pb::ListAppliedEventsResponse { events, next_page_token, subscriptions }))
    }

    async fn read_events(
        &self,
        request: Request<pb::ReadEventsRequest>,
    ) -> Result<Response<pb::ReadEventsResponse>, Status> {
        Ok(Response::new(outbox::read(&self.db, request.into_inner()).await?))
    }

    async fn check_invariants(
        &self,
        _: Request<pb::CheckInvariantsRequest>,
    ) -> Result<Response<pb::CheckInvariantsResponse>, Status> {
        let since = history::start(self.history_days);
        let findings = look(&self.db, self.books.as_deref(), since).await.map_err(Error::from)?;
        let findings = findings.into_iter().map(pb::Finding::from).collect();
        Ok(Response::new(pb::CheckInvariantsResponse { findings }))
    }

    async fn list_facts(
        &self,
        request: Request<pb::ListFactsRequest>,
    ) -> Result<Response<pb::ListFactsResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(books::list(&self.db, self.books.as_deref(), &request).await?))
    }
}

/// Everything that can be checked of a service's own database: what all services keep, looked at since a time, and its books.
async fn look(db: &Db, books: Option<&dyn Books>, since: Timestamp) -> Result<Vec<Finding>, DbErr> {
    let quiet = db.auditor().await?;
    let looked = async {
        let mut findings = own::check(&quiet, since).await?;
        if let Some(books) = books {
            findings.extend(books.check(&quiet).await?);
        }
        Ok(findings)
    }
    .await;
    quiet.close().await?;
    looked
}

fn parse_uuid(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}
