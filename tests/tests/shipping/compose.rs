//! `docker-compose.yml`, without an engine: against the Compose specification's schema, for what it
//! promises, and with the programs that would run in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edge::config::Config;
use serde_json::{Value, json};
use stack::built::Built;
use stack::envoy::EnvoyBinary;
use stack::openbao::BaoBinary;
use stack::schemas::Schemas;

use crate::schema;

const FILE: &str = "docker-compose.yml";
/// What the cluster of custody has otherwise than in `envoy/explicit.yaml`, as JSON pointers.
const OWN: [&str; 1] = ["/load_assignment/endpoints"];
/// What it has in addition.
const ADDED: [&str; 3] = ["health_checks", "common_lb_config", "outlier_detection"];

/// A YAML file with its merge keys (`<<`) applied.
pub fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    // Twice: what is merged in may have a merge key itself.
    value.apply_merge().unwrap();
    value.apply_merge().unwrap();
    serde_json::to_value(value).unwrap()
}

fn file() -> Value {
    yaml(&Built::root().join(FILE))
}

fn services(file: &Value) -> BTreeMap<&str, &Value> {
    let services = file["services"].as_object().unwrap();
    services.iter().map(|(name, service)| (name.as_str(), service)).collect()
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

/// `source:target[:ro]`.
fn mounts(service: &Value) -> Vec<(&str, &str)> {
    let mounts = texts(&service["volumes"]).into_iter();
    mounts
        .map(|mount| {
            let (source, rest) = mount.split_once(':').unwrap();
            (source, rest.split(':').next().unwrap())
        })
        .collect()
}

/// Folders as the volumes of a first `docker compose up`, filled by `seed.sh` with our programs.
pub fn seeded() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = file();
    for (source, target) in mounts(&file["services"]["seed"]) {
        if let Some(name) = target.strip_prefix("/seed/") {
            assert!(!source.starts_with('.'), "{source}");
            fs::create_dir(folder.path().join(name)).unwrap();
        }
    }
    run_seed(folder.path());
    folder
}

