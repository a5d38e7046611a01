//! How to use a stack from another shell: for people, and as `up.json` for programs.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::built::Built;
use stack::guest_environment::guest_environment;
use stack::origin::{Origin, fingerprint};
use stack::sessions::SUBJECT;
use stack::{Stack, Way, policy};

/// What somebody needs who wants to be a guest, or to look at what runs.
pub struct UpNotes {
    way: Way,
    /// `None` if the policy believes keys that are not ours.
    session: Option<String>,
    mint: String,
    /// What a guest sets in its environment.
    environment: Vec<(&'static str, String)>,
    edge: String,
    guest_ca: Option<String>,
    envoy_admin: String,
    custody_health: String,
    folder: String,
    /// How a credential gets into custody, one command a handle.
    put: Vec<String>,
    /// `host:port` of the demo API.
    demo: Option<String>,
    /// What the credentials we made look like to an origin.
    fingerprints: Vec<String>,
}

// === impl UpNotes ===

impl UpNotes {
    /// Mints a session that meets the conditions of every destination.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn of(stack: &Stack, written: Option<&Value>) -> Result<Self> {
        let demo = policy::demo();
        let policy = written.unwrap_or(&demo);
        let claims = stack::claims::claims_for(policy);
        let keys_are_ours = ["/session/keys", "/session/issuers"]
            .iter()
            .all(|field| policy.pointer(field).is_none());
        let session = keys_are_ours.then(|| stack.mint(&claims)).transpose()?;
        let guest_ca = stack.guest_ca().map(|path| path.display().to_string());
        let handles = if written.is_some() { policy::handles(policy) } else { Vec::new() };
        let custody = shown(stack.custody().program());
        let config = shown(stack.custody().config());
        let put = |handle: &String| {
            format!("{custody} cred put {handle} --type bearer --config {config} < FILE")
        };
        Ok(Self {
            way: stack.way(),
            mint: mint_command(stack, &claims)?,
            environment: environment(stack, session.as_deref(), guest_ca.as_deref()),
            session,
            edge: format!("http://{}", stack.edge()),
            guest_ca,
            envoy_admin: format!("http://{}", stack.envoy()?.admin().address()),
            custody_health: format!("http://{}", stack.custody().health()),
            folder: stack.folder().display().to_string(),
            put: handles.iter().map(put).collect(),
            demo: demo_url(stack),
            fingerprints: stack.secrets().iter().map(bearer).collect(),
        })
    }

    /// Writes `up.json`, which holds a session, for its owner's eyes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let environment: serde_json::Map<_, _> = self
            .environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let notes = json!({
            "posture": self.way.name(),
            "proxy_url": self.proxy_url(),
            "edge": self.edge,
            "ca": self.guest_ca,
            "session": self.session,
            "mint": self.mint,
            "environment": environment,
            "admin": {"envoy": self.envoy_admin},
            "health": {"custody": self.custody_health},
            "folder": self.folder,
            "demo": self.demo.as_ref().map(|demo| format!("https://{demo}")),
            "example": self.example(),
        });
        // A new file, so that its mode is ours and not an earlier one's.
        let _ = fs::remove_file(path);
        fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| writeln!(file, "{notes:#}"))
            .with_context(|| format!("writing {}", path.display()))
    }

    /// The text for the terminal.
    pub fn for_people(&self) -> String {
        let mut text = String::from("\nLeasehold is up. In another shell:\n\n");
        for (name, value) in &self.environment {
            let _ = writeln!(text, "  export {name}={value}");
        }
        if self.way == Way::Gateway {
            let _ = writeln!(text, "  # base URL of an API:  {}/HOST[:PORT]/...", self.edge);
        }
        if let Some(example) = self.example() {
            let _ = writeln!(text, "  {example}");
        }
        if let [secret] = self.fingerprints.as_slice() {
            let _ = writeln!(
                text,
                "\nThe demo API answers what it saw of a credential; custody's is {secret}."
            );
        }
        if self.session.is_none() {
            text.push_str(
                "\nThe policy names session keys of its own: put a session of theirs for SESSION.\n",
            );
        }
        if !self.put.is_empty() {
            text.push_str("\nGive custody the credentials (once; each from a file):\n");
            for put in &self.put {
                let _ = writeln!(text, "  {put}");
            }
        }
        let _ = writeln!(text, "\nAnother session:  {}", self.mint);
        let _ = writeln!(text, "Envoy's admin:    {}/stats/prometheus", self.envoy_admin);
        let _ = writeln!(text, "Custody's health: {}/healthz", self.custody_health);
        let _ = writeln!(text, "Logs and all this as JSON:  {0}/logs, {0}/up.json", self.folder);
        text.push_str("\nCtrl-C takes everything down.");
        text
    }

    /// What a guest can call right away.
    fn example(&self) -> Option<String> {
        let demo = self.demo.as_ref()?;
        let session = self.session.as_deref()?;
        Some(match self.way {
            Way::Explicit => format!("curl https://{demo}/v1/models"),
            Way::Gateway => {
                format!("curl {}/{demo}/v1/models -H 'Authorization: Bearer {session}'", self.edge)
            }
        })
    }

    fn proxy_url(&self) -> Option<&str> {
        let proxy = self.environment.iter().find(|(name, _)| *name == "HTTPS_PROXY");
        proxy.map(|(_, url)| url.as_str())
    }
}

fn bearer(secret: &String) -> String {
    fingerprint(format!("Bearer {secret}").as_bytes())
}

/// In the explicit posture; guests of the gateway need none.
fn environment(
    stack: &Stack,
    session: Option<&str>,
    ca: Option<&str>,
) -> Vec<(&'static str, String)> {
    let Some(ca) = ca else { return Vec::new() };
    guest_environment(&stack.proxy_url(session.unwrap_or("SESSION")), ca)
}

/// `session-jwt mint` with the claims of the session we minted.
fn mint_command(stack: &Stack, claims: &Value) -> Result<String> {
    let program = shown(&Built::find()?.program("session-jwt")?);
    let key = shown(&stack.folder().join("session.key"));
    let sessions = stack.sessions();
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or(SUBJECT);
    let mut command = format!(
        "{program} mint --key {key} --iss {} --aud {} --sub {} --ttl 1h",
        sessions.issuer(),
        sessions.audience(),
        quoted(subject),
    );
    for (name, value) in claims.as_object().into_iter().flatten() {
        let argument = match (name.as_str(), value) {
            ("sub", _) => continue,
            ("jti", Value::String(jti)) => format!(" --jti {}", quoted(jti)),
            _ => format!(" --claim {}", quoted(&format!("{name}={value}"))),
        };
        command.push_str(&argument);
    }
    Ok(command)
}

/// A path as one would type it from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    match text.bytes().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The URL of the demo API, if there is one.
fn demo_url(stack: &Stack) -> Option<String> {
    let port = stack.origin().map(Origin::port).ok()?;
    Some(format!("{}:{port}", policy::DEMO_HOST))
}
