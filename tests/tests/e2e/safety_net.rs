//! The net behind the filter: with a module that does nothing, breaks or is not there, nothing is
//! forwarded. The modules are written here, in a few lines of WebAssembly text.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use stack::{StackBuilder, Way};
use tempfile::TempDir;
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, LEASED, OPEN, Scene};

use crate::wide;

/// What every proxy-wasm module has: memory, an allocator for what the host hands over, and the
/// version of the ABI.
const FRAME: &str = r#"
  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 65536))
  (func (export "malloc") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "_initialize"))
"#;

/// Breaks whenever a request comes.
const TRAPS: &str = r#"
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)
"#;

/// Breaks when a stream begins, before any request is read.
const TRAPS_EARLY: &str = r#"
  (func (export "proxy_on_context_create") (param $own i32) (param $parent i32)
    (if (local.get $parent) (then unreachable)))
"#;

/// Refuses its configuration.
const REFUSES: &str = r#"
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))
"#;

/// Lets everything pass that the net lets pass with this permit.
fn permits(permit: &str) -> String {
    let length = permit.len();
    format!(
        r#"
  (data (i32.const 16) "leasehold.permit{permit}")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $set_property (i32.const 16) (i32.const 16) (i32.const 32) (i32.const {length})))
    (i32.const 0))
"#
    )
}

/// A module on disk, as long as this lives.
pub struct Module {
    _folder: TempDir,
    pub path: PathBuf,
}

// === impl Module ===

impl Module {
    pub fn of(functions: &str) -> Self {
        let import = r#"(import "env" "proxy_set_property"
            (func $set_property (param i32 i32 i32 i32) (result i32)))"#;
        Self::bytes(&wat::parse_str(format!("(module {import} {FRAME} {functions})")).unwrap())
    }

    fn bytes(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("module.wasm");
        fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    fn in_place_of_the_filter(&self, builder: StackBuilder) -> Scene {
        Scene::start(builder.filter(&self.path))
    }
}

#[test]
fn a_module_that_does_nothing_opens_no_tunnel() {
    let mut scene = Module::of("").in_place_of_the_filter(wide::builder("1s"));
    for (case, attempt) in to_the_proxy(&scene) {
        let reply = attempt.unwrap_or_else(|error| panic!("{case}: {error:#}"));
        let expected = (403, reason_of_envoy(case));
        assert_eq!((reply.status, reply.reason()), expected, "{case}: {}", reply.text());
    }
    assert_untouched(&scene);
    the_filter_works_in_its_place(&mut scene);
}

/// The reason of a request that Envoy itself rejects in front of the filter; the net gives none.
fn reason_of_envoy(case: &str) -> Option<String> {
    (case == "absolute form").then(|| "connect_required".to_owned())
}

/// The second net, behind the decrypting listener, does not rely on the first: here a module opens
/// every tunnel and lets every request through that this net would.
#[test]
fn a_permit_for_tunnels_lets_no_request_through() {
    for permit in ["connect", "refusal"] {
        lets_no_request_through(permit);
    }
}

fn lets_no_request_through(permit: &str) {
    let mut scene = Module::of(&permits(permit)).in_place_of_the_filter(wide::builder("1s"));
    for host in [API, OPEN] {
        for path in ["/v1/models", "/", "/%2e%2e"] {
            let reply = scene.inside(host, scene.get(host, path)).unwrap();
            assert_eq!((reply.status, reply.reason()), (403, None), "{host}{path}");
        }
        let request =
            http::Request::get(format!("https://{}/v1", scene.at(host))).body(()).unwrap();
        let reply = scene.http2(host).unwrap().request(request, b"", None).unwrap();
        assert_eq!((reply.status, reply.reason()), (403, None), "{host} over h2");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
        let websocket = format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{upgrade}\r\n", scene.at(host));
        let reply = scene.inside(host, websocket).unwrap();
        assert_eq!((reply.status, reply.reason()), (403, None), "{host}, a WebSocket");
    }
    assert_untouched(&scene);
    the_filter_works_in_its_place(&mut scene);
}

#[test]
fn a_permit_for_requests_opens_no_tunnel() {
    for permit in ["request", "", "connect "] {
        let scene = Module::of(&permits(permit)).in_place_of_the_filter(wide::builder("1s"));
        for (case, attempt) in to_the_proxy(&scene) {
            let reply = attempt.unwrap_or_else(|error| panic!("{case}: {error:#}"));
            let expected = (403, reason_of_envoy(case));
            assert_eq!((reply.status, reply.reason()), expected, "{permit:?}: {case}");
        }
        assert_untouched(&scene);
    }
}

#[test]
fn a_module_that_does_nothing_forwards_nothing_at_a_gateway() {
    let gateway = || wide::builder("1s").way(Way::Gateway);
    for module in [Module::of(""), Module::of(&permits("connect")), Module::of(&permits("no"))] {
        let scene = module.in_place_of_the_filter(gateway());
        for (case, attempt) in to_the_gateway(&scene) {
            let reply = attempt.unwrap_or_else(|error| panic!("{case}: {error:#}"));
            assert_eq!((reply.status, reply.reason()), (403, None), "{case}: {}", reply.text());
        }
        assert_untouched(&scene);
    }
    // The twin: the same module with the right permit forwards, so it is the net that held.
    let scene = Module::of(&permits("request")).in_place_of_the_filter(gateway());
    let request = format!("GET /v1 HTTP/1.1\r\nHost: {}\r\n\r\n", scene.at(API));
    assert_eq!(guest::plain(scene.edge(), request).unwrap().status, 200);
    assert_eq!((scene.arrived(), scene.asked()), (1, 0));
}