pub fn run_seed(folder: &Path) {
    let built = Built::find().unwrap();
    let programs = ["custody", "leaf-ca", "session-jwt"].map(|name| built.program(name).unwrap());
    let mut path = programs[0].parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let script = Built::root().join("deploy/compose/seed.sh");
    let mut seed = Command::new("sh");
    said(seed.arg(script).env("SEED", folder).env("PATH", path));
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The files of secrets, with the keys where they were seeded.
pub fn secrets(seeded: &Path) -> PathBuf {
    let folder = seeded.join("sds");
    fs::create_dir(&folder).unwrap();
    for name in ["edge-client.yaml", "custody-ca.yaml"] {
        let text = fs::read_to_string(Built::root().join("envoy/sds").join(name)).unwrap();
        let keys = seeded.join("edge");
        fs::write(folder.join(name), text.replace("/etc/leasehold/keys", keys.to_str().unwrap()))
            .unwrap();
    }
    folder
}

#[test]
fn it_is_a_compose_file() {
    let compose = schema::read(
        &Schemas::fetch(&|line| eprintln!("{line}")).unwrap().vendored.join("compose-spec.json"),
    );
    let mut file = file();
    assert_eq!(schema::faults(&compose, &[], &file), [""; 0]);
    file["services"]["guest"]["read_onyl"] = json!(true);
    assert_eq!(schema::faults(&compose, &[], &file).len(), 1, "the schema takes anything");
}

/// Two containers meet only in a network that both name; those of the guest and of every secret have no
/// way out of the machine.
#[test]
fn a_guest_meets_the_edge_and_nobody_else() {
    let file = file();
    let services = services(&file);
    let of = |name: &str| texts(&services[name]["networks"]);
    assert_eq!(of("guest"), BTreeSet::from(["guests"]));
    for (name, service) in &services {
        let networked = !of(name).is_empty();
        assert!(networked || service["network_mode"] == "none", "{name} is on the default network");
        assert!(service["ports"].is_null() && service["links"].is_null(), "{name}");
        assert!(service["extra_hosts"].is_null() && service["privileged"].is_null(), "{name}");
        let meets = !of(name).is_disjoint(&of("guest"));
        assert_eq!(meets, ["edge", "guest"].contains(name), "{name} and the guest");
        assert_eq!(of(name).contains("outside"), *name == "edge", "{name} and the outside");
        let stores = ["postgres", "openbao"].contains(name);
        assert!(!stores || of(name).is_disjoint(&of("edge")), "{name} and the edge");
    }
    for (name, network) in file["networks"].as_object().unwrap() {
        assert_eq!(network["internal"] == true, name != "outside", "{name}");
    }
}

#[test]
fn every_container_is_closed_and_its_image_pinned() {
    let file = file();
    let dockerfile = fs::read_to_string(Built::root().join("Dockerfile")).unwrap();
    for (name, service) in services(&file) {
        assert_eq!(service["user"], "65532:65532", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert!(service["cap_add"].is_null(), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_u64(), "{name}");
        let (image, version) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
        assert!(version.split('.').count() >= 2, "{name}: {image}:{version}");
        if let Some(ours) = image.strip_prefix("leasehold/") {
            assert_eq!(version, env!("CARGO_PKG_VERSION"), "{name}");
            assert_eq!(service["build"]["target"], ours, "{name}");
            assert!(dockerfile.contains(&format!(" AS {ours}\n")), "no target {ours}");
        }
    }
    for line in dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let image = line.split(' ').next().unwrap();
        let pinned = image == "scratch" || image.contains(|c: char| c.is_ascii_digit());
        assert!(pinned && !image.contains("latest"), "{line}");
    }
}

/// What runs in the images is what the tests run.
#[test]
fn images_are_of_the_versions_that_are_tested() {
    let read = |name: &str| fs::read_to_string(Built::root().join(name)).unwrap();
    let images = read(FILE) + &read("Dockerfile");
    let say = |line: &str| eprintln!("{line}");
    let envoy = EnvoyBinary::locate_or_fetch(&say).unwrap();
    let bao = BaoBinary::locate_or_fetch(&say).unwrap();
    let toolchain = read("rust-toolchain.toml");
    let rust = toolchain.split('"').nth(1).unwrap();
    for image in [
        format!("envoyproxy/envoy:distroless-v{}", envoy.version()),
        format!("openbao/openbao:{}", bao.version()),
        format!("rust:{rust}-slim-bookworm"),
    ] {
        assert!(images.contains(&image), "no {image}");
    }
}

/// Who waits for a service to be healthy can know whether it is, and who waits for its end sees one.
#[test]
fn what_is_waited_for_happens() {
    let file = file();
    let services = services(&file);
    let mut ends = BTreeSet::new();
    for (name, service) in &services {
        for (on, how) in service["depends_on"].as_object().into_iter().flatten() {
            match how["condition"].as_str().unwrap() {
                "service_healthy" => {
                    assert!(services[on.as_str()]["healthcheck"]["test"].is_array(), "{name}: {on}")
                }
                "service_completed_successfully" => {
                    assert!(services[on.as_str()]["restart"].is_null(), "{name} waits for {on}");
                    ends.insert(on.as_str());
                }
                other => panic!("{name} waits for {on}: {other}"),
            }
        }
    }
    let healthy = services.iter().filter(|(_, service)| service["healthcheck"].is_object());
    let healthy: BTreeSet<_> = healthy.map(|(name, _)| *name).collect();
    let all: BTreeSet<_> = services.keys().copied().collect();
    assert_eq!(healthy.union(&ends).copied().collect::<BTreeSet<_>>(), all, "unwatched services");
    assert!(healthy.is_disjoint(&ends));
}

/// Files are in the source tree and read-only; secrets are where they are needed and nowhere else.
#[test]
fn what_is_mounted_is_there_and_secrets_are_apart() {
    let file = file();
    let mut who: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, service) in services(&file) {
        for (source, target) in mounts(service) {
            if let Some(path) = source.strip_prefix("./") {
                assert!(Built::root().join(path).is_file(), "{name}: {source}");
                let mount = format!("{source}:{target}:ro");
                assert!(texts(&service["volumes"]).contains(mount.as_str()), "{name}: {mount}");
            } else {
                assert!(file["volumes"].as_object().unwrap().contains_key(source), "{source}");
                who.entry(source).or_default().insert(name);
            }
        }
    }
    let all: BTreeSet<_> = who.keys().copied().collect();
    let declared = file["volumes"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(all, declared);
    assert_eq!(who["operator"], BTreeSet::from(["seed"]));
    assert_eq!(who["leaf-ca-keys"], BTreeSet::from(["leaf-ca", "seed"]));
    assert_eq!(who["guest-files"], BTreeSet::from(["guest", "seed"]));
    assert_eq!(who["run"], BTreeSet::from(["edge", "leaf-ca"]));
    assert!(!who["custody-keys"].contains("edge") && !who["custody-keys"].contains("guest"));
    assert_eq!(mounts(&file["services"]["guest"]), [("guest-files", "/guest")]);
}

/// But for what is the composition's own, the edge is configured as the file that the tests run.
#[test]
fn the_edge_is_the_shipped_one() {
    let mut shipped = yaml(&Built::root().join("envoy/explicit.yaml"));
    let mut composed = yaml(&Built::root().join("deploy/compose/envoy.yaml"));
    let names = |file: &Value| -> Vec<_> {
        let clusters = file["static_resources"]["clusters"].as_array().unwrap();
        clusters.iter().map(|cluster| cluster["name"].as_str().unwrap().to_owned()).collect()
    };
    let at = names(&shipped).iter().position(|name| name == "custody").unwrap();
    assert_eq!(names(&shipped), names(&composed));
    for file in [&mut shipped, &mut composed] {
        let cluster = &mut file["static_resources"]["clusters"][at];
        for pointer in OWN {
            *cluster.pointer_mut(pointer).unwrap() = Value::Null;
        }
        put_policies_aside(file);
    }
    let cluster = composed["static_resources"]["clusters"][at].as_object_mut().unwrap();
    for field in ADDED {
        cluster.remove(field).unwrap_or_else(|| panic!("no {field}"));
    }
    assert_eq!(shipped, composed);
}

/// Takes out every plugin configuration.
fn put_policies_aside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("name").is_some_and(|name| name == "leasehold")
                && let Some(configuration) = fields.get_mut("configuration")
            {
                *configuration = Value::Null;
            }
            fields.values_mut().for_each(put_policies_aside);
        }
        Value::Array(entries) => entries.iter_mut().for_each(put_policies_aside),
        _ => {}
    }
}

