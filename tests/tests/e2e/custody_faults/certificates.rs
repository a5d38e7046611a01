//! Whoever sits on custody's port has to prove that it is custody; and so does the edge.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair};
use stack::Answer;
use stack::fake_custody::FakeCustody;
use tests::scene::Scene;
use tokio::runtime::Runtime;

use super::{TIMEOUT, fails, lease, works, works_with_the_real_one};
use crate::wide;

/// The name that the edge demands.
const NAME: &str = "custody.internal";
const UNAVAILABLE: (u16, &str) = (503, "custody_unavailable");

#[test]
fn an_impostor_on_custodys_port_is_not_asked() {
    let mut scene = wide::scene(TIMEOUT);
    let home = scene.stack.custody().clone();
    let own = own_authority(&home.beside("ca.pem"), &home.beside("ca.key"));
    let other = other_authority();
    let long_ago = rcgen::date_time_ymd(2020, 1, 1);
    let far = rcgen::date_time_ymd(2099, 1, 1);
    let expired = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = long_ago;
    };
    let early = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2098, 1, 1);
        params.not_after = far;
    };
    let plain = |_: &mut CertificateParams| {};
    let in_its_subject_only = |params: &mut CertificateParams| {
        params.distinguished_name.push(rcgen::DnType::CommonName, NAME);
    };
    let good = signed(&own, &[NAME], plain);
    impostor(&mut scene, "good", &good, |scene, case, _| works(scene, case));
    for (case, pair) in [
        ("another authority", signed(&other, &[NAME], plain)),
        ("another name", signed(&own, &["custody.elsewhere"], plain)),
        ("a name below", signed(&own, &["a.custody.internal"], plain)),
        ("the edge's name", signed(&own, &["edge.internal"], plain)),
        ("its name in the subject only", signed(&own, &["x.internal"], in_its_subject_only)),
        ("expired", signed(&own, &[NAME], expired)),
        ("not valid yet", signed(&own, &[NAME], early)),
    ] {
        impostor(&mut scene, case, &pair, |scene, case, fake| {
            fails(scene, case, UNAVAILABLE);
            assert_eq!(fake.asked().len(), 0, "{case}: was sent a Session JWT");
        });
    }
    // The same files once more: the fault was in them and not in the way of trying.
    impostor(&mut scene, "good, again", &good, |scene, case, _| works(scene, case));
    works_with_the_real_one(&mut scene, "impostors");
}

/// An edge whose certificate custody does not know gets no lease.
#[test]
fn a_stranger_at_custodys_door_gets_no_lease() {
    let mut scene = wide::scene(TIMEOUT);
    works(&scene, "nothing yet");
    let [certificate, key] = written(&scene, &signed(&other_authority(), &["edge"], |_| {}));
    let mut own = None;
    let stranger = |settings: &mut stack::envoy::EdgeSettings| {
        let tls = settings.custody.as_mut().unwrap().tls.as_mut().unwrap();
        own = Some((tls.certificate.clone(), tls.key.clone()));
        (tls.certificate, tls.key) = (certificate, key);
    };
    scene.stack.restart_edge(stranger).unwrap();
    fails(&scene, "a stranger", UNAVAILABLE);
    let back = |settings: &mut stack::envoy::EdgeSettings| {
        let tls = settings.custody.as_mut().unwrap().tls.as_mut().unwrap();
        (tls.certificate, tls.key) = own.unwrap();
    };
    scene.stack.restart_edge(back).unwrap();
    works(&scene, "a stranger");
}

/// Certificate and key, PEM.
struct Pair {
    certificate: String,
    key: String,
}

/// Puts a custody with this certificate and good leases on the port, for as long as `look` takes.
#[track_caller]
fn impostor(
    scene: &mut Scene,
    case: &str,
    pair: &Pair,
    look: impl FnOnce(&Scene, &str, &FakeCustody),
) {
    scene.stack.stop_custody();
    let runtime = Runtime::new().unwrap();
    let address = scene.stack.custody().edge();
    let [certificate, key] = written(scene, pair);
    let answer = Answer::json(200, &lease(60));
    let fake = FakeCustody::start(runtime.handle(), address, &certificate, &key, answer).unwrap();
    look(scene, case, &fake);
    drop(fake);
    runtime.shutdown_background();
}

fn written(scene: &Scene, pair: &Pair) -> [PathBuf; 2] {
    let [certificate, key] =
        ["impostor.pem", "impostor.key"].map(|name| scene.stack.folder().join(name));
    fs::write(&certificate, &pair.certificate).unwrap();
    fs::write(&key, &pair.key).unwrap();
    [certificate, key]
}

/// Custody's own authority, as somebody has it who has stolen its key.
fn own_authority(certificate: &Path, key: &Path) -> Issuer<'static, KeyPair> {
    let key = KeyPair::from_pem(&fs::read_to_string(key).unwrap()).unwrap();
    Issuer::from_ca_cert_pem(&fs::read_to_string(certificate).unwrap(), key).unwrap()
}

fn other_authority() -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer =
        CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::from_pem(&issuer.key().serialize_pem()).unwrap();
    Issuer::new(params, key)
}

fn signed(
    issuer: &Issuer<'static, KeyPair>,
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> Pair {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap().pem();
    Pair { certificate, key: key.serialize_pem() }
}