#[test]
fn a_module_that_traps_forwards_nothing() {
    for traps in [TRAPS, TRAPS_EARLY] {
        let module = Module::of(traps);
        let mut scene = module.in_place_of_the_filter(wide::builder("1s"));
        for (case, attempt) in to_the_proxy(&scene) {
            assert_refused_or_closed(case, attempt);
        }
        assert_untouched(&scene);
        the_filter_works_in_its_place(&mut scene);
        let scene = module.in_place_of_the_filter(wide::builder("1s").way(Way::Gateway));
        for (case, attempt) in to_the_gateway(&scene) {
            assert_refused_or_closed(case, attempt);
        }
        assert_untouched(&scene);
    }
}

/// Envoy does not start with these: nobody listens, so nothing can pass.
#[test]
fn without_a_module_that_loads_nobody_listens() {
    let mut scene = wide::scene("1s");
    let edge = scene.edge();
    let module = |path: &Path| {
        let path = path.to_owned();
        move |settings: &mut stack::envoy::EdgeSettings| settings.filter = path
    };
    let nowhere = tempfile::tempdir().unwrap();
    let good = scene.stack.settings().filter.clone();
    let filter = fs::read(&good).unwrap();
    for (case, bytes) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("no WebAssembly", Some(b"not a module".to_vec())),
        ("half of the filter", Some(filter[..filter.len() / 2].to_vec())),
        ("no proxy-wasm", Some(wat::parse_str("(module)").unwrap())),
        ("refuses its configuration", Some(fs::read(Module::of(REFUSES).path).unwrap())),
    ] {
        let path = nowhere.path().join("module.wasm");
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).unwrap();
        }
        let started = scene.stack.restart_edge(module(&path));
        assert!(started.is_err(), "{case}: Envoy starts");
        let session = scene.stack.mint(&serde_json::json!({"team": "demo"})).unwrap();
        let attempt = guest::connect(edge, &scene.at(API), &[guest::bearer(&session)]);
        assert!(attempt.is_err(), "{case}: somebody listens");
        assert_eq!(scene.arrived(), 0, "{case}");
    }
    scene.stack.restart_edge(module(&good)).unwrap();
    let reply = scene.inside(API, scene.get(API, "/v1")).unwrap();
    wide::assert_leased(&scene, "the filter", &reply);
}

/// All that could be asked of a proxy, with the best of sessions and with none.
fn to_the_proxy(scene: &Scene) -> Vec<(&'static str, Result<Reply>)> {
    let edge = scene.edge();
    let at = scene.at(API);
    let session = guest::bearer(&scene.session);
    let connect =
        |target: &str, headers: &[String]| guest::connect(edge, target, headers)?.refused();
    let plain = |request: String| guest::plain(edge, request);
    vec![
        ("CONNECT with a session", connect(&at, std::slice::from_ref(&session))),
        ("CONNECT without a session", connect(&at, &[])),
        ("CONNECT to an open host", connect(&scene.at(OPEN), std::slice::from_ref(&session))),
        ("CONNECT to an unlisted host", connect("nobody.test:443", std::slice::from_ref(&session))),
        (
            "absolute form",
            plain(format!("GET http://{at}/v1 HTTP/1.1\r\nHost: {at}\r\n{session}\r\n\r\n")),
        ),
        ("origin form", plain(format!("GET /v1 HTTP/1.1\r\nHost: {at}\r\n{session}\r\n\r\n"))),
        (
            "pretending to be the filter",
            plain(format!(
                "GET /v1 HTTP/1.1\r\nHost: {at}\r\nwasm.leasehold.permit: request\r\n\r\n"
            )),
        ),
    ]
}

/// All that could be asked of a gateway.
fn to_the_gateway(scene: &Scene) -> Vec<(&'static str, Result<Reply>)> {
    let (edge, at, session) = (scene.edge(), scene.at(API), &scene.session);
    let plain = |line: &str, host: &str, rest: &str| {
        guest::plain(edge, format!("{line} HTTP/1.1\r\nHost: {host}\r\n{rest}\r\n"))
    };
    let carried = format!("X-Leasehold-Session: {session}\r\n");
    let own = edge.to_string();
    vec![
        ("by path", plain(&format!("GET /{at}/v1"), &own, &carried)),
        ("by path, without a session", plain(&format!("GET /{at}/v1"), &own, "")),
        ("by host", plain("GET /v1", &at, &carried)),
        ("by host, without a session", plain("GET /v1", &at, "")),
        ("an open host", plain("GET /v1", &scene.at(OPEN), &carried)),
        ("a POST", plain("POST /v1", &at, &format!("{carried}Content-Length: 0\r\n"))),
    ]
}

#[track_caller]
fn assert_refused_or_closed(case: &str, attempt: Result<Reply>) {
    if let Ok(reply) = attempt {
        let refused = (400..600).contains(&reply.status);
        assert!(refused, "{case}: {} {}", reply.status, reply.text());
    }
}

#[track_caller]
fn assert_untouched(scene: &Scene) {
    assert_eq!(scene.arrived(), 0, "requests at the origin");
    assert_eq!(scene.asked(), 0, "callouts to custody");
    let log = scene.stack.envoy().unwrap().log().unwrap();
    assert!(!log.contains(LEASED));
}

/// The same stack, the same requests, the real module.
fn the_filter_works_in_its_place(scene: &mut Scene) {
    let real = stack::built::Built::find().unwrap().filter().unwrap();
    scene.stack.restart_edge(|settings| settings.filter = real).unwrap();
    let reply = scene.inside(API, scene.get(API, "/v1")).unwrap();
    wide::assert_leased(scene, "the filter in its place", &reply);
    assert_eq!(scene.arrived(), 1);
}
