//! `envoy/istio`: against the schemas of Istio and Kubernetes, and against each other, as a name that
//! is spelled in two ways is what goes wrong first.

use edge::config::Config;
use serde_json::{Value, json};
use tests::manifests::{find, read};

use crate::kinds;

const CUSTODY: &str = "deploy/kustomize/custody/service.yaml";
const GATEWAY: &str = "envoy/istio/egress-gateway.yaml";
const SIDECAR: &str = "envoy/istio/sidecar.yaml";
const INSIDE: &str = "envoy/istio/inside-addresses.yaml";

fn all() -> Vec<Value> {
    [CUSTODY, GATEWAY, SIDECAR, INSIDE].into_iter().flat_map(read).collect()
}

#[test]
fn the_manifests_are_what_istio_and_kubernetes_take() {
    assert_eq!(kinds::faults(&all()), [""; 0]);
}

#[test]
fn a_misspelled_field_does_not_pass() {
    let mut manifests = all();
    let at = |manifests: &[Value], kind: &str| {
        manifests.iter().position(|manifest| manifest["kind"] == kind).unwrap()
    };
    let plugin = at(&manifests, "WasmPlugin");
    manifests[plugin]["spec"]["failStrategy"] = json!("FAIL_CLOSED");
    let route = at(&manifests, "VirtualService");
    manifests[route]["spec"]["http"][0]["route"][0]["destination"]["hots"] = json!("x");
    let service = at(&manifests, "Service");
    manifests[service]["spec"]["ports"][0]["prot"] = json!(1);
    let faults = kinds::faults(&manifests);
    assert_eq!(faults.len(), 3, "{faults:?}");
    for (fault, expected) in faults.iter().zip(["failStrategy", "hots", "prot"]) {
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn every_plugin_is_one_that_the_filter_takes_and_fails_closed() {
    let manifests = all();
    let plugins = manifests.iter().filter(|manifest| manifest["kind"] == "WasmPlugin");
    let specs: Vec<_> = plugins.map(|plugin| &plugin["spec"]).collect();
    assert_eq!(specs.len(), 2);
    for spec in specs {
        assert_eq!(spec["failStrategy"], "FAIL_CLOSE");
        let config = &spec["pluginConfig"];
        if let Err(errors) = Config::read(config.to_string().as_bytes()) {
            panic!("{errors:?}");
        }
        let service = read(CUSTODY).into_iter().find(|one| one["kind"] == "Service").unwrap();
        let (name, namespace) = (&service["metadata"]["name"], &service["metadata"]["namespace"]);
        let host =
            format!("{}.{}.svc.cluster.local", name.as_str().unwrap(), namespace.as_str().unwrap());
        let cluster = format!("outbound|{}||{host}", service["spec"]["ports"][0]["port"]);
        assert_eq!(config["custody"]["cluster"], cluster);
        // The net refuses what still carries a session, so no other carrier may be believed.
        assert_eq!(config["session"]["carriers"], json!([{"header": "x-leasehold-session"}]));
    }
}

/// The net for inside addresses is for the workloads and listeners that the permit's net is for.
#[test]
fn inside_addresses_are_refused_where_permits_are_demanded() {
    let inside = read(INSIDE);
    for (file, number) in [(GATEWAY, 0), (SIDECAR, 1)] {
        let permit = find(&read(file), "EnvoyFilter", "leasehold-permit").clone();
        let own = &inside[number];
        assert_eq!(own["metadata"]["namespace"], permit["metadata"]["namespace"]);
        assert_eq!(own["spec"]["workloadSelector"], permit["spec"]["workloadSelector"]);
        let [net, reply] = own["spec"]["configPatches"].as_array().unwrap().as_slice() else {
            panic!("{file}: two patches");
        };
        assert_eq!(net["match"], permit["spec"]["configPatches"][0]["match"]);
        let listener = |patch: &Value| patch["match"]["listener"]["portNumber"].clone();
        assert_eq!(
            (&reply["match"]["context"], listener(reply)),
            (&net["match"]["context"], listener(net))
        );
        // Where Envoy falls back to another address, nothing judges that one.
        for entry in read(file).iter().filter(|manifest| manifest["kind"] == "ServiceEntry") {
            assert_eq!(entry["spec"]["resolution"], "DNS", "{file}");
        }
    }
}

/// Every host of a destination is registered, routed, reached over TLS with its own name, and known to
/// the net.
#[test]
fn the_gateways_destinations_are_the_same_everywhere() {
    let manifests = read(GATEWAY);
    let spec = |kind: &str, name: &str| find(&manifests, kind, name)["spec"].clone();
    let destinations = spec("WasmPlugin", "leasehold")["pluginConfig"]["destinations"].clone();
    let destinations = destinations.as_array().unwrap();
    for destination in destinations {
        let name = destination["name"].as_str().unwrap();
        let hosts = &destination["hosts"];
        for kind in ["ServiceEntry", "VirtualService"] {
            assert_eq!(&spec(kind, name)["hosts"], hosts, "{kind} {name}");
        }
        let rule = spec("DestinationRule", name);
        let tls = &rule["trafficPolicy"]["portLevelSettings"][0]["tls"];
        assert_eq!((&rule["host"], &tls["sni"]), (&hosts[0], &hosts[0]));
        assert_eq!((&tls["subjectAltNames"], &tls["mode"]), (hosts, &json!("SIMPLE")));
        assert!(tls["caCertificates"].is_string(), "{tls}");
        let operation =
            &spec("AuthorizationPolicy", "leasehold-egress")["rules"][0]["to"][0]["operation"];
        assert_eq!(&operation["hosts"], hosts);
        assert_eq!(operation["methods"], destination["allow"][0]["methods"]);
        assert_eq!(&spec("Gateway", "leasehold-egress")["servers"][0]["hosts"], hosts);
    }
}
