//! The certificates themselves: what stands in them, and whether a TLS client believes them.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

mod common;

use common::{DAY, Turned, authority, minter};
use leaf_ca::authority::{Authority, AuthorityError, BACKDATED, NewAuthority, create};
use leaf_ca::leaf::Leaf;
use leaf_ca::minter::{Limits, Minter, Refusal};
use leaf_ca::name::DnsName;
use leaf_ca::policy::Policy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, Pem};

fn unix(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn with_certificate<T>(pem: &str, look: impl FnOnce(&X509Certificate) -> T) -> T {
    let pem = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
    look(&X509Certificate::from_der(&pem.contents).unwrap().1)
}

fn sign_in(dir: &Path, name: &str, now: SystemTime) -> Leaf {
    let authority = Authority::load(dir, now).unwrap();
    Leaf::mint(&authority, &DnsName::parse(name).unwrap(), 7 * DAY, now).unwrap()
}

/// A whole handshake in memory; the client trusts `ca.pem` of the folder and nothing else.
fn handshake(dir: &Path, leaf: &Leaf, asked: &'static str) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).unwrap()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(leaf.certificate_pem.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap(),
        )
        .unwrap();
    let asked = ServerName::try_from(asked).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), asked).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn a_client_that_trusts_only_the_authority_believes_the_leaf_for_its_name_alone() {
    let dir = tempfile::tempdir().unwrap();
    authority(dir.path());
    let leaf = sign_in(dir.path(), "api.example.com", SystemTime::now());
    handshake(dir.path(), &leaf, "api.example.com").unwrap();
    for other in ["example.com", "x.api.example.com", "api.example.org"] {
        let refused = handshake(dir.path(), &leaf, other).unwrap_err();
        assert!(matches!(refused, rustls::Error::InvalidCertificate(_)), "{other}: {refused}");
    }
    let stranger = tempfile::tempdir().unwrap();
    authority(stranger.path());
    assert!(handshake(stranger.path(), &leaf, "api.example.com").is_err());
}

#[test]
fn what_stands_in_a_leaf() {
    let dir = tempfile::tempdir().unwrap();
    authority(dir.path());
    let now = SystemTime::now();
    let leaf = sign_in(dir.path(), "API.example.com.", now);
    let ca = fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    with_certificate(&leaf.certificate_pem, |cert| {
        let san = cert.subject_alternative_name().unwrap().unwrap();
        assert_eq!(san.value.general_names, [GeneralName::DNSName("api.example.com")]);
        let usage = cert.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.flags, 1, "digitalSignature alone");
        let extended = cert.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && !extended.client_auth && !extended.any);
        assert!(!cert.basic_constraints().unwrap().unwrap().value.ca);
        assert_eq!(cert.validity().not_before.timestamp(), unix(now - BACKDATED));
        assert_eq!(cert.validity().not_after.timestamp(), unix(now + 7 * DAY));
        assert_eq!(format!("{:x}", cert.serial), leaf.serial);
        with_certificate(&ca, |ca| {
            cert.verify_signature(Some(ca.public_key())).unwrap();
            assert_eq!(cert.issuer(), ca.subject());
        });
    });
}

#[test]
fn what_stands_in_the_authority() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("new/ca");
    let now = SystemTime::now();
    create(&ca, &NewAuthority { name: "Egress".into(), life: 30 * DAY }, now).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&ca), 0o700);
    assert_eq!(mode(&ca.join("ca.key")), 0o600);
    assert_eq!(mode(&ca.join("ca.pem")), 0o644);
    with_certificate(&fs::read_to_string(ca.join("ca.pem")).unwrap(), |cert| {
        let constraints = cert.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = cert.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign());
        assert_eq!(usage.flags.count_ones(), 1);
        assert_eq!(cert.subject().to_string(), "CN=Egress");
        assert_eq!(cert.validity().not_after.timestamp(), unix(now + 30 * DAY));
    });
    let again = create(&ca, &NewAuthority { name: "Egress".into(), life: DAY }, now);
    assert!(matches!(again, Err(AuthorityError::Exists { .. })));
}

