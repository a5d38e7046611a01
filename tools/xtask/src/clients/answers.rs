//! What the API answers, so that each client gets what it can read: APIs of models, registries of packages, a
//! repository of git.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use stack::clients::Clients as Runtimes;
use stack::origin::{Origin, ScriptedAnswer};

const SCRIPT: &str = include_str!("scripts/packages.py");
const JSON: &str = "application/json";

/// Answers every path that a client of the catalog asks for.
///
/// # Errors
/// The packages cannot be made.
pub fn script(origin: &Origin, runtimes: &Runtimes, folder: &Path) -> Result<()> {
    let mut answers = HashMap::new();
    for (path, body) in apis() {
        answers.insert(path.to_owned(), answer(JSON, body.to_string()));
    }
    let made = Command::new(&runtimes.python).args(["-c", SCRIPT]).arg(folder).output()?;
    if !made.status.success() {
        bail!("packages.py: {}", String::from_utf8_lossy(&made.stderr).trim());
    }
    let at = |host: &str| format!("https://{host}:{}", origin.port());
    answers.extend(of_pypi(&at("files.pythonhosted.org"), &read(folder, "demo.whl")?));
    answers.extend(of_npm(&at("registry.npmjs.org"), &read(folder, "demo.tgz")?));
    answers.extend(of_crates(&at("static.crates.io"), &read(folder, "demo.crate")?));
    answers.extend(of_containers());
    answers.extend(of_debian());
    origin.scripted_answers().replace(answers);
    Ok(())
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    fs::read(folder.join(name)).with_context(|| format!("reading {name}"))
}

fn answer(content_type: &str, body: impl Into<Vec<u8>>) -> ScriptedAnswer {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    ScriptedAnswer { status: 200, headers, body: vec![body.into().into()] }
}

/// APIs that answer in JSON.
fn apis() -> [(&'static str, Value); 10] {
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2});
    let choice = json!({
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "hello from the API"},
    });
    let completion = json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage,
    });
    let message = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "hello from the API"}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let generated = json!({"candidates": [
        {"content": {"role": "model", "parts": [{"text": "hello from the API"}]}, "finishReason": "STOP"},
    ]});
    let version = json!({
        "major": "1", "minor": "37", "gitVersion": "v1.37.0", "gitCommit": "c", "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.27", "compiler": "gc", "platform": "linux/amd64",
    });
    [
        ("/v1/chat/completions", completion),
        ("/v1/messages", message),
        ("/v1beta/models/m:generateContent", generated),
        ("/api/auth.test", json!({"ok": true, "user": "guest"})),
        ("/repos/acme/site", json!({"id": 1, "name": "site", "full_name": "acme/site"})),
        ("/api/v4/projects/acme%2Fsite", json!({"id": 1, "name": "site"})),
        ("/rest/api/3/issue/ACME-1", json!({"id": "1", "key": "ACME-1", "fields": {}})),
        ("/version/", version.clone()),
        ("/version", version),
        // AWS's JSON protocol has one path for every operation.
        ("/", json!({"SecretList": []})),
    ]
}

/// The simple index (PEP 503).
fn of_pypi(files: &str, wheel: &[u8]) -> [(String, ScriptedAnswer); 2] {
    let file = "leasehold_demo-1.0.0-py3-none-any.whl";
    let digest = base16ct::lower::encode_string(&Sha256::digest(wheel));
    let page =
        format!("<!DOCTYPE html><a href=\"{files}/packages/{file}#sha256={digest}\">{file}</a>");
    [
        ("/simple/leasehold-demo/".to_owned(), answer("text/html", page)),
        (format!("/packages/{file}"), answer("application/octet-stream", wheel)),
    ]
}

