use crate::guest::{Guest, OUT, call, callbacks, get, numbers, statuses};
use host_sim::{HeaderMap, Request, Status::*, Upstream, Violation};

/// A local reply with this status and body.
fn reply(guest: &mut Guest, status: i64, body: &str) -> String {
    let (body, details) = (guest.text(body), guest.text("because"));
    let headers = guest.pairs(&[("X-Own", "1")]);
    let args = format!("{} {details} {body} {headers} (i32.const -1)", numbers(&[status]));
    call("proxy_send_local_response", &args)
}

#[test]
fn a_local_reply_stops_the_request_and_passes_our_own_response_callback() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 418, "tea");
    let name = guest.text("x-added");
    let add = call("proxy_add_header_map_value", &format!("(i32.const 2) {name} {name}"));
    // Continue, says the verdict; the reply overrules it.
    let guest = guest
        .on_returning("proxy_on_request_headers", &calls, 0)
        .on("proxy_on_response_headers", &add);
    let mut host = guest.start();
    let outcome = host.exchange(get());
    outcome
        .assert_replied(418)
        .assert_received_header("x-own", "1")
        .assert_received_header("x-added", "x-added")
        .assert_received_header("content-length", "3")
        .assert_received_header("content-type", "text/plain");
    assert_eq!(outcome.reply.as_ref().unwrap().details, "because");
    assert_eq!(host.finish(), []);
}

#[test]
fn a_second_reply_is_dropped_and_noticed() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 418, "tea") + &reply(&mut guest, 500, "no tea");
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get()).assert_replied(418);
    assert_eq!(statuses(&host, "proxy_send_local_response"), [Ok, Ok]);
    let violations = host.finish();
    assert!(matches!(violations.as_slice(), [Violation::SecondLocalReply { status: 500, .. }]));
}

#[test]
fn a_reply_without_a_stream_is_ok_and_nothing() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 418, "tea");
    let guest = guest
        .on("proxy_on_tick", &calls)
        .on("proxy_on_configure", &call("proxy_set_tick_period_milliseconds", "(i32.const 1)"));
    let mut host = guest.start();
    host.advance(std::time::Duration::from_millis(1));
    assert_eq!(statuses(&host, "proxy_send_local_response"), [Ok]);
}

#[test]
fn a_reply_to_grpc_is_trailers_only_and_to_head_has_no_body() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 403, "no");
    let guest = guest.on("proxy_on_request_headers", &calls);
    let mut host = guest.start();
    let request = Request::post("a.test", "/a.B/C", "").header("content-type", "application/grpc");
    host.exchange(request)
        .assert_received_header(":status", "200")
        .assert_received_header("grpc-status", "7")
        .assert_received_header("grpc-message", "no");
    let outcome = host.exchange(Request::new("HEAD", "a.test", "/"));
    assert_eq!(outcome.received.unwrap().body, b"");
}

#[test]
fn types_of_streams() {
    let mut calls = String::new();
    for kind in [3, 4] {
        calls += &call("proxy_continue_stream", &numbers(&[kind]));
    }
    calls += &call("proxy_close_stream", &numbers(&[4]));
    let mut host = Guest::new().on("proxy_on_request_headers", &calls).start();
    host.exchange(get()).assert_forwarded();
    assert_eq!(statuses(&host, "proxy_continue_stream"), [Unimplemented, BadArgument]);
    assert_eq!(statuses(&host, "proxy_close_stream"), [BadArgument]);
}

#[test]
fn close_resets() {
    let calls = call("proxy_close_stream", &numbers(&[0]));
    let mut host = Guest::new().on_returning("proxy_on_request_headers", &calls, 1).start();
    let outcome = host.exchange(get());
    assert!(outcome.reset && outcome.upstream.is_none());
}

#[test]
fn a_pause_holds_body_and_trailers_too() {
    let guest = Guest::new()
        .on_returning("proxy_on_request_headers", "", 1)
        .on("proxy_on_request_body", "");
    let mut host = guest.start();
    host.exchange(Request::post("a.test", "/", "x")).assert_held();
    assert!(!callbacks(&host).iter().any(|(name, _)| *name == "proxy_on_request_body"));
    assert!(matches!(host.finish().as_slice(), [Violation::NeverResumed { half: "request", .. }]));
    // With Envoy's allow_on_headers_stop_iteration the headers alone are held.
    let plugin = guest.plugin().allow_on_headers_stop_iteration(true);
    let mut host = host_sim::Host::builder().plugin(plugin).start().unwrap();
    host.exchange(Request::post("a.test", "/", "x")).assert_forwarded();
}

