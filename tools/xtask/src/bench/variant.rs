//! What stands between guest and router: our filter, nothing, or what one could use instead.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// The header that holds the Session JWT, for those who look for it there.
pub const CARRIER: &str = "x-leasehold-session";
/// What each of them writes into `Authorization`.
pub const CREDENTIAL: &str = "Bearer measured-credential";

/// One of what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A proxy that forwards.
    NoFilter,
    /// The same, writing one header, the same for everybody.
    StaticHeader,
    /// A proxy that answers 401 by itself.
    Refusal,
    /// A wasm module that does nothing, once a request.
    NoOp,
    /// Our filter and the net behind it.
    Leasehold,
    /// `jwt_authn`, remembering tokens, and `credential_injector`.
    CachedJwt,
    /// `jwt_authn`, verifying each time, and `credential_injector`.
    UncachedJwt,
    /// `ext_authz` over gRPC, to a service that does both.
    ExtAuthz,
}

/// What the filters have to know.
pub struct Facts<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub jwks: &'a Value,
    pub ext_authz: SocketAddr,
}

/// Tokens that `jwt_authn` remembers: more than there ever are, as with ours.
const JWT_CACHE: u32 = 65_536;
/// The cluster of the service.
const EXT_AUTHZ: &str = "ext_authz";
/// The secret `credential_injector` writes.
const SECRET: &str = "measured";

/// As little as a module can be: it is called with a request's headers and lets them go on.
pub const NO_OP: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 0)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0))"#;

// === impl Variant ===

impl Variant {
    pub fn name(self) -> &'static str {
        match self {
            Self::NoFilter => "no filter",
            Self::StaticHeader => "a static header, by the route",
            Self::Refusal => "Envoy refusing by itself",
            Self::NoOp => "a wasm module that does nothing",
            Self::Leasehold => "Leasehold",
            Self::CachedJwt => "jwt_authn (cached) + credential_injector",
            Self::UncachedJwt => "jwt_authn (uncached) + credential_injector",
            Self::ExtAuthz => "ext_authz (gRPC)",
        }
    }

    /// The HTTP filters that take the place of ours.
    pub fn filters(self, facts: &Facts<'_>) -> Vec<Value> {
        match self {
            Self::NoFilter | Self::StaticHeader | Self::Refusal | Self::NoOp | Self::Leasehold => {
                Vec::new()
            }
            Self::CachedJwt => {
                vec![jwt_authn(facts, json!({"jwt_cache_size": JWT_CACHE})), injector()]
            }
            Self::UncachedJwt => vec![jwt_authn(facts, Value::Null), injector()],
            Self::ExtAuthz => vec![ext_authz()],
        }
    }

    /// The cluster that those filters call.
    pub fn cluster(self, facts: &Facts<'_>) -> Option<Value> {
        let http2 = json!({"explicit_http_config": {"http2_protocol_options": {}}});
        (self == Self::ExtAuthz).then(|| static_cluster(&json!(EXT_AUTHZ), facts.ext_authz, http2))
    }

    /// The secrets that those filters write.
    pub fn secrets(self) -> Vec<Value> {
        match self {
            Self::CachedJwt | Self::UncachedJwt => vec![json!({
                "name": SECRET,
                "generic_secret": {"secret": {"inline_string": CREDENTIAL}},
            })],
            _ => Vec::new(),
        }
    }
}

/// An HTTP filter of Envoy's own.
pub fn filter(name: &str, kind: &str, mut config: Value) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    set(&mut config, "@type", json!(kind));
    json!({"name": format!("envoy.filters.http.{name}"), "typed_config": config})
}

fn jwt_authn(facts: &Facts<'_>, cache: Value) -> Value {
    let mut provider = json!({
        "issuer": facts.issuer,
        "audiences": [facts.audience],
        "local_jwks": {"inline_string": facts.jwks.to_string()},
        "from_headers": [{"name": CARRIER}],
    });
    if !cache.is_null() {
        set(&mut provider, "jwt_cache_config", cache);
    }
    let config = json!({
        "providers": {"control-plane": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "control-plane"}}],
    });
    filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", config)
}

fn injector() -> Value {
    let generic = "envoy.extensions.http.injected_credentials.generic.v3.Generic";
    let config = json!({
        "overwrite": true,
        "credential": {
            "name": "envoy.http.injected_credentials.generic",
            "typed_config": {
                "@type": format!("type.googleapis.com/{generic}"),
                "credential": {"name": SECRET},
            },
        },
    });
    filter("credential_injector", "credential_injector.v3.CredentialInjector", config)
}

fn ext_authz() -> Value {
    let config = json!({
        "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": EXT_AUTHZ}, "timeout": "1s"},
    });
    filter("ext_authz", "ext_authz.v3.ExtAuthz", config)
}

/// A cluster of one endpoint; `options`: its `HttpProtocolOptions`.
pub fn static_cluster(name: &Value, address: SocketAddr, mut options: Value) -> Value {
    let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    set(&mut options, "@type", json!(format!("type.googleapis.com/{kind}")));
    let endpoint = json!({"endpoint": {"address": {"socket_address": {
        "address": address.ip().to_string(), "port_value": address.port(),
    }}}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {kind: options},
    })
}

/// Sets a field of an object.
pub fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}
