//! What istiod and its agent make of the manifests: names, ECDS resources, clusters and routes in
//! their form (Istio 1.29, `pilot/pkg/model/extensions.go` and `pkg/wasm`), built out of the very
//! manifests that are shipped.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use stack::envoy::CustodyLink;
use tests::manifests::{find, read};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
/// Istio's own spelling.
const PREFIX: &str = "extenstions.istio.io/wasmplugin/";

/// One proxy, as Istio would configure it; addresses and files are the test's.
pub struct Proxy<'a> {
    pub folder: &'a Path,
    pub module: &'a Path,
    pub origin: SocketAddr,
    pub origin_ca: &'a Path,
    pub custody: &'a CustodyLink,
    pub listeners: [Listener; 2],
}

/// What stands in one of the files.
pub struct Listener {
    pub file: &'static str,
    pub config: Value,
}

// === impl Proxy ===

impl Proxy<'_> {
    pub fn bootstrap(&self) -> Value {
        let mut clusters = vec![self.custody_cluster()];
        clusters.extend(self.listeners.iter().map(|listener| self.destination_cluster(listener)));
        let listeners: Vec<_> =
            self.listeners.iter().map(|listener| self.listener(listener)).collect();
        json!({
            "node": {"id": "router~127.0.0.1~leasehold-egress.leasehold-egress~svc", "cluster": "leasehold-egress"},
            "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
            "static_resources": {"listeners": listeners, "clusters": clusters},
        })
    }

    fn listener(&self, listener: &Listener) -> Value {
        // Envoy::start waits for the one of this name.
        let name = if listener.file == "egress-gateway" { "guests" } else { listener.file };
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "outbound_0.0.0.0_8443",
            "use_remote_address": true,
            "normalize_path": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "http_filters": [self.discovered(listener), net(listener.file), router()],
            "route_config": routes(listener),
        });
        let chain = json!({"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]});
        json!({"name": name, "address": socket("127.0.0.1:0".parse().unwrap()), "filter_chains": [chain]})
    }

    /// The filter, by name only; what it is comes by discovery, here out of a file.
    fn discovered(&self, listener: &Listener) -> Value {
        let plugin = listener.manifest("WasmPlugin", "leasehold");
        let namespace = plugin["metadata"]["namespace"].as_str().unwrap();
        let own = format!("{namespace}.leasehold");
        let name = format!("{PREFIX}{own}");
        // A VM is the same VM if all of this is the same: Istio names no `vm_id`, and its agent takes
        // the variables out that it has put in for itself.
        let vm = json!({
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": self.module}},
            "environment_variables": {},
        });
        assert_eq!(plugin["spec"]["failStrategy"], "FAIL_CLOSE");
        let config = json!({
            "name": own,
            "vm_config": vm,
            "failure_policy": "FAIL_CLOSED",
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": listener.config.to_string(),
            },
        });
        let resource = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": name,
            "typed_config": {"@type": WASM, "config": config},
        });
        let file = self.folder.join(format!("{own}.json"));
        let response = json!({"version_info": "1", "resources": [resource]});
        std::fs::write(&file, response.to_string()).unwrap();
        json!({
            "name": name,
            "config_discovery": {
                "config_source": {"path_config_source": {"path": file}, "resource_api_version": "V3"},
                "type_urls": [WASM, RBAC],
            },
        })
    }

    /// Out of ServiceEntry and DestinationRule.
    fn destination_cluster(&self, listener: &Listener) -> Value {
        let (name, rule) = listener.destination();
        let tls = &rule["trafficPolicy"]["portLevelSettings"][0]["tls"];
        let context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls["sni"],
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": self.origin_ca},
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": tls["subjectAltNames"][0]}},
                ],
            }},
        });
        cluster(&name, self.origin, &context, &json!({"http_protocol_options": {}}))
    }

    /// Out of the Service, its port's `appProtocol: http2`, and the DestinationRule with its secret.
    fn custody_cluster(&self) -> Value {
        let manifests = read("envoy/istio/egress-gateway.yaml");
        let rule = &find(&manifests, "DestinationRule", "custody")["spec"];
        let tls = &rule["trafficPolicy"]["tls"];
        assert_eq!(tls["mode"], "MUTUAL");
        let files = self.custody.tls.as_ref().unwrap();
        let context = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls["sni"],
            "common_tls_context": {
                "alpn_protocols": ["h2"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": files.certificate},
                    "private_key": {"filename": files.key},
                }],
                "validation_context": {
                    "trusted_ca": {"filename": files.server_ca},
                    "match_typed_subject_alt_names": [
                        {"san_type": "DNS", "matcher": {"exact": tls["subjectAltNames"][0]}},
                    ],
                },
            },
        });
        let name = format!("outbound|8443||{}", rule["host"].as_str().unwrap());
        cluster(&name, self.custody.address, &context, &json!({"http2_protocol_options": {}}))
    }
}

