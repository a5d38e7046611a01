//! Statistics that a guest cannot multiply: names that guests choose make no series.

use std::collections::BTreeSet;

use tests::guest;
use tests::scene::{APEX, API, Scene};
use tests::wire::Wire;

use crate::wide;

/// In every name that a guest chooses here.
const CHOSEN: &str = "chosen";
const SPELLINGS: usize = 60;
/// Counts the requests that the filter let pass.
const ALLOWED: &str = "wasmcustom.leasehold.allowed";
/// What may appear late without being a guest's choice: a first failure of a kind, another worker's first.
const LATE: usize = 20;

/// The names of all statistics, also of those that nothing has counted into.
fn names(scene: &Scene) -> BTreeSet<String> {
    let page = scene.stack.envoy().unwrap().admin().get("/stats").unwrap();
    page.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name.to_owned()).collect()
}

/// One of each kind of server name for `number`: a name that is allowed, one that is not, one that is not
/// the tunnel's, and one with capital letters.
fn spell(scene: &Scene, number: usize) {
    let listed = format!("{CHOSEN}{number}.{APEX}");
    let unlisted = format!("{CHOSEN}{number}.elsewhere.test");
    let spelled: String = listed
        .char_indices()
        .map(|(at, c)| if (number >> (at % 8)) & 1 == 1 { c.to_ascii_uppercase() } else { c })
        .collect();
    let target = match number % 4 {
        0 => scene.at(API),
        _ => scene.at(&listed),
    };
    let sni = match number % 4 {
        0 | 1 => &listed,
        2 => &unlisted,
        _ => &spelled,
    };
    // Refused or not: it is the names that count.
    let Ok(tls) = scene.tls_with(&target, Some(sni), &scene.session) else { return };
    let _ = Wire::new(tls)
        .exchange(format!("GET /{CHOSEN}{number} HTTP/1.1\r\nHost: {target}\r\n\r\n"));
}

/// The same with hosts that no destination lists, whose CONNECT opens a tunnel all the same.
pub fn spell_refused(scene: &Scene, number: usize) {
    if number.is_multiple_of(2) {
        return spell(scene, number / 2);
    }
    let host = format!("{CHOSEN}{number}.elsewhere.test");
    let Ok(tls) = scene.tls(&host) else { return };
    let _ = Wire::new(tls).exchange(scene.get(&host, "/"));
}

/// The same over the gateway, where an authority is the guest's choice.
fn name_upstream(scene: &Scene, number: usize) {
    let host = match number % 3 {
        0 => format!("{CHOSEN}{number}.elsewhere.test"),
        1 => scene.at(&format!("{CHOSEN}{number}.{APEX}")),
        _ => scene.at(&format!("{}{number}.{APEX}", CHOSEN.to_uppercase())),
    };
    let session = &scene.session;
    let head = format!("GET /{CHOSEN}{number} HTTP/1.1\r\nHost: {host}\r\n");
    let _ = guest::plain(scene.edge(), format!("{head}X-Leasehold-Session: {session}\r\n\r\n"));
}

pub fn assert_few_new_names(scene: &Scene, attempt: fn(&Scene, usize)) {
    // The first of each kind, on each worker: a cluster's first connection alone makes dozens of statistics.
    for number in 0..16 {
        attempt(scene, number);
    }
    let before = names(scene);
    let passed = wide::stat(scene, ALLOWED);
    for number in 100..100 + SPELLINGS {
        attempt(scene, number);
    }
    let new: BTreeSet<_> = names(scene).difference(&before).cloned().collect();
    let passed = wide::stat(scene, ALLOWED) - passed;
    assert!(passed >= (SPELLINGS / 8) as u64, "{passed} passed: the rest is not looked at in full");
    assert!(before.len() > 100, "the statistics are not found");
    assert!(new.len() < LATE, "{SPELLINGS} spellings made {} statistics: {new:#?}", new.len());
    let all = names(scene);
    let chosen: Vec<_> = all.iter().filter(|name| name.to_lowercase().contains(CHOSEN)).collect();
    assert!(chosen.is_empty(), "named by a guest: {chosen:#?}");
}

#[test]
fn spellings_of_a_server_name_make_no_statistics_in_the_explicit_posture() {
    assert_few_new_names(&Scene::explicit(), spell);
}

#[test]
fn spellings_of_an_authority_make_no_statistics_in_the_gateway_posture() {
    assert_few_new_names(&Scene::gateway(), name_upstream);
}
