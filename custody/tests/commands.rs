//! The command line: what it takes, what it prints, how it ends.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::stores::{Store, on_both_stores};
use common::{CANARY, Home, custody, run, text};
use serde_json::Value;
use std::fs::File;
use std::process::{Command, Output, Stdio};

// The others end before the store is opened for good, or never open one.
on_both_stores! {
    #[tokio::test]
    put_list_delete,
}

fn cred(home: &Home, arguments: &[&str], input: &str) -> Output {
    run(custody().arg("cred").args(arguments).arg("--config").arg(home.config()), input.as_bytes())
}

async fn put_list_delete(store: Store) {
    let home = Home::bare(store);
    let listed = || -> Vec<Value> {
        let output = cred(&home, &["list", "--json"], "");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(listed(), Vec::<Value>::new());
    let output = cred(&home, &["put", "github-ci"], CANARY);
    assert!(output.status.success() && !text(&output).contains(CANARY), "{}", text(&output));
    cred(&home, &["put", "reg", "--type", "basic", "--user", "ci", "--actor", "ops"], "x");
    let all = listed();
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0]["handle"], &all[0]["type"]), (&"github-ci".into(), &"bearer".into()));
    assert_eq!((&all[1]["actor"], &all[1]["user"]), (&"ops".into(), &"ci".into()));
    let table = text(&cred(&home, &["list"], ""));
    assert!(table.starts_with("HANDLE") && table.contains("basic, user ci"), "{table}");
    let output = cred(&home, &["delete", "reg"], "");
    assert_eq!(output.status.code(), Some(1), "another actor's");
    assert!(text(&output).contains("nothing is stored under reg for actor default"));
    assert!(cred(&home, &["delete", "reg", "--actor", "ops"], "").status.success());
    assert_eq!(listed().len(), 1);
}

#[test]
fn mistakes_are_usage_and_name_the_flag() {
    let home = Home::bare(Store::Sqlite);
    for (arguments, words) in [
        (&["put"][..], "HANDLE"),
        (&["put", "../x"], "a handle is"),
        (&["put", "a", "--type", "basic"], "--user"),
        (&["put", "a", "--type", "header"], "--header"),
        (&["put", "a", "--user", "u"], "--user goes with --type basic"),
        (&["put", "a", "--header", "x-a"], "--header goes with --type header"),
        (&["put", "a", "--type", "header", "--header", "host"], "--header: "),
        (&["put", "a", "--actor", "a b"], "an actor is"),
        (&["put", "a", CANARY], "unexpected argument"),
        (&["put", "a", "--type", "opaque", "--user", "u"], "--user goes with --type basic"),
    ] {
        let output = cred(&home, arguments, "secret");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(words), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(run(custody().arg("no-such-command"), b"").status.code(), Some(2));
    assert!(run(custody().arg("--help"), b"").status.success());
}

#[test]
fn secrets_that_cannot_be_sent_are_refused_without_being_shown() {
    let home = Home::bare(Store::Sqlite);
    for (secret, words) in [
        (String::new(), "empty"),
        ("\n".into(), "empty"),
        (format!("{CANARY}\n{CANARY}"), "line break"),
        (format!("{CANARY}\n\n"), "line break"),
        (format!("{CANARY}\0"), "control character"),
        (CANARY.repeat(2000), "16 KiB"),
        (CANARY.repeat(9000), "64 KiB"),
    ] {
        let output = cred(&home, &["put", "a"], &secret);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(words) && !text(&output).contains("canary"));
    }
}

#[test]
fn a_secret_is_read_from_a_file_that_can_be_read_and_is_not_empty() {
    let home = Home::bare(Store::Sqlite);
    std::fs::write(home.path("empty"), "").unwrap();
    std::fs::write(home.path("token"), format!("{CANARY}\n")).unwrap();
    let put = |name: &str| {
        let path = home.path(name);
        cred(&home, &["put", "a", "--from", path.to_str().unwrap()], "not this")
    };
    for (name, words) in [("nowhere", "No such file"), ("empty", "the secret is empty")] {
        let output = put(name);
        assert_eq!(output.status.code(), Some(1));
        let expected = format!("{}: {words}", home.path(name).display());
        assert!(text(&output).contains(&expected), "{}", text(&output));
    }
    assert!(put("token").status.success());
}

