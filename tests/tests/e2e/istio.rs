//! The filter under the configuration that Istio makes of `envoy/istio`: delivered by ECDS, without a
//! `vm_id` and without a word on header stops, the configuration as JSON in a `StringValue`, two plugins
//! in one VM, custody under Istio's name. The proxy is a real Envoy; only istiod is missing, whose
//! part [`generated`] plays.

mod generated;
mod inside;

use std::path::Path;
use std::thread;

use serde_json::{Value, json};
use stack::envoy::{Envoy, EnvoyBinary};
use stack::origin::OriginSettings;
use stack::{Credential, Stack, Way};
use tempfile::TempDir;
use tests::guest;
use tests::manifests::{find, read};
use tests::reply::Reply;
use tests::scene::{LEASED, SECRET, Scene};

use crate::safety_net::Module;
use crate::wide::{Frozen, wait_until};
use generated::{Listener, Proxy};

const GITHUB: &str = "api.github.com";
/// Counts the callouts to custody.
const LEASES: &str = "wasmcustom.leasehold.leases";
const OPENAI: &str = "api.openai.com";

/// A stack for its custody, its origin and its sessions; and the proxy, which is Istio's.
struct Mesh {
    scene: Scene,
    proxy: Envoy,
    _folder: TempDir,
}

/// The plugin configuration that is shipped in a file, with the test's keys in place of the example's.
fn plugin(file: &str, keys: &Value) -> Value {
    let manifests = read(&format!("envoy/istio/{file}.yaml"));
    let mut config = find(&manifests, "WasmPlugin", "leasehold")["spec"]["pluginConfig"].clone();
    config["session"]["keys"] = keys.clone();
    config
}

// === impl Mesh ===

impl Mesh {
    fn start() -> Self {
        Self::with_module(None)
    }

    /// Two gateways in one proxy, so that two plugins share what can be shared.
    fn with_module(module: Option<&Path>) -> Self {
        let shipped = ["egress-gateway", "sidecar"].map(|file| plugin(file, &Value::Null));
        let destinations =
            shipped.iter().flat_map(|config| config["destinations"].as_array().unwrap().clone());
        let session = json!({
            "issuer": shipped[0]["session"]["issuer"],
            "audience": shipped[0]["session"]["audience"],
        });
        let policy = json!({"destinations": destinations.collect::<Vec<_>>(), "session": session});
        let builder = Stack::builder()
            .way(Way::Gateway)
            .policy(policy)
            .origin(OriginSettings::new([GITHUB, OPENAI]))
            .origin_on_any_port()
            .credential(Credential::bearer("github-ci", SECRET))
            .credential(Credential::bearer("openai", SECRET));
        let mut scene = Scene::start(builder);
        scene.session = scene.stack.mint(&json!({"team": ["build", "agents"]})).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = scene.stack.settings();
        let keys = &settings.plugin["session"]["keys"];
        let module = module.unwrap_or(&settings.filter);
        let proxy = Proxy {
            folder: folder.path(),
            module,
            origin: scene.stack.origin().unwrap().address(),
            origin_ca: &settings.upstream_ca,
            custody: settings.custody.as_ref().unwrap(),
            listeners: [
                Listener { file: "egress-gateway", config: plugin("egress-gateway", keys) },
                Listener { file: "sidecar", config: plugin("sidecar", keys) },
            ],
        };
        let config = proxy.bootstrap();
        let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
        let proxy = Envoy::start(&binary, &config.to_string(), folder.path())
            .unwrap_or_else(|error| panic!("{error:#}"));
        Self { scene, proxy, _folder: folder }
    }

    /// A request through the egress gateway.
    fn ask(&self, request: &str) -> Reply {
        guest::plain(self.proxy.listen_address(), self.with_session(request)).unwrap()
    }

    /// A request through the other listener.
    fn ask_sidecar(&self, request: &str) -> Reply {
        let address = self.proxy.admin().listeners().unwrap()["sidecar"];
        guest::plain(address, self.with_session(request)).unwrap()
    }

    fn with_session(&self, request: &str) -> String {
        request.replace("SESSION", &self.scene.session)
    }

    fn assert_leased(&self, reply: &Reply) {
        assert_eq!((reply.status, reply.reason()), (200, None), "{}", reply.text());
        let seen = self.scene.stack.origin().unwrap().record().last().unwrap();
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    }

