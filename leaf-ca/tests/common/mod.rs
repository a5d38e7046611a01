//! What the tests share: an authority in a folder, a clock they turn, an Envoy made of a gRPC client.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

use envoy_types::pb::envoy::config::core::v3::{DataSource, Node, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, secret};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use leaf_ca::authority::{Authority, NewAuthority, create};
use leaf_ca::minter::{Clock, Limits, Minter};
use leaf_ca::policy::Policy;
use leaf_ca::subscriptions::SECRET_TYPE;
use prost::Message;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Nothing here takes long; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Now, plus what the test has let pass.
#[derive(Clone, Default)]
pub struct Turned(Arc<AtomicU64>);

impl Turned {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_secs(), Ordering::SeqCst);
    }

    pub fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub fn clock(&self) -> Clock {
        let own = self.clone();
        Arc::new(move || own.now())
    }
}

/// Makes an authority of a year in `dir`.
pub fn authority(dir: &Path) {
    let wanted = NewAuthority { name: "Test CA".into(), life: 365 * DAY };
    create(dir, &wanted, SystemTime::now()).unwrap();
}

/// One authority for every test of a binary that only signs.
pub fn shared_authority() -> Authority {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        authority(dir.path());
        dir
    });
    Authority::load(dir.path(), SystemTime::now()).unwrap()
}

/// Leaves of seven days.
pub fn minter(policy: &str, names: usize, time: &Turned) -> Arc<Minter> {
    minter_with_refused_names(policy, names, 0, time)
}

/// The same, which also mints for as many names outside the policy.
pub fn minter_with_refused_names(
    policy: &str,
    names: usize,
    refused_names: usize,
    time: &Turned,
) -> Arc<Minter> {
    let limits = Limits {
        life: 7 * DAY,
        names: NonZeroUsize::new(names).unwrap(),
        refused_names: NonZeroUsize::new(refused_names),
    };
    let policy = Policy::parse(policy).unwrap();
    Arc::new(Minter::new(shared_authority(), policy, limits, time.clock()))
}

pub async fn channel(address: &str) -> Channel {
    let uri = match address.strip_prefix("unix:") {
        Some(path) => format!("unix:{path}"),
        None => format!("http://{address}"),
    };
    Endpoint::from_shared(uri).unwrap().connect().await.unwrap()
}

/// One stream, as Envoy holds one.
pub struct Stream {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Stream {
    pub async fn open(channel: &Channel) -> Self {
        let (requests, outbound) = mpsc::channel(8);
        let responses = SecretDiscoveryServiceClient::new(channel.clone())
            .delta_secrets(ReceiverStream::new(outbound))
            .await
            .unwrap()
            .into_inner();
        Self { requests, responses }
    }

    pub async fn send(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).await.unwrap();
    }

    pub async fn next(&mut self) -> Result<DeltaDiscoveryResponse, Status> {
        let message = tokio::time::timeout(PATIENCE, self.responses.message());
        message.await.expect("an answer").map(|answer| answer.expect("an open stream"))
    }

    pub async fn ask(&mut self, name: &str) -> DeltaDiscoveryResponse {
        self.send(subscribe(&[name])).await;
        self.next().await.unwrap()
    }
}

pub fn subscribe(names: &[&str]) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: Some(Node { id: "edge".into(), cluster: "edge".into(), ..Node::default() }),
        type_url: SECRET_TYPE.to_owned(),
        resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    }
}

/// Certificate and key of the only secret in a response, in PEM.
pub fn pems(response: &DeltaDiscoveryResponse) -> (String, String) {
    assert_eq!(response.resources.len(), 1, "{:?}", response.removed_resources);
    let any = response.resources[0].resource.as_ref().unwrap();
    assert_eq!(any.type_url, SECRET_TYPE);
    let secret = Secret::decode(any.value.as_slice()).unwrap();
    assert_eq!(secret.name, response.resources[0].name);
    match secret.r#type.unwrap() {
        secret::Type::TlsCertificate(tls) => (
            inline(tls.certificate_chain.as_ref().unwrap()),
            inline(tls.private_key.as_ref().unwrap()),
        ),
        other => panic!("not a certificate: {other:?}"),
    }
}

fn inline(source: &DataSource) -> String {
    match source.specifier.as_ref().unwrap() {
        Specifier::InlineBytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("not inline: {other:?}"),
    }
}
