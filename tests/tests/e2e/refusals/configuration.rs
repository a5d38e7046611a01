//! A wrong plugin configuration: Envoy refuses it, every mistake is told at once with the path of
//! its field and none of its values, and nothing is served meanwhile.

use std::fs;
use std::net::TcpStream;

use serde_json::{Value, json};
use tests::scene::{API, Scene};

/// Restarts the edge with this configuration, which it must refuse; its log of that start.
fn refused(scene: &mut Scene, plugin: Value) -> String {
    let log = scene.stack.folder().join("envoy/envoy.log");
    let before = fs::read_to_string(&log).unwrap().len();
    let started = scene.stack.restart_edge(|settings| settings.plugin = plugin);
    assert!(started.is_err(), "Envoy took a wrong configuration");
    assert!(TcpStream::connect(scene.edge()).is_err(), "somebody listens for guests");
    fs::read_to_string(&log).unwrap().split_off(before)
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_served() {
    let mut scene = Scene::explicit();
    let good = scene.stack.settings().plugin.clone();

    let mut wrong = good.clone();
    wrong["custody"]["timeout"] = json!("1h");
    wrong["session"]["keys"]["jwks"]["keys"][0]["alg"] = json!("HS256");
    wrong["destinations"][0]["credential"]["handle"] = json!("../secret-handle");
    wrong["destinations"][1]["ports"] = json!([0]);
    wrong["destinations"][1]["allow"][0]["methods"] = json!(["get"]);
    wrong["destinations"][2]["hosts"] = json!(["*.com", "*.co.uk", "*"]);
    wrong["destinations"][2]["allow"][0]["paths"] = json!(["/a/../b"]);
    wrong["destinations"][3]["host"] = json!("secret-host");
    let log = refused(&mut scene, wrong);
    for expected in [
        "leasehold: custody.timeout: from 10ms to 30s",
        "leasehold: session.keys.jwks.keys[0].alg: ",
        "leasehold: destinations[0].credential.handle: a handle is",
        "leasehold: destinations[1].ports[0]: a port is",
        "leasehold: destinations[1].allow[0].methods[0]: \"get\" is not a valid method",
        "leasehold: destinations[2].hosts[0]: \"*.com\" covers a public suffix",
        "leasehold: destinations[2].hosts[1]: \"*.co.uk\" covers a public suffix",
        "leasehold: destinations[2].hosts[2]: ",
        "leasehold: destinations[2].allow[0].paths[0]: \"/a/../b\" matches no path",
        "leasehold: destinations[3].host: unknown field `host`",
    ] {
        assert!(log.contains(expected), "{expected}\n--- is not in ---\n{log}");
    }
    assert!(!log.contains("secret-handle") && !log.contains("secret-host"), "{log}");

    let mut ambiguous = good.clone();
    let mut second = good["destinations"][0].clone();
    second["name"] = json!("second");
    second["credential"] = json!({"handle": "another"});
    ambiguous["destinations"].as_array_mut().unwrap().push(second);
    let log = refused(&mut scene, ambiguous);
    let expected = "leasehold: destinations[4]: matches requests that \"api\" matches too, \
                    with another credential";
    assert!(log.contains(expected), "{log}");

    let log = refused(&mut scene, json!({"posture": "explicit", "destinatoins": []}));
    assert!(log.contains("unknown field `destinatoins`"), "{log}");

    scene.stack.restart_edge(|settings| settings.plugin = good).unwrap();
    scene.accepts("the good one again", || scene.inside(API, scene.get(API, "/v1/a")));
}
