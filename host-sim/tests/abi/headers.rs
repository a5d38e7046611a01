use crate::guest::{Guest, OUT, call, get, given, numbers, statuses};
use host_sim::{Status::*, Upstream, Violation};

#[test]
fn values_are_the_first_and_found_in_any_letters() {
    let mut guest = Guest::new();
    let (name, absent) = (guest.text("X-A"), guest.text("x-none"));
    let value =
        |name: &str| call("proxy_get_header_map_value", &format!("(i32.const 0) {name} {OUT}"));
    let calls = value(&name) + &value(&absent);
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get().header("x-a", "1").header("x-a", "2")).assert_forwarded();
    assert_eq!(statuses(&host, "proxy_get_header_map_value"), [Ok, NotFound]);
    assert_eq!(given(&host, "proxy_get_header_map_value"), ["1"]);
}

#[test]
fn changes_reach_the_upstream() {
    let mut guest = Guest::new();
    let (a, b, c) = (guest.text("x-a"), guest.text("x-b"), guest.text("x-c"));
    let value = guest.text("new");
    let calls = call("proxy_add_header_map_value", &format!("(i32.const 0) {a} {value}"))
        + &call("proxy_replace_header_map_value", &format!("(i32.const 0) {b} {value}"))
        + &call("proxy_remove_header_map_value", &format!("(i32.const 0) {c}"))
        + &call("proxy_remove_header_map_value", &format!("(i32.const 0) {c}"));
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    let request =
        get().header("x-a", "old").header("x-b", "1").header("x-b", "2").header("x-c", "3");
    let outcome = host.exchange(request);
    let upstream = outcome.assert_forwarded().upstream.as_ref().unwrap();
    assert_eq!(upstream.headers.all("x-a").collect::<Vec<_>>(), [&b"old"[..], b"new"]);
    assert_eq!(upstream.headers.all("x-b").collect::<Vec<_>>(), [b"new"]);
    outcome.assert_no_upstream_header("x-c");
    assert_eq!(statuses(&host, "proxy_remove_header_map_value"), [Ok, Ok]);
    assert_eq!(outcome.route_cache_clears, 4);
}

#[test]
fn a_malformed_list_wipes_every_header_and_is_ok() {
    let mut guest = Guest::new();
    let broken = guest.bytes(&[9, 0, 0, 0, 1]);
    let calls = call("proxy_set_header_map_pairs", &format!("(i32.const 0) {broken}"));
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    let outcome = host.exchange(get());
    assert_eq!(statuses(&host, "proxy_set_header_map_pairs"), [Ok]);
    // Without :method nothing can be routed.
    outcome.assert_replied(503);
    assert!(outcome.reply.unwrap().details.contains(":method"));
}

#[test]
fn removing_the_authority_is_a_503_at_the_router() {
    let mut guest = Guest::new();
    let authority = guest.text(":authority");
    let calls = call("proxy_remove_header_map_value", &format!("(i32.const 0) {authority}"));
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get()).assert_replied(503);
    assert_eq!(statuses(&host, "proxy_remove_header_map_value"), [Ok]);
}

#[test]
fn maps_that_are_not_there() {
    let mut guest = Guest::new();
    let name = guest.text("x-a");
    let mut calls = String::new();
    // Response headers do not exist yet, trailers neither, 8 is no map.
    for map in [1, 2, 3, 6, 8] {
        calls += &call("proxy_get_header_map_value", &format!("(i32.const {map}) {name} {OUT}"));
        calls += &call("proxy_add_header_map_value", &format!("(i32.const {map}) {name} {name}"));
        calls += &call("proxy_get_header_map_pairs", &format!("(i32.const {map}) {OUT}"));
        calls += &call("proxy_get_header_map_size", &format!("(i32.const {map}) (i32.const 16)"));
    }
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get());
    assert_eq!(statuses(&host, "proxy_get_header_map_value"), [BadArgument; 5]);
    assert_eq!(statuses(&host, "proxy_add_header_map_value"), [BadArgument; 5]);
    assert_eq!(statuses(&host, "proxy_get_header_map_pairs"), [Ok, Ok, Ok, Ok, BadArgument]);
    assert_eq!(statuses(&host, "proxy_get_header_map_size"), [BadArgument; 5]);
}

#[test]
fn the_log_phase_sees_all_and_changes_nothing() {
    let mut guest = Guest::new();
    let (name, status) = (guest.text("x-a"), guest.text(":status"));
    let calls = call("proxy_get_header_map_value", &format!("(i32.const 0) {name} {OUT}"))
        + &call("proxy_get_header_map_value", &format!("(i32.const 2) {status} {OUT}"))
        + &call("proxy_get_header_map_value", &format!("(i32.const 6) {status} {OUT}"))
        + &call("proxy_add_header_map_value", &format!("(i32.const 0) {name} {name}"));
    let mut host = guest.on("proxy_on_log", &calls).start();
    host.exchange(get().header("x-a", "1").upstream(Upstream::answers(418, &[], "")));
    assert_eq!(given(&host, "proxy_get_header_map_value"), ["1", "418"]);
    assert_eq!(statuses(&host, "proxy_get_header_map_value"), [Ok, Ok, NotFound]);
    assert_eq!(statuses(&host, "proxy_add_header_map_value"), [BadArgument]);
}

#[test]
fn after_continue_the_request_is_gone() {
    let mut guest = Guest::new();
    let name = guest.text("x-a");
    let touch = call("proxy_replace_header_map_value", &format!("(i32.const 0) {name} {name}"));
    let mut host = guest.on("proxy_on_response_headers", &touch).start();
    host.exchange(get());
    assert_eq!(statuses(&host, "proxy_replace_header_map_value"), [BadArgument]);
    let violations = host.finish();
    assert!(
        matches!(violations.as_slice(), [Violation::AccessAfterResume { .. }]),
        "{violations:?}"
    );
}

#[test]
fn size_is_in_bytes_and_bad_memory_is_a_status() {
    let guest = Guest::new();
    let calls = call("proxy_get_header_map_size", &numbers(&[0, 16]))
        + &call("proxy_get_header_map_size", &numbers(&[0, -4]))
        + &call("proxy_remove_header_map_value", &numbers(&[0, -8, 100]));
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get()).assert_forwarded();
    assert_eq!(statuses(&host, "proxy_get_header_map_size"), [Ok, InvalidMemoryAccess]);
    assert_eq!(statuses(&host, "proxy_remove_header_map_value"), [InvalidMemoryAccess]);
}
