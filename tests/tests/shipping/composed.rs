//! What `docker-compose.yml` puts together, put together here: its files, its scripts and its programs
//! on loopback. Only addresses and folders are replaced, and the outside by an origin of our own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::authority::Authority;
use stack::built::Built;
use stack::child::Running;
use stack::envoy::{Envoy, EnvoyBinary};
use stack::inside_addresses;
use stack::openbao::BaoBinary;
use stack::origin::{Origin, OriginSettings, fingerprint};
use stack::ports;
use stack::postgres::Postgres;
use tests::namespace::succeeded;
use tokio::runtime::Runtime;

use crate::compose::{secrets, seeded, yaml};

const PATIENCE: Duration = Duration::from_secs(60);
/// The sealed store's destination, and OpenBao's.
const HOSTS: [&str; 2] = ["postman-echo.com", "httpbin.org"];

/// All of it, running. Taken down from the edge inwards.
struct Composition {
    edge: Option<Envoy>,
    custodies: [Option<Running>; 2],
    _leaf_ca: Running,
    _openbao: Running,
    _postgres: Postgres,
    origin: Origin,
    volumes: tempfile::TempDir,
    _database: tempfile::TempDir,
    _runtime: Runtime,
}

/// The volumes, and files of the source tree with their places replaced.
struct Places<'a> {
    volumes: &'a Path,
}

// === impl Places ===

impl Places<'_> {
    fn at(&self, name: &str) -> PathBuf {
        self.volumes.join(name)
    }

    /// A file of `deploy/compose`, each of whose replaced texts must be there.
    fn shipped(&self, name: &str, replaced: &[(&str, String)]) -> String {
        let text = fs::read_to_string(Built::root().join("deploy/compose").join(name)).unwrap();
        replace(text, replaced)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.at(&format!("{name}.log"))
    }
}

fn replace(text: String, replaced: &[(&str, String)]) -> String {
    replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not there");
        text.replace(from, to)
    })
}

