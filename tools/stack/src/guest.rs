//! A guest: `curl` with nothing but what a guest is given, which is the address of the edge, a
//! Session JWT and, in the explicit posture, a CA certificate.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::stack::Stack;

/// Seconds after which `curl` gives up.
const LIMIT: &str = "20";
/// What `curl` tells of an exchange: status, status of the CONNECT, version.
const TOLD: &str = "%{http_code} %{http_connect} %{http_version}";

/// The environment of a guest.
#[derive(Clone, Debug)]
pub struct Guest {
    environment: Vec<(&'static str, String)>,
}

/// What a guest got.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status; of the CONNECT if that was refused.
    pub status: u16,
    /// The CONNECT was refused: no tunnel, and so no request.
    pub at_connect: bool,
    /// `x-deny-reason`, which only the edge says.
    pub reason: Option<String>,
    /// `1.1` or `2`.
    pub version: String,
    /// Every header line of every answer.
    pub headers: String,
    pub body: String,
}

// === impl Guest ===

impl Guest {
    /// A guest of a stack in the explicit posture, who holds `session` or none.
    ///
    /// # Errors
    /// The stack has no CA for guests.
    pub fn explicit(stack: &Stack, session: Option<&str>) -> Result<Self> {
        let proxy = match session {
            Some(session) => stack.proxy_url(session),
            None => format!("http://{}", stack.edge()),
        };
        let ca = stack.guest_ca().context("only the explicit posture has a CA for guests")?;
        Ok(Self {
            environment: vec![("HTTPS_PROXY", proxy), ("SSL_CERT_FILE", ca.display().to_string())],
        })
    }

    /// A guest of a stack in the gateway posture: it needs nothing.
    pub fn gateway() -> Self {
        Self { environment: Vec::new() }
    }

    /// `curl ARGUMENTS`, in this guest's environment and no other.
    ///
    /// # Errors
    /// There is no `curl`, or it got no answer at all.
    pub fn curl(&self, arguments: &[&str]) -> Result<Reply> {
        let folder = tempfile::tempdir().context("a folder for an answer")?;
        let (headers, body) = (folder.path().join("headers"), folder.path().join("body"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = Command::new("curl")
            .env_clear()
            .env("PATH", path)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // First, or a ~/.curlrc would have its say.
            .arg("--disable")
            .args(["--silent", "--show-error", "--path-as-is"])
            .args(["--max-time", LIMIT, "--write-out", TOLD])
            .arg("--dump-header")
            .arg(&headers)
            .arg("--output")
            .arg(&body)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("running curl; install it, the guest is played with it")?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        reply(&told, read(&headers), read(&body))
            .with_context(|| format!("curl: {}", complaint.trim_end()))
    }
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn reply(told: &str, headers: String, body: String) -> Result<Reply> {
    let mut told = told.split(' ');
    let mut status = || told.next().and_then(|status| status.parse().ok()).unwrap_or(0);
    let (request, connect): (u16, u16) = (status(), status());
    let version = told.next().unwrap_or_default().to_owned();
    let at_connect = request == 0;
    let status = if at_connect { connect } else { request };
    if status == 0 {
        bail!("no answer");
    }
    let reason = headers.lines().rev().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-deny-reason").then(|| value.trim().to_owned())
    });
    Ok(Reply { status, at_connect, reason, version, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_tunnel_is_told_from_a_refused_request() {
        let headers = "HTTP/1.1 407 P\r\nX-Deny-Reason: session_missing\r\n\r\n".to_owned();
        let refused = reply("000 407 1.1", headers, String::new()).unwrap();
        assert_eq!((refused.status, refused.at_connect), (407, true));
        assert_eq!(refused.reason.as_deref(), Some("session_missing"));
        let answered = reply("200 200 2", "HTTP/2 200\r\n".to_owned(), "hi".to_owned()).unwrap();
        assert_eq!((answered.status, answered.at_connect), (200, false));
        assert_eq!((answered.version.as_str(), answered.reason), ("2", None));
        let error = reply("000 000 0", String::new(), String::new()).err().unwrap();
        assert_eq!(error.to_string(), "no answer");
    }
}
