//! The SDS protocol, spoken by a real gRPC client over a unix socket and over TCP.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

mod common;

use common::{DAY, PATIENCE, Stream, Turned, channel, minter, pems, subscribe};
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryServiceServer;
use envoy_types::pb::google::rpc;
use leaf_ca::listen::{Bound, Listen};
use leaf_ca::minter::Minter;
use leaf_ca::policy::Policy;
use leaf_ca::sds::Sds;
use leaf_ca::subscriptions::SECRET_TYPE;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::Code;
use tonic::transport::{Channel, Server};

const POLICY: &str = "hosts: [api.example.com, other.example.com, '*.wild.example.com']";

/// A running service; its folder and its clock.
struct Service {
    minter: Arc<Minter>,
    time: Turned,
    address: String,
    stop: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Service {
    async fn start(names: usize) -> Self {
        Self::on("unix", names).await
    }

    async fn on(kind: &str, names: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen: Listen = match kind {
            "unix" => format!("unix:{}", dir.path().join("s").display()),
            _ => "127.0.0.1:0".to_owned(),
        }
        .parse()
        .unwrap();
        let time = Turned::default();
        let minter = minter(POLICY, names, &time);
        let (stop, stopping) = watch::channel(false);
        let sds = SecretDiscoveryServiceServer::new(Sds::new(Arc::clone(&minter), stopping));
        let bound = listen.bind(0o600).await.unwrap();
        let address = bound.address().unwrap();
        let server = Server::builder().add_service(sds);
        tokio::spawn(async move {
            match bound {
                Bound::Unix(listener, _file) => {
                    server.serve_with_incoming(UnixListenerStream::new(listener)).await
                }
                Bound::Loopback(listener) => {
                    server.serve_with_incoming(TcpListenerStream::new(listener)).await
                }
            }
        });
        Self { minter, time, address, stop, _dir: dir }
    }

    async fn channel(&self) -> Channel {
        channel(&self.address).await
    }

    async fn stream(&self) -> Stream {
        Stream::open(&self.channel().await).await
    }
}

#[tokio::test]
async fn a_name_of_the_policy_gets_its_leaf_over_either_socket() {
    for kind in ["unix", "tcp"] {
        let service = Service::on(kind, 10).await;
        let mut stream = service.stream().await;
        let answer = stream.ask("api.example.com").await;
        assert_eq!(answer.type_url, SECRET_TYPE);
        assert!(answer.removed_resources.is_empty());
        assert!(!answer.nonce.is_empty() && !answer.system_version_info.is_empty());
        assert!(!answer.resources[0].version.is_empty());
        let (certificate, key) = pems(&answer);
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}

#[tokio::test]
async fn every_other_name_is_removed() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    for name in [
        "evil.example.com",
        "wild.example.com",
        "example.com",
        "*",
        "*.wild.example.com",
        "127.0.0.1",
        "",
        "a\r\nb.wild.example.com",
        "a..wild.example.com",
        &format!("{}.wild.example.com", "a".repeat(64)),
    ] {
        let answer = stream.ask(name).await;
        assert!(answer.resources.is_empty(), "{name}");
        assert_eq!(answer.removed_resources, [name]);
    }
}

#[tokio::test]
async fn names_good_and_bad_in_one_request() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    stream.send(subscribe(&["api.example.com", "evil.example.com", "A.Wild.example.com"])).await;
    let answer = stream.next().await.unwrap();
    let names: Vec<_> = answer.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(names, ["api.example.com", "A.Wild.example.com"], "named as they were asked for");
    assert_eq!(answer.removed_resources, ["evil.example.com"]);
}

#[tokio::test]
async fn streams_share_a_leaf() {
    let service = Service::start(10).await;
    let mut one = service.stream().await;
    let mut two = service.stream().await;
    let (first, second) = tokio::join!(one.ask("api.example.com"), two.ask("api.example.com"));
    assert_eq!(pems(&first), pems(&second));
}

#[tokio::test]
async fn acknowledgements_are_not_answered() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    let first = stream.ask("api.example.com").await;
    let ack = DeltaDiscoveryRequest {
        type_url: SECRET_TYPE.into(),
        response_nonce: first.nonce.clone(),
        ..DeltaDiscoveryRequest::default()
    };
    let nack = DeltaDiscoveryRequest {
        error_detail: Some(rpc::Status { code: 13, message: "bad\nleaf".into(), details: vec![] }),
        ..ack.clone()
    };
    stream.send(ack).await;
    stream.send(nack).await;
    // The next answer is the one to the next question.
    let second = stream.ask("other.example.com").await;
    assert_eq!(second.resources[0].name, "other.example.com");
    assert_ne!(second.nonce, first.nonce);
}

