use crate::guest::{Guest, OUT, call, callbacks, get, given, numbers, statuses};
use host_sim::{
    Answer, Cluster, GrpcAnswer, HeaderMap, Host, Status::*, TranscriptEvent, Violation,
};
use std::time::Duration;

const HEADERS: [(&str, &str); 3] = [(":method", "GET"), (":path", "/"), (":authority", "c.test")];

/// A callout to a cluster with these headers and this timeout.
fn calling(guest: &mut Guest, cluster: &str, headers: &[(&str, &str)], timeout: i64) -> String {
    let (cluster, headers) = (guest.text(cluster), guest.pairs(headers));
    let rest = numbers(&[0, 0, 0, 0, timeout, 16]);
    call("proxy_http_call", &format!("{cluster} {headers} {rest}"))
}

/// A guest that pauses, calls out, and resumes its request (context 2) with the answer.
fn asking(timeout: i64) -> Guest {
    let mut guest = Guest::new();
    let calls = calling(&mut guest, "c", &HEADERS, timeout);
    let status = guest.text(":status");
    let answer = call("proxy_get_header_map_value", &format!("(i32.const 6) {status} {OUT}"))
        + &call("proxy_get_buffer_bytes", &(numbers(&[4, 0, 100]) + OUT))
        + &call("proxy_set_effective_context", "(i32.const 2)")
        + &call("proxy_continue_stream", "(i32.const 0)");
    guest
        .on_returning("proxy_on_request_headers", &calls, 1)
        .on("proxy_on_http_call_response", &answer)
}

fn answered(answer: Answer, timeout: i64) -> (Host, host_sim::Outcome) {
    let plugin = asking(timeout).plugin();
    let cluster = Cluster::answering([answer]);
    let mut host = Host::builder().plugin(plugin).cluster("c", cluster).start().unwrap();
    let outcome = host.exchange(get());
    (host, outcome)
}

/// What the callback was told: token, headers, body size, trailers.
fn told(host: &Host) -> Vec<Vec<u32>> {
    let transcript = host.transcript();
    let entries = transcript.entries().iter().filter_map(|entry| match &entry.what {
        TranscriptEvent::Callback { name: "proxy_on_http_call_response", args, .. } => {
            Some(args.clone())
        }
        _ => None,
    });
    entries.collect()
}

#[test]
fn an_answer_goes_to_the_root_context() {
    let (host, outcome) =
        answered(Answer::respond(200, &[], "body").after(Duration::from_millis(5)), 10);
    outcome.assert_forwarded();
    // :status, content-length, and how long it took.
    assert_eq!(told(&host), [[4, 3, 4, 0]]);
    assert!(callbacks(&host).contains(&("proxy_on_http_call_response", 1)));
    assert_eq!(given(&host, "proxy_get_header_map_value"), ["200"]);
    assert_eq!(given(&host, "proxy_get_buffer_bytes"), ["body"]);
}

#[test]
fn a_timeout_is_a_504_and_a_reset_is_nothing() {
    for answer in [Answer::Never, Answer::json(200, "late").after(Duration::from_secs(1))] {
        let (mut host, _) = answered(answer, 10);
        assert_eq!(given(&host, "proxy_get_header_map_value"), ["504"]);
        assert_eq!(host.finish(), []);
    }
    let (host, _) = answered(Answer::reset(), 10);
    assert_eq!(told(&host), [[4, 0, 0, 0]]);
    assert_eq!(statuses(&host, "proxy_get_header_map_value"), [BadArgument]);
    assert_eq!(statuses(&host, "proxy_get_buffer_bytes"), [NotFound]);
}

#[test]
fn without_a_timeout_silence_lasts_for_ever() {
    let (mut host, outcome) = answered(Answer::Never, 0);
    outcome.assert_held();
    host.advance(Duration::from_secs(86_400));
    assert_eq!(told(&host), Vec::<Vec<u32>>::new());
    let violations = host.finish();
    assert!(
        matches!(
            violations.as_slice(),
            [Violation::LeakedCallout { root: 1, token: 4 }, Violation::NeverResumed { .. }]
        ),
        "{violations:?}"
    );
}

#[test]
fn what_is_refused_at_once() {
    let mut guest = Guest::new();
    let calls = calling(&mut guest, "unknown", &HEADERS, 10)
        + &calling(&mut guest, "c", &HEADERS[..2], 10)
        + &calling(&mut guest, "c", &HEADERS[1..], 10)
        + &calling(&mut guest, "c", &HEADERS, -1)
        + &calling(&mut guest, "c", &HEADERS, 10);
    let guest = guest.on("proxy_on_request_headers", &calls).on("proxy_on_http_call_response", "");
    let cluster = Cluster::answering([Answer::NoHealthyUpstream]);
    let mut host = Host::builder().plugin(guest.plugin()).cluster("c", cluster).start().unwrap();
    host.exchange(get());
    let expected = [BadArgument, BadArgument, BadArgument, BadArgument, InternalFailure];
    assert_eq!(statuses(&host, "proxy_http_call"), expected);
    assert!(told(&host).is_empty());
}

