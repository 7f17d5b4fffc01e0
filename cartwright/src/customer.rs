//! A customer: calls the edge as any client would.
use anyhow::Context;
use contract::cart::v1::cart_service_client::CartServiceClient;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::identity::v1::identity_service_client::IdentityServiceClient;
use contract::notification::v1::notification_service_client::NotificationServiceClient;
use contract::order::v1::order_service_client::OrderServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// A client of the edge, with a token once signed in.
#[derive(Clone)]
pub(crate) struct Customer {
    channel: Channel,
    token: Token,
}

/// Puts the access token into each call.
#[derive(Clone, Default)]
pub(crate) struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

type Edge = InterceptedService<Channel, Token>;

impl Customer {
    /// Connects to the edge.
    pub(crate) async fn connect(edge: &str) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(edge.to_owned())?;
        let channel = endpoint.connect().await.with_context(|| format!("no shop answers at {edge}"))?;
        Ok(Customer { channel, token: Token::default() })
    }

    /// Uses an access token from now on.
    pub(crate) fn sign(&mut self, access_token: &str) -> anyhow::Result<()> {
        self.token = Token(Some(format!("Bearer {access_token}").parse()?));
        Ok(())
    }

    fn edge(&self) -> Edge {
        InterceptedService::new(self.channel.clone(), self.token.clone())
    }

    pub(crate) fn identity(&self) -> IdentityServiceClient<Edge> {
        IdentityServiceClient::new(self.edge())
    }

    pub(crate) fn catalog(&self) -> CatalogServiceClient<Edge> {
        CatalogServiceClient::new(self.edge())
    }

    pub(crate) fn cart(&self) -> CartServiceClient<Edge> {
        CartServiceClient::new(self.edge())
    }

    pub(crate) fn orders(&self) -> OrderServiceClient<Edge> {
        OrderServiceClient::new(self.edge())
    }

    pub(crate) fn notifications(&self) -> NotificationServiceClient<Edge> {
        NotificationServiceClient::new(self.edge())
    }
}