/// Envoy takes the configuration as it is after seeding, and the filter its policy, which believes the
/// guest's session.
#[test]
fn envoy_takes_what_is_seeded() {
    let seeded = seeded();
    let at = |name: &str| seeded.path().join(name);
    let text = fs::read_to_string(at("edge/envoy.yaml")).unwrap();
    let filter = Built::find().unwrap().filter().unwrap();
    let secrets = secrets(seeded.path());
    let text = text.replace("/etc/leasehold/sds", secrets.to_str().unwrap());
    let text = text.replace("/etc/leasehold/leasehold_filter.wasm", filter.to_str().unwrap());
    let file = at("validated.yaml");
    fs::write(&file, &text).unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    binary.validate(&file).unwrap_or_else(|error| panic!("{error}"));

    let policy = policy(&yaml(&file));
    Config::read(policy.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let keys = schema::read(&at("custody/jwks.json"));
    let [ours, theirs] = [&policy["session"]["keys"]["jwks"], &keys].map(|set| &set["keys"][0]);
    assert_eq!((&ours["kid"], &ours["x"]), (&theirs["kid"], &theirs["x"]));
    let first = inspected(&at("guest/.curlrc"), &at("custody/jwks.json"));

    // A second run renews the session, and makes nothing else anew.
    let key = fs::read(at("custody/root.key")).unwrap();
    run_seed(seeded.path());
    assert_ne!(inspected(&at("guest/.curlrc"), &at("custody/jwks.json")), first);
    assert_eq!(fs::read(at("custody/root.key")).unwrap(), key);
    assert_eq!(fs::read_dir(at("guest")).unwrap().count(), 2, "a guest has a CA and a session");
}

/// The session in a `.curlrc`, which is accepted.
fn inspected(curlrc: &Path, jwks: &Path) -> String {
    let text = fs::read_to_string(curlrc).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("proxy-user = \"session:"));
    let token = line.unwrap().trim_end_matches('"').to_owned();
    let mut inspect = Command::new(Built::find().unwrap().program("session-jwt").unwrap());
    inspect.args(["inspect", &token, "--iss", "https://control-plane.example"]);
    said(inspect.args(["--aud", "leasehold-edge", "--jwks"]).arg(jwks));
    token
}

fn policy(value: &Value) -> String {
    fn find(value: &Value) -> Option<&str> {
        match value {
            Value::Object(fields) => match fields.get("configuration") {
                Some(configuration) => configuration["value"].as_str(),
                None => fields.values().find_map(find),
            },
            Value::Array(entries) => entries.iter().find_map(find),
            _ => None,
        }
    }
    find(value).unwrap().to_owned()
}

/// Who is allowed a destination at the edge is granted it by custody and has leaves from leaf-ca; and
/// every file that custody names is one that was seeded.
#[test]
fn edge_custody_and_leaf_ca_are_of_one_mind() {
    let composed = yaml(&Built::root().join("deploy/compose/envoy.yaml"));
    let policy: Value = serde_json::from_str(&policy(&composed)).unwrap();
    let destinations = policy["destinations"].as_array().unwrap().iter();
    let allowed: BTreeSet<_> = destinations
        .map(|one| {
            (one["credential"]["handle"].as_str().unwrap(), one["hosts"][0].as_str().unwrap())
        })
        .collect();
    let custody = yaml(&Built::root().join("deploy/compose/custody.yaml"));
    let grants = custody["grants"].as_array().unwrap().iter();
    let granted = grants
        .map(|one| (one["handle"].as_str().unwrap(), one["destinations"][0].as_str().unwrap()))
        .collect();
    assert_eq!(allowed, granted);
    let file = file();
    let command = texts(&file["services"]["leaf-ca"]["command"]);
    let leaves: BTreeSet<_> =
        command.iter().filter_map(|word| word.strip_prefix("--allow=")).collect();
    assert_eq!(leaves, allowed.iter().map(|(_, host)| *host).collect());

    let seeded = seeded();
    let mut named = Vec::new();
    files_below("/etc/custody-keys/", &custody, &mut named);
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        // The one that `openbao.sh seed` writes.
        let there = seeded.path().join("custody").join(&name).is_file();
        assert!(there || name == Path::new("openbao-token"), "{name:?}");
    }
}

fn files_below(folder: &str, value: &Value, found: &mut Vec<PathBuf>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(folder).map(PathBuf::from)),
        Value::Object(fields) => {
            fields.values().for_each(|value| files_below(folder, value, found));
        }
        Value::Array(entries) => {
            entries.iter().for_each(|value| files_below(folder, value, found));
        }
        _ => {}
    }
}