    fn assert_denied(&self, reply: &Reply, status: u16, reason: &str) {
        assert_eq!(
            (reply.status, reply.reason()),
            (status, Some(reason.to_owned())),
            "{}",
            reply.text()
        );
    }
}

/// `GET` of a path of GitHub with this session header line.
fn github(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {GITHUB}\r\nx-leasehold-session: SESSION\r\n\r\n")
}

fn openai(path: &str) -> String {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {OPENAI}\r\nx-leasehold-session: SESSION\r\n");
    format!("{head}Content-Length: 2\r\n\r\n{{}}")
}

#[test]
fn what_the_gateway_allows_gets_a_lease_and_the_rest_nothing() {
    let mesh = Mesh::start();
    mesh.assert_leased(&mesh.ask(&github("/repos/acme/site")));
    let seen = mesh.scene.stack.origin().unwrap().record().last().unwrap();
    for name in seen.header_names() {
        let gone = ["x-leasehold-session", "x-forwarded-", "x-envoy-"];
        assert!(!gone.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
    let arrived = mesh.scene.arrived();
    mesh.assert_denied(&mesh.ask(&github("/user")), 403, "path_not_allowed");
    mesh.assert_denied(&mesh.ask(&openai("/v1/responses")), 403, "host_not_allowed");
    let without = github("/repos/acme/site").replace("x-leasehold-session", "x-other");
    mesh.assert_denied(&mesh.ask(&without), 401, "session_missing");
    let deleted = github("/repos/acme/site").replace("GET", "DELETE");
    mesh.assert_denied(&mesh.ask(&deleted), 403, "method_not_allowed");
    assert_eq!(mesh.scene.arrived(), arrived, "a denied request arrived");
    let stats = mesh.proxy.admin().get("/stats?filter=outbound.8443.*upstream_rq_200").unwrap();
    assert!(stats.contains("custody.leasehold.svc.cluster.local"), "{stats}");
}

#[test]
fn two_plugins_in_one_vm_keep_their_policies_and_leases_apart() {
    let mesh = Mesh::start();
    mesh.assert_leased(&mesh.ask(&github("/repos/acme/site")));
    mesh.assert_leased(&mesh.ask_sidecar(&openai("/v1/responses")));
    mesh.assert_denied(&mesh.ask(&openai("/v1/responses")), 403, "host_not_allowed");
    mesh.assert_denied(&mesh.ask_sidecar(&github("/repos/acme/site")), 403, "host_not_allowed");
    // As many VMs as the stack's own Envoy has for its one plugin.
    let vms = |envoy: &Envoy| envoy.admin().stat("wasm.envoy.wasm.runtime.v8.active").unwrap();
    assert_eq!(vms(&mesh.proxy), vms(mesh.scene.stack.envoy().unwrap()));
}

#[test]
fn a_body_waits_for_the_lease_although_istio_says_nothing_of_header_stops() {
    let mesh = Mesh::start();
    let frozen = Frozen::custody(&mesh.scene);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| mesh.ask_sidecar(&openai("/v1/responses")));
        wait_until("custody is asked", || mesh.proxy.admin().stat(LEASES).unwrap() == 1);
        assert_eq!(mesh.scene.arrived(), 0, "the request went before its lease");
        drop(frozen);
        mesh.assert_leased(&waiting.join().unwrap());
    });
}

#[test]
fn custody_that_is_not_there_denies() {
    let mut mesh = Mesh::start();
    mesh.scene.stack.kill_custody();
    mesh.assert_denied(&mesh.ask(&github("/repos/acme/site")), 503, "custody_unavailable");
    mesh.scene.stack.start_custody().unwrap();
    wait_until("custody is back", || mesh.ask(&github("/repos/acme/site")).status == 200);
}

/// What the patch of `egress-gateway.yaml` is for.
#[test]
fn a_module_that_does_nothing_forwards_nothing() {
    let module = Module::of("");
    let mesh = Mesh::with_module(Some(&module.path));
    for request in [github("/repos/acme/site"), github("/"), openai("/v1/responses")] {
        for reply in [mesh.ask(&request), mesh.ask_sidecar(&request)] {
            assert_eq!((reply.status, reply.reason()), (403, None), "{}", reply.text());
        }
    }
    assert_eq!(mesh.scene.arrived(), 0);
}
