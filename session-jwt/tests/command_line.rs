//! The program as people run it: exit codes, standard output, and what is said on standard error.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PARTIES: [&str; 4] = ["--iss", "https://cp.example", "--aud", "edge"];

fn run_with_stdin(directory: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_session-jwt"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end without reading; that is its own business.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    run_with_stdin(directory, arguments, "")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs, wants exit code 0, and gives standard output.
fn done(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Runs, wants exit code 2 with nothing on standard output, and gives standard error.
fn failed(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{arguments:?}");
    stderr(&output)
}

/// A folder with `key.pem` and its `jwks.json`.
fn with_key(algorithm: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    let path = directory.path();
    done(path, &["keygen", "--alg", algorithm, "--out", "key.pem"]);
    std::fs::write(path.join("jwks.json"), done(path, &["jwks", "key.pem"])).unwrap();
    directory
}

fn mint(directory: &Path, further: &[&str]) -> String {
    let fixed = ["mint", "--key", "key.pem", "--sub", "me"];
    done(directory, &[&fixed[..], &PARTIES, further].concat())
}

fn inspect(directory: &Path, token: &str, further: &[&str]) -> Output {
    let fixed = ["inspect", "-", "--json", "--jwks", "jwks.json"];
    run_with_stdin(directory, &[&fixed[..], &PARTIES, further].concat(), token)
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn a_minted_token_is_accepted_under_every_algorithm() {
    for algorithm in ["EdDSA", "ES256", "RS256", "eddsa"] {
        let directory = with_key(algorithm);
        let token = mint(directory.path(), &[]);
        assert_eq!(token.lines().count(), 1);
        let output = inspect(directory.path(), &token, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report = json(&output);
        assert_eq!(report["verdict"], "accepted");
        assert_eq!(report["refusal"], Value::Null);
        let claims = &report["claims"];
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(life, 900);
        assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
    }
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let directory = with_key("ES256");
    let path = directory.path().join("key.pem");
    let before = std::fs::read(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = failed(directory.path(), &["keygen", "--out", "key.pem"]);
    assert!(error.contains("key.pem exists"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(directory.path(), &["jwks", "key.pem"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("chmod 600 key.pem"), "{}", stderr(&output));
}

#[test]
fn a_key_set_is_public_and_names_keys_as_tokens_do() {
    let directory = with_key("EdDSA");
    let path = directory.path();
    let printed = done(path, &["keygen", "--alg", "RS256", "--kid", "mine", "--out", "b.pem"]);
    assert_eq!(printed, "mine\n");
    let jwks: Value = serde_json::from_str(&done(path, &["jwks", "key.pem", "b.pem"])).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!((&keys[0]["alg"], &keys[1]["alg"]), (&"EdDSA".into(), &"RS256".into()));
    assert_eq!(keys[1]["kid"], "mine");
    for key in keys {
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            assert_eq!(key.get(member), None);
        }
    }
    let renamed = done(path, &["jwks", "b.pem", "--kid", "other"]);
    assert!(renamed.contains("\"other\"") && !renamed.contains("\"mine\""), "{renamed}");
    let error = failed(path, &["jwks", "key.pem", "key.pem"]);
    assert!(error.contains("keys[1].kid"), "{error}");
    let error = failed(path, &["jwks", "key.pem", "b.pem", "--kid", "x"]);
    assert!(error.contains("--kid names one key, but there are 2"), "{error}");
}

#[test]
fn claims_as_json_or_text() {
    let directory = with_key("EdDSA");
    let further = [
        "--claim",
        "team=build",
        "--claim",
        "roles=[\"a\",1]",
        "--claim",
        "eq=a=b",
        "--claim",
        "empty=",
        "--claim",
        "yes=true",
        "--claim",
        "word=\"7\"",
        "--aud",
        "second",
        "--jti",
        "j-1",
        "--ttl",
        "1h",
    ];
    let report = json(&inspect(directory.path(), &mint(directory.path(), &further), &[]));
    let claims = &report["claims"];
    assert_eq!(report["verdict"], "accepted");
    assert_eq!(claims["team"], "build");
    assert_eq!(claims["roles"], serde_json::json!(["a", 1]));
    assert_eq!((&claims["eq"], &claims["empty"]), (&"a=b".into(), &"".into()));
    assert_eq!((&claims["yes"], &claims["word"]), (&true.into(), &"7".into()));
    assert_eq!(claims["aud"], serde_json::json!(["edge", "second"]));
    assert_eq!(claims["jti"], "j-1");
}

#[test]
fn what_mint_refuses_to_sign() {
    let directory = with_key("EdDSA");
    let long = format!("pad={}", "x".repeat(8000));
    let cases: [(&[&str], &str); 13] = [
        (&["--ttl", "3601s"], "over 3600 s (1h)"),
        (&["--ttl", "2h"], "over 3600 s (1h)"),
        (&["--ttl", "0s"], "at least 1s"),
        (&["--ttl", "1500ms"], "whole seconds"),
        (&["--ttl", "soon"], "invalid value 'soon'"),
        (&["--claim", "exp=1"], "--claim exp: use --ttl"),
        (&["--claim", "iss=x"], "--claim iss: use --iss"),
        (&["--claim", "team"], "wants NAME=VALUE"),
        (&["--claim", "=x"], "wants NAME=VALUE"),
        (&["--claim", "a=1", "--claim", "a=2"], "--claim a: named twice"),
        (&["--claim", "nbf=tomorrow"], "--claim nbf"),
        (&["--claim", &long], "over 8192 it is refused"),
        (&["--jti", ""], "--jti must not be empty"),
    ];
    let fixed = ["mint", "--key", "key.pem", "--sub", "me"];
    for (further, wanted) in cases {
        let error = failed(directory.path(), &[&fixed[..], &PARTIES, further].concat());
        assert!(error.contains(wanted), "{further:?}: {error}");
    }
    mint(directory.path(), &["--ttl", "3600s"]);
}

#[test]
fn verdicts_with_their_codes() {
    let directory = with_key("EdDSA");
    let path = directory.path();
    let token = mint(path, &["--at", "2026-01-31T12:00:00Z"]);
    let verdict = |token: &str, further: &[&str]| {
        let output = inspect(path, token, further);
        let report = json(&output);
        let code = report["refusal"]["code"].as_str().unwrap_or("accepted").to_owned();
        assert_eq!(output.status.code(), Some(i32::from(code != "accepted")), "{report}");
        code
    };
    assert_eq!(verdict(&token, &["--at", "2026-01-31T12:14:59Z"]), "accepted");
    assert_eq!(verdict(&token, &["--at", "2026-01-31T12:15:00Z"]), "session_expired");
    assert_eq!(verdict(&token, &["--at", "1769860799"]), "accepted");
    assert_eq!(verdict(&token, &["--at", "1769860769"]), "session_not_yet_valid");
    assert_eq!(verdict(&token, &["--at", "1769860799", "--leeway", "0s"]), "session_not_yet_valid");
    assert_eq!(verdict(&token, &[]), "session_expired");
    assert_eq!(verdict("a.b.c", &[]), "session_malformed");
    assert_eq!(verdict(&"a".repeat(9000), &[]), "session_too_large");
    let other = with_key("EdDSA");
    assert_eq!(verdict(&mint(other.path(), &[]), &[]), "session_unknown_key");
    let forged = format!("{}AAAA", &token.trim()[..token.trim().len() - 4]);
    assert_eq!(verdict(&forged, &["--at", "1769860800"]), "session_signature");
    let mut wrong = vec!["inspect", "--jwks", "jwks.json", "--iss", "x", "--aud", "edge"];
    wrong.push(token.trim());
    let output = run(path, &wrong);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output)
            .ends_with("verdict: refused: session_issuer: iss is not an issuer we trust\n")
    );
    assert!(stdout(&output).contains("Nothing above may be trusted."));
}

#[test]
fn nobody_reads_what_it_prints_or_there_is_no_room_for_it() {
    let directory = with_key("EdDSA");
    let jwks_to = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session-jwt"));
        command.args(["jwks", "key.pem"]).current_dir(directory.path());
        command.stdout(out).stderr(Stdio::piped()).output().unwrap()
    };
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = jwks_to(full.into());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("session-jwt: standard output: No space"), "{output:?}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = jwks_to(writer.into());
    assert_eq!((output.status.code(), &*stderr(&output)), (Some(0), ""));
}

#[test]
fn a_full_disk_leaves_no_half_key() {
    let directory = TempDir::new().unwrap();
    let mut shell = Command::new("sh");
    // As long as it is in force, no file may have a byte.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" keygen --out key.pem"]);
    shell.arg(env!("CARGO_BIN_EXE_session-jwt")).current_dir(directory.path());
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write key.pem: File too large"), "{output:?}");
    done(directory.path(), &["keygen", "--out", "key.pem"]);
}

#[test]
fn only_a_key_is_told_to_be_hidden() {
    let directory = with_key("EdDSA");
    let shared = |name: &str| {
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(directory.path().join(name), mode).unwrap();
        stderr(&run(directory.path(), &["jwks", name]))
    };
    assert!(shared("key.pem").contains("run: chmod 600 key.pem"));
    assert!(!shared("jwks.json").contains("chmod"));
}

#[test]
fn without_a_key_set_everything_is_unverified() {
    let directory = with_key("EdDSA");
    let token = mint(directory.path(), &["--at", "1769860800", "--ttl", "15m"]);
    let output = run(directory.path(), &["inspect", token.trim(), "--at", "1769861640"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("UNVERIFIED: no signature was checked"), "{text}");
    assert!(text.contains("exp  1769861700  2026-01-31T12:15:00Z (in 1m)"), "{text}");
    assert!(text.contains("iat  1769860800  2026-01-31T12:00:00Z (14m ago)"), "{text}");
    assert!(!text.contains("accepted"), "{text}");
    let output = run_with_stdin(directory.path(), &["inspect", "--json"], &token);
    assert_eq!(json(&output)["verdict"], "unverified");
    let output = run_with_stdin(directory.path(), &["inspect"], "nonsense");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("session_malformed"));
}

#[test]
fn a_token_can_not_steer_the_terminal() {
    let directory = with_key("EdDSA");
    let claim = "evil=\"\\u001b[2J\\u009b\\u202e\\u007f\u{200b}\u{e0041}\"";
    let token = mint(directory.path(), &["--claim", claim, "--claim", "\u{1b}name=1"]);
    for further in [&[][..], &["--json"], &["--jwks", "jwks.json", "--iss", "a", "--aud", "b"]] {
        let output =
            run_with_stdin(directory.path(), &[&["inspect"][..], further].concat(), &token);
        let text = stdout(&output);
        assert!(text.contains("\\u202e"), "{text}");
        let steering =
            |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{200b}\u{e0041}".contains(c));
        assert!(!text.contains(steering), "{text:?}");
        if further == ["--json"] {
            let evil = "\u{1b}[2J\u{9b}\u{202e}\u{7f}\u{200b}\u{e0041}";
            assert_eq!(json(&output)["claims"]["evil"], evil);
        }
    }
}

#[test]
fn usage_errors_name_the_argument_or_the_file() {
    let directory = with_key("EdDSA");
    let path = directory.path();
    std::fs::write(path.join("bad.json"), "{\"keys\": [{\"kty\": \"oct\"}]}").unwrap();
    std::fs::write(path.join("junk"), "junk").unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&[], "Usage:"),
        (&["mint", "--key", "key.pem"], "--iss"),
        (&["mint", "--key", "none.pem", "--iss", "i", "--aud", "a", "--sub", "s"], "none.pem"),
        (&["mint", "--key", "junk", "--iss", "i", "--aud", "a", "--sub", "s"], "junk: not an"),
        (&["inspect", "x", "--jwks", "jwks.json"], "--iss"),
        (&["inspect", "x", "--iss", "i"], "--jwks"),
        (&["inspect", "x", "--jwks", "bad.json", "--iss", "i", "--aud", "a"], "keys[0].kty: oct"),
        (&["inspect", "x", "--jwks", "junk", "--iss", "i", "--aud", "a"], "junk is not JSON"),
        (&["inspect", "-"], "no token"),
        (&["keygen", "--alg", "HS256", "--out", "x.pem"], "EdDSA, ES256, RS256"),
    ];
    for (arguments, wanted) in cases {
        let error = failed(path, arguments);
        assert!(error.contains(wanted), "{arguments:?}: {error}");
    }
    assert!(!path.join("x.pem").exists());
    let error = failed(path, &["keygen", "--kid", "a\nb", "--out", "x.pem"]);
    assert!(error.contains("--kid"), "{error}");
    assert!(!path.join("x.pem").exists());
}

#[test]
fn help_has_examples_and_no_subcommand_is_without_help() {
    let directory = TempDir::new().unwrap();
    assert!(done(directory.path(), &["--help"]).contains("Exit codes: 0 done, 1 the token"));
    for command in ["keygen", "jwks", "mint", "inspect"] {
        assert!(done(directory.path(), &[command, "--help"]).contains("Usage: session-jwt"));
    }
    assert!(done(directory.path(), &["mint", "--help"]).contains("Examples:"));
}
