//! What may not happen, whatever fails.

use crate::Run;
use crate::scene::{LEASE, OWN, SceneRun};
use host_sim::{Answer, Error, FaultPlan, Module, Outcome, Status, Violation};
use std::fmt;

/// What became of all runs.
#[derive(Default)]
pub struct Tally {
    pub runs: usize,
    /// Requests that went through, with everything they need.
    pub through: usize,
    /// Requests that did not.
    stopped: usize,
    /// Runs in which the module refused to start, so that nothing is forwarded at all.
    not_started: usize,
    /// Requests the filter ended and the host did not, though it said so.
    held: usize,
    pub wrong: Vec<String>,
}

pub fn judge(run: &Run, module: &Module, tally: &mut Tally) {
    tally.runs += 1;
    let faults = match run.fault {
        Some((function, nth, status)) => FaultPlan::new().nth(function, nth, status),
        None => FaultPlan::new(),
    };
    match run.scene.run(module, faults) {
        Ok(mut scene_run) => {
            let wrong = faults_found(run, &mut scene_run, tally);
            tally.wrong.extend(wrong.map(|wrong| format!("{}: {wrong}", name(run))));
        }
        Err(Error::Refused { .. }) => tally.not_started += 1,
        Err(error) => tally.wrong.push(format!("{}: {error}", name(run))),
    }
}

fn faults_found(run: &Run, scene_run: &mut SceneRun, tally: &mut Tally) -> Option<String> {
    if let Some(failure) = scene_run.host.transcript().failures().next() {
        return Some(format!("trap: {failure}"));
    }
    for outcome in &scene_run.outcomes {
        if !passes_the_net(run, outcome) {
            tally.stopped += 1;
            continue;
        }
        tally.through += 1;
        if let Some(wrong) = passed_wrongly(run, outcome) {
            return Some(wrong);
        }
    }
    for violation in scene_run.host.finish() {
        match violation {
            Violation::NeverResumed { .. } if way_out_is_a_lie(run) => tally.held += 1,
            violation => return Some(violation.to_string()),
        }
    }
    None
}

/// As Envoy's RBAC filter behind ours decides.
fn passes_the_net(run: &Run, outcome: &Outcome) -> bool {
    let permit = outcome.properties.filter_state("wasm.leasehold.permit");
    outcome.upstream.is_some() && permit == Some(run.scene.ask.permit())
}

/// A fault of status Ok is a host that says it did what it did not do. Nobody can defend against
/// that, but what the guest sent as a credential must not pass for a lease even so.
fn passed_wrongly(run: &Run, outcome: &Outcome) -> Option<String> {
    let authorization = outcome.upstream_header("authorization");
    let lied_to = matches!(run.fault, Some((_, _, Status::Ok)));
    if run.scene.ask.is_forged() {
        return Some("passed with a forged session".into());
    }
    if run.scene.keys.is_some() {
        return Some("passed with a session that no key was there for".into());
    }
    if !run.scene.ask.takes_a_lease() {
        return None;
    }
    match authorization.as_deref() {
        Some(LEASE) if lease_is_good(&run.scene.answer) => None,
        Some(OWN) if !lied_to => Some("the guest's own credential reached the upstream".into()),
        None if lied_to => None,
        other => Some(format!("passed with authorization {other:?}")),
    }
}

fn lease_is_good(answer: &Answer) -> bool {
    match answer {
        Answer::Response { response, .. } => {
            let body: serde_json::Value =
                serde_json::from_slice(&response.body).unwrap_or_default();
            let now = host_sim::Instant::default().unix_seconds();
            let expires_at = body["expires_at"].as_u64().unwrap_or_default();
            body["binding"] == "session" && expires_at > now && expires_at <= now + 900
        }
        _ => false,
    }
}

/// A host that says it ended a request, or turned to it, and did not. Nobody can notice that; Envoy's
/// own timeouts end it.
fn way_out_is_a_lie(run: &Run) -> bool {
    let ways_out =
        ["proxy_send_local_response", "proxy_continue_stream", "proxy_set_effective_context"];
    run.fault
        .is_some_and(|(function, _, status)| ways_out.contains(&function) && status == Status::Ok)
}

fn name(run: &Run) -> String {
    let scene = &run.scene;
    let fault = match run.fault {
        Some((function, nth, status)) => format!("{function} #{nth} answers {status}"),
        None => "no fault".to_owned(),
    };
    let (custody, issuer) = (told(&scene.answer), scene.keys.as_ref().map(told));
    format!(
        "{:?}, {} VMs, custody {custody}, issuer {issuer:?}, gone {:?}, {fault}",
        scene.ask, scene.workers, scene.gone
    )
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Response { response, delay } => {
            let status = response.headers.text(":status").unwrap_or_default();
            format!("{status} after {delay:?}")
        }
        other => format!("{other:?}"),
    }
}

// === impl Tally ===

impl Tally {
    pub fn add(&mut self, other: Self) {
        let Self { runs, through, stopped, not_started, held, wrong } = other;
        self.runs += runs;
        self.through += through;
        self.stopped += stopped;
        self.not_started += not_started;
        self.held += held;
        self.wrong.extend(wrong);
    }

    /// The first mistakes; they tend to be alike.
    pub fn report(&self) -> String {
        self.wrong.iter().take(30).cloned().collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs: {} requests through, {} stopped, {} starts refused, {} held by a host that \
             lies, {} wrong",
            self.runs,
            self.through,
            self.stopped,
            self.not_started,
            self.held,
            self.wrong.len(),
        )
    }
}
