//! `host-sim run` with a filter of anybody: nothing of Leasehold's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Files of one invocation.
struct Desk(TempDir);

/// The allocator of modules that are never handed anything.
const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) (i32.const 4096))"#;

// === impl Desk ===

impl Desk {
    /// With a guest of the conformance tests.
    fn with(guest: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        fs::copy(root.join("tests/modules").join(guest), desk.0.path().join(guest)).unwrap();
        desk
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn sim(&self, args: &[&str]) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_host-sim"));
        Command::new(program).args(args).current_dir(self.0.path()).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn run_takes_a_foreign_filter_and_a_request_line() {
    let desk = Desk::with("callout.wat");
    let mut args = vec!["run", "callout.wat", "--request", "POST /a", "-H", "x-b: 1", "-d", "text"];
    args.extend(["--cluster", "authority=200:granted", "--response", "201:done"]);
    let text = stdout(&desk.sim(&args));
    for line in [
        "log info: granted\n",
        "upstream < :authority: localhost\n",
        "upstream < x-b: 1\n",
        "upstream < text\n",
        "guest < :status: 201\n",
        "guest < done\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("-> proxy_on_request_headers"), "{text}");
    args.push("-v");
    let text = stdout(&desk.sim(&args));
    assert!(text.contains("-> proxy_on_request_headers(2, "), "{text}");
    assert!(!text.contains("proxy_http_call("), "{text}");
    *args.last_mut().unwrap() = "-vv";
    assert!(stdout(&desk.sim(&args)).contains("proxy_http_call(cluster: \"authority\""));
    let held = stdout(&desk.sim(&[
        "run",
        "callout.wat",
        "--request",
        "GET /",
        "--cluster",
        "authority=silence",
    ]));
    assert!(held.contains("upstream < :path: /\n"), "after the time-out: {held}");
    let refused = stdout(&desk.sim(&["run", "callout.wat", "--request", "GET /a#b"]));
    assert!(refused.contains("the filter does not see it"), "{refused}");
}

/// Envoy's defaults, and not those of Leasehold's files.
#[test]
fn a_foreign_filter_gets_its_configuration_as_bytes_and_envoys_own_defaults() {
    let desk = Desk::with("configuration.wat");
    desk.put("raw", "a:   raw\n");
    let args = ["run", "configuration.wat", "--request", "GET /", "--raw-config", "raw"];
    let text = stdout(&desk.sim(&args));
    assert!(text.contains("log info: a:   raw\n"), "{text}");
    let holds = format!(
        "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) {MALLOC}
          (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (i32.const 1))
          (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (i32.const 0)))"
    );
    desk.put("holds.wat", &holds);
    let mut args = vec!["run", "holds.wat", "--request", "POST /", "-d", "text", "-v"];
    assert!(!stdout(&desk.sim(&args)).contains("proxy_on_request_body"));
    args.push("--allow-on-headers-stop-iteration");
    assert!(stdout(&desk.sim(&args)).contains("proxy_on_request_body"));
}

#[test]
fn a_budget_that_is_used_up_names_its_option() {
    let desk = Desk::with("callout.wat");
    let module = |body: &str| {
        format!(
            "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) {MALLOC}
             (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {body}))"
        )
    };
    desk.put("loops.wat", &module("(loop (br 0)) (i32.const 0)"));
    let text = stdout(&desk.sim(&["run", "loops.wat", "--request", "GET /", "--fuel", "1000"]));
    assert!(text.contains("used up its 1000 instructions") && text.contains("--fuel"), "{text}");
    let grow = "(if (i32.lt_s (memory.grow (i32.const 100)) (i32.const 0)) (then unreachable)) (i32.const 0)";
    desk.put("grows.wat", &module(grow));
    let text = stdout(&desk.sim(&["run", "grows.wat", "--request", "GET /", "--memory", "1M"]));
    assert!(
        text.contains("after 6619136 bytes of memory were refused: it may have 1048576"),
        "{text}"
    );
    let text = stdout(&desk.sim(&["run", "grows.wat", "--request", "GET /", "--memory", "16M"]));
    assert!(text.starts_with("allowed\n"), "{text}");
}
