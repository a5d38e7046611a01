//! The module's code from a server (`code: {remote: ...}`) that does not have it, or has another:
//! nothing passes without a permit, whether Envoy starts so or is changed so.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stack::Way;
use stack::built::Built;
use stack::envoy::{Envoy, EnvoyBinary, ListenerFile, Options};
use tests::guest;
use tests::scene::{API, Scene, builder};

use super::{DEFAULT_DRAIN, Edge, allowed, denied, rendered, tightened, verdict};
use crate::wide::wait_until;

/// No module has this digest.
const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Serves the module at `/module.wasm`, the same with an empty custom section at `/other.wasm`, and nothing
/// at any other path.
struct Server {
    address: SocketAddr,
    digest: String,
    other: String,
}

// === impl Server ===

impl Server {
    fn start() -> Self {
        let module = std::fs::read(Built::find().unwrap().filter().unwrap()).unwrap();
        let other = [&module[..], b"\x00\x02\x01x"].concat();
        let [digest, other_digest] =
            [&module, &other].map(|bytes| base16ct::lower::encode_string(&Sha256::digest(bytes)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let modules = Arc::new([("/module.wasm", module), ("/other.wasm", other)]);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(stream), modules) = (stream, Arc::clone(&modules)) else { continue };
                thread::spawn(move || answer(stream, &modules[..]));
            }
        });
        Self { address, digest, other: other_digest }
    }

    /// A configuration whose code is at this path, with this digest.
    fn put(&self, config: &str, path: &str, digest: &str, is_nack: bool) -> String {
        let mut root: Value = serde_json::from_str(config).unwrap();
        let address = json!({"socket_address": {
            "address": self.address.ip().to_string(), "port_value": self.address.port(),
        }});
        let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address}}]}]);
        root["static_resources"]["clusters"].as_array_mut().unwrap().push(json!({
            "name": "modules", "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "modules", "endpoints": endpoints},
        }));
        let manager =
            &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
        let filters = manager["typed_config"]["http_filters"].as_array_mut().unwrap();
        let filter = filters.iter_mut().find(|filter| filter["name"] == "leasehold").unwrap();
        let vm = &mut filter["typed_config"]["config"]["vm_config"];
        vm["nack_on_code_cache_miss"] = json!(is_nack);
        let uri = format!("http://modules.test{path}");
        vm["code"] = json!({"remote": {
            "http_uri": {"uri": uri, "cluster": "modules", "timeout": "5s"},
            "sha256": digest,
            "retry_policy": {"num_retries": 0},
        }});
        root.to_string()
    }
}