fn free() -> SocketAddr {
    ports::free(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

fn path(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// `openbao.sh serve`, and then `openbao.sh seed`.
fn openbao(places: &Places<'_>) -> (Running, SocketAddr) {
    let (listen, own) = (free(), free());
    let keys = path(places.at("openbao"));
    let replaced = [("0.0.0.0:8300", listen.to_string()), ("/etc/openbao-keys", keys.clone())];
    fs::write(places.at("openbao.hcl"), places.shipped("openbao.hcl", &replaced)).unwrap();
    fs::write(places.at("openbao.sh"), places.shipped("openbao.sh", &[])).unwrap();
    let bao = BaoBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let tools = places.at("tools");
    fs::create_dir(&tools).unwrap();
    std::os::unix::fs::symlink(bao.path(), tools.join("bao")).unwrap();
    let script = |word: &str| {
        let mut script = Command::new("sh");
        script.arg(places.at("openbao.sh")).arg(word).env("OPENBAO_KEYS", &keys);
        script.env("HOME", places.volumes).env("CUSTODY_KEYS", places.at("custody"));
        script.env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
        script.env("BAO_ADDR", format!("https://{listen}"));
        script.env("BAO_DEV_LISTEN_ADDRESS", own.to_string());
        script
    };
    let mut running = Running::start("openbao", &script("serve"), &places.log("openbao")).unwrap();
    running.wait_listening(listen, PATIENCE).unwrap();
    succeeded(&mut script("seed"));
    (running, listen)
}

/// Both replicas' configurations, which differ in where they listen and where they audit.
fn custodies(
    places: &Places<'_>,
    postgres: &Postgres,
    openbao: SocketAddr,
) -> [(PathBuf, SocketAddr, SocketAddr); 2] {
    postgres.create_database("custody").unwrap();
    let password = places.at("custody/postgres-password");
    fs::write(password, postgres.password()).unwrap();
    fs::copy(postgres.ca(), places.at("custody/postgres-ca.pem")).unwrap();
    let url = format!("postgres://{}@{}/custody", postgres.user(), postgres.address());
    ["1", "2"].map(|number| {
        let (edge, health) = (free(), free());
        let audit = places.at(&format!("audit-{number}"));
        fs::create_dir(&audit).unwrap();
        let replaced = [
            ("0.0.0.0:8443", edge.to_string()),
            ("127.0.0.1:8444", health.to_string()),
            ("/etc/custody-keys", path(places.at("custody"))),
            ("/var/lib/custody", path(audit)),
            ("postgres://custody@postgres:5432/custody", url.clone()),
            ("https://openbao:8300", format!("https://{openbao}")),
        ];
        let file = places.at(&format!("custody-{number}.yaml"));
        fs::write(&file, places.shipped("custody.yaml", &replaced)).unwrap();
        (file, edge, health)
    })
}

/// As seeded, with an origin of our own for every destination.
fn envoy(places: &Places<'_>, custodies: [SocketAddr; 2], origin: SocketAddr) -> String {
    let socket =
        |address: SocketAddr| format!("address: {}, port_value: {}", address.ip(), address.port());
    let text = fs::read_to_string(places.at("edge/envoy.yaml")).unwrap();
    let filter = Built::find().unwrap().filter().unwrap();
    let text = replace(
        text,
        &[
            ("/etc/leasehold/sds", path(secrets(places.volumes))),
            ("/etc/leasehold/leasehold_filter.wasm", path(filter)),
            ("/run/leasehold/leaf-ca.sock", path(places.at("leaf-ca.sock"))),
            ("address: custody-1, port_value: 8443", socket(custodies[0])),
            ("address: custody-2, port_value: 8443", socket(custodies[1])),
            ("address: 0.0.0.0, port_value: 3128", socket(free())),
            (
                "address: 127.0.0.1, port_value: 9901",
                "address: 127.0.0.1, port_value: 0".to_owned(),
            ),
            ("/etc/ssl/certs/ca-certificates.crt", path(places.at("world.pem"))),
        ],
    );
    let mut root: Value = serde_yaml_ng::from_str(&text).unwrap();
    for cluster in root["static_resources"]["clusters"].as_array_mut().unwrap() {
        let name = cluster["name"].as_str().unwrap().to_owned();
        if name.starts_with("destinations") {
            let fields = cluster.as_object_mut().unwrap();
            fields.remove("cluster_type").unwrap();
            fields.remove("lb_policy").unwrap();
            let address = json!({"address": origin.ip().to_string(), "port_value": origin.port()});
            let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
            let endpoints = json!([{"lb_endpoints": [endpoint]}]);
            let assignment = json!({"cluster_name": name, "endpoints": endpoints});
            fields.insert("load_assignment".to_owned(), assignment);
            fields.insert("type".to_owned(), json!("STATIC"));
        }
    }
    // The origin is on this machine, which the shipped file refuses.
    inside_addresses::allow(&mut root);
    root.to_string()
}

// === impl Composition ===

impl Composition {
    fn up() -> Self {
        let volumes = seeded();
        let places = Places { volumes: volumes.path() };
        let runtime = Runtime::new().unwrap();
        let authority = Authority::new("the world").unwrap();
        fs::write(places.at("world.pem"), authority.pem()).unwrap();
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let settings = OriginSettings::new(HOSTS);
        let origin = Origin::start(runtime.handle(), local, &settings, &authority).unwrap();
        let database = tempfile::tempdir().unwrap();
        let postgres = Postgres::start(database.path()).unwrap();
        let (openbao, bao_address) = openbao(&places);
        let custodies = custodies(&places, &postgres, bao_address);
        let custody = Built::find().unwrap().program("custody").unwrap();
        // As the service `credentials` does.
        let secret = fs::File::open(places.at("custody/demo-credential")).unwrap();
        let mut put = Command::new(&custody);
        put.args(["cred", "put", "demo", "--config"]).arg(&custodies[0].0).stdin(secret);
        succeeded(&mut put);
        let addresses = [custodies[0].1, custodies[1].1];
        let running = custodies.map(|(file, _, health)| {
            succeeded(Command::new(&custody).args(["check", "--config"]).arg(&file));
            let mut serve = Command::new(&custody);
            serve.args(["serve", "--log-format", "json", "--config"]).arg(&file);
            let mut running =
                Running::start("custody", &serve, &file.with_extension("log")).unwrap();
            running.wait_listening(health, PATIENCE).unwrap();
            Some(running)
        });
        let leaf_ca = leaf_ca(&places);
        let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
        let config = envoy(&places, addresses, origin.address());
        let folder = places.at("envoy");
        fs::create_dir(&folder).unwrap();
        let edge = Envoy::start(&binary, &config, &folder).unwrap();
        Self {
            edge: Some(edge),
            custodies: running,
            _leaf_ca: leaf_ca,
            _openbao: openbao,
            _postgres: postgres,
            origin,
            volumes,
            _database: database,
            _runtime: runtime,
        }
    }

    /// Until the edge's health checks find so many custodies.
    fn waits_for_healthy(&self, count: u64) {
        let (since, admin) = (Instant::now(), self.edge.as_ref().unwrap().admin());
        while admin.stat("cluster.custody.health_check.healthy").unwrap() != count {
            assert!(since.elapsed() < PATIENCE, "the edge does not find {count} custodies healthy");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What each destination answers to a new session, which has no lease yet.
    fn asks_custody(&self, listen: SocketAddr) -> [(Option<i32>, String); 2] {
        crate::compose::run_seed(self.volumes.path());
        HOSTS.map(|host| self.curl(listen, &format!("https://{host}/headers")))
    }

    /// The guest's `curl`, with the settings that are seeded: its exit code, the status and the reason of a denial.
    fn curl(&self, listen: SocketAddr, url: &str) -> (Option<i32>, String) {
        let guest = self.volumes.path().join("guest");
        let settings = fs::read_to_string(guest.join(".curlrc")).unwrap();
        let replaced = [
            ("http://edge:3128", format!("http://{listen}")),
            ("/guest/ca.pem", path(guest.join("ca.pem"))),
        ];
        let file = self.volumes.path().join("curlrc");
        fs::write(&file, replace(settings, &replaced)).unwrap();
        let mut curl = Command::new("curl");
        curl.arg("--config").arg(file).args([
            "--silent",
            "--max-time",
            "20",
            "--output",
            "/dev/null",
        ]);
        let output = curl
            .args(["--write-out", "%{http_code} %header{x-deny-reason}", url])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

/// As the service of that name is started.
fn leaf_ca(places: &Places<'_>) -> Running {
    let composed = yaml(&Built::root().join("docker-compose.yml"));
    let command = composed["services"]["leaf-ca"]["command"].as_array().unwrap();
    let words = command.iter().map(|word| {
        let word = word.as_str().unwrap().replace("/etc/leaf-ca", &path(places.at("leaf-ca")));
        word.replace("/run/leasehold/leaf-ca.sock", &path(places.at("leaf-ca.sock")))
    });
    let mut serve = Command::new(Built::find().unwrap().program("leaf-ca").unwrap());
    serve.args(words);
    let mut running = Running::start("leaf-ca", &serve, &places.log("leaf-ca")).unwrap();
    let socket = places.at("leaf-ca.sock");
    running.wait_until("listening", PATIENCE, || socket.exists()).unwrap();
    running
}

#[test]
fn what_is_composed_works_with_one_custody_less_and_not_at_all_without_the_edge() {
    let mut all = Composition::up();
    let listen = all.edge.as_ref().unwrap().listen_address();
    let secret = |name: &str| fs::read_to_string(all.volumes.path().join(name)).unwrap();
    let secrets = [secret("custody/demo-credential"), secret("openbao/demo-credential")];
    // One credential comes out of PostgreSQL, the other out of OpenBao.
    for (host, secret) in HOSTS.into_iter().zip(&secrets) {
        let url = format!("https://{host}/headers");
        assert_eq!(all.curl(listen, &url), (Some(0), "200 ".to_owned()), "{host}");
        let seen = all.origin.record().last().unwrap();
        let leased = fingerprint(format!("Bearer {}", secret.trim_end()).as_bytes());
        assert_eq!(seen.credential_fingerprint(), Some(leased), "{host}");
    }
    all.waits_for_healthy(2);
    all.custodies[0].take().unwrap().stop();
    // The health checks leave it out within seconds; until then a lease may be asked of the one that is
    // gone, and is denied.
    all.waits_for_healthy(1);
    for _ in 0..4 {
        let ok = (Some(0), "200 ".to_owned());
        assert_eq!(all.asks_custody(listen), [ok.clone(), ok], "with one custody less");
    }
    let asked = all.origin.requests().len();
    all.edge.take().unwrap().stop().unwrap();
    let (code, status) = all.curl(listen, &format!("https://{}/headers", HOSTS[0]));
    assert_eq!((code, status.as_str()), (Some(7), "000 "), "the edge is down");
    assert_eq!(all.origin.requests().len(), asked);
}
