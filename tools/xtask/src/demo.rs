//! `cargo xtask demo`: a guest calls an API with a credential it never holds, and is refused
//! whatever else it tries.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use stack::built::Built;
use stack::guest::{Guest, Reply};
use stack::origin::{Seen, fingerprint};
use stack::policy::{DEMO_HANDLE, DEMO_HOST, OTHER_HOST};
use stack::progress::Progress;
use stack::sessions::{Sessions, now};
use stack::{Credential, Stack, StackBuilder, hex, sweep};

use crate::cargo;
use crate::demo_report::{DemoReport, ReportLine};
use crate::interrupt::Interrupt;

/// What a guest might try in place of the real thing.
const OWN_CREDENTIAL: &str = "Authorization: Bearer of-my-own";

/// What a step is to come to.
enum Expected {
    /// The request reaches the origin with custody's credential.
    Injected,
    /// This status and reason, and nothing reaches the origin.
    Denied(u16, &'static str),
}

struct Demo {
    stack: Stack,
    report: DemoReport,
    interrupt: Interrupt,
    /// What custody's credential looks like from outside.
    fingerprint: String,
    answers: usize,
    leaks: usize,
}

pub fn run() -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    sweep(&Built::find()?);
    let mut progress = Progress::new(cargo::BUILD_STEPS + StackBuilder::STEPS);
    cargo::build(&mut progress)?;
    let secret = hex(24)?;
    let stack = Stack::builder()
        .credential(Credential::bearer(DEMO_HANDLE, &secret))
        .refuse_in_tunnel()
        .start_telling(&mut progress)?;
    let fingerprint = fingerprint(format!("Bearer {secret}").as_bytes());
    let report = DemoReport::default();
    let mut demo = Demo { stack, report, interrupt, fingerprint, answers: 0, leaks: 0 };
    demo.introduce();
    demo.play()?;
    let code = demo.report.finish();
    demo.stack.stop()?;
    Ok(code)
}

// === impl Demo ===

impl Demo {
    fn introduce(&self) {
        println!();
        println!("A guest holds a Session JWT and a CA certificate. Its way out is the edge.");
        println!(
            "Custody holds the key to https://{DEMO_HOST}; its fingerprint is {}.",
            self.fingerprint
        );
        println!();
        self.report.print_header();
    }

    fn play(&mut self) -> Result<()> {
        self.allowed()?;
        self.refused_by_policy()?;
        self.refused_for_the_session()?;
        self.without_custody()?;
        self.nowhere();
        Ok(())
    }

    fn allowed(&mut self) -> Result<()> {
        let session = self.session(&json!({}))?;
        let session = Some(session.as_str());
        let (api, injected) = (self.url(DEMO_HOST), Expected::Injected);
        let get = format!("{api}/v1/models");
        self.step("GET /v1/models", session, &[&get], &injected)?;
        let http1 = [get.as_str(), "--http1.1"];
        self.step("GET /v1/models over HTTP/1.1", session, &http1, &injected)?;
        let post = format!("{api}/v1/messages");
        let post = [post.as_str(), "--data", "hello"];
        self.step("POST /v1/messages", session, &post, &injected)?;
        let own = [get.as_str(), "--header", OWN_CREDENTIAL];
        self.step("GET /v1/models with a credential of its own", session, &own, &injected)
    }

    fn refused_by_policy(&mut self) -> Result<()> {
        let session = self.session(&json!({}))?;
        let session = Some(session.as_str());
        let other = format!("{}/v1/models", self.url(OTHER_HOST));
        let denied = Expected::Denied(403, "host_not_allowed");
        self.step("GET /v1/models of another host", session, &[&other], &denied)?;
        let api = self.url(DEMO_HOST);
        let get = format!("{api}/v1/models");
        let denied = Expected::Denied(403, "method_not_allowed");
        let delete = [get.as_str(), "--request", "DELETE"];
        self.step("DELETE /v1/models", session, &delete, &denied)?;
        let denied = Expected::Denied(403, "path_not_allowed");
        self.step("GET /admin", session, &[&format!("{api}/admin")], &denied)?;
        let dots = format!("{api}/v1/../admin");
        let denied = Expected::Denied(403, "path_malformed");
        self.step("GET /v1/../admin", session, &[&dots], &denied)?;
        let session = self.session(&json!({"team": "other"}))?;
        let denied = Expected::Denied(403, "session_not_allowed");
        self.step("GET /v1/models as team other", Some(&session), &[&get], &denied)
    }

