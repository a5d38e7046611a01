//! Certificates, keys and CAs between edge and custody that are renewed while guests are served: by a
//! rename, and as Kubernetes does it. Nobody is restarted, and no guest notices.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use stack::Way;
use stack::envoy::MutualTls;
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;

use crate::wide::{self, new_session, wait_until};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// The name that the edge demands.
const NAME: &str = "custody.internal";
/// Years by which a certificate is known in Envoy's `/certs`.
const FIRST: i32 = 2091;
const SECOND: i32 = 2092;
const CA: i32 = 2093;
/// How long the client certificate lives that is renewed.
const SHORT: Duration = Duration::from_secs(8);
/// A busy machine's answer is late, and no denial.
const TIMEOUT: &str = "10s";

/// What the guests came to.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    on_open_connections: AtomicUsize,
    on_new_connections: AtomicUsize,
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // A leaf of the same name would look self-signed.
    params.distinguished_name.push(rcgen::DnType::CommonName, "the next CA");
    params.not_after = rcgen::date_time_ymd(CA, 1, 1);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn pair(
    authority: &Authority,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> [String; 2] {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    [params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem()]
}

fn until(year: i32) -> impl FnOnce(&mut CertificateParams) {
    move |params| params.not_after = rcgen::date_time_ymd(year, 1, 1)
}

/// Replaces a file by a rename.
fn renew(file: &Path, text: &str) {
    let new = file.with_extension("renewed");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&new, file).unwrap();
}

fn renew_pair(files: [&Path; 2], [certificate, key]: &[String; 2]) {
    renew(files[1], key);
    renew(files[0], certificate);
}

fn tls(scene: &Scene) -> MutualTls {
    scene.stack.settings().custody.clone().unwrap().tls.unwrap()
}

/// Envoy has loaded, of custody's cluster, a certificate that ends in this year.
fn loaded(scene: &Scene, year: i32) -> bool {
    let certificates = scene.stack.envoy().unwrap().admin().get("/certs").unwrap();
    certificates.contains(&format!("\"expiration_time\": \"{year}-01-01T"))
}

/// How often custody has taken renewed files into force at its edge listener.
fn renewals(scene: &Scene) -> usize {
    let log = scene.stack.logs().into_iter().find(|log| log.ends_with("custody.log")).unwrap();
    let line = "loaded renewed TLS files listener=\"edge\"";
    fs::read_to_string(log).unwrap().matches(line).count()
}

/// A request of a session of its own, so that custody is asked.
fn request(scene: &Scene) -> String {
    let (host, session) = (scene.at(API), new_session(scene));
    format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n")
}

fn dial(scene: &Scene) -> Wire<TcpStream> {
    Wire::new(guest::dial(scene.edge()).unwrap())
}

#[track_caller]
fn assert_passes(what: &str, reply: &Reply) {
    assert_eq!((reply.status, reply.reason()), (200, None), "{what}: {}", reply.text());
}

/// Asks on a connection that was there before all renewals, and on new ones.
fn be_guests(scene: &Scene, tally: &Tally) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut open = dial(scene);
            while !tally.over.load(Ordering::SeqCst) {
                let reply = open.exchange(request(scene)).unwrap();
                assert_passes("on an open connection", &reply);
                tally.on_open_connections.fetch_add(1, Ordering::SeqCst);
            }
        });
        while !tally.over.load(Ordering::SeqCst) {
            let reply = dial(scene).exchange(request(scene)).unwrap();
            assert_passes("on a new connection", &reply);
            tally.on_new_connections.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(10));
        }
    });
}

