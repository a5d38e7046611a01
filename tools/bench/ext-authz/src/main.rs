//! The least that Envoy's `ext_authz` could be asked for in place of the filter: a service that
//! verifies the Session JWT and has Envoy write a credential. For `cargo xtask bench`, and nothing else.
//!
//! It remembers whom it has verified, as the filter does, so that what is compared is the way there and
//! back. It has no allow-list, no leases and no revocations.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, HeaderAppendAction,
};
use envoy_types::ext_authz::v3::{CheckRequestExt, CheckResponseExt, OkHttpResponseBuilder};
use session::{KeySet, Rules, Session, Verifier};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    issuer: String,
    #[arg(long)]
    audience: String,
    /// The key set, JSON
    #[arg(long)]
    jwks: PathBuf,
    /// The header that holds the Session JWT
    #[arg(long)]
    carrier: String,
    /// What is written into `Authorization`
    #[arg(long)]
    credential: String,
}

struct Injector {
    verifier: Verifier,
    carrier: String,
    credential: String,
    verified: Mutex<HashMap<String, Session>>,
}

/// Sessions that are remembered; then all are forgotten.
const CAPACITY: usize = 65_536;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let jwks = std::fs::read(&arguments.jwks).context("reading the key set")?;
    let keys = KeySet::from_jwks(&serde_json::from_slice(&jwks)?)
        .map_err(|errors| anyhow!("{}: {errors:?}", arguments.jwks.display()))?;
    let injector = Injector {
        verifier: Verifier::new(Rules::new(arguments.issuer, arguments.audience), keys),
        carrier: arguments.carrier,
        credential: arguments.credential,
        verified: Mutex::default(),
    };
    let listener = TcpListener::bind(arguments.listen).await?;
    let service = AuthorizationServer::new(injector);
    Ok(Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?)
}

// === impl Injector ===

#[tonic::async_trait]
impl Authorization for Injector {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let headers = request.get_ref().get_client_headers();
        let token = headers.and_then(|headers| headers.get(&self.carrier));
        if !token.is_some_and(|token| self.is_good(token)) {
            return Ok(Response::new(CheckResponse::with_status(Status::permission_denied(""))));
        }
        let mut response = OkHttpResponseBuilder::new();
        let replace = Some(HeaderAppendAction::OverwriteIfExistsOrAdd);
        response.add_header("authorization", &self.credential, replace, false);
        response.remove_header(&self.carrier);
        let mut answer = CheckResponse::with_status(Status::ok(""));
        answer.set_http_response(response);
        Ok(Response::new(answer))
    }
}

impl Injector {
    fn is_good(&self, token: &str) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = verified.get(token) {
            return self.verifier.check_time(session, now).is_ok();
        }
        let Ok(session) = self.verifier.verify(token.as_bytes(), now) else { return false };
        if verified.len() >= CAPACITY {
            verified.clear();
        }
        verified.insert(token.to_owned(), session);
        true
    }
}