#[test]
fn check_says_everything_at_once() {
    let home = Home::new(Store::Sqlite);
    let check = || run(custody().args(["check", "--config"]).arg(home.config()), b"");
    let words = text(&check());
    assert!(words.contains("grants[1].handle: not-stored of actor default"), "{words}");
    assert!(words.contains("grants[2].handle: long of actor default"), "{words}");
    home.put("not-stored", &[], "x");
    home.put("long", &[], "x");
    let output = check();
    assert!(output.status.success(), "{}", text(&output));
    assert!(!home.audit().exists(), "it changes nothing");
    home.edit("api.github.com", "\"*.com\"");
    home.edit("leeway: 30s", "leeway: 30m");
    home.edit("audit:\n", "audits: 1\naudit:\n");
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output);
    for part in [
        "custody.yaml: grants[0].destinations[0]: \"*.com\" covers a public suffix",
        "custody.yaml: session.leeway: must be 0s to 300s",
        "custody.yaml: audits: unknown section",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(words.lines().count(), 3, "{words}");
}

#[test]
fn init_prints_what_comes_next() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("c");
    let output = run(custody().arg("init").arg(&folder), b"");
    let words = text(&output);
    assert!(output.status.success(), "{words}");
    for part in
        ["jwks.json", "cred put", "custody check", "custody serve", "edge-client.pem", "worker.pem"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
    let output = run(custody().arg("init").arg(&folder), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("never overwrites"), "{}", text(&output));
    // Without the control plane's keys it does not serve, and says which file is missing.
    let config = folder.join("custody.yaml");
    let output = run(custody().args(["serve", "--config"]).arg(config), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("session.keys.jwks_file"), "{}", text(&output));
}

#[test]
fn nobody_reads_what_it_says_or_there_is_no_room_for_it() {
    let home = Home::new(Store::Sqlite);
    home.put("not-stored", &[], "x");
    home.put("long", &[], "x");
    let said_to = |out: Stdio, arguments: &[&str]| {
        let mut command = custody();
        command.args(arguments).arg("--config").arg(home.config()).stdin(Stdio::null());
        command.stdout(out).stderr(Stdio::piped()).output().unwrap()
    };
    for arguments in [&["cred", "list"][..], &["cred", "list", "--json"], &["check"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = said_to(full.into(), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let words = "custody: standard output: No space left on device (os error 28)\n";
        assert_eq!(text(&output), words, "{arguments:?}");
        // As with `| head`, which has read enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = said_to(writer.into(), arguments);
        assert_eq!((output.status.code(), &*text(&output)), (Some(0), ""), "{arguments:?}");
    }
}

/// What a full disk does, without one: no file may be longer than so many blocks of 512 bytes.
#[test]
fn a_full_disk_leaves_no_half_file() {
    let temporary = tempfile::tempdir().unwrap();
    let full = |blocks: u32, arguments: &[&str]| {
        let command = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let program = custody().get_program().to_owned();
        let mut shell = Command::new("sh");
        run(shell.arg("-c").arg(command).arg(program).args(arguments).current_dir(&temporary), b"")
    };
    let output = full(0, &["key", "new", "root.key"]);
    assert_eq!(text(&output), "custody: root.key: File too large (os error 27)\n");
    // The configuration is longer than the files before it would be.
    let output = full(4, &["init", "c"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let left = |folder: &str| std::fs::read_dir(temporary.path().join(folder)).unwrap().count();
    assert_eq!((left("."), left("c")), (1, 0), "the folder c alone");
    assert!(full(100, &["init", "c"]).status.success(), "nothing is in the way of a second try");
}

#[test]
fn a_file_that_is_not_there() {
    let output = run(custody().args(["serve", "--config", "/nowhere/custody.yaml"]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "custody: /nowhere/custody.yaml: No such file or directory (os error 2)\n"
    );
}
