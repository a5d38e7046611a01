use crate::guest::{Guest, OUT, call, get, given, statuses};
use host_sim::Status::*;

fn reading(guest: &mut Guest, paths: &[&str]) -> String {
    let read = |path: &&str| {
        let path = guest.text(path);
        call("proxy_get_property", &format!("{path} {OUT}"))
    };
    paths.iter().map(read).collect()
}

#[test]
fn what_can_be_read() {
    let mut guest = Guest::new();
    let calls = reading(
        &mut guest,
        &[
            "request\0method",
            "request\0url_path",
            "request\0headers\0x-a",
            "connection\0requested_server_name",
            "filter_state\0some.key",
            "plugin_root_id",
            "",
            "nothing\0here",
            "request\0headers\0x-b",
        ],
    );
    let guest = guest.on("proxy_on_request_headers", &calls);
    let plugin = guest.plugin().root_id("the-root");
    let mut host = host_sim::Host::builder().plugin(plugin).start().unwrap();
    let request = host_sim::Request::get("a.test", "/p?q=1")
        .header("x-a", "1")
        .property(&["connection", "requested_server_name"], "sni.test")
        .filter_state("some.key", "some value");
    host.exchange(request);
    let expected = ["GET", "/p", "1", "sni.test", "some value", "the-root"];
    assert_eq!(given(&host, "proxy_get_property"), expected);
    let expected = [Ok, Ok, Ok, Ok, Ok, Ok, SerializationFailure, NotFound, NotFound];
    assert_eq!(statuses(&host, "proxy_get_property"), expected);
}

#[test]
fn what_is_set_is_filter_state_and_can_be_read_back() {
    let mut guest = Guest::new();
    let (path, value) = (guest.text("my.key"), guest.text("v"));
    let set = call("proxy_set_property", &format!("{path} {value}"));
    let calls = set.clone() + &reading(&mut guest, &["my.key", "filter_state\0wasm.my.key"]);
    let guest = guest
        .on("proxy_on_request_headers", &calls)
        .on("proxy_on_tick", &set)
        .on("proxy_on_configure", &call("proxy_set_tick_period_milliseconds", "(i32.const 10)"));
    let mut host = guest.start();
    let outcome = host.exchange(get());
    assert_eq!(outcome.properties.filter_state("wasm.my.key"), Some(&b"v"[..]));
    assert_eq!(given(&host, "proxy_get_property"), ["v", "v"]);
    // A root context has no stream.
    host.advance(std::time::Duration::from_millis(10));
    assert_eq!(statuses(&host, "proxy_set_property"), [Ok, NotFound]);
}
