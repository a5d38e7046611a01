use crate::guest::{Guest, OUT, call, given, numbers, statuses};
use host_sim::{Host, Plugin, Request, Status::*, Upstream};

/// A guest that reads one buffer with these starts and lengths.
fn reading(buffer: i64, ranges: &[[i64; 2]]) -> String {
    let read = |[start, length]: &[i64; 2]| {
        let args = numbers(&[buffer, *start, *length]) + OUT;
        call("proxy_get_buffer_bytes", &args)
    };
    ranges.iter().map(read).collect()
}

fn upload() -> Request {
    Request::post("a.test", "/", "hello")
}

#[test]
fn a_range_past_the_end_is_cut_there() {
    let calls = reading(0, &[[0, 100], [1, 3], [5, 1], [9, 9], [-1, 2]]);
    let mut host = Guest::new().on("proxy_on_request_body", &calls).start();
    host.exchange(upload()).assert_forwarded();
    assert_eq!(given(&host, "proxy_get_buffer_bytes"), ["hello", "ell"]);
    assert_eq!(statuses(&host, "proxy_get_buffer_bytes"), [Ok; 5]);
}

#[test]
fn buffers_that_are_not_there() {
    let calls = reading(0, &[[0, 9]])
        + &reading(1, &[[0, 9]])
        + &reading(4, &[[0, 9]])
        + &reading(7, &[[0, 9]])
        + &reading(9, &[[0, 9]]);
    let mut host = Guest::new().on("proxy_on_request_headers", &calls).start();
    host.exchange(upload());
    let expected = [Ok, Ok, NotFound, NotFound, BadArgument];
    assert_eq!(statuses(&host, "proxy_get_buffer_bytes"), expected);
}

#[test]
fn the_plugin_configuration_is_there_in_on_configure_only() {
    let read = reading(7, &[[0, 100]]);
    let guest = Guest::new()
        .on("proxy_on_vm_start", &(read.clone() + &reading(6, &[[0, 100]])))
        .on("proxy_on_configure", &read)
        .on("proxy_on_request_headers", &read);
    let plugin = Plugin::new(&guest.module()).configuration("plug").vm_configuration("vm");
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    host.exchange(upload());
    assert_eq!(statuses(&host, "proxy_get_buffer_bytes"), [NotFound, Ok, Ok, NotFound]);
    assert_eq!(given(&host, "proxy_get_buffer_bytes"), ["vm", "plug"]);
}

/// Start, length, and what becomes of `hello` with `X`.
#[test]
fn a_write_prepends_replaces_or_appends() {
    for (start, length, becomes) in [
        (0, 0, Some("Xhello")),
        (0, 2, Some("Xllo")),
        (0, 99, Some("X")),
        (5, 0, Some("helloX")),
        (99, 1, Some("helloX")),
        (2, 1, None),
    ] {
        let mut guest = Guest::new();
        let x = guest.text("X");
        let args = numbers(&[0, start, length]) + &x;
        let calls = call("proxy_set_buffer_bytes", &args);
        let mut host = guest.on("proxy_on_request_body", &calls).start();
        let outcome = host.exchange(upload());
        let body = outcome.assert_forwarded().upstream.as_ref().unwrap().body_text();
        assert_eq!(body, becomes.unwrap_or("hello"), "{start} {length}");
        let status = if becomes.is_some() { Ok } else { BadArgument };
        assert_eq!(statuses(&host, "proxy_set_buffer_bytes"), [status], "{start} {length}");
    }
}

#[test]
fn a_paused_body_is_collected() {
    let guest = Guest::new()
        .on_returning("proxy_on_request_body", &reading(0, &[[0, 100]]), 1)
        .on("proxy_on_request_trailers", "");
    let mut host = guest.start();
    let outcome = host.exchange(upload().trailer("x-t", "1"));
    let upstream = outcome.assert_forwarded().upstream.as_ref().unwrap();
    assert_eq!(upstream.body_text(), "hello");
    assert_eq!(upstream.trailers.text("x-t").as_deref(), Some("1"));
}

#[test]
fn a_body_over_the_limit_is_a_413() {
    let mut host = Guest::new().on_returning("proxy_on_request_body", "", 1).start();
    let outcome = host.exchange(Request::post("a.test", "/", vec![b'x'; 1024 * 1024 + 1]));
    // The headers had gone on; the rest never does.
    assert_eq!(outcome.received.as_ref().unwrap().status(), 413);
    assert!(!outcome.upstream_complete);
    // A response that has begun can only be cut off; one whose headers are held is replaced.
    let large = || Upstream::answers(200, &[], vec![b'x'; 1024 * 1024 + 1]);
    let mut host = Guest::new().on_returning("proxy_on_response_body", "", 1).start();
    assert!(host.exchange(upload().upstream(large())).reset);
    let guest = Guest::new().on_returning("proxy_on_response_headers", "", 1).on_returning(
        "proxy_on_response_body",
        "",
        1,
    );
    let plugin = guest.plugin().allow_on_headers_stop_iteration(true);
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    let outcome = host.exchange(upload().upstream(large()));
    assert_eq!(outcome.received.unwrap().status(), 500);
}
