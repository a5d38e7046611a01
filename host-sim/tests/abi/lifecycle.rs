use crate::guest::{Guest, call, callbacks, get, numbers};
use host_sim::{AbiVersion, Cause, Error, FailPolicy, Host, Module};
use std::time::Duration;

/// A guest that traps on its second request.
fn fragile() -> Guest {
    let trap = "(if (i32.eq (local.get $0) (i32.const 3)) (then unreachable))";
    Guest::new().on("proxy_on_request_headers", trap)
}

#[test]
fn a_canary_then_every_worker() {
    let guest = Guest::new().on("proxy_on_vm_start", "").on("proxy_on_configure", "");
    let host = Host::builder().plugin(guest.plugin()).workers(3).start().unwrap();
    let transcript = host.transcript();
    let configured = transcript.entries().iter().filter(|entry| {
        matches!(entry.what, host_sim::TranscriptEvent::Callback { name: "proxy_on_configure", .. })
    });
    assert_eq!(configured.map(|entry| entry.vm).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_trap_fails_the_vm_closed() {
    let mut host = fragile().start();
    host.exchange(get()).assert_forwarded();
    host.exchange(get()).assert_replied(503);
    let called = callbacks(&host).len();
    let outcome = host.exchange(get());
    outcome.assert_replied(503);
    assert_eq!(outcome.reply.unwrap().details, "wasm_fail_stream");
    assert_eq!((callbacks(&host).len(), host.failed_vms()), (called, 1));
    let failure = host.transcript().failures().next().unwrap().to_string();
    assert!(failure.starts_with("proxy_on_request_headers trapped: "), "{failure}");
}

#[test]
fn a_trap_fails_open_where_that_is_the_policy() {
    let plugin = fragile().plugin().fail_policy(FailPolicy::Open);
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    for _ in 0..3 {
        host.exchange(get()).assert_forwarded();
    }
    assert_eq!(host.failed_vms(), 1);
}

#[test]
fn a_vm_is_reloaded_when_the_back_off_is_over() {
    let backoff = Duration::from_secs(1);
    let plugin = fragile().plugin().fail_policy(FailPolicy::Reload { backoff });
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    host.exchange(get()).assert_forwarded();
    host.exchange(get()).assert_replied(503);
    host.exchange(get()).assert_replied(503);
    host.advance(backoff);
    host.exchange(get()).assert_forwarded();
    assert_eq!(host.failed_vms(), 0);
}

#[test]
fn an_endless_loop_is_an_error() {
    let guest = Guest::new().on("proxy_on_request_headers", "(loop (br 0))");
    let mut host = Host::builder().plugin(guest.plugin()).fuel(100_000).start().unwrap();
    host.exchange(get()).assert_replied(503);
    let cause = host.transcript().failures().next().unwrap().cause.clone();
    assert_eq!(cause, Cause::Fuel(100_000));
}

#[test]
fn memory_has_a_limit() {
    // Where it cannot grow, memory.grow says -1, and this guest traps.
    let grow = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    let guest = Guest::new().on("proxy_on_request_headers", grow);
    let mut host = Host::builder().plugin(guest.plugin()).memory(1 << 20).start().unwrap();
    host.exchange(get()).assert_replied(503);
    let mut host = guest.start();
    host.exchange(get()).assert_forwarded();
}

#[test]
fn calls_that_are_not_allowed_yet() {
    let early = call("proxy_set_tick_period_milliseconds", &numbers(&[1]));
    let guest = Guest::new().on("_initialize", &early);
    let error = Host::builder().plugin(guest.plugin()).start().err().unwrap();
    let expected = "canary VM: _initialize called proxy_set_tick_period_milliseconds before \
                    on_vm_start, where Envoy allows no such call";
    assert_eq!(error.to_string(), expected);
    let allowed = call("proxy_log", &numbers(&[2, 0, 0]));
    assert!(
        Host::builder().plugin(Guest::new().on("_initialize", &allowed).plugin()).start().is_ok()
    );
}

#[test]
fn modules_that_do_not_start() {
    let error = |guest: Guest| Host::builder().plugin(guest.plugin()).start().err().unwrap();
    let trap = error(Guest::new().on("proxy_on_vm_start", "unreachable"));
    assert!(trap.to_string().starts_with("canary VM: proxy_on_vm_start trapped"), "{trap}");
    let refused = error(Guest::new().on_returning("proxy_on_configure", "", 0));
    assert_eq!(refused.to_string(), "canary VM: proxy_on_configure returned false");
    assert!(matches!(refused, Error::Refused { .. }));
}

#[test]
fn modules_that_are_none() {
    assert!(matches!(Module::new(b"hello"), Err(Error::NotWasm(_))));
    assert!(matches!(Module::new(b"(module)"), Err(Error::NoAbi)));
    let old = br#"(module (func (export "proxy_abi_version_0_1_0")))"#;
    assert_eq!(Module::new(old).unwrap().abi(), AbiVersion::V0_1_0);
    let global = br#"(module (global (export "proxy_abi_version_0_2_1") i32 (i32.const 1)))"#;
    assert!(matches!(Module::new(global), Err(Error::NoAbi)));
    let begin = |body: &str| {
        let text = format!("(module {body} (func (export \"proxy_abi_version_0_2_0\")) {MALLOC})");
        start(&text).err()
    };
    assert!(begin("").is_none());
    let unknown = begin("(import \"env\" \"proxy_unheard_of\" (func))").unwrap();
    assert!(unknown.to_string().contains("proxy_unheard_of"), "{unknown}");
    let wrong = begin("(import \"env\" \"proxy_log\" (func (param i64)))").unwrap();
    assert!(matches!(wrong, Error::Link(_)), "{wrong}");
    let export = begin("(func (export \"proxy_on_tick\"))").unwrap();
    assert!(matches!(export, Error::Export { name: "proxy_on_tick", .. }), "{export}");
}

/// The allocator of modules that are never handed anything.
const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) (i32.const 4096))"#;

