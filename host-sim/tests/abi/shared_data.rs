use crate::guest::{Guest, OUT, call, get, given, numbers, statuses};
use host_sim::{Host, Status::*};

#[test]
fn compare_and_swap() {
    let mut guest = Guest::new();
    let (key, one, two) = (guest.text("k"), guest.text("1"), guest.text("2"));
    let set = |value: &str, cas: i64| {
        call("proxy_set_shared_data", &format!("{key} {value} {}", numbers(&[cas])))
    };
    let read = call("proxy_get_shared_data", &format!("{key} {OUT} (i32.const 24)"));
    let calls = read.clone() + &set(&one, 77) + &read + &set(&two, 99) + &set(&two, 1) + &read;
    let mut host = guest.on("proxy_on_request_headers", &calls).start();
    host.exchange(get());
    // An absent key ignores the cas; the first value has cas 1.
    assert_eq!(statuses(&host, "proxy_set_shared_data"), [Ok, CasMismatch, Ok]);
    assert_eq!(statuses(&host, "proxy_get_shared_data"), [NotFound, Ok, Ok]);
    assert_eq!(given(&host, "proxy_get_shared_data"), ["1", "2"]);
}

#[test]
fn it_is_keyed_by_vm_id_alone() {
    let mut guest = Guest::new();
    let (key, value) = (guest.text("k"), guest.text("v"));
    let calls = call("proxy_get_shared_data", &format!("{key} {OUT} (i32.const 24)"))
        + &call("proxy_set_shared_data", &format!("{key} {value} (i32.const 0)"));
    let guest = guest.on("proxy_on_request_headers", &calls);
    let plugin = |name: &str, vm_id: &str, config: &str| {
        guest.plugin().name(name).vm_id(vm_id).vm_configuration(config)
    };
    // Same vm_id and another configuration: other VMs, the same data.
    let mut host = Host::builder()
        .plugin(plugin("a", "one", ""))
        .plugin(plugin("b", "one", "other"))
        .plugin(plugin("c", "two", ""))
        .start()
        .unwrap();
    for name in ["a", "b", "c"] {
        host.exchange(get().through(name));
    }
    assert_eq!(statuses(&host, "proxy_get_shared_data"), [NotFound, Ok, NotFound]);
    assert_eq!(host.shared_data().len(), 2);
}
