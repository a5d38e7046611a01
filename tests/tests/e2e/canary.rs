//! Secrets that must turn up nowhere: after a run in which everything goes right and everything goes
//! wrong, all that a guest got and all that an operator can read is scanned for them.
//!
//! Envoy logs at level info, as shipped. At debug and trace it prints the headers it sends, and with
//! them leases: that is why the shipped admin interface does not allow `/logging`.

mod run;
pub mod scanner;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use stack::Way;
use stack::envoy::Admin;
use tests::scene::Scene;

use crate::wide;
use run::{API_KEY, BASIC_PASSWORD, BEARER, FAULTY, PLANTED, Run};
use scanner::{Canary, Haystack};

/// What Envoy's admin interface shows.
const ENVOY_PAGES: [&str; 9] = [
    "/stats?format=json",
    "/stats/prometheus",
    "/config_dump?include_eds",
    "/clusters?format=json",
    "/clusters",
    "/listeners?format=json",
    "/certs",
    "/server_info",
    "/memory",
];

#[test]
fn no_canary_sings_in_the_explicit_posture() {
    let mut scene = Scene::start(run::builder());
    let run = Run::everything(&mut scene);
    scan(&scene, &run);
}

#[test]
fn no_canary_sings_in_the_gateway_posture() {
    let mut scene = Scene::start(run::builder().way(Way::Gateway));
    let run = Run::at_a_gateway(&mut scene);
    scan(&scene, &run);
}

fn scan(scene: &Scene, run: &Run) {
    let canaries = canaries(scene, run);
    let places = places(scene, run);
    the_scan_finds_what_is_there(scene, &canaries, &places);
    let mut found = Vec::new();
    for (place, bytes) in &places {
        let text = Haystack::new(bytes);
        for canary in &canaries {
            let at_home = canary.home.is_some_and(|home| place.ends_with(home));
            if !at_home && let Some(encoding) = canary.find(&text) {
                found.push(format!("{} ({encoding}) in {place}", canary.name));
            }
        }
    }
    assert!(found.is_empty(), "found:\n{}", found.join("\n"));
}

/// The origin got credentials and no session. So the scan can fail: the same canaries are found
/// there, in their homes, and a word that a guest said is found where such words go.
fn the_scan_finds_what_is_there(scene: &Scene, canaries: &[Canary], places: &[(String, Vec<u8>)]) {
    let origin = at_the_origin(scene);
    let text = Haystack::new(&origin);
    for session in canaries.iter().filter(|canary| canary.name.contains("session ")) {
        let found = session.find(&text);
        assert_eq!(found, None, "the origin got {}", session.name);
    }
    for name in ["the bearer token", "the password", "the API key"] {
        let canary = canaries.iter().find(|canary| canary.name == name).unwrap();
        assert!(canary.find(&text).is_some(), "{name} never reached the origin");
    }
    for canary in canaries.iter().filter(|canary| canary.home.is_some()) {
        let home = canary.home.unwrap();
        let (_, bytes) = places.iter().find(|(place, _)| place.ends_with(home)).unwrap();
        assert!(canary.find(&Haystack::new(bytes)).is_some(), "{} is not at home", canary.name);
    }
    let planted = Canary::new("planted", PLANTED);
    let (_, log) = places.iter().find(|(place, _)| place.ends_with("envoy.out")).unwrap();
    assert!(planted.find(&Haystack::new(log)).is_some(), "the access log has no paths");
}

// === what must not be found ===

