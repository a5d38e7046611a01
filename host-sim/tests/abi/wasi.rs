use host_sim::{Host, Instant, Level, Module, Plugin, Request};

/// A guest whose request headers callback makes these WASI calls and logs nothing else. What the
/// calls return is logged as one line of digits and letters, `0` for errno 0.
fn host(calls: &[&str]) -> Host {
    let mut body = String::new();
    for (n, call) in calls.iter().enumerate() {
        body += &format!("(i32.store8 (i32.const {}) (i32.add (i32.const 48) {call}))\n", 3000 + n);
    }
    let text = format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "clock_time_get"
            (func $clock_time_get (param i32 i64 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environ_sizes_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get"
            (func $environ_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
          (memory (export "memory") 4)
          ;; an io vector: "hello\n" at 64
          (data (i32.const 32) "\40\00\00\00\06\00\00\00")
          (data (i32.const 64) "hello\n")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            {body}
            (drop (call $log (i32.const 0) (i32.const 3000) (i32.const {count})))
            (i32.const 0)))"#,
        count = calls.len()
    );
    let plugin = Plugin::new(&Module::new(text.as_bytes()).unwrap()).env("NAME", "value");
    let mut host = Host::builder().plugin(plugin).at(Instant::from_unix(1_000)).start().unwrap();
    host.exchange(Request::get("a.test", "/")).assert_forwarded();
    host
}

fn logs(host: &Host) -> Vec<(Level, String)> {
    host.transcript().logs().map(|(level, message)| (level, message.to_owned())).collect()
}

#[test]
fn output_is_logged() {
    let write = |fd: u32| {
        format!("(call $fd_write (i32.const {fd}) (i32.const 32) (i32.const 1) (i32.const 16))")
    };
    let host = host(&[&write(1), &write(2), &write(3)]);
    let expected = [
        (Level::Info, "hello".to_owned()),
        (Level::Error, "hello".to_owned()),
        // 8: no such file.
        (Level::Trace, "008".to_owned()),
    ];
    assert_eq!(logs(&host), expected);
}

#[test]
fn clocks_and_randomness() {
    let clock = |id: u32| {
        format!(
            "(call $clock_time_get (i32.const {id}) (i64.const 0) (i32.const {}))",
            200 + 8 * id
        )
    };
    let host = host(&[
        &clock(0),
        &clock(1),
        &clock(2),
        "(call $random_get (i32.const 1024) (i32.const 64))",
        "(call $random_get (i32.const 1024) (i32.const 65537))",
        // The time of day in seconds, less 1000.
        "(i32.sub (i32.wrap_i64 (i64.div_u (i64.load (i32.const 200)) (i64.const 1000000000))) (i32.const 1000))",
    ]);
    // 58 and 28 behind the '0' are 'j' and 'L'.
    assert_eq!(logs(&host), [(Level::Trace, "00j0L0".to_owned())]);
}

#[test]
fn environment_files_and_exit() {
    let host = host(&[
        "(call $environ_sizes_get (i32.const 16) (i32.const 20))",
        "(i32.load (i32.const 16))",
        "(i32.load (i32.const 20))",
        "(call $environ_get (i32.const 400) (i32.const 500))",
        "(i32.sub (i32.load8_u (i32.const 505)) (i32.const 118))",
        // No such file is 44.
        "(i32.sub (call $path_open (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)) (i32.const 44))",
        "(block (result i32) (call $proc_exit (i32.const 7)) (i32.const 0))",
    ]);
    assert_eq!(logs(&host), [(Level::Trace, "01;0000".to_owned())]);
}

/// A module that imports one function and does nothing.
fn importing(version: &str, import: &str) -> Result<Host, String> {
    let text = format!(
        r#"(module {import} (memory (export "memory") 1)
          (func (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_abi_version_{version}")))"#
    );
    let plugin = Plugin::new(&Module::new(text.as_bytes()).unwrap());
    Host::builder().plugin(plugin).start().map_err(|error| error.to_string())
}

#[test]
fn imports_that_envoy_refuses_do_not_link() {
    let wasi = |name: &str, params: &str| {
        format!(
            r#"(import "wasi_snapshot_preview1" "{name}" (func (param {params}) (result i32)))"#
        )
    };
    let log_level = r#"(import "env" "proxy_get_log_level" (func (param i32) (result i32)))"#;
    assert!(importing("0_2_1", log_level).is_ok());
    for (version, import, name) in [
        // Its standard signature: Envoy has six parameters.
        ("0_2_1", wasi("path_link", "i32 i32 i32 i32 i32 i32 i32"), "path_link"),
        ("0_2_1", wasi("path_symlink", "i32 i32 i32 i32 i32"), "path_symlink"),
        ("0_2_1", wasi("proc_raise", "i32"), "proc_raise"),
        ("0_2_1", r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#.to_owned(), "abort"),
        ("0_2_0", log_level.to_owned(), "proxy_get_log_level"),
    ] {
        let error = importing(version, &import).map(drop).unwrap_err();
        assert!(error.contains("does not link") && error.contains(name), "{name}: {error}");
    }
}

#[test]
fn functions_of_emscripten_link_in_both_versions() {
    let grown = r#"(import "env" "emscripten_notify_memory_growth" (func (param i32)))"#;
    let equal = r#"(import "env" "pthread_equal" (func (param i32 i32) (result i32)))"#;
    for version in ["0_2_0", "0_2_1"] {
        assert!(importing(version, &format!("{grown} {equal}")).is_ok(), "{version}");
    }
}

#[test]
fn the_monotonic_clock_is_not_zero_at_the_start() {
    let host = host(&[
        "(call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 200))",
        "(i64.eqz (i64.load (i32.const 200)))",
    ]);
    assert_eq!(logs(&host), [(Level::Trace, "00".to_owned())]);
}

#[test]
fn calls_that_envoy_forbids_before_the_start_fail_it() {
    let started = |name: &str, params: &str, arguments: &str| {
        let text = format!(
            r#"(module
              (import "wasi_snapshot_preview1" "{name}" (func $call (param {params}) (result i32)))
              (memory (export "memory") 1)
              (func (export "malloc") (param i32) (result i32) (i32.const 4096))
              (func (export "proxy_abi_version_0_2_1"))
              (func (export "_initialize") (drop (call $call {arguments}))))"#
        );
        let plugin = Plugin::new(&Module::new(text.as_bytes()).unwrap());
        Host::builder().plugin(plugin).start().map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(started("fd_sync", "i32", "(i32.const 1)"), Ok(()));
    assert_eq!(started("random_get", "i32 i32", "(i32.const 64) (i32.const 8)"), Ok(()));
    for (name, params, arguments) in [("fd_close", "i32", "(i32.const 1)"), ("sched_yield", "", "")]
    {
        let error = started(name, params, arguments).unwrap_err();
        let called = format!("_initialize called {name} before on_vm_start");
        assert!(error.contains(&called), "{error}");
    }
}
