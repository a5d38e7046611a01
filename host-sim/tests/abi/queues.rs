use crate::guest::{Guest, OUT, call, callbacks, get, given, numbers, statuses};
use host_sim::{Host, Status::*};

#[test]
fn first_in_first_out_and_the_last_registrant_is_told() {
    let mut guest = Guest::new();
    let (name, nobody) = (guest.text("q"), guest.text("nobody"));
    let (vm_id, item) = (guest.text("vm"), guest.text("item"));
    let dequeue = call("proxy_dequeue_shared_queue", &(numbers(&[1]) + OUT));
    let calls = call("proxy_resolve_shared_queue", &format!("{vm_id} {name} (i32.const 16)"))
        + &call("proxy_resolve_shared_queue", &format!("{vm_id} {nobody} (i32.const 16)"))
        + &call("proxy_enqueue_shared_queue", &format!("(i32.const 1) {item}"))
        + &call("proxy_enqueue_shared_queue", &format!("(i32.const 9) {item}"));
    let register = call("proxy_register_shared_queue", &format!("{name} (i32.const 16)"));
    let guest = guest
        .on("proxy_on_configure", &register)
        .on("proxy_on_request_headers", &calls)
        .on("proxy_on_queue_ready", &(dequeue.clone() + &dequeue));
    let plugin = guest.plugin().vm_id("vm");
    let mut host = Host::builder().plugin(plugin).workers(3).start().unwrap();
    host.exchange(get().on_worker(0));
    assert_eq!(statuses(&host, "proxy_resolve_shared_queue"), [Ok, NotFound]);
    assert_eq!(statuses(&host, "proxy_enqueue_shared_queue"), [Ok, NotFound]);
    assert_eq!(statuses(&host, "proxy_dequeue_shared_queue"), [Ok, Empty]);
    assert_eq!(given(&host, "proxy_dequeue_shared_queue"), ["item"]);
    let told = host
        .transcript()
        .entries()
        .iter()
        .filter(|entry| {
            matches!(
                entry.what,
                host_sim::TranscriptEvent::Callback { name: "proxy_on_queue_ready", .. }
            )
        })
        .map(|entry| entry.vm)
        .collect::<Vec<_>>();
    assert_eq!(told, [3]);
    assert!(callbacks(&host).contains(&("proxy_on_queue_ready", 1)));
}
