//! `envoy/istio/inside-addresses.yaml` on a real Envoy: clusters as Istio makes them of a ServiceEntry with
//! `resolution: DNS`, and the DNS answers of the other shipped files' test.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use stack::envoy::{Envoy, EnvoyBinary};
use stack::origin::OriginSettings;
use stack::{Credential, Stack, Way};
use tempfile::TempDir;
use tests::guest;
use tests::manifests::read;
use tests::namespace;
use tests::reply::Reply;
use tests::scene::{APEX, LEASED, SECRET, Scene};

use super::generated::{Listener, Proxy, patch};
use super::plugin;
use crate::inside_addresses::{self, assert_problem, cases, entered, name, open_all};

const DENIED: &str = "destination_inside";
const MANIFEST: &str = "envoy/istio/inside-addresses.yaml";
/// Envoy chooses among the addresses of a name by chance.
const TRIES: usize = 40;

/// A listener of each file, and the namespace of its workload.
const LISTENERS: [(&str, &str); 2] =
    [("egress-gateway", "leasehold-egress"), ("sidecar", "agents")];

struct Mesh {
    scene: Scene,
    proxy: Envoy,
    _folder: TempDir,
}

/// The plugin configuration of a file, for the hosts of the cases.
fn plugin_of(file: &str, keys: &Value) -> Value {
    let mut config = plugin(file, keys);
    let destination = &mut config["destinations"][0];
    destination["hosts"] = json!([format!("*.{APEX}")]);
    destination["allow"] = json!([{"methods": ["GET"], "paths": ["/**"]}]);
    config
}

/// A cluster for a host: each address is an endpoint.
fn cluster(host: &str, port: u16, resolver: SocketAddr, origin_ca: &Value) -> Value {
    let address =
        |host: &str, port: u16| json!({"socket_address": {"address": host, "port_value": port}});
    json!({
        "name": format!("outbound|443||{host}"),
        "type": "STRICT_DNS",
        "dns_lookup_family": "ALL",
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "10s",
        "typed_dns_resolver_config": {
            "name": "envoy.network.dns_resolver.cares",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
                "resolvers": [address(&resolver.ip().to_string(), resolver.port())],
                "dns_resolver_options": {"no_default_search_domain": true},
            },
        },
        "load_assignment": {
            "cluster_name": format!("outbound|443||{host}"),
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}],
        },
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "common_tls_context": {"validation_context": {
                "trusted_ca": {"filename": origin_ca},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
            }},
        }},
    })
}

// === impl Mesh ===

impl Mesh {
    fn start(cases: &[(Vec<IpAddr>, bool)]) -> Self {
        let hosts: Vec<_> = (0..cases.len()).map(name).collect();
        let shipped = LISTENERS.map(|(file, _)| plugin_of(file, &Value::Null));
        let session = json!({
            "issuer": shipped[0]["session"]["issuer"],
            "audience": shipped[0]["session"]["audience"],
        });
        let destinations: Vec<_> =
            shipped.iter().map(|config| config["destinations"][0].clone()).collect();
        let builder = Stack::builder()
            .way(Way::Gateway)
            .policy(json!({"destinations": destinations, "session": session}))
            .origin(OriginSettings::new(&hosts))
            .credential(Credential::bearer("github-ci", SECRET))
            .credential(Credential::bearer("openai", SECRET));
        let scene = Scene::start(builder);
        for (host, (addresses, _)) in hosts.iter().zip(cases) {
            scene.stack.dns().unwrap().resolve(host, addresses);
        }
        let folder = tempfile::tempdir().unwrap();
        let settings = scene.stack.settings();
        let keys = &settings.plugin["session"]["keys"];
        let proxy = Proxy {
            folder: folder.path(),
            module: &settings.filter,
            origin: scene.stack.origin().unwrap().address(),
            origin_ca: &settings.upstream_ca,
            custody: settings.custody.as_ref().unwrap(),
            listeners: LISTENERS.map(|(file, _)| Listener { file, config: plugin_of(file, keys) }),
        };
        let mut config = proxy.bootstrap();
        let resolver = settings.resolver.unwrap();
        let clusters = hosts.iter().map(|host| {
            let port = scene.stack.origin().unwrap().port();
            cluster(host, port, resolver, &json!(settings.upstream_ca))
        });
        let places = &mut config["static_resources"];
        places["clusters"].as_array_mut().unwrap().extend(clusters);
        for (listener, (_, namespace)) in
            places["listeners"].as_array_mut().unwrap().iter_mut().zip(LISTENERS)
        {
            lead_to(listener, &hosts);
            patch(listener, &patches(namespace));
        }
        let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
        let proxy = Envoy::start(&binary, &config.to_string(), folder.path())
            .unwrap_or_else(|error| panic!("{error:#}"));
        Self { scene, proxy, _folder: folder }
    }

