//! The server that does nothing, to compare with.

use crate::common::Home;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::routing::post;
use custody::config::{Config, Protection};
use custody::metrics::Metrics;
use custody::server::listener::Listener;
use custody_audit::entry::{IssuedLease, RequestedLease, SessionId};
use custody_audit::{AuditLog, Entry, Event, Outcome, recovery};
use custody_base::tls;
use lease::LeaseRequest;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The word by which this program is that server.
pub const WORD: &str = "--empty-handler";

/// This program once more, as a process of its own.
pub struct EmptyServer {
    child: Child,
    pub address: SocketAddr,
}

impl EmptyServer {
    pub fn start(home: &Home) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(WORD)
            .arg(home.config())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for EmptyServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn serve(config: &Path) {
    let config = Config::load(config).unwrap();
    let path = config.storage.audit.with_file_name("empty.jsonl");
    let (audit, _writing) = AuditLog::start(recovery::open(&path).unwrap()).await.unwrap();
    let routes = Router::new().route("/v1/leases", post(nothing)).with_state(audit);
    let Protection::MutualTls(files) = &config.edge.protection else { panic!("TLS") };
    let acceptor = tls::acceptor(files, tls::TLS12_AND_13).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = Listener::new(
        socket,
        Some(watch::channel(acceptor).1),
        routes,
        &Arc::new(Metrics::default()),
    );
    println!("{}", listener.address().unwrap());
    let (_never, stop) = watch::channel(false);
    listener.serve(stop).await;
}

/// A record as long as a lease's, durable, and an answer as long as a lease.
async fn nothing(State(audit): State<AuditLog>, body: Body) -> Bytes {
    let body = to_bytes(body, 1 << 16).await.unwrap();
    let request = LeaseRequest::decode(&body).unwrap();
    let mut entry = Entry::new(Event::Lease, Outcome::Allow);
    entry.session = Some(SessionId {
        issuer: "https://control-plane.example".into(),
        subject: Some("ci-job-7".into()),
        jwt_id: Some("jti-1".into()),
        session_id: "jti-1".into(),
    });
    entry.requested = Some(RequestedLease::of(&request));
    entry.issued = Some(IssuedLease {
        lease_id: "lse_AAAAAAAAAAAAAAAAAAAAAA".into(),
        actor: "default".into(),
        expires_at: 1_800_000_000,
        purpose: None,
    });
    audit.append(entry).await.unwrap();
    Bytes::from_static(
        br#"{"lease_id":"lse_AAAAAAAAAAAAAAAAAAAAAA","expires_at":1800000000,"renew_after":1800000000,"headers":[{"name":"authorization","value":"Bearer canary-7Qv+w/2hX_9d41c6e0b8"}],"binding":"session"}"#,
    )
}
