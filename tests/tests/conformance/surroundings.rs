//! Properties beside those of a plain request: metadata of the listener, the route, the cluster and the
//! stream, names of the configuration, maps of headers.

use host_sim::{HeaderMap, Host, Message, MetadataOf, Module, Plugin, Request};
use serde_json::{Value, json};
use stack::built::Built;
use stack::envoy::{Envoy, EnvoyBinary};
use tests::guest;
use tests::wire::Wire;

use crate::abi::row;
use crate::guests::real;
use crate::guests::scenario::Filter;
use crate::guests::server::{Says, Server};
use crate::prober::Arg::{Out, Text};
use crate::prober::Gives::Bytes;
use crate::prober::{Note, Prober, notes};
use crate::report::Report;

const PATHS: [&str; 58] = [
    "metadata",
    "metadata.filter_metadata",
    "metadata.filter_metadata.probe",
    "metadata.filter_metadata.probe.number",
    "metadata.filter_metadata.probe.none",
    "metadata.filter_metadata.none",
    "metadata.none",
    "xds",
    "xds.listener_metadata",
    "xds.listener_metadata.filter_metadata",
    "xds.listener_metadata.filter_metadata.probe",
    "xds.listener_metadata.filter_metadata.probe.list",
    "xds.route_metadata",
    "xds.route_metadata.filter_metadata.probe",
    "xds.route_metadata.filter_metadata.probe.text",
    "xds.route_metadata.filter_metadata.probe.map",
    "xds.route_metadata.filter_metadata.probe.map.inner",
    "xds.cluster_metadata",
    "xds.cluster_metadata.filter_metadata.probe",
    "xds.cluster_metadata.filter_metadata.probe.yes",
    "xds.upstream_host_metadata",
    "xds.upstream_host_metadata.filter_metadata.probe",
    "xds.virtual_host_metadata",
    "xds.virtual_host_name",
    "xds.route_name",
    "xds.cluster_name",
    "xds.filter_chain_name",
    "xds.listener_direction",
    "xds.none",
    "listener_metadata",
    "listener_metadata.filter_metadata.probe",
    "route_metadata",
    "cluster_metadata",
    "route_name",
    "cluster_name",
    "virtual_host_name",
    "listener_direction",
    "listener_name",
    "request.headers",
    "request.headers.x-two",
    "request.protocol",
    "request.scheme",
    "request.size",
    "request.total_size",
    "request.id",
    "request.useragent",
    "request.none",
    "response.headers",
    "response.code",
    "response.flags",
    "response.size",
    "response.trailers",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.none",
    "upstream.address",
    "upstream.none",
];

/// # Panics
/// The hosts differ.
pub fn compare() {
    let mut prober = Prober::default();
    prober.story("surroundings");
    for path in PATHS {
        let key = path.replace('.', "\0");
        prober.call(path, "proxy_get_property", &[Text(key.as_bytes()), Out], Bytes);
    }
    let module = prober.build();
    let simulated = on_host_sim(&module);
    let real = on_envoy(&module);
    assert_eq!((simulated.len(), real.len()), (PATHS.len(), PATHS.len()));
    let rows =
        PATHS.iter().zip(simulated.into_iter().zip(real)).map(|(path, (simulated, real))| {
            let [simulated, real] = [simulated, real].map(|note| comparable(path, note));
            row("surroundings", path, &simulated, &real)
        });
    let report = Report { file: "what is around a request".to_owned(), rows: rows.collect() };
    report.leave(&Built::find().unwrap(), "surroundings");
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A map of headers comes in an order that differs from one Envoy to the next.
fn comparable(path: &str, Note { status, gave }: Note) -> Note {
    if path != "request.headers" {
        return Note { status, gave };
    }
    let mut names: Vec<_> = gave.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    names.sort();
    Note { status, gave: names.join(&b' ') }
}

// Maps of one entry each: the order of more is Envoy's own.

fn of_stream() -> Value {
    json!({"number": 7})
}

fn of_listener() -> Value {
    json!({"list": ["one", 2, true]})
}

fn of_route() -> Value {
    json!({"map": {"inner": "text"}})
}

fn of_cluster() -> Value {
    json!({"yes": true})
}

fn on_host_sim(module: &[u8]) -> Vec<Note> {
    let plugin = Plugin::new(&Module::new(module).unwrap());
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    // In the order in which Envoy keeps what came by HTTP/1.1.
    let path = Prober::path(0);
    let headers = HeaderMap::from([
        (":scheme", "http"),
        (":method", "GET"),
        (":authority", "probe.test"),
        (":path", path.as_str()),
        ("x-two", "a"),
        ("x-two", "b"),
        ("x-forwarded-proto", "http"),
    ]);
    let request = Request::from_message(Message { headers, ..Message::default() })
        .metadata(MetadataOf::Stream, "probe", of_stream())
        .metadata(MetadataOf::Listener, "probe", of_listener())
        .metadata(MetadataOf::Route, "probe", of_route())
        .metadata(MetadataOf::Cluster, "probe", of_cluster())
        .attribute(&["xds", "route_name"], "the route")
        .attribute(&["xds", "cluster_name"], "origin")
        .attribute(&["xds", "virtual_host_name"], "all")
        .attribute(&["xds", "filter_chain_name"], "the chain")
        .attribute(&["request", "protocol"], "HTTP/1.1")
        .attribute(&["connection", "mtls"], false);
    notes(&host.exchange(request).received.unwrap().body)
}

fn on_envoy(module: &[u8]) -> Vec<Note> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prober.wasm");
    std::fs::write(&path, module).unwrap();
    let origin = Server::start(Says::Answer(200, ""));
    let filter = Filter { name: "plugin", root_id: "", configuration: "", vm_id: "" };
    let mut config = real::config(&path, &[filter], &[real::cluster("origin", &origin)]);
    adorn(&mut config);
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let envoy = Envoy::start(&binary, &config.to_string(), folder.path());
    let envoy = envoy.unwrap_or_else(|error| panic!("{error}"));
    let mut wire = Wire::new(guest::dial(envoy.listen_address()).unwrap());
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: probe.test\r\nx-two: a\r\nx-two: b\r\n\r\n",
        Prober::path(0)
    );
    notes(&wire.exchange(request).unwrap().body)
}

/// Gives everything metadata and a name.
fn adorn(config: &mut Value) {
    let metadata = |value: Value| json!({"filter_metadata": {"probe": value}});
    let listener = &mut config["static_resources"]["listeners"][0];
    listener["metadata"] = metadata(of_listener());
    let chain = &mut listener["filter_chains"][0];
    chain["name"] = json!("the chain");
    let manager = &mut chain["filters"][0]["typed_config"];
    let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0];
    route["name"] = json!("the route");
    route["metadata"] = metadata(of_route());
    let first = json!({
        "name": "metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
            "metadata": [{"metadata_namespace": "probe", "value": of_stream()}],
        },
    });
    manager["http_filters"].as_array_mut().unwrap().insert(0, first);
    config["static_resources"]["clusters"][0]["metadata"] = metadata(of_cluster());
}
