//! Modules that are not ours in style: filters as people write them with the Rust SDK run as they
//! are, with a configuration and without one, on one VM and on three.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use host_sim::{
    Answer, Builder, Cluster, FaultPlan, Host, Level, MetricKind, Module, Plugin, Request, Status,
    Upstream,
};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

const WASM: &str = "../target/wasm32-wasip1/wasm/sdk_guests.wasm";
const WORKERS: [usize; 2] = [1, 3];

/// Compiled once a test program. Being without it is no reason to pass.
fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(WASM);
        Module::open(&path).unwrap_or_else(|error| {
            let build = "cargo build -p sdk-guests --target wasm32-wasip1 --profile wasm";
            panic!("{error}\nbuild it: {build}")
        })
    })
}

/// A filter by its root id.
fn guest(root_id: &str) -> Plugin {
    Plugin::new(module()).root_id(root_id)
}

fn start(plugin: Plugin, workers: usize) -> Host {
    started(Host::builder().plugin(plugin).workers(workers))
}

fn started(builder: Builder) -> Host {
    builder.start().unwrap_or_else(|error| panic!("{error}"))
}

fn get(path: &str) -> Request {
    Request::get("api.test", path)
}

/// Nothing that strict mode knows, no trap, and nothing the guest itself finds wrong.
#[track_caller]
fn assert_clean(mut host: Host) {
    assert_eq!(host.finish(), []);
    host.shutdown();
    let transcript = host.transcript();
    assert_eq!(transcript.failures().count(), 0, "{transcript}");
    let errors: Vec<_> = transcript.logs().filter(|(level, _)| *level >= Level::Error).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

fn logged(host: &Host, text: &str) -> usize {
    host.transcript().logs().filter(|(_, message)| *message == text).count()
}

#[test]
fn sdk_headers_are_read_added_replaced_and_removed() {
    let configured = || guest("headers").configuration("mine");
    for (plugin, value) in [(Plugin::new(module()), "sdk"), (configured(), "mine")] {
        for workers in WORKERS {
            let mut host = start(plugin.clone(), workers);
            for worker in 0..workers {
                let request = get("/a").header("user-agent", "curl").header("cookie", "a=1");
                let answer = [("server", "origin"), ("set-cookie", "origin=1")];
                let upstream = Upstream::answers(200, &answer, "");
                let outcome = host.exchange(request.on_worker(worker).upstream(upstream));
                outcome.assert_forwarded().assert_upstream_header("x-guest", value);
                outcome.assert_upstream_header("user-agent", "guest/1");
                outcome.assert_no_upstream_header("cookie");
                let received = outcome.received.unwrap().headers;
                assert!(received.get("server").is_none());
                let cookies: Vec<_> = received.all("set-cookie").collect();
                assert_eq!(cookies, [&b"origin=1"[..], b"guest=1"]);
            }
            // The canary says hello, too.
            assert_eq!(logged(&host, "hello from a VM"), workers + 1);
            assert_eq!(logged(&host, "#2 -> user-agent: curl"), workers);
            assert_eq!(logged(&host, "#2 <- server: origin"), workers);
            assert_eq!(logged(&host, "#2 is over"), workers);
            assert_clean(host);
        }
    }
}

#[test]
fn sdk_one_path_is_answered_by_the_guest() {
    let mut host = start(guest("headers"), 1);
    let outcome = host.exchange(get("/hello"));
    outcome.assert_replied(200).assert_received_header("x-guest", "sdk");
    // Its own answer passes it on the way back.
    outcome.assert_received_header("set-cookie", "guest=1");
    assert_eq!(outcome.received.unwrap().body_text(), "hello, world\n");
    assert_clean(host);
}

/// What the SDK makes of bytes that are no text: a panic, and with it the VM is gone.
#[test]
fn sdk_a_panic_is_a_failed_vm_with_its_message() {
    let mut host = start(guest("headers"), 3);
    let latin = get("/").header("x-name", b"caf\xe9".to_vec()).on_worker(1);
    host.exchange(latin).assert_replied(503);
    assert_eq!(host.failed_vms(), 1);
    host.exchange(get("/").on_worker(1)).assert_replied(503);
    host.exchange(get("/").on_worker(2)).assert_forwarded();
    let transcript = host.transcript();
    let failures: Vec<_> = transcript.failures().map(|failure| failure.callback).collect();
    assert_eq!(failures, ["proxy_on_request_headers"]);
    let mut messages = transcript.logs().filter(|(level, _)| *level == Level::Critical);
    assert!(messages.any(|(_, text)| text.contains("FromUtf8Error")), "{transcript}");
}

/// An answer of the cluster's, and what becomes of the request: `Err` is a local reply, its reason.
#[test]
fn sdk_auth_does_as_the_cluster_says() {
    let respond = |status, body: &str| Answer::respond(status, &[], body);
    let late = Duration::from_secs(2);
    let cases = [
        (respond(200, "0"), Ok(())),
        (respond(200, "2").after(Duration::from_millis(999)), Ok(())),
        (respond(200, "1"), Err((403, "odd"))),
        (respond(200, ""), Err((403, "odd"))),
        (respond(500, "0"), Err((503, "no answer"))),
        (respond(200, "0").after(late), Err((503, "no answer"))),
        (Answer::connect_failure(), Err((503, "no answer"))),
        (Answer::Never, Err((503, "no answer"))),
        (Answer::reset(), Err((503, "reset"))),
        (Answer::NoHealthyUpstream, Err((503, "nobody to ask"))),
    ];
    for (configuration, cluster) in [("", "authority"), ("oracle", "oracle")] {
        for (workers, (answer, expected)) in
            WORKERS.into_iter().flat_map(|workers| cases.iter().map(move |case| (workers, case)))
        {
            let answers = Cluster::answering(vec![answer.clone(); workers]);
            let plugin = guest("auth").configuration(configuration);
            let builder = Host::builder().plugin(plugin).workers(workers);
            let mut host = started(builder.cluster(cluster, answers));
            for worker in 0..workers {
                let outcome = host.exchange(get("/").on_worker(worker));
                outcome.assert_received_header("x-powered-by", "guest");
                match expected {
                    Ok(()) => outcome.assert_forwarded(),
                    Err((status, why)) => {
                        outcome.assert_replied(*status).assert_received_header("x-refused", why)
                    }
                };
            }
            let asked = host.callouts(cluster);
            assert!(asked.iter().all(|call| call.timeout == Some(Duration::from_secs(1))));
            let expected = if *answer == Answer::NoHealthyUpstream { 0 } else { workers };
            assert_eq!(asked.len(), expected);
            assert_clean(host);
        }
    }
}

#[test]
fn sdk_auth_without_its_cluster_or_its_stream() {
    let mut host = start(guest("auth"), 1);
    host.exchange(get("/"))
        .assert_replied(503)
        .assert_received_header("x-refused", "nobody to ask");
    assert_clean(host);
    // Answers out of order, one of them to a request that is gone.
    let answer =
        |milliseconds| Answer::respond(200, &[], "0").after(Duration::from_millis(milliseconds));
    let cluster = Cluster::answering([answer(9), answer(6), answer(3)]);
    let mut host = started(Host::builder().plugin(guest("auth")).cluster("authority", cluster));
    let streams = [host.send(get("/1")), host.send(get("/2")), host.send(get("/3"))];
    host.advance(Duration::from_millis(1));
    host.outcome(streams[0]).assert_held();
    host.cancel(streams[1]);
    host.settle();
    host.outcome(streams[0]).assert_upstream_header(":path", "/1");
    host.outcome(streams[2]).assert_upstream_header(":path", "/3");
    let gone = host.outcome(streams[1]);
    assert!(gone.reset && gone.upstream.is_none(), "{gone}");
    assert_eq!(logged(&host, "allowed"), 2);
    assert_clean(host);
}

#[test]
fn sdk_counter_counts_over_all_vms() {
    for (configuration, period) in [("", 1000), ("250", 250)] {
        for workers in WORKERS {
            let mut host = start(guest("counter").configuration(configuration), workers);
            for count in 1..=7_usize {
                let outcome = host.exchange(get("/").on_worker(count % workers));
                outcome.assert_forwarded().assert_upstream_header("x-count", &count.to_string());
            }
            assert_eq!(host.metric(MetricKind::Counter, "guest.requests"), Some(7));
            assert_eq!(host.metric(MetricKind::Gauge, "guest.total"), Some(0));
            let expected = (String::new(), b"requests".to_vec(), 7_u64.to_le_bytes().to_vec());
            assert_eq!(host.shared_data(), [expected]);
            host.advance(Duration::from_millis(period - 1));
            assert_eq!(logged(&host, "7 requests so far"), 0);
            host.advance(Duration::from_millis(1));
            // Each worker's timer.
            assert_eq!(logged(&host, "7 requests so far"), workers);
            assert_eq!(host.metric(MetricKind::Gauge, "guest.total"), Some(7));
            assert_clean(host);
        }
    }
}

#[test]
fn sdk_counter_tries_again_when_another_was_faster() {
    // The canary writes the zero.
    let faults = [2, 3].into_iter().fold(FaultPlan::new(), |plan, nth| {
        plan.nth("proxy_set_shared_data", nth, Status::CasMismatch)
    });
    let mut host = started(Host::builder().plugin(guest("counter")).workers(3).faults(faults));
    host.exchange(get("/")).assert_upstream_header("x-count", "1");
    assert_eq!(logged(&host, "somebody was faster"), 2);
    host.exchange(get("/").on_worker(2)).assert_upstream_header("x-count", "2");
    assert_clean(host);
}

#[test]
fn sdk_bodies_are_rewritten_both_ways() {
    for (configuration, word, blacked) in [("", "secret", "******"), ("origin", "origin", "******")]
    {
        for workers in WORKERS {
            let mut host = start(guest("bodies").configuration(configuration), workers);
            for worker in 0..workers {
                let page = format!("one {word}, two {word}\n");
                let request = Request::post("api.test", "/", "lines\n")
                    .header("content-length", "6")
                    .upstream(Upstream::answers(200, &[], page));
                let outcome = host.exchange(request.on_worker(worker));
                outcome.assert_forwarded().assert_no_upstream_header("content-length");
                assert!(outcome.upstream_complete);
                let sent = outcome.upstream.as_ref().unwrap().body_text();
                assert_eq!(sent, "# seen by a guest\nlines\n");
                assert!(outcome.received_header("content-length").is_none());
                let received = outcome.received.as_ref().unwrap().body_text();
                assert_eq!(received, format!("one {blacked}, two {blacked}\n"));
            }
            // Nothing to rewrite.
            host.exchange(get("/")).assert_received_header("content-length", "0");
            assert_clean(host);
        }
    }
}

#[test]
fn sdk_a_refused_configuration_says_what_was_logged() {
    for (root_id, configuration) in [("nobody", ""), ("counter", "soon")] {
        let plugin = guest(root_id).configuration(configuration);
        let Err(error) = Host::builder().plugin(plugin).start() else {
            panic!("{root_id} started")
        };
        let text = error.to_string();
        assert!(text.contains("proxy_on_configure returned false"), "{text}");
        assert!(text.contains("no such filter"), "{text}");
    }
}

#[test]
fn sdk_guests_run_from_the_command_line_without_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("request.http"), "GET /a HTTP/1.1\nHost: a.test\n").unwrap();
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join(WASM);
    let sim = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_host-sim"));
        let output = program.arg(arguments[0]).arg(&wasm).args(&arguments[1..]);
        let Output { status, stdout, stderr } = output.current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{text}{}", String::from_utf8_lossy(&stderr));
        text
    };
    module();
    let inspected = sim(&["inspect"]);
    assert!(inspected.contains("ABI 0.2.1") && inspected.contains("proxy_on_tick"), "{inspected}");
    let run = sim(&["run", "--request", "request.http"]);
    assert!(run.contains("x-guest: sdk"), "{run}");
}
