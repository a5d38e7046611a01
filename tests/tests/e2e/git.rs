//! git itself as a guest: it clones, fetches and pushes over HTTPS with the credential of an app's
//! installation, which only custody has. The server answers a bearer token with 401, as GitHub does.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use stack::origin::{OriginSettings, Repositories};
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack};
use tests::scene::{API, SECRET, Scene};

use crate::wide;

/// git in this folder, with nothing of this machine's own configuration.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env_clear();
    for name in ["PATH", "LANG"] {
        git.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    git.env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    git.args(["-c", "user.name=guest", "-c", "user.email=guest@example.com"]);
    git
}

fn scene(repositories: &Path, credential: Credential) -> Scene {
    let policy = json!({"destinations": [{
        "name": "git",
        "hosts": [API],
        "ports": [ORIGIN_PORT],
        "allow": [{"methods": ["GET", "POST"], "paths": ["/git/**"]}],
        "sessions": {"claims": {"team": ["demo"]}},
        "credential": {"handle": "git"},
    }]});
    let mut origin = OriginSettings::new([API]);
    origin.repositories = Some(Repositories { folder: repositories.to_owned(), below: "git" });
    Scene::start(Stack::builder().policy(policy).origin(origin).credential(credential))
}

/// As the guest: the proxy with its session, and the CA of the leaves.
fn as_guest(scene: &Scene, folder: &Path) -> Command {
    let mut git = git(folder);
    git.env("HTTPS_PROXY", scene.stack.proxy_url(&scene.session));
    git.env("GIT_SSL_CAINFO", scene.stack.guest_ca().unwrap());
    git
}

#[test]
fn git_clones_fetches_and_pushes_with_the_token_of_an_installation() {
    let folder = tempfile::tempdir().unwrap();
    let (repositories, work) = (folder.path().join("repositories"), folder.path().join("work"));
    for made in [&repositories, &work] {
        std::fs::create_dir(made).unwrap();
    }
    wide::run(git(&repositories).args(["init", "--quiet", "--bare", "-b", "main", "site.git"]));
    let arguments = ["--type", "basic", "--user", "x-access-token"];
    let scene = scene(&repositories, Credential::with("git", &arguments, SECRET));
    let url = format!("https://{}/git/site.git", scene.at(API));
    let (one, other) = (work.join("one"), work.join("other"));
    for clone in [&one, &other] {
        wide::run(as_guest(&scene, &work).args(["clone", "--quiet", &url]).arg(clone));
    }
    // Larger than git's post buffer, so that it is sent in chunks.
    std::fs::write(one.join("large"), vec![b'x'; 3 << 20]).unwrap();
    wide::run(git(&one).args(["checkout", "--quiet", "-B", "main"]));
    wide::run(git(&one).args(["add", "large"]));
    wide::run(git(&one).args(["-c", "core.compression=0", "commit", "--quiet", "-m", "large"]));
    wide::run(as_guest(&scene, &one).args(["push", "--quiet", "origin", "main"]));
    wide::run(as_guest(&scene, &other).args(["fetch", "--quiet", "origin"]));
    let head = |folder: &Path, name: &str| wide::run(git(folder).args(["rev-parse", name]));
    assert_eq!(head(&other, "origin/main"), head(&one, "HEAD"));
    assert_eq!(head(&repositories.join("site.git"), "main"), head(&one, "HEAD"));
    // Each request had custody's credential, and the guest has none of it.
    let pair = STANDARD.encode(format!("x-access-token:{SECRET}"));
    let requests = scene.stack.origin().unwrap().requests();
    assert!(requests.len() >= 6, "{}", requests.len());
    for seen in &requests {
        let wanted = format!("Basic {pair}").into_bytes();
        assert_eq!(seen.authorization(), Some(wanted), "{seen:?}");
    }
    for clone in [&one, &other] {
        let config = std::fs::read_to_string(clone.join(".git/config")).unwrap();
        assert!(!config.contains(SECRET) && !config.contains(&pair), "{config}");
    }
}

/// Why `as: basic` is needed.
#[test]
fn git_cannot_use_a_bearer_token() {
    let folder = tempfile::tempdir().unwrap();
    wide::run(git(folder.path()).args(["init", "--quiet", "--bare", "-b", "main", "site.git"]));
    let scene = scene(folder.path(), Credential::bearer("git", SECRET));
    let url = format!("https://{}/git/site.git", scene.at(API));
    let output = as_guest(&scene, folder.path()).args(["ls-remote", &url]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && !told.contains(SECRET), "{told}");
    assert!(told.contains("could not read Username"), "{told}");
}