/// The registry's document of a package.
fn of_npm(base: &str, archive: &[u8]) -> [(String, ScriptedAnswer); 2] {
    let path = "/leasehold-demo/-/leasehold-demo-1.0.0.tgz";
    let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(archive)));
    let version = json!({
        "name": "leasehold-demo",
        "version": "1.0.0",
        "dist": {"tarball": format!("{base}{path}"), "integrity": integrity},
    });
    let document = json!({
        "name": "leasehold-demo", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version},
        "time": {"1.0.0": "2026-01-01T00:00:00.000Z"},
    });
    [
        ("/leasehold-demo".to_owned(), answer(JSON, document.to_string())),
        (path.to_owned(), answer("application/octet-stream", archive)),
    ]
}

/// A sparse index.
fn of_crates(files: &str, archive: &[u8]) -> [(String, ScriptedAnswer); 3] {
    let config = json!({"dl": format!("{files}/crates")});
    let digest = base16ct::lower::encode_string(&Sha256::digest(archive));
    let entry = json!({
        "name": "leasehold-demo", "vers": "1.0.0", "deps": [], "cksum": digest, "features": {}, "yanked": false,
    });
    [
        ("/config.json".to_owned(), answer(JSON, config.to_string())),
        ("/le/as/leasehold-demo".to_owned(), answer("text/plain", format!("{entry}\n"))),
        (
            "/crates/leasehold-demo/1.0.0/download".to_owned(),
            answer("application/octet-stream", archive),
        ),
    ]
}

/// A registry of containers, with one manifest.
fn of_containers() -> [(String, ScriptedAnswer); 2] {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let empty = json!({
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": format!("sha256:{}", base16ct::lower::encode_string(&Sha256::digest(b"{}"))),
        "size": 2,
    });
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": empty, "layers": [empty]});
    [
        ("/v2/".to_owned(), answer(JSON, "{}")),
        ("/v2/library/alpine/manifests/latest".to_owned(), answer(kind, manifest.to_string())),
    ]
}

/// An archive of Debian packages, without one.
fn of_debian() -> [(String, ScriptedAnswer); 3] {
    let empty = base16ct::lower::encode_string(&Sha256::digest(b""));
    let release = format!(
        "Suite: stable\nCodename: stable\nComponents: main\nArchitectures: amd64 arm64 all\n\
         Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {empty} 0 main/binary-amd64/Packages\n \
         {empty} 0 main/binary-arm64/Packages\n {empty} 0 main/binary-all/Packages\n"
    );
    let unsigned = ScriptedAnswer { status: 404, headers: Vec::new(), body: Vec::new() };
    let below = "/debian/dists/stable";
    [
        (format!("{below}/InRelease"), unsigned.clone()),
        (format!("{below}/Release.gpg"), unsigned),
        (format!("{below}/Release"), answer("text/plain", release)),
    ]
}

/// A package that depends on a crate of the registry `api`, for Cargo.
///
/// # Errors
/// It cannot be written.
pub fn cargo_project(folder: &Path) -> Result<()> {
    let manifest = "[package]\nname = \"guest\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
                    [dependencies]\nleasehold-demo = { version = \"1.0.0\", registry = \"api\" }\n[workspace]\n";
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, text)
    };
    write("Cargo.toml", manifest)
        .and_then(|()| write("src/lib.rs", ""))
        .and_then(|()| write(".cargo/config.toml", "[net]\nretry = 0\n"))
        .context("a package for Cargo")
}

/// A folder with the bare repository `site.git`, which has one commit.
///
/// # Errors
/// There is no git.
pub fn repositories(folder: &Path) -> Result<PathBuf> {
    let (work, served) = (folder.join("work"), folder.join("repositories"));
    fs::create_dir_all(&work).and_then(|()| fs::create_dir_all(&served))?;
    let bare = served.join("site");
    let name = ["-c", "user.name=guest", "-c", "user.email=guest@example.com"];
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "one"];
    let clone = ["clone", "--quiet", "--bare", "."];
    for (first, rest) in [(&[][..], &["init", "--quiet"][..]), (&name, &commit), (&[], &clone)] {
        let mut git = Command::new("git");
        git.current_dir(&work).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder).args(first);
        git.args(rest).args((rest == clone).then_some(&bare));
        let output = git.output().context("git; install it, repositories are made with it")?;
        if !output.status.success() {
            bail!("git {}: {}", rest.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    Ok(served)
}