#[test]
fn resuming_what_is_not_held() {
    let calls = call("proxy_continue_stream", &numbers(&[0]));
    let mut host = Guest::new().on("proxy_on_response_headers", &calls).start();
    host.exchange(get()).assert_forwarded();
    let violations = host.finish();
    assert!(matches!(violations.as_slice(), [Violation::DoubleResume { .. }]), "{violations:?}");
}

#[test]
fn the_end_is_log_done_delete() {
    let guest = Guest::new()
        .on("proxy_on_log", "")
        .on_returning("proxy_on_done", "", 1)
        .on("proxy_on_delete", "");
    let mut host = guest.start();
    host.exchange(get());
    let end: Vec<_> = callbacks(&host).into_iter().map(|(name, _)| name).collect();
    assert_eq!(end, ["proxy_on_log", "proxy_on_done", "proxy_on_delete"]);
}

#[test]
fn the_upstream_answers_resets_or_is_silent() {
    let guest = Guest::new();
    let mut host = guest.start();
    let outcome = host.exchange(get().upstream(Upstream::answers(201, &[("x-u", "1")], "made")));
    outcome.assert_received_header(":status", "201").assert_received_header("x-u", "1");
    assert_eq!(outcome.received.unwrap().body_text(), "made");
    let reset = Upstream::Resets { delay: std::time::Duration::ZERO };
    host.exchange(get().upstream(reset)).assert_received_header(":status", "503");
    let silent = host.exchange(get().upstream(Upstream::Silent));
    assert!(silent.assert_forwarded().received.is_none());
}

#[test]
fn local_replies_replace_a_response_that_is_held() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 502, "blocked");
    let read = call("proxy_get_buffer_bytes", &(numbers(&[1, 0, 9]) + OUT));
    let guest = guest.on_returning("proxy_on_response_headers", "", 1).on_returning(
        "proxy_on_response_body",
        &(read + &calls),
        1,
    );
    let plugin = guest.plugin().allow_on_headers_stop_iteration(true);
    let mut host = host_sim::Host::builder().plugin(plugin).start().unwrap();
    let outcome = host.exchange(get().upstream(Upstream::answers(200, &[], "secret")));
    outcome.assert_received_header(":status", "502");
    assert_eq!(outcome.received.unwrap().body_text(), "blocked");
}

#[test]
fn a_body_that_comes_while_the_request_is_held_is_shown_as_one() {
    let resume = call("proxy_set_effective_context", &numbers(&[2]))
        + &call("proxy_continue_stream", &numbers(&[0]));
    let tick = call("proxy_set_tick_period_milliseconds", &numbers(&[10]));
    let mut host = Guest::new()
        .on("proxy_on_configure", &tick)
        .on_returning("proxy_on_request_headers", "", 1)
        .on("proxy_on_request_body", "")
        .on("proxy_on_tick", &resume)
        .start();
    let stream = host.send(Request::new("POST", "a.test", "/").unfinished());
    host.send_body(stream, "one, ", false);
    host.send_body(stream, "two", false);
    host.outcome(stream).assert_held();
    host.advance(std::time::Duration::from_millis(10));
    let outcome = host.outcome(stream);
    assert_eq!(outcome.assert_forwarded().upstream.as_ref().unwrap().body_text(), "one, two");
    assert!(!outcome.upstream_complete);
    // What comes now is shown as it comes.
    host.send_body(stream, ", three", false);
    host.send_trailers(stream, HeaderMap::from([("x-sum", "3")]));
    host.settle();
    let upstream = host.outcome(stream).upstream.unwrap();
    assert_eq!((upstream.body_text().as_str(), upstream.trailers.len()), ("one, two, three", 1));
    let shown = callbacks(&host).into_iter().filter(|(name, _)| *name == "proxy_on_request_body");
    assert_eq!(shown.count(), 2);
}

#[test]
fn a_body_for_a_request_that_was_answered_is_nobody_s() {
    let mut guest = Guest::new();
    let calls = reply(&mut guest, 403, "no");
    let guest = guest
        .on_returning("proxy_on_request_headers", &calls, 1)
        .on("proxy_on_request_body", "unreachable");
    let mut host = guest.start();
    let stream = host.send(Request::new("POST", "a.test", "/").unfinished());
    host.send_body(stream, "late", true);
    host.settle();
    host.outcome(stream).assert_replied(403);
    assert_eq!(host.failed_vms(), 0);
}

#[test]
fn a_response_comes_piece_by_piece() {
    let mut host = Guest::new().on("proxy_on_response_body", "").start();
    let outcome = host.exchange(get().upstream(Upstream::streams(200, &[], ["one, ", "two"])));
    assert_eq!(outcome.received.unwrap().body_text(), "one, two");
    let shown = callbacks(&host).into_iter().filter(|(name, _)| *name == "proxy_on_response_body");
    assert_eq!(shown.count(), 2);
}
