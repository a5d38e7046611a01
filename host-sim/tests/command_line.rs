//! The program: what it prints and how it exits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Files of one invocation.
struct Desk(TempDir);

/// A guest that answers 403 with a reason unless `x-allow` is there.
const GUARD: &str = r#"(module
  (import "env" "proxy_get_header_map_value" (func $value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "x-allow")
  (data (i32.const 2048) "\01\00\00\00\0d\00\00\00\03\00\00\00x-deny-reason\00bad\00")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $value (i32.const 0) (i32.const 1024) (i32.const 7) (i32.const 16) (i32.const 20))
      (then (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 2048) (i32.const 30) (i32.const -1)))))
    (i32.const 0)))"#;

/// The allocator of modules that are never handed anything.
const MALLOC: &str = r#"(func (export "malloc") (param i32) (result i32) (i32.const 4096))"#;

const GOOD: &str = r#"cases:
- name: with the header
  request: "GET /a HTTP/1.1\nHost: a.test\nx-allow: 1"
  expect: {allowed: true, upstream: {path: /a, authority: a.test}}
- name: without it
  request: "GET /a HTTP/1.1\nHost: a.test"
  expect: {denied: bad, status: 403, callouts: 0}
"#;

// === impl Desk ===

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.put("guard.wat", GUARD);
        desk.put("request.http", "GET /a HTTP/1.1\nHost: a.test\n");
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
fn run_shows_what_becomes_of_a_request() {
    let desk = Desk::new();
    let denied = desk.sim(&["run", "guard.wat", "--request", "request.http", "--trace"]);
    assert_eq!(denied.status.code(), Some(1));
    let text = stdout(&denied);
    assert!(text.contains("denied bad\n"), "{text}");
    assert!(text.contains("guest < :status: 403"), "{text}");
    assert!(text.contains("proxy_get_header_map_value(map: 0, name: \"x-allow\") = NotFound"));
    desk.put("request.http", "GET /a HTTP/1.1\nHost: a.test\nx-allow: 1\n");
    let allowed = desk.sim(&["run", "guard.wat", "--request", "request.http", "--json"]);
    assert_eq!(allowed.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(&stdout(&allowed)).unwrap();
    assert_eq!(json["verdict"], "allowed");
    assert_eq!(json["upstream"]["headers"][2][1], "a.test");
}

#[test]
fn test_counts_and_shows_what_differs() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let good = desk.sim(&["test", "guard.wat", "good.yaml", "--strict"]);
    let expected =
        "good.yaml\n  ok      with the header\n  ok      without it\n\n2 passed, 0 failed\n";
    assert_eq!((stdout(&good).as_str(), good.status.code()), (expected, Some(0)));
    desk.put(
        "bad.yaml",
        &GOOD.replace("path: /a", "path: /b").replace("denied: bad", "denied: no"),
    );
    let bad = desk.sim(&["test", "guard.wat", "good.yaml", "bad.yaml"]);
    let text = stdout(&bad);
    let differences = "  FAILED  with the header\n            upstream path\n              - expected  /b\n              + found     /a\n";
    assert!(text.contains(differences), "{text}");
    assert!(
        text.contains("- expected  denied no\n              + found     denied bad\n"),
        "{text}"
    );
    assert!(text.ends_with("\n2 passed, 2 failed\n"), "{text}");
    assert_eq!(bad.status.code(), Some(1));
    let one = desk.sim(&["test", "guard.wat", "good.yaml", "--only", "without"]);
    assert!(stdout(&one).ends_with("\n1 passed, 0 failed\n"));
    let none = desk.sim(&["test", "guard.wat", "good.yaml", "--only", "nothing like it"]);
    assert_eq!(none.status.code(), Some(4));
}

#[test]
fn inspect_says_what_a_module_needs() {
    let desk = Desk::new();
    let text = stdout(&desk.sim(&["inspect", "guard.wat"]));
    assert!(text.starts_with("proxy-wasm ABI 0.2.1, "), "{text}");
    assert!(
        text.contains("\n  env proxy_get_header_map_value func(i32, i32, i32, i32, i32) -> i32\n")
    );
    assert!(text.contains("\n  proxy_on_request_headers func(i32, i32, i32) -> i32\n"));
}