    fn refused_for_the_session(&mut self) -> Result<()> {
        let get = format!("{}/v1/models", self.url(DEMO_HOST));
        let denied = Expected::Denied(407, "session_missing");
        self.step("GET /v1/models without a session", None, &[&get], &denied)?;
        let expired = self.session(&json!({"iat": now() - 1800, "exp": now() - 900}))?;
        let denied = Expected::Denied(401, "session_expired");
        self.step("GET /v1/models, session expired", Some(&expired), &[&get], &denied)?;
        let forged = self.forged()?;
        let denied = Expected::Denied(401, "session_signature");
        self.step("GET /v1/models, session forged", Some(&forged), &[&get], &denied)
    }

    fn without_custody(&mut self) -> Result<()> {
        let get = format!("{}/v1/models", self.url(DEMO_HOST));
        self.stack.stop_custody();
        let session = self.session(&json!({}))?;
        let denied = Expected::Denied(503, "custody_unavailable");
        self.step("GET /v1/models, custody stopped", Some(&session), &[&get], &denied)?;
        self.stack.start_custody()?;
        let injected = Expected::Injected;
        self.step("GET /v1/models, custody back", Some(&session), &[&get], &injected)
    }

    /// Not a step of the guest's: what all of them have in common.
    fn nowhere(&mut self) {
        let wrong = (self.leaks > 0).then(|| "the credential in none of them".to_owned());
        self.report.add(&ReportLine {
            sent: "looks for the credential in all it got",
            got: format!("{} answers, {} leaks", self.answers, self.leaks),
            origin: String::new(),
            wrong,
        });
    }

    /// Plays one request, asks both sides what became of it, and tells it.
    fn step(
        &mut self,
        sent: &str,
        session: Option<&str>,
        curl: &[&str],
        expected: &Expected,
    ) -> Result<()> {
        if self.interrupt.came() {
            bail!("interrupted");
        }
        let before = self.stack.origin()?.record().count();
        let reply = Guest::explicit(&self.stack, session)?.curl(curl)?;
        let seen = self.stack.origin()?.requests().split_off(before);
        self.look_for_leaks(&reply);
        let wrong = (!self.as_expected(expected, &reply, &seen)).then(|| self.wanted(expected));
        let origin = match seen.last() {
            None => "nothing".to_owned(),
            Some(seen) => self.described(seen),
        };
        self.report.add(&ReportLine { sent, got: got(&reply), origin, wrong });
        Ok(())
    }

    fn as_expected(&self, expected: &Expected, reply: &Reply, seen: &[Seen]) -> bool {
        match (expected, seen) {
            (Expected::Injected, [seen]) => {
                let ours = seen.credential_fingerprint().as_ref() == Some(&self.fingerprint);
                reply.status == 200 && ours && seen.values("authorization").len() == 1
            }
            (Expected::Denied(status, reason), []) => {
                reply.status == *status && reply.reason.as_deref() == Some(reason)
            }
            _ => false,
        }
    }

    fn wanted(&self, expected: &Expected) -> String {
        match expected {
            Expected::Injected => format!("200, and one credential, {}", self.fingerprint),
            Expected::Denied(status, reason) => format!("{status} {reason}, and nothing"),
        }
    }

    fn described(&self, seen: &Seen) -> String {
        match seen.credential_fingerprint() {
            None => "no credential".to_owned(),
            Some(print) if print == self.fingerprint => format!("credential {print}, custody's"),
            Some(print) => format!("credential {print}, which is not custody's"),
        }
    }

    fn look_for_leaks(&mut self, reply: &Reply) {
        self.answers += 1;
        let holds = |secret: &String| reply.body.contains(secret) || reply.headers.contains(secret);
        if self.stack.secrets().iter().any(holds) {
            self.leaks += 1;
        }
    }

    fn url(&self, host: &str) -> String {
        let port = self.stack.origin().map(|origin| origin.port()).unwrap_or_default();
        format!("https://{host}:{port}")
    }

    fn session(&self, changes: &Value) -> Result<String> {
        let mut claims = json!({"team": "demo"});
        if let (Some(claims), Some(changes)) = (claims.as_object_mut(), changes.as_object()) {
            claims.extend(changes.clone());
        }
        self.stack.mint(&claims)
    }

    /// Everything right but the key: the same name for it, the same claims.
    fn forged(&self) -> Result<String> {
        let sessions = self.stack.sessions();
        let claims = sessions.claims(&json!({"team": "demo"}))?;
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": sessions.key().kid()});
        Ok(Sessions::generate()?.key().sign_with_header(&header, &claims)?)
    }
}

fn got(reply: &Reply) -> String {
    match &reply.reason {
        Some(reason) => format!("{} {reason}", reply.status),
        None => format!("{} over HTTP/{}", reply.status, reply.version),
    }
}