fn start(text: &str) -> Result<Host, Error> {
    let module = Module::new(text.as_bytes()).unwrap();
    Host::builder().plugin(host_sim::Plugin::new(&module)).start()
}

#[test]
fn a_module_without_an_allocator_does_not_start() {
    let bare = r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#;
    assert!(matches!(start(bare), Err(Error::NoAllocator)));
}

#[test]
fn an_unknown_import_beside_an_imported_memory_does_not_link() {
    let text = format!(
        r#"(module (import "env" "memory" (memory 1)) (import "env" "nothing" (func))
          (func (export "proxy_abi_version_0_2_1")) {MALLOC})"#
    );
    let error = start(&text).err().unwrap();
    assert!(matches!(error, Error::Link(_)) && error.to_string().contains("nothing"), "{error}");
}

/// As in Envoy: the memory may have any name, and may be the host's.
#[test]
fn a_memory_of_any_name_and_an_imported_one_are_the_guests() {
    let logs = |memory: &str| {
        let text = format!(
            r#"(module (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
              {memory} (data (i32.const 64) "hello")
              (func (export "proxy_abi_version_0_2_1")) {MALLOC}
              (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
                (drop (call $log (i32.const 2) (i32.const 64) (i32.const 5))) (i32.const 1)))"#
        );
        let host = start(&text).unwrap_or_else(|error| panic!("{memory}: {error}"));
        let transcript = host.transcript();
        transcript.logs().map(|(_, message)| message.to_owned()).collect::<Vec<_>>()
    };
    for memory in [
        r#"(memory (export "memory") 1)"#,
        r#"(memory (export "mem") 1)"#,
        r#"(import "env" "memory" (memory 1))"#,
        r#"(import "env" "memory" (memory 1)) (import "env" "table" (table 4 funcref))"#,
        r#"(memory (export "again") (import "any" "name") 1)"#,
    ] {
        assert_eq!(logs(memory), ["hello", "hello"], "{memory}");
    }
}

#[test]
fn two_runs_are_the_same_run() {
    let transcript = || {
        let mut host = fragile().start();
        host.exchange(get());
        host.exchange(get());
        host.transcript().to_string()
    };
    assert_eq!(transcript(), transcript());
}
