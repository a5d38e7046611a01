//! Sessions that are good at one listener only, by the metadata of the listener. Since Envoy 1.39 that
//! metadata is not part of a plugin's identity, so listeners with one configuration share a root context.

use serde_json::{Value, json};
use stack::Way;
use stack::envoy::{Envoy, EnvoyBinary};
use tests::guest::{self, Connected};
use tests::reply::Reply;
use tests::scene::{API, Scene, builder, policy};
use tests::wire::Wire;

const ROUNDS: usize = 8;

fn bound() -> Value {
    let mut policy = policy();
    policy["session"] = json!({"bind": {
        "claim": "container",
        "property": ["xds", "listener_metadata", "filter_metadata", "leasehold", "container"],
    }});
    policy
}

fn metadata(container: &str) -> Value {
    json!({"filter_metadata": {"leasehold": {"container": container}}})
}

fn session(scene: &Scene, container: &str) -> String {
    scene.stack.mint(&json!({"team": "demo", "container": container})).unwrap()
}

fn verdict(reply: &Reply) -> (u16, Option<String>) {
    (reply.status, reply.reason())
}

fn refused() -> (u16, Option<String>) {
    (403, Some("session_binding".to_owned()))
}

#[test]
fn listeners_with_one_plugin_and_different_metadata_keep_sessions_apart() {
    let scene = Scene::start(builder().way(Way::Gateway).policy(bound()));
    let mut config: Value =
        serde_json::from_str(&scene.stack.settings().render().unwrap()).unwrap();
    let listeners = config["static_resources"]["listeners"].as_array_mut().unwrap();
    listeners[0]["address"]["socket_address"]["port_value"] = json!(0);
    let mut others = listeners[0].clone();
    listeners[0]["metadata"] = metadata("web-1");
    others["name"] = json!("others");
    others["metadata"] = metadata("web-2");
    listeners.push(others);
    let folder = tempfile::tempdir().unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    let envoy = Envoy::start(&binary, &config.to_string(), folder.path()).unwrap();
    let listeners = envoy.admin().listeners().unwrap();

    let sessions = ["web-1", "web-2"].map(|container| (container, session(&scene, container)));
    for _ in 0..ROUNDS {
        for (listener, own) in [("guests", "web-1"), ("others", "web-2")] {
            for (container, session) in &sessions {
                let path = format!("/{}/v1/models", scene.at(API));
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {session}\r\n\r\n",
                    scene.edge()
                );
                let reply = guest::plain(listeners[listener], request).unwrap();
                let expected = if *container == own { (200, None) } else { refused() };
                assert_eq!(verdict(&reply), expected, "{container} at {listener}");
            }
        }
    }
    envoy.stop().unwrap();
}

#[test]
fn in_a_tunnel_the_metadata_of_both_listeners_binds_a_session() {
    let mut scene = Scene::start(builder().way(Way::Explicit).policy(bound()));
    let mut config: Value =
        serde_json::from_str(&scene.stack.settings().render().unwrap()).unwrap();
    for listener in config["static_resources"]["listeners"].as_array_mut().unwrap() {
        listener["metadata"] = metadata("web-1");
    }
    config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] =
        json!(0);
    let folder = tempfile::tempdir().unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    let envoy = Envoy::start(&binary, &config.to_string(), folder.path()).unwrap();

    for (container, expected) in [("web-1", (200, None)), ("web-2", refused())] {
        scene.session = session(&scene, container);
        let header = [guest::bearer(&scene.session)];
        let reply = match guest::connect(envoy.listen_address(), &scene.at(API), &header).unwrap() {
            Connected::Refused(reply) => reply,
            Connected::Tunnel(tunnel) => {
                let ca = scene.stack.guest_ca().unwrap();
                let tls = guest::tls(tunnel, ca, Some(API), "http/1.1").unwrap();
                Wire::new(tls).exchange(scene.get(API, "/v1/models")).unwrap()
            }
        };
        assert_eq!(verdict(&reply), expected, "{container}");
    }
    envoy.stop().unwrap();
}
