//! What one Envoy stream has asked for and was given: the delta variant of xDS, without the wire.
//!
//! Source: "Incremental xDS" of Envoy's xDS protocol documentation, and the comments of
//! `envoy.service.discovery.v3`.

use crate::leaf::Leaf;
use crate::minter::Minter;
use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    Secret, TlsCertificate, secret,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource,
};
use envoy_types::util::pack_any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The only type of resource there is here.
pub const SECRET_TYPE: &str =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// Longest text of somebody else's that goes into a log line, in characters.
const MAX_LOGGED: usize = 256;

/// The subscriptions of one stream.
pub struct Subscriptions {
    minter: Arc<Minter>,
    /// Name, as Envoy spelt it, to the version of the leaf it has or was sent.
    held: BTreeMap<String, String>,
    responses: u64,
}

/// The stream asks for something that is not served here.
#[derive(Debug, thiserror::Error)]
#[error("only {SECRET_TYPE} is served here")]
pub struct WrongType;

// === impl Subscriptions ===

impl Subscriptions {
    pub fn new(minter: Arc<Minter>) -> Self {
        Self { minter, held: BTreeMap::new(), responses: 0 }
    }

    /// Takes a request in: a subscription, an end of one, an acknowledgement, or all of them.
    pub fn on_request(
        &mut self,
        request: &DeltaDiscoveryRequest,
    ) -> Result<Option<DeltaDiscoveryResponse>, WrongType> {
        if request.type_url != SECRET_TYPE {
            return Err(WrongType);
        }
        log_acknowledgement(request);
        for asked in &request.resource_names_unsubscribe {
            self.held.remove(asked);
        }
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        for asked in &request.resource_names_subscribe {
            match self.subscribe(asked) {
                // After a reconnection Envoy says what it still has; that is not sent again.
                Some(leaf)
                    if request.initial_resource_versions.get(asked) == Some(&leaf.serial) => {}
                Some(leaf) => resources.push(resource(asked, &leaf)),
                None => removed.push(asked.clone()),
            }
        }
        Ok(self.response(resources, removed))
    }

    /// Looks at every leaf that was handed out and says what has become of it.
    pub fn on_change(&mut self) -> Option<DeltaDiscoveryResponse> {
        let mut resources = Vec::new();
        let mut removed = Vec::new();
        self.held.retain(|asked, version| match self.minter.standing(asked) {
            Some(leaf) if leaf.serial == *version => true,
            Some(leaf) => {
                resources.push(resource(asked, &leaf));
                version.clone_from(&leaf.serial);
                true
            }
            None => {
                tracing::info!(name = %for_log(asked), "withdrawn");
                removed.push(asked.clone());
                false
            }
        });
        self.response(resources, removed)
    }

    fn subscribe(&mut self, asked: &str) -> Option<Arc<Leaf>> {
        match self.minter.leaf(asked) {
            Ok(leaf) => {
                self.held.insert(asked.to_owned(), leaf.serial.clone());
                Some(leaf)
            }
            Err(reason) => {
                tracing::warn!(name = %for_log(asked), %reason, "refused");
                self.held.remove(asked);
                None
            }
        }
    }

    fn response(
        &mut self,
        resources: Vec<Resource>,
        removed_resources: Vec<String>,
    ) -> Option<DeltaDiscoveryResponse> {
        if resources.is_empty() && removed_resources.is_empty() {
            return None;
        }
        self.responses += 1;
        Some(DeltaDiscoveryResponse {
            // For debugging only in the delta variant; each resource has a version of its own.
            system_version_info: self.responses.to_string(),
            nonce: self.responses.to_string(),
            type_url: SECRET_TYPE.to_owned(),
            resources,
            removed_resources,
            ..DeltaDiscoveryResponse::default()
        })
    }
}

fn resource(asked: &str, leaf: &Leaf) -> Resource {
    let certificate = TlsCertificate {
        certificate_chain: Some(inline(leaf.certificate_pem.as_bytes())),
        private_key: Some(inline(leaf.key_pem.as_bytes())),
        ..TlsCertificate::default()
    };
    let secret =
        Secret { name: asked.to_owned(), r#type: Some(secret::Type::TlsCertificate(certificate)) };
    Resource {
        name: asked.to_owned(),
        version: leaf.serial.clone(),
        resource: Some(pack_any(secret)),
        ..Resource::default()
    }
}

fn inline(bytes: &[u8]) -> DataSource {
    DataSource { specifier: Some(Specifier::InlineBytes(bytes.to_vec())), ..DataSource::default() }
}

fn log_acknowledgement(request: &DeltaDiscoveryRequest) {
    let nonce = &request.response_nonce;
    match &request.error_detail {
        Some(error) => tracing::error!(
            nonce = %for_log(nonce),
            reason = %for_log(&error.message),
            "Envoy rejected a leaf (NACK)"
        ),
        None if !nonce.is_empty() => tracing::debug!(nonce = %for_log(nonce), "ACK"),
        None => {}
    }
}

/// A guest chooses its SNI: escaped, and cut, before it comes near a log.
fn for_log(text: &str) -> String {
    text.chars().take(MAX_LOGGED).flat_map(char::escape_debug).collect()
}