#[test]
fn cost_is_the_same_each_time_and_may_not_rise() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let cost = || stdout(&desk.sim(&["cost", "guard.wat", "good.yaml", "--json"]));
    let table = cost();
    assert_eq!(table, cost());
    let path = desk.put("table.json", &table);
    let check = ["cost", "guard.wat", "good.yaml", "--check", path.to_str().unwrap()];
    assert_eq!(desk.sim(&check).status.code(), Some(0));
    let fuel = serde_json::from_str::<serde_json::Value>(&table).unwrap();
    let fuel = fuel["without it"]["warm"]["fuel"].as_u64().unwrap();
    assert!(fuel > 0);
    desk.put("table.json", &table.replace(&format!("\"fuel\": {fuel}"), "\"fuel\": 1"));
    let risen = desk.sim(&check);
    assert_eq!(risen.status.code(), Some(1));
    let line = format!("without it: a warm request takes {fuel} instructions, was 1");
    assert!(stdout(&risen).contains(&line), "{}", stdout(&risen));
}

/// Arguments, exit code, and how the one line begins.
#[test]
fn mistakes_have_a_line_and_a_code_each() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    desk.put("syntax.yaml", "cases: [\n");
    desk.put("field.yaml", &GOOD.replace("status: 403", "stauts: 403"));
    desk.put("empty.yaml", "cases: [{name: a}]");
    desk.put("nothing.yaml", "");
    desk.put("none.yaml", "cases: []");
    desk.put("template.yaml", &GOOD.replace("GET /a", "GET /${nonsense}"));
    desk.put("text.wasm", "hello");
    desk.put("bare.wat", "(module)");
    let module = |body: &str| {
        format!("(module (func (export \"proxy_abi_version_0_2_1\")) {MALLOC} {body})")
    };
    desk.put("trap.wat", &module("(func (export \"_initialize\") unreachable)"));
    desk.put(
        "link.wat",
        "(module (import \"env\" \"nothing\" (func)) (func (export \"proxy_abi_version_0_2_1\")))",
    );
    desk.put("allocator.wat", "(module (func (export \"proxy_abi_version_0_2_1\")))");
    desk.put("loop.wat", &module("(func (export \"_initialize\") (loop (br 0)))"));
    desk.put(
        "refuse.wat",
        &module(
            "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (i32.const 0))",
        ),
    );
    for (filter, cases, code, line) in [
        ("guard.wat", "missing.yaml", 3, "missing.yaml: No such file"),
        ("missing.wasm", "good.yaml", 3, "missing.wasm: No such file"),
        ("guard.wat", "syntax.yaml", 4, "syntax.yaml: "),
        ("guard.wat", "field.yaml", 4, "field.yaml: cases[1].expect.stauts: unknown field"),
        ("guard.wat", "empty.yaml", 4, "empty.yaml: cases[0] (a): nothing happens in it"),
        (
            "guard.wat",
            "nothing.yaml",
            4,
            "nothing.yaml: invalid type: null, expected a file of cases",
        ),
        ("guard.wat", "none.yaml", 4, "there is no case in these files"),
        ("guard.wat", ".", 3, ".: Is a directory"),
        ("guard.wat", "template.yaml", 4, "case \"with the header\": ${nonsense} means nothing"),
        ("text.wasm", "good.yaml", 5, "no WebAssembly module: "),
        ("bare.wat", "good.yaml", 5, "no proxy-wasm module: "),
        ("trap.wat", "good.yaml", 6, "case \"with the header\": canary VM: _initialize trapped: "),
        ("link.wat", "good.yaml", 6, "case \"with the header\": the module does not link: "),
        (
            "allocator.wat",
            "good.yaml",
            6,
            "case \"with the header\": the module exports no allocator",
        ),
        ("refuse.wat", "good.yaml", 7, "case \"with the header\": canary VM: proxy_on_configure "),
        ("loop.wat", "good.yaml", 8, "case \"with the header\": canary VM: _initialize used up "),
    ] {
        let output = desk.sim(&["test", filter, cases]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{filter} {cases}: {text}");
        assert!(text.starts_with(&format!("host-sim: {line}")), "{filter} {cases}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

/// A runtime that panics explains it on its standard error, which is all that its author gets.
#[test]
fn output_of_a_module_that_does_not_start_is_shown() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let explained = r#"(module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      (data (i32.const 32) "\40\00\00\00\0b\00\00\00")
      (data (i32.const 64) "panic: why\n")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 4096))
      (func $_ZN5guest5start17h0123456789abcdefE (export "_initialize")
        (drop (call $fd_write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 16)))
        unreachable))"#;
    desk.put("panics.wat", explained);
    let output = desk.sim(&["test", "panics.wat", "good.yaml"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.starts_with("log: panic: why\nhost-sim: case "), "{text}");
    assert!(text.ends_with("(in guest::start)\n"), "{text}");
}