fn answer(mut stream: TcpStream, modules: &[(&str, Vec<u8>)]) {
    let mut head = [0; 4096];
    let read = stream.read(&mut head).unwrap_or(0);
    let asked = |path: &str| head[..read].starts_with(format!("GET {path} ").as_bytes());
    let found = modules.iter().find(|(path, _)| asked(path));
    let (status, body) = match found {
        Some((_, module)) => ("200 OK", &module[..]),
        None => ("404 Not Found", &[][..]),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn request(scene: &Scene) -> String {
    let (host, session) = (scene.at(API), &scene.session);
    format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n")
}

#[test]
fn an_edge_that_starts_without_the_code_forwards_nothing() {
    let (scene, server) = (Scene::start(builder().way(Way::Gateway)), Server::start());
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    for (case, path, digest, status) in [
        ("the code is missing", "/missing.wasm", &*server.digest, 503),
        ("the code has another digest", "/module.wasm", NOBODY, 503),
        ("the code is there", "/module.wasm", &server.digest, 200),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = scene.stack.settings().clone();
        settings.listen.set_port(0);
        let config = server.put(&rendered(&settings, Some(1), |_| {}), path, digest, false);
        let envoy = Envoy::start(&binary, &config, folder.path());
        let envoy = envoy.unwrap_or_else(|error| panic!("{case}: {error:#}"));
        let arrived = scene.arrived();
        for _ in 0..4 {
            let reply = guest::plain(envoy.listen_address(), request(&scene)).unwrap();
            assert_eq!((reply.status, reply.reason()), (status, None), "{case}");
        }
        let passed = if status == 200 { 4 } else { 0 };
        assert_eq!(scene.arrived() - arrived, passed, "{case}");
        envoy.stop().unwrap();
    }
}

/// As shipped the edge answers 503 until the code is there; with `nack_on_code_cache_miss` the policy
/// before it goes on.
#[test]
fn an_edge_that_is_given_code_that_is_missing_forwards_nothing_without_a_permit() {
    let server = Server::start();
    for is_nack in [false, true] {
        let mut edge = remote(&server, is_nack);
        let request = request(&edge.scene);
        let mut open = edge.dial();
        wait_until("the code is there", || {
            verdict(&edge.dial().exchange(&request).unwrap()) == allowed()
        });
        assert_eq!(verdict(&open.exchange(&request).unwrap()), allowed());
        let changes = |edge: &Edge| {
            ["update_success", "update_rejected"]
                .map(|stat| edge.stat(&format!("listener_manager.lds.{stat}")))
        };
        for (path, digest) in [("/missing.wasm", "1".repeat(64)), ("/module.wasm", NOBODY.into())] {
            let before = changes(&edge);
            let policy = rendered(&edge.settings, Some(2), tightened);
            edge.listeners.replace(&server.put(&policy, path, &digest, is_nack)).unwrap();
            wait_until("Envoy has looked at it", || changes(&edge) != before);
            wait_until("no listener warms", || {
                edge.stat("listener_manager.total_listeners_warming") == 0
            });
            let arrived = edge.scene.arrived();
            let reply = edge.dial().exchange(&request).unwrap();
            let (got, passed) = (verdict(&reply), edge.scene.arrived() - arrived);
            if is_nack {
                assert_eq!((got, passed), (allowed(), 1), "{path}: the policy before it goes on");
            } else {
                assert_eq!((got, passed), ((503, None), 0), "{path}");
            }
        }
        // Code that is there is in force with the next update, or, if Envoy refuses what it has not fetched
        // yet, when that is sent again.
        let refused = |edge: &Edge| edge.stat("listener_manager.lds.update_rejected");
        let before = refused(&edge);
        let policy = rendered(&edge.settings, Some(3), tightened);
        let good = server.put(&policy, "/other.wasm", &server.other, is_nack);
        edge.listeners.replace(&good).unwrap();
        if is_nack {
            wait_until("Envoy refuses it at first", || refused(&edge) > before);
            assert_eq!(verdict(&edge.dial().exchange(&request).unwrap()), allowed());
        }
        let mut sent = Instant::now();
        wait_until("the new policy", || {
            if is_nack && sent.elapsed() > Duration::from_secs(1) {
                edge.listeners.replace(&good).unwrap();
                sent = Instant::now();
            }
            verdict(&edge.dial().exchange(&request).unwrap()) == denied()
        });
        edge.envoy.stop().unwrap();
    }
}

fn remote(server: &Server, is_nack: bool) -> Edge {
    let scene = Scene::start(builder().way(Way::Gateway));
    let folder = tempfile::tempdir().unwrap();
    let mut settings = scene.stack.settings().clone();
    settings.listen = stack::ports::free(stack::ports::address()).unwrap();
    let config = rendered(&settings, Some(1), |_| {});
    // The first start waits for its code; it is refused only if that is not there and `nack` is set.
    let config = server.put(&config, "/module.wasm", &server.digest, false);
    let (bootstrap, mut listeners) = ListenerFile::split(&config, folder.path()).unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    let options = Options { drain: DEFAULT_DRAIN, ..Options::default() };
    let envoy = Envoy::start_with(options, &binary, &bootstrap, folder.path());
    let envoy = envoy.unwrap_or_else(|error| panic!("{error:#}"));
    if is_nack {
        let policy = rendered(&settings, Some(1), |_| {});
        listeners.replace(&server.put(&policy, "/module.wasm", &server.digest, true)).unwrap();
    }
    Edge { scene, envoy, listeners, settings, _folder: folder }
}
