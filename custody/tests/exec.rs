//! The backend that runs a command: real programs, the real sealed store, the real ledger.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::{Store, on_both_stores};
use common::{Home, custody, now, run, text};
use custody_backends::exec::{
    CommandBackend, CommandRequest, CommandSource, Format, JsonFields, Program, Variable,
};
use custody_backends::sealed::SealedBackend;
use custody_backends::{
    BackendFault, CredentialBackend, CredentialRequest, MintingStores, Restriction,
};
use custody_base::credential::{Credential, Resolved, Shape};
use custody_ledger::{Revocation, Target};
use futures_util::future::join_all;
use lease::Secret;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_command_runs_once_for_many_leases_and_again_when_its_value_ended,
    custody_leases_what_a_command_prints,
}

const CANARY: &str = "canary-4Kd+q/1nBz_x83be55a0c2";

/// A store with the secret `manager-token`, and a folder for scripts.
struct Workshop {
    shelf: Shelf,
    folder: tempfile::TempDir,
}

impl Workshop {
    async fn new(store: Store) -> Self {
        let shelf = shelf(store, &[("manager-token", CANARY)]).await;
        Self { shelf, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, body: &str) -> Program {
        program(&script(self.folder.path(), body))
    }

    fn backend(&self, program: Program) -> Arc<CommandBackend> {
        let secrets = Arc::new(SealedBackend(self.shelf.store.clone()));
        let (ledger, audit) = (self.shelf.ledger.clone(), self.shelf.audit.clone());
        let stores = MintingStores { secrets, ledger, audit };
        CommandBackend::new("manager".into(), program, stores).unwrap()
    }

    fn source(&self, program: Program, request: CommandRequest) -> CommandSource {
        CommandSource::new(self.backend(program), request)
    }

    async fn put(&self, secret: &str) {
        let secret = Shape::Opaque.with(Secret::new(secret)).unwrap();
        self.shelf.store.put(&actor(), &handle("manager-token"), &secret).await.unwrap();
    }

    /// How often a script ran that writes a line to `runs`.
    fn runs(&self) -> usize {
        fs::read_to_string(self.path("runs")).unwrap_or_default().lines().count()
    }
}

/// A script in this folder, which runs there.
fn script(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("script");
    fs::write(&path, format!("#!/bin/sh\ncd {}\n{body}\n", folder.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn program(path: &Path) -> Program {
    let path = path.to_owned();
    let (arguments, environment) = Default::default();
    let (limit, keep) = (Duration::from_secs(20), Duration::from_secs(900));
    Program { path, arguments, environment, limit, keep }
}

fn plain(shape: Shape) -> CommandRequest {
    CommandRequest { arguments: Vec::new(), shape, format: Format::Text }
}

async fn ask(source: &CommandSource) -> Result<Resolved, BackendFault> {
    let (actor, handle, restriction) = (actor(), handle("llm"), Restriction::default());
    let asked = CredentialRequest::of(&actor, &handle, &restriction, now() + 300);
    assert!(source.is_capable(&asked) || source.is_capable(&opaque(&asked)));
    source.resolve(&asked).await
}

fn opaque<'a>(asked: &CredentialRequest<'a>) -> CredentialRequest<'a> {
    let kind = Some(custody_base::credential::CredentialType::Opaque);
    CredentialRequest {
        kind,
        ..CredentialRequest::of(asked.actor, asked.handle, asked.restriction, asked.until)
    }
}

fn value(resolved: &Resolved) -> String {
    let secret = match &resolved.credential {
        Credential::Bearer { token } => token,
        Credential::Opaque { bytes } => bytes,
        _ => panic!("another type"),
    };
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

async fn a_command_runs_once_for_many_leases_and_again_when_its_value_ended(store: Store) {
    let workshop = Workshop::new(store).await;
    let mut program = workshop.script("echo run >> runs; sleep 0.2; echo key-$(wc -l < runs)");
    let stored = Variable::Stored { actor: actor(), handle: handle("manager-token") };
    program.environment.insert("MANAGER_TOKEN".into(), stored);
    program.environment.insert("PATH".into(), Variable::Text("/usr/bin:/bin".into()));
    let source = workshop.source(program, plain(Shape::Bearer));
    let all = join_all((0..100).map(|_| ask(&source))).await;
    assert!(all.iter().all(|one| value(one.as_ref().ok().unwrap()) == "key-1"));
    assert_eq!(workshop.runs(), 1);
    let resolved = all.into_iter().next().unwrap().ok().unwrap();
    let left = resolved.expires_at.unwrap() - now();
    assert!((890..=900).contains(&left), "{left}");
    assert_eq!(resolved.made_from.len(), 1, "a lease ends with the manager's token");
    // The secret it logs in with is replaced.
    workshop.put("another").await;
    assert_eq!(value(&ask(&source).await.ok().unwrap()), "key-2");
    // The handle is revoked and restored.
    let target = Target::Handle(handle("llm"));
    let revocation =
        Revocation { target: target.clone(), at: now(), until: None, by: "test".into() };
    workshop.shelf.ledger.revoke(&revocation).await.unwrap();
    assert!(workshop.shelf.ledger.restore(&target, now()).await.unwrap());
    assert_eq!(value(&ask(&source).await.ok().unwrap()), "key-3");
    assert_eq!(value(&ask(&source).await.ok().unwrap()), "key-3");
}

#[tokio::test]
async fn a_command_sees_the_configured_environment_alone() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let mut program = program(Path::new("/usr/bin/env"));
    let stored = Variable::Stored { actor: actor(), handle: handle("manager-token") };
    program.environment.insert("B_TOKEN".into(), stored);
    program.environment.insert("A".into(), Variable::Text("x y".into()));
    let source = workshop.source(program, plain(Shape::Opaque));
    let printed = value(&ask(&source).await.ok().unwrap());
    let mut lines: Vec<_> = printed.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=x y", &format!("B_TOKEN={CANARY}")]);
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let mut program = program(Path::new("/usr/bin/printf"));
    program.arguments = vec!["%s|".into()];
    let arguments = ["$(id)", "a b; c", "{actor}/{handle}", "{other}"].map(str::to_owned).into();
    let request = CommandRequest { arguments, ..plain(Shape::Bearer) };
    let source = workshop.source(program, request);
    assert_eq!(value(&ask(&source).await.ok().unwrap()), "$(id)|a b; c|default/llm|{other}|");
}

#[tokio::test]
async fn json_gives_the_value_and_its_end() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let json = |program| {
        let expires_at = Some("/expires_on".to_owned());
        let format = Format::Json(JsonFields { value: "/token".into(), expires_at });
        workshop.source(program, CommandRequest { format, ..plain(Shape::Bearer) })
    };
    let end = now() + 77;
    let printed = format!("echo '{{\"token\": \"key\", \"expires_on\": {end}}}'");
    let resolved = ask(&json(workshop.script(&printed))).await.ok().unwrap();
    assert_eq!((value(&resolved), resolved.expires_at), ("key".into(), Some(end)));
    for (printed, code) in [
        (json!({"token": CANARY, "expires_on": now() - 1}), "credential_unfit"),
        (json!({"token": CANARY}), "credential_unfit"),
        (json!({"token": [CANARY], "expires_on": end}), "credential_unfit"),
        (json!([CANARY]), "credential_unfit"),
    ] {
        let source = json(workshop.script(&format!("echo '{printed}'")));
        let fault = ask(&source).await.err().unwrap();
        assert_eq!(fault.code(), code, "{printed}: {fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn formats_of_one_command_differ_each_source_gets_its_own_value() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let printed = json!({"a": "key-a", "b": "key-b", "end": now() + 77});
    let backend = workshop.backend(workshop.script(&format!("echo '{printed}'")));
    let ask = async |format: Format| {
        let request = CommandRequest { format, ..plain(Shape::Opaque) };
        let resolved = ask(&CommandSource::new(Arc::clone(&backend), request)).await.ok().unwrap();
        (value(&resolved), resolved.expires_at)
    };
    let json = |value: &str, end: Option<&str>| {
        let expires_at = end.map(str::to_owned);
        Format::Json(JsonFields { value: value.to_owned(), expires_at })
    };
    assert_eq!(ask(json("/a", None)).await.0, "key-a");
    assert_eq!(ask(json("/b", None)).await.0, "key-b");
    assert_eq!(ask(json("/a", Some("/end"))).await.1, printed["end"].as_u64());
    assert_eq!(ask(Format::Text).await.0, printed.to_string());
}

#[tokio::test]
async fn a_command_that_fails_is_told_without_its_secrets() {
    let workshop = Workshop::new(Store::Sqlite).await;
    for (body, code, told) in [
        (
            "echo 'no such item: op://prod/llm' >&2; exit 3",
            "command_failed",
            "exit status: 3: it wrote: no such item: op://prod/llm",
        ),
        ("exit 1", "command_failed", "exit status: 1: it wrote nothing"),
        ("kill -KILL $$", "command_failed", "signal: 9"),
        (
            "echo $MANAGER_TOKEN; echo \"bad token $MANAGER_TOKEN\" >&2; exit 1",
            "command_failed",
            "holds a secret",
        ),
        (
            "echo half-a-value-of-it; echo half-a-value-of-it >&2; exit 1",
            "command_failed",
            "holds a secret",
        ),
        ("while :; do echo 0123456789; done", "command_failed", "wrote more than 65536 bytes"),
        (
            "while :; do echo 0123456789 >&2; done & sleep 0.3; exit 4",
            "command_failed",
            "exit status: 4",
        ),
        ("exit 0", "credential_unfit", "wrote no value"),
        ("echo $MANAGER_TOKEN | tr -d '\\n'; echo; echo b", "credential_unreadable", "header"),
    ] {
        let mut program = workshop.script(body);
        let stored = Variable::Stored { actor: actor(), handle: handle("manager-token") };
        program.environment.insert("MANAGER_TOKEN".into(), stored);
        program.environment.insert("PATH".into(), Variable::Text("/usr/bin:/bin".into()));
        let outcome = ask(&workshop.source(program, plain(Shape::Bearer))).await;
        let fault = match outcome {
            // What no header can have is found when the lease is made.
            Ok(resolved) => {
                let fault = resolved.credential.headers().err().unwrap();
                BackendFault::Unreadable(fault.to_string())
            }
            Err(fault) => fault,
        };
        assert_eq!(fault.code(), code, "{body}: {fault}");
        let text = fault.to_string();
        assert!(text.contains(told), "{body}: {text}");
        assert!(!text.contains("canary") && !text.contains("half-a-value"), "{text}");
    }
}

#[tokio::test]
async fn a_program_that_cannot_run_or_that_others_may_change_is_refused() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let fine = workshop.script("echo key");
    fine.check().unwrap();
    for (mode, told) in [(0o600, "Permission denied"), (0o722, "fix: chmod go-w"), (0o702, "chmod")]
    {
        fs::set_permissions(&fine.path, fs::Permissions::from_mode(mode)).unwrap();
        let fault = fine.check().unwrap_err().to_string();
        // Root may execute whatever has one executable bit.
        assert!(fault.starts_with("command[0]: ") && fault.contains(told), "{mode:o}: {fault}");
    }
    let missing = program(&workshop.path("missing")).check().unwrap_err().to_string();
    assert!(missing.contains("missing: No such file"), "{missing}");
    assert!(program(workshop.folder.path()).check().is_err(), "a folder");
    // It is replaced while custody runs.
    let source = workshop.source(workshop.script("echo key"), plain(Shape::Bearer));
    fs::remove_file(&fine.path).unwrap();
    let fault = ask(&source).await.err().unwrap();
    assert!(fault.to_string().contains("failed to start it"), "{fault}");
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed() {
    let workshop = Workshop::new(Store::Sqlite).await;
    let path = Variable::Text("/usr/bin:/bin".into());
    let begin = Instant::now();
    // It takes too long; it ends before its child does; its child holds the output open elsewhere.
    for (body, is_slow) in [
        ("sleep 300 & echo $! > child; sleep 300", true),
        ("sleep 300 & echo $! > child; echo key", false),
        ("echo $$ > child; setsid sleep 8 & echo key", false),
    ] {
        let mut program = workshop.script(body);
        program.environment.insert("PATH".into(), path.clone());
        if is_slow {
            program.limit = Duration::from_secs(1);
        }
        match ask(&workshop.source(program, plain(Shape::Bearer))).await {
            Ok(resolved) => assert!(!is_slow && value(&resolved) == "key"),
            Err(fault) => {
                assert!(is_slow && fault.to_string().contains("for longer than 1s"), "{fault}");
            }
        }
        let child = fs::read_to_string(workshop.path("child")).unwrap();
        ended(child.trim()).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(7), "custody waited for a stranger");
}

/// Waits until this process is gone, or dead and not reaped.
async fn ended(pid: &str) {
    let begin = Instant::now();
    while let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) {
        if stat.contains(") Z ") {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "process {pid} lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn custody_leases_what_a_command_prints(store: Store) {
    let home = Home::bare(store);
    let folder = tempfile::tempdir().unwrap();
    let printed = "[ \"$2\" = op://prod/default/llm ] || { echo \"no item $2\" >&2; exit 5; }
echo run >> runs; echo '{\"accessToken\": \"'$OP_TOKEN'\", \"expires_on\": '$(($(date +%s) + 3600))'}'";
    let program = script(folder.path(), printed);
    home.put("op-token", &["--type", "opaque"], CANARY);
    let backend = json!({"type": "exec", "command": [program, "read"],
        "environment": {"PATH": "/usr/bin:/bin", "OP_TOKEN": {"handle": "op-token"}}});
    let source = |item: &str| {
        json!({"primary": {"backend": "op", "arguments": [item], "type": "api_key",
            "header": "x-api-key", "json": {"value": "/accessToken", "expires_at": "/expires_on"}}})
    };
    let credentials =
        json!({"llm": source("op://prod/{actor}/{handle}"), "other": source("op://prod/other")});
    home.append(&format!("backends: {}\ncredentials: {credentials}", json!({"op": backend})));
    home.grants(
        "- {handle: llm, destinations: [api.github.com], claims: {team: [build]}}
  - {handle: other, destinations: [api.github.com], claims: {team: [build]}}",
    );
    let checked = run(custody().args(["check", "--config"]).arg(home.config()), b"");
    assert!(checked.status.success(), "{}", text(&checked));
    let running = home.serve();
    let mut request = home.request();
    request["handle"] = "llm".into();
    for _ in 0..3 {
        let answer = home.lease(&running, &request).await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), running.log.lock().unwrap());
        assert_eq!(answer.json()["headers"], json!([{"name": "x-api-key", "value": CANARY}]));
    }
    assert_eq!(fs::read_to_string(folder.path().join("runs")).unwrap().lines().count(), 1);
    request["handle"] = "other".into();
    assert_eq!(home.lease(&running, &request).await.status, 503);
    assert_eq!(home.records().pop().unwrap()["reason"], "command_failed");
    running.wait_for("exit status: 5: it wrote: no item op://prod/other");
    let log = running.log.lock().unwrap().clone();
    assert!(!log.contains(CANARY) && !fs::read_to_string(home.audit()).unwrap().contains(CANARY));
    assert_eq!(running.stop(), 0);
    // A program that others may change is found before it runs.
    fs::set_permissions(&program, fs::Permissions::from_mode(0o777)).unwrap();
    let checked = run(custody().args(["check", "--config"]).arg(home.config()), b"");
    let told = text(&checked);
    assert!(!checked.status.success() && told.contains("backends.op.command[0]: "), "{told}");
    let served = run(custody().args(["serve", "--config"]).arg(home.config()), b"");
    assert!(!served.status.success() && text(&served).contains("chmod go-w"), "{}", text(&served));
}