#[test]
fn answers_out_of_order_and_to_a_stream_that_is_gone() {
    let cluster = Cluster::answering([
        Answer::json(200, "first").after(Duration::from_millis(9)),
        Answer::json(200, "second").after(Duration::from_millis(3)),
    ]);
    let plugin = asking(100).plugin();
    let mut host = Host::builder().plugin(plugin).cluster("c", cluster).start().unwrap();
    let (first, _second) = (host.send(get()), host.send(get()));
    host.cancel(first);
    host.settle();
    let tokens: Vec<u32> = told(&host).iter().map(|args| args[0]).collect();
    assert_eq!(tokens, [8, 4]);
    // Context 2 was the stream that is gone.
    assert_eq!(statuses(&host, "proxy_set_effective_context"), [BadArgument, BadArgument]);
}

#[test]
fn grpc_calls_succeed_with_a_message_and_fail_with_a_status() {
    for (answer, expected) in [
        (GrpcAnswer::message("reply"), "proxy_on_grpc_receive"),
        (GrpcAnswer::failure(14, "down"), "proxy_on_grpc_close"),
    ] {
        let mut guest = Guest::new();
        let (cluster, nobody) = (guest.text("g"), guest.text("nobody"));
        let (service, method) = (guest.text("a.B"), guest.text("C"));
        let rest = numbers(&[0, 0, 0, 0, 1000, 16]);
        let calls = call("proxy_grpc_call", &format!("{cluster} {service} {method} {rest}"))
            + &call("proxy_grpc_call", &format!("{nobody} {service} {method} {rest}"))
            + &call("proxy_grpc_cancel", "(i32.const 9)");
        let message = call("proxy_get_buffer_bytes", &(numbers(&[5, 0, 100]) + OUT));
        let status = call("proxy_get_status", &("(i32.const 24)".to_owned() + OUT));
        let guest = guest
            .on("proxy_on_request_headers", &calls)
            .on("proxy_on_grpc_receive", &message)
            .on("proxy_on_grpc_close", &status);
        let cluster = Cluster::new().grpc(answer);
        let mut host =
            Host::builder().plugin(guest.plugin()).cluster("g", cluster).start().unwrap();
        host.exchange(get());
        assert_eq!(statuses(&host, "proxy_grpc_call"), [Ok, ParseFailure]);
        assert_eq!(statuses(&host, "proxy_grpc_cancel"), [NotFound]);
        let asked = host.grpc_callouts("g");
        let names: Vec<_> = asked.iter().map(|ask| (&*ask.service, &*ask.method)).collect();
        assert_eq!(names, [("a.B", "C")]);
        let grpc = callbacks(&host).into_iter().filter(|(name, _)| name.contains("grpc"));
        assert_eq!(grpc.collect::<Vec<_>>(), [(expected, 1)]);
        let texts = [given(&host, "proxy_get_buffer_bytes"), given(&host, "proxy_get_status")];
        assert!(texts.concat() == ["reply"] || texts.concat() == ["down"], "{texts:?}");
    }
}

#[test]
fn grpc_streams_see_metadata_messages_and_their_end() {
    let mut guest = Guest::new();
    let (cluster, service, method) = (guest.text("g"), guest.text("a.B"), guest.text("C"));
    let (message, name) = (guest.text("hello"), guest.text("x-m"));
    let open = call(
        "proxy_grpc_stream",
        &format!("{cluster} {service} {method} {}", numbers(&[0, 0, 16])),
    );
    let send = |token: i64| {
        call("proxy_grpc_send", &format!("{} {message} (i32.const 1)", numbers(&[token])))
    };
    let calls = open + &send(6) + &send(5) + &send(10) + &call("proxy_grpc_close", "(i32.const 6)");
    let metadata =
        |map: u32| call("proxy_get_header_map_value", &format!("(i32.const {map}) {name} {OUT}"));
    let message = call("proxy_get_buffer_bytes", &(numbers(&[5, 0, 100]) + OUT));
    let guest = guest
        .on("proxy_on_request_headers", &calls)
        .on("proxy_on_grpc_receive_initial_metadata", &metadata(4))
        .on("proxy_on_grpc_receive", &message)
        .on("proxy_on_grpc_receive_trailing_metadata", &metadata(5))
        .on("proxy_on_grpc_close", &call("proxy_grpc_close", "(i32.const 99)"));
    let answer = GrpcAnswer {
        initial_metadata: HeaderMap::from([("x-m", "first")]),
        messages: vec![b"one".to_vec(), b"two".to_vec()],
        trailing_metadata: HeaderMap::from([("x-m", "last")]),
        ..GrpcAnswer::default()
    };
    let cluster = Cluster::new().grpc(answer);
    let mut host = Host::builder().plugin(guest.plugin()).cluster("g", cluster).start().unwrap();
    host.exchange(get());
    // 6 is a stream, 5 would be a call, 10 is nobody's.
    assert_eq!(statuses(&host, "proxy_grpc_send"), [Ok, BadArgument, NotFound]);
    assert_eq!(statuses(&host, "proxy_grpc_close"), [Ok, NotFound]);
    assert_eq!(given(&host, "proxy_get_header_map_value"), ["first", "last"]);
    assert_eq!(given(&host, "proxy_get_buffer_bytes"), ["one", "two"]);
}
