//! A scenario on Envoy, with nothing around the guest but what it takes to have one.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::envoy::{Envoy, EnvoyBinary};
use tests::guest;
use tests::reply::Reply;
use tests::wire::Wire;

use super::scenario::{self, Ask, Filter, Scenario, Seen, Told, comparable};
use super::server::{Asked, Says, Server};

/// Until the log has what is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn tell(module: &Path, scenario: &Scenario) -> Told {
    let origin = Server::start(Says::Answer(200, scenario.origin));
    let authority = scenario.authority.clone().map(Server::start);
    let mut clusters = vec![cluster("origin", &origin)];
    clusters.extend(authority.iter().map(|server| cluster("authority", server)));
    let folder = tempfile::tempdir().unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let config = config(module, &scenario.filters, &clusters).to_string();
    let envoy = Envoy::start(&binary, &config, folder.path());
    let envoy = envoy.unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    // One connection: it stays with one worker.
    let mut wire = Wire::new(guest::dial(envoy.listen_address()).unwrap());
    let asks = scenario.asks.iter();
    let seen = asks.map(|ask| exchange(&mut wire, &envoy, &origin, scenario, ask)).collect();
    let asked = authority.iter().flat_map(Server::take).map(|asked| asked.line.1).collect();
    let metrics =
        envoy.admin().stats().unwrap().into_iter().filter_map(|(name, value)| {
            Some((name.strip_prefix("wasmcustom.")?.to_owned(), value))
        });
    Told { seen, asked, log: log(&envoy, scenario), metrics: metrics.collect() }
}

fn exchange(
    wire: &mut Wire<std::net::TcpStream>,
    envoy: &Envoy,
    origin: &Server,
    scenario: &Scenario,
    ask: &Ask,
) -> Seen {
    let reply = wire.exchange(request_text(ask));
    let reply = reply.unwrap_or_else(|error| {
        panic!("{}: {error:#}\n{}", scenario.name, envoy.log().unwrap_or_default())
    });
    seen(&reply, origin.take())
}

/// The request as HTTP/1.1.
pub fn request_text(ask: &Ask) -> String {
    let method = if ask.body.is_some() { "POST" } else { "GET" };
    let mut text = format!("{method} {} HTTP/1.1\r\nhost: guest.test\r\n", ask.path);
    for (name, value) in ask.headers {
        text += &format!("{name}: {value}\r\n");
    }
    let body = ask.body.unwrap_or_default();
    if ask.body.is_some() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

/// What can be seen of an exchange from outside.
pub fn seen(reply: &Reply, mut asked: Vec<Asked>) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = reply.headers.iter().map(|(name, value)| (name.clone(), text(value)));
    Seen {
        status: reply.status,
        headers: comparable(headers),
        body: reply.text(),
        upstream: asked.pop().map(|asked| scenario::Upstream {
            path: asked.line.1,
            headers: comparable(asked.headers.into_iter()),
            body: text(&asked.body),
        }),
    }
}

/// What the guest logged. The end of a stream is logged when its response is long gone.
fn log(envoy: &Envoy, scenario: &Scenario) -> Vec<String> {
    let since = Instant::now();
    loop {
        let text = envoy.log().unwrap();
        let lines = text.lines().filter(|line| line.contains("[wasm]"));
        let lines = lines.filter_map(|line| line.split_once("wasm log")?.1.split_once(": "));
        let found = lines.map(|(_, message)| message.to_owned());
        let found: Vec<_> = found.filter(|text| super::is_of_a_request(text)).collect();
        let over = found.iter().filter(|line| line.ends_with(" is over")).count();
        let telling = |filter: &&Filter| matches!(filter.root_id, "" | "headers" | "witness");
        let telling = scenario.filters.iter().filter(telling).count();
        if over >= scenario.asks.len() * telling {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "{}: {found:?}", scenario.name);
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Guests one behind the other, and nothing around them but what it takes to have them.
pub fn config(module: &Path, filters: &[Filter], clusters: &[Value]) -> Value {
    let host = json!({"address": stack::ports::address().to_string(), "port_value": 0});
    let router = json!({
        "name": "router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    });
    let filters = filters.iter().map(|filter| wasm(module, filter));
    let filters: Vec<_> = filters.chain([router]).collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.\
                  http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "guests",
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}],
        }]},
        "http_filters": filters,
    });
    json!({
        "admin": {"address": {"socket_address": host}},
        "static_resources": {
            "listeners": [{
                "name": "guests",
                "address": {"socket_address": host},
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
            "clusters": clusters,
        },
    })
}

fn wasm(module: &Path, filter: &Filter) -> Value {
    json!({
        "name": filter.name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": filter.name,
                "root_id": filter.root_id,
                "fail_open": false,
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": filter.configuration,
                },
                "vm_config": {
                    "vm_id": filter.vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
            },
        },
    })
}

pub fn cluster(name: &str, server: &Server) -> Value {
    let (address, port) = (server.address().ip().to_string(), server.address().port());
    let endpoint = json!({"address": {"socket_address": {"address": address, "port_value": port}}});
    json!({
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    })
}
