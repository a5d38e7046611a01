//! A request on its way into the simulation.

use crate::attributes::MetadataOf;
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::properties::Properties;
use crate::script::Upstream;
use serde_json::Value;

/// An HTTP request, what Envoy knows about its connection, and how its upstream will answer.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub(crate) message: Message,
    pub(crate) properties: Properties,
    pub(crate) upstream: Upstream,
    pub(crate) worker: usize,
    pub(crate) plugin: Option<String>,
    pub(crate) unfinished: bool,
}

// === impl Request ===

impl Request {
    /// `authority` as it stands in `:authority`; the scheme is https.
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.add(":method", method);
        headers.add(":scheme", "https");
        headers.add(":authority", authority);
        headers.add(":path", path);
        Self::from_message(Message { headers, ..Message::default() })
    }

    /// Headers exactly as given, for malformed requests too.
    pub fn from_message(message: Message) -> Self {
        Self { message, ..Self::default() }
    }

    pub fn get(authority: &str, path: &str) -> Self {
        Self::new("GET", authority, path)
    }

    pub fn post(authority: &str, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", authority, path).body(body)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.message.headers.add(name, value);
        self
    }

    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.message.body = bytes.into();
        self
    }

    /// More of the body comes later, with [`Host::send_body`](crate::Host::send_body).
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.message.trailers.add(name, value);
        self
    }

    /// An attribute such as `["connection", "requested_server_name"]`, serialised as Envoy does.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl Into<Vec<u8>>) -> Self {
        self.properties.set(path, value);
        self
    }

    /// An attribute with a structure, or a number, which is serialised as Envoy does.
    #[must_use]
    pub fn attribute(mut self, path: &[&str], value: impl Into<Value>) -> Self {
        self.properties.set_attribute(path, value.into());
        self
    }

    /// Metadata of the stream or its surroundings, under a namespace such as `envoy.lb`.
    #[must_use]
    pub fn metadata(mut self, of: MetadataOf, namespace: &str, value: impl Into<Value>) -> Self {
        self.properties.set_metadata(of, namespace, value.into());
        self
    }

    /// An object that a filter before this one left in the filter state.
    #[must_use]
    pub fn filter_state(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.properties.set_filter_state(key, value);
        self
    }

    /// How the upstream answers; 200 without a body unless told otherwise.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    /// Which worker's VM gets it, from 0.
    #[must_use]
    pub fn on_worker(mut self, worker: usize) -> Self {
        self.worker = worker;
        self
    }

    /// Which plugin filters it, by name; the first unless told otherwise.
    #[must_use]
    pub fn through(mut self, plugin: &str) -> Self {
        self.plugin = Some(plugin.to_owned());
        self
    }

    pub fn message(&self) -> &Message {
        &self.message
    }
}
