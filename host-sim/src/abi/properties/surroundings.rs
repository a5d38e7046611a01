//! Attributes of what is around a stream, where a test does not script them: a plain connection on this
//! machine, and a configuration whose parts have no names and no metadata.

use super::value::AttributeValue;
use crate::protobuf;
use crate::stream::HttpStream;
use std::time::Duration;

const CLIENT: (&str, usize) = ("127.0.0.1:50000", 50_000);
const LISTENER: (&str, usize) = ("127.0.0.1:10000", 10_000);
const UPSTREAM: (&str, usize) = ("127.0.0.1:8080", 8080);
const LOCAL_TO_UPSTREAM: &str = "127.0.0.1:50001";
const CLUSTER: &str = "upstream";
const VIRTUAL_HOST: &str = "upstream";

/// A stream has had a host to go to.
pub fn has_upstream(stream: &HttpStream) -> bool {
    stream.upstream_asked || !stream.response.headers.is_empty() && stream.reply.is_none()
}

pub fn of_upstream(stream: &HttpStream, attribute: &str) -> Option<AttributeValue> {
    let has_upstream = has_upstream(stream);
    match attribute {
        "request_attempt_count" => Some(AttributeValue::Uint(u64::from(has_upstream))),
        "num_endpoints" => Some(AttributeValue::Uint(1)),
        _ if !has_upstream => None,
        "address" => Some(AttributeValue::text(UPSTREAM.0)),
        "port" => Some(AttributeValue::int(UPSTREAM.1)),
        "local_address" => Some(AttributeValue::text(LOCAL_TO_UPSTREAM)),
        "cx_pool_ready_duration" => Some(AttributeValue::Duration(Duration::ZERO)),
        "transport_failure_reason" => Some(AttributeValue::text("")),
        "locality" => Some(AttributeValue::empty_message()),
        _ => None,
    }
}

/// Without TLS, and inbound.
pub fn of_connection(path: &str) -> Option<AttributeValue> {
    match path {
        "source\0address" => Some(AttributeValue::text(CLIENT.0)),
        "source\0port" => Some(AttributeValue::int(CLIENT.1)),
        "destination\0address" => Some(AttributeValue::text(LISTENER.0)),
        "destination\0port" => Some(AttributeValue::int(LISTENER.1)),
        "connection\0id" | "connection_id" => Some(AttributeValue::Uint(1)),
        "connection\0mtls" => Some(AttributeValue::Bool(false)),
        "connection\0requested_server_name" | "xds\0filter_chain_name" => {
            Some(AttributeValue::text(""))
        }
        "xds\0listener_metadata" => Some(AttributeValue::empty_message()),
        "xds\0listener_direction" => Some(AttributeValue::int(0)),
        "xds\0listener_metadata\0filter_metadata" => Some(AttributeValue::EmptyMap),
        _ => None,
    }
}

pub fn of_route(path: &str) -> Option<AttributeValue> {
    match path {
        "xds\0cluster_name" => Some(AttributeValue::text(CLUSTER)),
        "xds\0virtual_host_name" => Some(AttributeValue::text(VIRTUAL_HOST)),
        "xds\0route_name" => Some(AttributeValue::text("")),
        "xds\0route_metadata" | "xds\0virtual_host_metadata" | "xds\0cluster_metadata" => {
            Some(AttributeValue::empty_message())
        }
        "xds\0route_metadata\0filter_metadata"
        | "xds\0virtual_host_metadata\0filter_metadata"
        | "xds\0cluster_metadata\0filter_metadata" => Some(AttributeValue::EmptyMap),
        _ => None,
    }
}

/// `envoy.config.core.v3.Node` of an Envoy without an id, also where there is no stream.
pub fn of_node(path: &str) -> Option<AttributeValue> {
    const USER_AGENT: &str = "envoy";
    match path.strip_prefix("xds\0node")? {
        "" => {
            let mut node = Vec::new();
            protobuf::push_bytes(&mut node, 6, USER_AGENT.as_bytes());
            Some(AttributeValue::Message(node))
        }
        "\0locality" => Some(AttributeValue::empty_message()),
        "\0id"
        | "\0cluster"
        | "\0locality\0region"
        | "\0locality\0zone"
        | "\0locality\0sub_zone" => Some(AttributeValue::text("")),
        "\0metadata" => Some(AttributeValue::EmptyMap),
        "\0user_agent_name" => Some(AttributeValue::text(USER_AGENT)),
        _ => None,
    }
}
