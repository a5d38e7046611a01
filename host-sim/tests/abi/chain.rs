use crate::guest::{Guest, call, callbacks, get, numbers};
use host_sim::{Error, Host};

/// A guest that adds a header of this name to requests and to responses.
fn adding(name: &str) -> Guest {
    let mut guest = Guest::new();
    let text = guest.text(name);
    let add = |map| call("proxy_add_header_map_value", &format!("(i32.const {map}) {text} {text}"));
    let (request, response) = (add(0), add(2));
    guest.on("proxy_on_request_headers", &request).on("proxy_on_response_headers", &response)
}

#[test]
fn a_request_goes_through_all_and_its_response_back() {
    let (one, other) = (adding("x-one").plugin(), adding("x-other").plugin());
    let host = Host::builder().plugin(one.name("one")).plugin(other.name("other"));
    let mut host = host.chain(["other", "one"]).start().unwrap();
    host.exchange(get())
        .assert_upstream_header("x-one", "x-one")
        .assert_upstream_header("x-other", "x-other")
        .assert_received_header("x-one", "x-one")
        .assert_received_header("x-other", "x-other");
    // One of them alone, where a request says so.
    host.exchange(get().through("one")).assert_no_upstream_header("x-other");
    assert_eq!(host.finish(), []);
}

#[test]
fn the_second_is_not_asked_while_the_first_waits() {
    let first = Guest::new().on_returning("proxy_on_request_headers", "", 1).plugin();
    let second = Guest::new().on("proxy_on_request_headers", "unreachable").plugin();
    let host = Host::builder().plugin(first.name("first")).plugin(second.name("second"));
    let mut host = host.chain(["first", "second"]).start().unwrap();
    let stream = host.send(get());
    host.settle();
    host.outcome(stream).assert_held();
    host.cancel(stream);
    assert!(host.outcome(stream).reset);
    assert_eq!(host.failed_vms(), 0);
}

#[test]
fn a_trap_in_the_second_is_a_reply_that_the_first_sees() {
    let first = adding("x-first").plugin();
    let second = Guest::new().on("proxy_on_request_headers", "unreachable").plugin();
    let host = Host::builder().plugin(first.name("first")).plugin(second.name("second"));
    let mut host = host.chain(["first", "second"]).start().unwrap();
    host.exchange(get()).assert_replied(503).assert_received_header("x-first", "x-first");
    assert_eq!(host.failed_vms(), 1);
}

#[test]
fn a_guest_that_leaves_ends_it_in_every_filter() {
    let wait = |guest: Guest| guest.on("proxy_on_log", "").on("proxy_on_delete", "");
    let passing = wait(Guest::new()).plugin();
    let waiting = wait(Guest::new().on_returning("proxy_on_request_headers", "", 1)).plugin();
    let host = Host::builder().plugin(passing.name("one")).plugin(waiting.name("two"));
    let mut host = host.chain(["one", "two"]).start().unwrap();
    let stream = host.send(get());
    host.cancel(stream);
    let ends = ["proxy_on_log", "proxy_on_log", "proxy_on_delete", "proxy_on_delete"];
    let called: Vec<_> = callbacks(&host).into_iter().map(|(name, _)| name).collect();
    assert!(called.ends_with(&ends), "{called:?}");
}

#[test]
fn a_second_that_closes_the_stream_closes_it_for_all() {
    let first = Guest::new().plugin();
    let close = call("proxy_close_stream", &numbers(&[0]));
    let second = Guest::new().on_returning("proxy_on_request_headers", &close, 1).plugin();
    let host = Host::builder().plugin(first.name("first")).plugin(second.name("second"));
    let mut host = host.chain(["first", "second"]).start().unwrap();
    let outcome = host.exchange(get());
    assert!(outcome.reset && outcome.upstream.is_none());
}

#[test]
fn a_chain_of_plugins_that_are_not_there_does_not_start() {
    let host = Host::builder().plugin(Guest::new().plugin().name("one")).chain(["one", "two"]);
    let error = host.start().err().unwrap();
    assert!(matches!(&error, Error::NoPlugin(name) if name == "two"), "{error}");
}
