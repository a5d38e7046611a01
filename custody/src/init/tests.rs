use super::*;
use crate::config::Config;
use custody_backends::sealed::SealWith;
use custody_base::tls;
use serde_json::json;
use session::mint::SigningKey;
use std::fs;
use std::os::unix::fs::MetadataExt;

fn wishes(folder: &Path, jwks: Option<PathBuf>) -> Wishes {
    Wishes {
        folder: folder.to_owned(),
        issuer: "https://control-plane.example".into(),
        audience: "leasehold-edge".into(),
        jwks,
        edge_listen: "127.0.0.1:8443".parse().unwrap(),
        admin_listen: "127.0.0.1:8445".parse().unwrap(),
        health_listen: "127.0.0.1:8444".parse().unwrap(),
        names: vec!["custody.prod.example".into(), "10.0.0.9".into()],
    }
}

fn jwks_in(folder: &Path) -> PathBuf {
    let key = SigningKey::generate(session::Algorithm::EdDsa, Some("k")).unwrap();
    let path = folder.join("public.json");
    fs::write(&path, key.public_jwks().to_string()).unwrap();
    path
}

#[test]
fn what_it_writes_is_private_and_works() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("a/custody");
    let path = init(&wishes(&folder, Some(jwks_in(temporary.path())))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in
        ["custody.yaml", "root.key", "ca.key", "server.key", "edge-client.key", "operator-ca.key"]
            .into_iter()
            .chain(["operator.key", "worker-ca.key", "worker.key"])
    {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let config = Config::load(&path).unwrap();
    assert_eq!(config.session.issuers[0].rules.issuer, "https://control-plane.example");
    let SealWith::RootKey(root_key) = &config.storage.sealing.with else { panic!("transit") };
    RootKey::load(root_key).unwrap();
    let crate::config::Protection::MutualTls(files) = &config.edge.protection else {
        panic!("plaintext");
    };
    tls::acceptor(files, tls::TLS12_AND_13).unwrap();
    let admin = config.admin.unwrap();
    tls::acceptor(&admin.tls, tls::TLS13_ONLY).unwrap();
    tls::ensure_disjoint_cas("edge", files, &admin.tls).unwrap();
    assert!(tls::ensure_disjoint_cas("edge", files, files).is_err());
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    for there in ["root.key", "custody.db", "audit.jsonl", "edge-client.key"] {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join(there), "mine").unwrap();
        let fault = init(&wishes(temporary.path(), None)).unwrap_err().to_string();
        assert!(fault.contains(there) && fault.contains("never overwrites"), "{fault}");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
        assert_eq!(fs::read(temporary.path().join(there)).unwrap(), b"mine");
    }
}

#[test]
fn keys_that_are_none_are_refused_first() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("custody");
    for (text, reason) in [
        ("{", "EOF"),
        (r#"{"keys": []}"#, "no key"),
        (&json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]}).to_string(), "keys[0]"),
    ] {
        let path = temporary.path().join("jwks.json");
        fs::write(&path, text).unwrap();
        let fault = init(&wishes(&folder, Some(path))).unwrap_err().to_string();
        assert!(fault.starts_with("--jwks ") && fault.contains(reason), "{fault}");
        assert!(!folder.exists());
    }
}

#[test]
fn odd_texts_stay_inside_their_quotes() {
    let mut odd = wishes(Path::new("/nowhere"), None);
    odd.issuer = "a\" #: {}\n- x".into();
    let text = template::config(&odd);
    let parsed: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(parsed["session"]["issuer"].as_str(), Some(odd.issuer.as_str()));
}

#[test]
fn no_leaf_is_valid_for_longer_than_825_days() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("custody");
    init(&wishes(&folder, None)).unwrap();
    for name in ["server.pem", "edge-client.pem", "operator.pem", "worker.pem"] {
        let pem = fs::read(folder.join(name)).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
        let validity = pem.parse_x509().unwrap().validity.clone();
        // RFC 5280 section 4.1.2.5: both ends are part of it.
        let seconds = validity.not_after.timestamp() - validity.not_before.timestamp() + 1;
        assert!(seconds <= 825 * 24 * 60 * 60, "{name}: {seconds} s");
    }
}
