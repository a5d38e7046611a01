use crate::guest::{Guest, OUT, call, get, given, numbers, statuses};
use host_sim::{Host, Status::*};
use std::time::Duration;

#[test]
fn the_effective_context_holds_for_one_callback() {
    let mut guest = Guest::new();
    let name = guest.text("x-a");
    let read = call("proxy_get_header_map_value", &format!("(i32.const 0) {name} {OUT}"));
    let speak_for = |context: i64| call("proxy_set_effective_context", &numbers(&[context]));
    // The tick of the root speaks for a stream that is held, then for one that is not there; the
    // next tick speaks for the root again.
    let tick = read.clone() + &speak_for(2) + &read + &speak_for(99) + &read;
    let guest = guest
        .on("proxy_on_configure", &call("proxy_set_tick_period_milliseconds", "(i32.const 10)"))
        .on("proxy_on_tick", &tick)
        .on_returning("proxy_on_request_headers", "", 1);
    let mut host = guest.start();
    let stream = host.send(get().header("x-a", "held"));
    host.advance(Duration::from_millis(20));
    host.outcome(stream).assert_held();
    let once = [BadArgument, Ok, Ok];
    assert_eq!(statuses(&host, "proxy_get_header_map_value"), [once, once].concat());
    assert_eq!(given(&host, "proxy_get_header_map_value"), ["held"; 4]);
    let expected = [Ok, BadArgument, Ok, BadArgument];
    assert_eq!(statuses(&host, "proxy_set_effective_context"), expected);
}

#[test]
fn done_is_for_roots_that_said_not_yet() {
    let done = "(drop (call $proxy_done))";
    let guest = Guest::new()
        .on("proxy_on_request_headers", done)
        .on_returning("proxy_on_done", "", 0)
        .on("proxy_on_tick", done)
        .on("proxy_on_delete", "")
        .on("proxy_on_configure", &call("proxy_set_tick_period_milliseconds", "(i32.const 10)"));
    let mut host = guest.start();
    host.exchange(get());
    assert_eq!(statuses(&host, "proxy_done"), [NotFound]);
    host.shutdown();
    host.advance(Duration::from_millis(30));
    // The first tick after the shutdown ends the root; there is no second.
    assert_eq!(statuses(&host, "proxy_done"), [NotFound, Ok]);
}

#[test]
fn vms_are_shared_by_identity() {
    let guest = Guest::new().on("proxy_on_request_headers", "");
    let plugin = |name: &str, vm_id: &str| guest.plugin().name(name).vm_id(vm_id);
    let mut host = Host::builder()
        .plugin(plugin("a", "one"))
        .plugin(plugin("b", "one"))
        .plugin(plugin("c", "two"))
        .workers(2)
        .start()
        .unwrap();
    host.exchange(get().through("b").on_worker(1));
    let transcript = host.transcript();
    let vms: Vec<usize> = transcript.entries().iter().map(|entry| entry.vm).collect();
    // Canaries are 0; two workers with a VM for each of two identities.
    assert_eq!(vms.iter().max(), Some(&4));
    let text = transcript.to_string();
    // In a VM with two plugins, roots are 1 and 2 and the stream is 3.
    assert!(text.contains("vm3 -> proxy_on_request_headers(3, 4, 1)"), "{text}");
}