// === impl Listener ===

impl Listener {
    fn manifest(&self, kind: &str, name: &str) -> Value {
        find(&read(&format!("envoy/istio/{}.yaml", self.file)), kind, name).clone()
    }

    /// The name of the cluster, and its rule.
    fn destination(&self) -> (String, Value) {
        let name = self.config["destinations"][0]["name"].as_str().unwrap();
        let rule = self.manifest("DestinationRule", name)["spec"].clone();
        let port = &rule["trafficPolicy"]["portLevelSettings"][0]["port"]["number"];
        (format!("outbound|{port}||{}", rule["host"].as_str().unwrap()), rule)
    }
}

/// Out of the VirtualService, where there is one; sidecars route by the ServiceEntry alone.
fn routes(listener: &Listener) -> Value {
    let (cluster, rule) = listener.destination();
    let manifests = read(&format!("envoy/istio/{}.yaml", listener.file));
    let virtual_service = manifests.iter().find(|manifest| manifest["kind"] == "VirtualService");
    let last = virtual_service.map(|service| service["spec"]["http"][1].clone());
    let last = last.unwrap_or_default();
    assert!(last.is_null() || last["route"][0]["destination"]["host"] == rule["host"]);
    let removed = |side: &str| match &last["headers"][side]["remove"] {
        Value::Null => json!([]),
        names => names.clone(),
    };
    json!({
        "name": "http.8443",
        "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": {"prefix": "/"},
                "route": {"cluster": cluster, "timeout": "0s"},
                "request_headers_to_remove": removed("request"),
                "response_headers_to_remove": removed("response"),
            }],
        }],
    })
}

/// Merges the patches of an EnvoyFilter into a listener's filters, as messages are merged: lists are joined.
pub fn patch(listener: &mut Value, patches: &Value) {
    let manager = &mut listener["filter_chains"][0]["filters"][0];
    for patch in patches.as_array().unwrap() {
        assert_eq!(patch["patch"]["operation"], "MERGE");
        let (value, chain) = (&patch["patch"]["value"], &patch["match"]["listener"]["filterChain"]);
        assert_eq!(chain["filter"]["name"], manager["name"]);
        match patch["applyTo"].as_str().unwrap() {
            "NETWORK_FILTER" => merge(manager, value),
            "HTTP_FILTER" => {
                let filters = manager["typed_config"]["http_filters"].as_array_mut().unwrap();
                let name = &chain["filter"]["subFilter"]["name"];
                merge(filters.iter_mut().find(|filter| filter["name"] == *name).unwrap(), value);
            }
            other => panic!("applyTo: {other}"),
        }
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}

/// The EnvoyFilter's patch, as it stands.
fn net(file: &str) -> Value {
    let manifests = read(&format!("envoy/istio/{file}.yaml"));
    let patches = &find(&manifests, "EnvoyFilter", "leasehold-permit")["spec"]["configPatches"];
    assert_eq!(patches[0]["patch"]["operation"], "INSERT_BEFORE");
    patches[0]["patch"]["value"].clone()
}

fn router() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    json!({"name": "envoy.filters.http.router", "typed_config": {"@type": kind}})
}

fn cluster(name: &str, address: SocketAddr, tls: &Value, protocol: &Value) -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(address)}}]}],
        },
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "typed_extension_protocol_options": {options: {
            "@type": format!("type.googleapis.com/{options}"),
            "explicit_http_config": protocol,
        }},
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
