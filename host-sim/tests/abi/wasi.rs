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
        // Not capable is 76.
        "(i32.sub (call $path_open (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)) (i32.const 76))",
        "(block (result i32) (call $proc_exit (i32.const 7)) (i32.const 0))",
    ]);
    let (exit, digits) = ("wasi_snapshot_preview1 proc_exit(7)", "01;0000");
    assert_eq!(logs(&host), [(Level::Error, exit.into()), (Level::Trace, digits.into())]);
}