    fn ask(&self, listener: &str, host: &str, session: &str) -> Reply {
        let address = self.proxy.admin().listeners().unwrap()[listener];
        let request =
            format!("GET /v1/a HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n");
        guest::plain(address, request).unwrap()
    }
}

fn patches(namespace: &str) -> Value {
    let manifests = read(MANIFEST);
    let own = manifests.iter().find(|manifest| manifest["metadata"]["namespace"] == namespace);
    own.unwrap()["spec"]["configPatches"].clone()
}

/// A route for each host.
fn lead_to(listener: &mut Value, hosts: &[String]) {
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let shipped = manager["route_config"]["virtual_hosts"][0].clone();
    let route = |host: &String| {
        let mut own = shipped.clone();
        own["name"] = json!(host);
        own["domains"] = json!([host]);
        own["routes"][0]["route"]["cluster"] = json!(format!("outbound|443||{host}"));
        own
    };
    manager["route_config"]["virtual_hosts"] = hosts.iter().map(route).collect();
}

#[test]
fn request_to_an_inside_address_is_refused_whichever_address_envoy_chooses() {
    namespace::alone(
        "istio::inside::request_to_an_inside_address_is_refused_whichever_address_envoy_chooses",
        play,
    );
}

fn play() {
    let [public, inside] = inside_addresses::assign_all();
    let cases = cases();
    let mesh = Mesh::start(&cases);
    let origin = mesh.scene.stack.origin().unwrap();
    let public = open_all(&public, origin.address());
    let _inside = open_all(&inside, origin.address());
    let session = mesh.scene.stack.mint(&json!({"team": ["build", "agents"]})).unwrap();
    for (listener, _) in LISTENERS {
        // The one that Envoy::start waits for.
        let listener = if listener == "egress-gateway" { "guests" } else { listener };
        for (number, (addresses, passes)) in cases.iter().enumerate() {
            let mut answers = Vec::new();
            for _ in 0..TRIES {
                let before = origin.record().count();
                let reply = mesh.ask(listener, &name(number), &session);
                let reached = origin.record().count() - before;
                let case = format!("{listener}, {addresses:?}: {} {}", reply.status, reply.text());
                match reply.status {
                    200 => {
                        assert!(*passes && reached == 1, "{case}");
                        let seen = origin.record().last().unwrap();
                        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
                    }
                    403 => {
                        assert_eq!(
                            (reached, reply.reason().as_deref()),
                            (0, Some(DENIED)),
                            "{case}"
                        );
                        assert_problem(&reply);
                    }
                    // Nobody listens at the public address.
                    503 => assert!(!passes && addresses.len() > 1 && reached == 0, "{case}"),
                    _ => panic!("{case}"),
                }
                answers.push(reply.status);
                let is_seen = answers.len() > 2
                    && (addresses.len() == 1 || answers.contains(&403))
                    && (!passes || answers.contains(&200));
                if is_seen {
                    break;
                }
            }
            assert_eq!(answers.contains(&200), *passes, "{addresses:?}: {answers:?}");
            let has_inside = addresses.len() > 1 || !passes;
            assert_eq!(answers.contains(&403), has_inside, "{addresses:?}: {answers:?}");
        }
    }
    assert!(entered(&public) > 0);
}