fn canaries(scene: &Scene, run: &Run) -> Vec<Canary> {
    let mut canaries = vec![
        Canary::new("the bearer token", BEARER),
        Canary::new("the password", BASIC_PASSWORD),
        Canary::new("the API key", API_KEY),
        Canary::new("the value of a faulty lease", FAULTY),
    ];
    for (number, session) in run.sessions.iter().enumerate() {
        canaries.push(Canary::new(format!("session {number}"), session));
        let signature = session.rsplit('.').next().unwrap();
        canaries.push(Canary::new(format!("the signature of session {number}"), signature));
    }
    let root = fs::read_to_string(scene.stack.custody().beside("root.key")).unwrap();
    let root = URL_SAFE_NO_PAD.decode(root.trim()).unwrap();
    assert_eq!(root.len(), 32);
    canaries.push(Canary::new("the root key", root).at_home("custody/root.key"));
    let mut homes =
        vec!["custody/ca.key", "custody/server.key", "custody/edge-client.key", "session.key"];
    if scene.stack.way() == Way::Explicit {
        homes.push("leaf-ca/ca.key");
    }
    for home in homes {
        let scalar = private_scalar(&scene.stack.folder().join(home));
        canaries.push(Canary::new(home, scalar).at_home(home));
    }
    // Whatever private key it is: those of the leaves are made on the way and known to nobody.
    canaries.push(Canary::new("a private key", "PRIVATE KEY-----").at_home(".key"));
    canaries
}

/// The 32 bytes that are the secret of an EC or Ed25519 key (RFC 5915, RFC 8410): both keep it in
/// the first octet string of that length.
fn private_scalar(pem: &Path) -> Vec<u8> {
    let text = fs::read_to_string(pem).unwrap_or_else(|error| panic!("{}: {error}", pem.display()));
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).unwrap();
    let start = der.windows(2).position(|two| two == [0x04, 0x20]).unwrap() + 2;
    der[start..start + 32].to_vec()
}

// === where it must not be found ===

fn places(scene: &Scene, run: &Run) -> Vec<(String, Vec<u8>)> {
    let mut places = Vec::new();
    // Every file of the stack: logs, the access log, the audit file, the store, the configuration.
    for path in files(scene.stack.folder()) {
        places.push((path.display().to_string(), fs::read(&path).unwrap()));
    }
    let names: Vec<_> = places.iter().map(|(name, _)| name.clone()).collect();
    for file in ["envoy.log", "envoy.out", "custody.log", "audit.jsonl", "custody.db"] {
        assert!(names.iter().any(|name| name.ends_with(file)), "no {file} in {names:?}");
    }
    for log in scene.stack.logs() {
        assert!(names.contains(&log.display().to_string()), "{} is not scanned", log.display());
    }
    let envoy = scene.stack.envoy().unwrap();
    for page in ENVOY_PAGES {
        let shown = envoy.admin().get(page).unwrap().into_bytes();
        places.push((format!("Envoy's {page}"), shown));
    }
    let custody = Admin::new(scene.stack.custody().health());
    for page in ["/metrics", "/healthz"] {
        places.push((format!("custody's {page}"), custody.get(page).unwrap().into_bytes()));
    }
    for pid in [envoy.pid(), scene.stack.custody_pid().unwrap()] {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            places.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    places.extend(custody_says(scene));
    assert!(run.replies.len() > 20, "{} responses", run.replies.len());
    places.extend(run.replies.iter().cloned());
    places
}

/// What custody's command line shows an operator.
fn custody_says(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let home = scene.stack.custody();
    let config = home.config().to_str().unwrap().to_owned();
    let audit = home.beside("audit.jsonl").to_str().unwrap().to_owned();
    let arguments = [
        vec!["cred", "list", "--config", &config],
        vec!["check", "--config", &config],
        vec!["audit", "verify", &audit],
    ];
    let say = arguments.iter().map(|arguments| {
        let said = wide::run(std::process::Command::new(home.program()).args(arguments));
        (format!("custody {}", arguments.join(" ")), said.into_bytes())
    });
    say.collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every path and header that reached the origin.
fn at_the_origin(scene: &Scene) -> Vec<u8> {
    let mut all = Vec::new();
    for seen in scene.stack.origin().unwrap().requests() {
        for (name, value) in seen.headers() {
            all.extend([name.as_bytes(), b": ", value, b"\n"].concat());
        }
        all.extend(seen.path.as_bytes());
    }
    all
}