/// Ends the guests also when a step fails.
struct Over<'a>(&'a Tally);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// The steps of docs/runbook.md, with a client certificate that ends while they are taken.
#[test]
fn certificate_key_and_ca_are_renewed_by_rename_and_no_request_is_denied() {
    let scene = Scene::start(wide::builder(TIMEOUT).way(Way::Gateway));
    let (tls, home) = (tls(&scene), scene.stack.custody());
    let [server, server_key] = home.server_certificate().unwrap();
    let (client, next) = ([tls.certificate.as_path(), &tls.key], authority());
    let old_ca = fs::read_to_string(&tls.server_ca).unwrap();
    let old = fs::read_to_string(home.beside("ca.key")).unwrap();
    let old = rcgen::Issuer::from_ca_cert_pem(&old_ca, KeyPair::from_pem(&old).unwrap()).unwrap();
    let ends = SystemTime::now() + SHORT;
    let mut params = CertificateParams::new(vec!["edge".to_owned()]).unwrap();
    params.not_after = ends.into();
    let key = KeyPair::generate().unwrap();
    let short = [params.signed_by(&key, &old).unwrap().pem(), key.serialize_pem()];

    let tally = Tally::default();
    thread::scope(|scope| {
        let over = Over(&tally);
        scope.spawn(|| be_guests(&scene, &tally));
        renew_pair(client, &short);
        // Both CAs, on both sides; here they are one file.
        renew(&tls.server_ca, &format!("{old_ca}{}", next.pem()));
        wait_until("Envoy has both CAs", || loaded(&scene, CA));
        wait_until("custody has both CAs", || renewals(&scene) == 1);
        renew_pair([&server, &server_key], &pair(&next, NAME, until(FIRST)));
        wait_until("custody's certificate", || renewals(&scene) == 2);
        renew_pair(client, &pair(&next, "edge", until(FIRST)));
        wait_until("the edge's certificate", || loaded(&scene, FIRST));
        renew(&tls.server_ca, &next.pem());
        wait_until("custody has the new CA alone", || renewals(&scene) == 3);
        // Custody closes what was let in by the old CA; the old certificate ends.
        let rest = ends.duration_since(SystemTime::now()).unwrap_or_default();
        thread::sleep(rest + Duration::from_secs(1));
        let before = tally.on_new_connections.load(Ordering::SeqCst);
        wait_until("requests after it", || {
            tally.on_new_connections.load(Ordering::SeqCst) > before + 20
        });
        drop(over);
    });
    for count in [&tally.on_open_connections, &tally.on_new_connections] {
        assert!(count.load(Ordering::SeqCst) > 50);
    }
    assert_eq!(wide::stat(&scene, "cluster.custody.ssl.fail_verify_error"), 0);
}

/// A folder as Kubernetes mounts a secret: the files are links through `..data`.
struct Mounted(PathBuf);

impl Mounted {
    /// Puts these files in place of those before, all in one step.
    fn swap(&self, version: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(self.0.join(version)).unwrap();
        for (name, text) in files {
            fs::write(self.0.join(version).join(name), text).unwrap();
            let link = self.0.join(name);
            if !link.exists() {
                let _ = symlink(Path::new("..data").join(name), link);
            }
        }
        symlink(version, self.0.join("..data_tmp")).unwrap();
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).unwrap();
    }
}

#[test]
fn a_secret_that_kubernetes_renews_serves_open_and_new_connections() {
    let mut scene = Scene::start(wide::builder(TIMEOUT).way(Way::Gateway));
    let first = tls(&scene);
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    let folder = Mounted(scene.stack.folder().join("mounted"));
    let files = ["edge-client.pem", "edge-client.key", "custody-ca.pem"];
    let of = |texts: [&str; 3]| [0, 1, 2].map(|at| (files[at], texts[at].to_owned()));
    let put = |version: &str, texts: [&str; 3]| {
        let files = of(texts);
        folder.swap(version, &files.each_ref().map(|(name, text)| (*name, text.as_str())));
    };
    put("..1", [&read(&first.certificate), &read(&first.key), &read(&first.server_ca)]);
    let mounted = |name: &str| folder.0.join(name);
    let [certificate, key, server_ca] = files.map(mounted);
    let restarted = scene.stack.restart_edge(|settings| {
        let custody = settings.custody.as_mut().unwrap();
        let secrets = folder.0.with_file_name("sds");
        let server_name = NAME.to_owned();
        custody.tls = Some(MutualTls { server_ca, server_name, certificate, key, secrets });
    });
    restarted.unwrap();
    let mut open = dial(&scene);
    assert_passes("before", &open.exchange(request(&scene)).unwrap());

    let next = authority();
    let [server, server_key] = scene.stack.custody().server_certificate().unwrap();
    let since = Instant::now();
    let [client, client_key] = pair(&next, "edge", until(SECOND));
    put("..2", [&client, &client_key, &next.pem()]);
    renew(&first.server_ca, &next.pem());
    renew_pair([&server, &server_key], &pair(&next, NAME, until(SECOND)));
    wait_until("custody's certificate and CA", || renewals(&scene) == 1);
    wait_until("the edge's certificate", || loaded(&scene, SECOND) && loaded(&scene, CA));
    assert!(since.elapsed() < Duration::from_secs(15));
    assert_passes("an open connection", &open.exchange(request(&scene)).unwrap());
    assert_passes("a new connection", &dial(&scene).exchange(request(&scene)).unwrap());
}
