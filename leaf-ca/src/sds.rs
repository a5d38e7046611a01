//! The gRPC service Envoy calls: `envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets`.

use crate::minter::Minter;
use crate::subscriptions::Subscriptions;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryService;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Responses that wait for a slow Envoy before its stream is no longer read from.
const BACKLOG: usize = 8;

/// Serves any number of streams; Envoy opens one for each name it holds.
pub struct Sds {
    minter: Arc<Minter>,
    stop: watch::Receiver<bool>,
}

/// One stream and what it needs to answer.
struct Conversation {
    subscriptions: Subscriptions,
    changes: watch::Receiver<()>,
    stop: watch::Receiver<bool>,
    outbound: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
}

// === impl Sds ===

impl Sds {
    /// `stop` turning true ends every stream, without which a graceful shutdown would not end.
    pub fn new(minter: Arc<Minter>, stop: watch::Receiver<bool>) -> Self {
        Self { minter, stop }
    }
}

#[tonic::async_trait]
impl SecretDiscoveryService for Sds {
    type DeltaSecretsStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;
    type StreamSecretsStream = ReceiverStream<Result<DiscoveryResponse, Status>>;

    async fn delta_secrets(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        let (outbound, responses) = mpsc::channel(BACKLOG);
        let conversation = Conversation {
            changes: self.minter.changes(),
            subscriptions: Subscriptions::new(Arc::clone(&self.minter)),
            stop: self.stop.clone(),
            outbound,
        };
        tokio::spawn(conversation.hold(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn stream_secrets(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        Err(Status::unimplemented("set `api_type: DELTA_GRPC`: only that can refuse one name"))
    }

    async fn fetch_secrets(
        &self,
        _: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented("set `api_type: DELTA_GRPC`: only that can refuse one name"))
    }
}

// === impl Conversation ===

impl Conversation {
    async fn hold(mut self, mut inbound: Streaming<DeltaDiscoveryRequest>) {
        loop {
            let answer = tokio::select! {
                message = inbound.message() => match message {
                    Ok(Some(request)) => self
                        .subscriptions
                        .on_request(&request)
                        .map_err(|wrong| Status::invalid_argument(wrong.to_string())),
                    // Envoy is done with this name, or gone.
                    Ok(None) | Err(_) => return,
                },
                _ = self.stop.wait_for(|stop| *stop) => {
                    Err(Status::unavailable("leaf-ca is shutting down"))
                }
                Ok(()) = self.changes.changed() => Ok(self.subscriptions.on_change()),
            };
            let last = answer.is_err();
            if let Some(answer) = answer.transpose()
                && self.outbound.send(answer).await.is_err()
            {
                return;
            }
            if last {
                return;
            }
        }
    }
}
