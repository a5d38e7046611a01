//! The plugin by itself, out of a file that Envoy watches (ECDS): a new policy judges the next request of
//! every connection, and no listener drains.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stack::Way;
use stack::envoy::{Envoy, EnvoyBinary, Options};
use tests::guest;
use tests::scene::{API, LEASED, Scene, builder};
use tests::wire::Wire;

use super::{DEFAULT_DRAIN, VMS, allowed, denied, rendered, tightened, verdict};
use crate::wide::wait_until;

/// The file with the plugin.
pub(super) struct Plugin(PathBuf);

// === impl Plugin ===

impl Plugin {
    pub(super) fn at(folder: &Path) -> Self {
        Self(folder.join("plugin.json"))
    }

    /// Takes the plugin out of a rendered configuration, which then finds it in the file.
    pub(super) fn split(&self, config: &str) -> String {
        let mut root: Value = serde_json::from_str(config).unwrap();
        let filter = filter(&mut root);
        let plugin = filter["typed_config"].take();
        *filter = json!({"name": "leasehold", "config_discovery": {
            "config_source": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": self.0, "watched_directory": {"path": self.0.parent().unwrap()},
                },
            },
            "type_urls": [plugin["@type"].as_str().unwrap()],
        }});
        self.write(&plugin);
        root.to_string()
    }

    /// Puts the plugin of another configuration in its place, by a rename.
    pub(super) fn replace(&self, config: &str) {
        let mut root: Value = serde_json::from_str(config).unwrap();
        self.write(&filter(&mut root)["typed_config"]);
    }

    fn write(&self, plugin: &Value) {
        let kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
        let resource = json!({"@type": kind, "name": "leasehold", "typed_config": plugin});
        let new = self.0.with_extension("new");
        fs::write(&new, json!({"resources": [resource]}).to_string()).unwrap();
        fs::rename(&new, &self.0).unwrap();
    }
}

fn filter(root: &mut Value) -> &mut Value {
    let manager = &mut root["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    let filters = manager["typed_config"]["http_filters"].as_array_mut().unwrap();
    filters.iter_mut().find(|filter| filter["name"] == "leasehold").unwrap()
}

fn start(scene: &Scene, folder: &Path, version: Option<u64>) -> (Envoy, Plugin) {
    let plugin = Plugin::at(folder);
    let config = plugin.split(&rendered(scene.stack.settings(), version, |_| {}));
    let mut root: Value = serde_json::from_str(&config).unwrap();
    let listener = &mut root["static_resources"]["listeners"][0];
    listener["address"]["socket_address"]["port_value"] = json!(0);
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    let options = Options { drain: DEFAULT_DRAIN, ..Options::default() };
    let envoy = Envoy::start_with(options, &binary, &root.to_string(), folder);
    (envoy.unwrap_or_else(|error| panic!("{error:#}")), plugin)
}

/// With generations and without: what is discovered needs none.
#[test]
fn a_tightened_policy_judges_the_next_request_of_an_open_connection() {
    for versions in [[None; 3], [Some(1), Some(2), Some(3)]] {
        let scene = Scene::start(builder().way(Way::Gateway));
        let folder = tempfile::tempdir().unwrap();
        let (envoy, plugin) = start(&scene, folder.path(), versions[0]);
        let stat = |name: &str| {
            envoy.admin().stat(&format!("extension_config_discovery.http_filter.leasehold.{name}"))
        };
        let wait_for = |name: &str, count: u64| {
            wait_until(name, || stat(name).unwrap() == count);
        };
        let configured = || envoy.log().unwrap().matches("is configured").count();
        let (host, session) = (scene.at(API), &scene.session);
        let request = |path: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n")
        };
        let dial = || Wire::new(guest::dial(envoy.listen_address()).unwrap());
        let mut open = dial();
        assert_eq!(verdict(&open.exchange(request("/v1/models")).unwrap()), allowed());

        plugin.replace(&rendered(scene.stack.settings(), versions[1], tightened));
        wait_for("config_reload", 2);
        wait_until("the new policy in every VM", || {
            versions[1].is_none() || configured() >= 2 * VMS
        });
        let arrived = scene.arrived();
        // A worker has it within milliseconds of the main thread.
        wait_until("the new policy judges", || {
            verdict(&open.exchange(request("/v1/models")).unwrap()) == denied()
        });
        let late = scene.arrived() - arrived;
        assert!(versions[1].is_none() || late == 0, "{late} by the old policy");
        assert_eq!(verdict(&dial().exchange(request("/v1/models")).unwrap()), denied());
        assert_eq!(verdict(&open.exchange(request("/v1/tightened")).unwrap()), allowed());
        let seen = scene.stack.origin().unwrap().record().last().unwrap();
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));

        // One that the module refuses changes nothing.
        let broken = |plugin: &mut Value| plugin["destinations"] = json!("none");
        plugin.replace(&rendered(scene.stack.settings(), versions[2], broken));
        wait_for("config_fail", 1);
        assert_eq!(verdict(&open.exchange(request("/v1/models")).unwrap()), denied());
        assert_eq!(verdict(&open.exchange(request("/v1/tightened")).unwrap()), allowed());
        assert_eq!(verdict(&dial().exchange(request("/v1/tightened")).unwrap()), allowed());
        envoy.stop().unwrap();
    }
}