/// The line that explains a refused configuration is in the error, and is not printed twice.
#[test]
fn the_reason_of_a_refused_configuration_is_printed_once() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let refuses = r#"(module
      (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 64) "first") (data (i32.const 80) "no cluster")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 4096))
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $log (i32.const 2) (i32.const 64) (i32.const 5)))
        (drop (call $log (i32.const 4) (i32.const 80) (i32.const 10)))
        (i32.const 0)))"#;
    desk.put("refuses.wat", refuses);
    let output = desk.sim(&["test", "refuses.wat", "good.yaml"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.starts_with("log: first\nhost-sim: "), "{text}");
    assert!(text.ends_with("returned false and logged: no cluster\n"), "{text}");
    assert_eq!(text.matches("no cluster").count(), 1, "{text}");
}

#[test]
fn cost_of_no_case_is_a_mistake() {
    let desk = Desk::new();
    desk.put("none.yaml", "cases: []");
    let output = desk.sim(&["cost", "guard.wat", "none.yaml"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn cost_of_two_cases_of_one_name_is_a_mistake() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let output = desk.sim(&["cost", "guard.wat", "good.yaml", "good.yaml"]);
    assert_eq!(output.status.code(), Some(4));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("good.yaml: a second case of the name \"with the header\""), "{words}");
}

#[test]
fn nobody_reads_what_it_says_or_there_is_no_room_for_it() {
    let desk = Desk::new();
    desk.put("good.yaml", GOOD);
    let said_to = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-sim"));
        command.args(["test", "guard.wat", "good.yaml"]).current_dir(desk.0.path());
        command.stdout(out).stderr(Stdio::piped()).output().unwrap()
    };
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = said_to(full.into());
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(words, "host-sim: standard output: No space left on device (os error 28)\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = said_to(writer.into());
    assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]));
}

/// The README's example: its YAML is the file's, and what it prints is what is printed.
#[test]
fn the_readme_tells_the_truth() {
    let root = support::root();
    support::filter();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let example = "host-sim/examples/policy-test.yaml";
    assert!(readme.contains(&fs::read_to_string(root.join(example)).unwrap()));
    let filter = "target/wasm32-wasip1/wasm/leasehold_filter.wasm";
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-sim"));
    let output = command.current_dir(&root).args(["test", filter, example]).output().unwrap();
    let typed = format!("$ cargo run -q -p host-sim -- test {filter} {example}\n");
    assert!(readme.contains(&(typed + &stdout(&output))), "{}", stdout(&output));
}

#[test]
fn the_leasehold_filter_runs_with_a_policy_and_a_session_from_the_test_key() {
    let root = support::root();
    support::filter();
    let desk = Desk::new();
    let filter = root.join("target/wasm32-wasip1/wasm/leasehold_filter.wasm");
    let policy = root.join("tests/cases/policies/explicit.yaml");
    desk.put("custody.yaml", "- lease: {headers: {authorization: Bearer LEASED}}\n");
    desk.put("request.http", "GET /repos/acme/x HTTP/1.1\nHost: api.demo.test\n");
    let mut args = vec!["run", filter.to_str().unwrap(), "--config", policy.to_str().unwrap()];
    args.extend(["--request", "request.http", "--custody", "custody.yaml"]);
    let denied = desk.sim(&args);
    assert!(stdout(&denied).contains("denied session_not_allowed"), "{}", stdout(&denied));
    args.extend(["--claims", "{\"team\": \"build\"}"]);
    let allowed = desk.sim(&args);
    assert!(stdout(&allowed).contains("authorization: Bearer LEASED"), "{}", stdout(&allowed));
    assert_eq!(allowed.status.code(), Some(0));
    args.truncate(args.len() - 2);
    args.extend(["--token", "a.b.c"]);
    let forged = desk.sim(&args);
    assert!(stdout(&forged).contains("denied session_malformed"), "{}", stdout(&forged));
}