#[tokio::test]
async fn a_reconnected_envoy_is_not_sent_what_it_has() {
    let service = Service::start(10).await;
    let version = service.stream().await.ask("api.example.com").await.resources[0].version.clone();
    let reconnect = |version: &str| DeltaDiscoveryRequest {
        initial_resource_versions: [("api.example.com".to_owned(), version.to_owned())].into(),
        ..subscribe(&["api.example.com"])
    };
    let mut stream = service.stream().await;
    stream.send(reconnect(&version)).await;
    let answer = stream.ask("other.example.com").await;
    assert_eq!(answer.resources[0].name, "other.example.com", "nothing was sent for the first");
    // It is subscribed all the same, and is told when its leaf changes.
    service.time.pass(4 * DAY);
    service.minter.recheck();
    assert_eq!(stream.next().await.unwrap().resources.len(), 2);

    let mut stale = service.stream().await;
    stale.send(reconnect("0123")).await;
    assert_ne!(stale.next().await.unwrap().resources[0].version, "0123");
}

#[tokio::test]
async fn a_leaf_is_renewed_after_half_its_life_and_not_before() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    let first = stream.ask("api.example.com").await;

    service.time.pass(3 * DAY);
    service.minter.recheck();
    assert_eq!(pems(&stream.ask("api.example.com").await), pems(&first), "still young");

    service.time.pass(DAY);
    service.minter.recheck();
    let pushed = stream.next().await.unwrap();
    assert_eq!(pushed.resources[0].name, "api.example.com");
    assert_ne!(pems(&pushed), pems(&first));
    assert_ne!(pushed.resources[0].version, first.resources[0].version);
}

#[tokio::test]
async fn an_ended_subscription_is_not_renewed() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    stream.ask("api.example.com").await;
    stream.ask("other.example.com").await;
    let end = DeltaDiscoveryRequest {
        type_url: SECRET_TYPE.into(),
        resource_names_unsubscribe: vec!["api.example.com".into()],
        ..DeltaDiscoveryRequest::default()
    };
    stream.send(end).await;
    // Answered after the end was read: requests of a stream are taken in order.
    stream.ask("a.wild.example.com").await;
    service.time.pass(4 * DAY);
    service.minter.recheck();
    let pushed = stream.next().await.unwrap();
    let names: Vec<_> = pushed.resources.iter().map(|resource| resource.name.as_str()).collect();
    assert_eq!(names, ["a.wild.example.com", "other.example.com"]);
}

#[tokio::test]
async fn a_name_that_leaves_the_policy_is_withdrawn_and_may_come_back() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    stream.ask("api.example.com").await;
    stream.ask("other.example.com").await;
    service.minter.replace_policy(Policy::parse("hosts: [other.example.com]").unwrap());
    let pushed = stream.next().await.unwrap();
    assert_eq!(pushed.removed_resources, ["api.example.com"]);
    assert!(pushed.resources.is_empty());
    assert_eq!(stream.ask("api.example.com").await.removed_resources, ["api.example.com"]);
    service.minter.replace_policy(Policy::parse(POLICY).unwrap());
    assert_eq!(stream.ask("api.example.com").await.resources.len(), 1);
}

#[tokio::test]
async fn made_up_names_push_out_the_oldest_and_no_more() {
    let service = Service::start(3).await;
    let mut stream = service.stream().await;
    for name in ["api.example.com", "API.example.com", "a.wild.example.com"] {
        assert_eq!(stream.ask(name).await.resources.len(), 1);
    }
    // A spelling of its own is a secret of its own to Envoy, and counts.
    let mut churn = service.stream().await;
    assert_eq!(churn.ask("b.wild.example.com").await.resources.len(), 1);
    assert_eq!(stream.next().await.unwrap().removed_resources, ["api.example.com"]);
    assert_eq!(churn.ask("c.wild.example.com").await.resources.len(), 1);
    assert_eq!(stream.next().await.unwrap().removed_resources, ["API.example.com"]);
    // Who was pushed out gets in again.
    assert_eq!(stream.ask("api.example.com").await.resources.len(), 1);
}

#[tokio::test]
async fn what_is_not_served_here_says_so() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    let clusters = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    stream.send(DeltaDiscoveryRequest { type_url: clusters.into(), ..subscribe(&["a"]) }).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::InvalidArgument);

    let mut client = SecretDiscoveryServiceClient::new(service.channel().await);
    let fetch = client.fetch_secrets(DiscoveryRequest::default()).await.unwrap_err();
    let poll = tokio_stream::iter([DiscoveryRequest::default()]);
    let whole = client.stream_secrets(poll).await.unwrap_err();
    for refused in [fetch, whole] {
        assert_eq!(refused.code(), Code::Unimplemented);
        assert!(refused.message().contains("DELTA_GRPC"));
    }
}

#[tokio::test]
async fn streams_end_when_the_service_does() {
    let service = Service::start(10).await;
    let mut stream = service.stream().await;
    stream.ask("api.example.com").await;
    service.stop.send_replace(true);
    let ended = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
}