#[test]
fn serials_and_keys_differ() {
    let minter = minter("hosts: ['*.example.com']", 100, &Turned::default());
    let leaves: Vec<_> =
        (0..50).map(|n| minter.leaf(&format!("n{n}.example.com")).unwrap()).collect();
    assert_eq!(leaves.iter().map(|leaf| &leaf.serial).collect::<HashSet<_>>().len(), 50);
    assert_eq!(leaves.iter().map(|leaf| leaf.key_pem.as_str()).collect::<HashSet<_>>().len(), 50);
    assert!(leaves.iter().all(|leaf| leaf.serial.len() == 32));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    authority(dir.path());
    let key = dir.path().join("ca.key");
    for mode in [0o604, 0o644, 0o660, 0o620, 0o601] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let refused = Authority::load(dir.path(), SystemTime::now()).err().unwrap().to_string();
        let cure = format!("run `chmod 600 {}`", key.display());
        assert!(refused.contains(&cure) && refused.contains(&format!("{mode:04o}")), "{refused}");
    }
    for mode in [0o400, 0o440] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        assert!(Authority::load(dir.path(), SystemTime::now()).is_ok(), "{mode:04o}");
    }
}

#[test]
fn files_that_make_no_authority() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    authority(dir.path());
    authority(other.path());
    let fault = |now| Authority::load(dir.path(), now).err().unwrap().to_string();
    let now = SystemTime::now();

    assert!(fault(now + 366 * DAY).contains("has run out"));
    let own = fs::read(dir.path().join("ca.pem")).unwrap();
    fs::copy(other.path().join("ca.pem"), dir.path().join("ca.pem")).unwrap();
    assert!(fault(now).contains("does not belong to the ca.key"));
    fs::write(dir.path().join("ca.pem"), "nothing").unwrap();
    assert!(fault(now).contains("no certificate in PEM"));
    fs::write(dir.path().join("ca.pem"), own).unwrap();

    // A leaf and its own key: they belong together, and still may not sign.
    let leaf = sign_in(other.path(), "a.example.com", now);
    let (pem, key) = (dir.path().join("ca.pem"), dir.path().join("ca.key"));
    fs::write(&pem, &leaf.certificate_pem).unwrap();
    fs::write(&key, leaf.key_pem.as_bytes()).unwrap();
    assert!(fault(now).contains("is not an authority's certificate"));
    fs::write(&key, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
        .unwrap();
    assert!(fault(now).contains("openssl pkcs8 -topk8"));
    fs::remove_file(&key).unwrap();
    assert!(fault(now).starts_with(&key.display().to_string()));
}

#[test]
fn the_key_usage_cannot_be_read_there_is_no_authority() {
    use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyPair};
    let key_usage = [2, 5, 29, 15];
    let key = KeyPair::generate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    authority(dir.path());
    fs::write(dir.path().join("ca.key"), key.serialize_pem()).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without the extension a key may sign, with a broken one nobody knows.
    for broken in [None, Some(vec![0x03, 0x7f, 0x05])] {
        let is_broken = broken.is_some();
        params.custom_extensions = broken
            .map(|broken| CustomExtension::from_oid_content(&key_usage, broken))
            .into_iter()
            .collect();
        let pem = params.clone().self_signed(&key).unwrap().pem();
        fs::write(dir.path().join("ca.pem"), pem).unwrap();
        let loaded = Authority::load(dir.path(), SystemTime::now());
        let fault = loaded.err().map(|error| error.to_string());
        assert_eq!(fault.is_some(), is_broken, "{fault:?}");
        assert!(fault.is_none_or(|fault| fault.contains("needs CA:TRUE and keyCertSign")));
    }
}

#[test]
fn no_leaf_outlives_the_authority() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    create(dir.path(), &NewAuthority { name: "Short".into(), life: 3 * DAY }, now).unwrap();
    let authority = Authority::load(dir.path(), now).unwrap();
    let end = authority.not_after();
    let time = Turned::default();
    let limits = Limits { life: 7 * DAY, names: 10.try_into().unwrap(), refused_names: None };
    let policy = Policy::parse("hosts: [a.example.com, b.example.com]").unwrap();
    let minter = Minter::new(authority, policy, limits, time.clock());

    let leaf = minter.leaf("a.example.com").unwrap();
    assert_eq!(leaf.not_after, end);
    assert!(leaf.renew_after < end);
    assert!(minter.is_able());
    time.pass(3 * DAY + Duration::from_secs(1));
    assert!(!minter.is_able());
    assert!(matches!(minter.leaf("b.example.com"), Err(Refusal::AuthorityExpired)));
    assert!(minter.standing("a.example.com").is_none(), "withdrawn once it is dead");
}
