//! Cases on real Envoy: one process for all cases of one configuration, with a session of its own for
//! each case, so that no case finds another's leases.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use host_sim::cases::{
    Act, Case, CaseFile, Difference, Observed, Posture, Step, Stream, Template, request_text,
};
use serde_json::Value;
use stack::envoy::CustodyCluster;
use stack::origin::{OriginSettings, ScriptedAnswer, Seen};
use stack::{Stack, Way};

use crate::answers::{self, Answers};
use crate::clock;
use crate::exchange::{self, Guest};
use crate::outside::{self, Outside};
use crate::together;

/// Counts the callouts to custody, also those that reach nobody.
pub const CALLOUTS: &str = "wasmcustom.leasehold.leases";

/// Far longer than a report takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

pub struct RealEdge {
    /// Names on the origin's certificate.
    names: BTreeSet<String>,
    settings: Vec<Setting>,
    running: Option<(Setting, Stack)>,
}

/// What a start of Envoy is for.
#[derive(Clone, Debug, PartialEq)]
struct Setting {
    way: Way,
    plugin: Value,
    custody: CustodyCluster,
}

/// What came of a step.
pub struct RealStep {
    /// Of each request, in the order of the step.
    pub observed: Vec<Observed>,
    pub differences: Vec<Difference>,
    /// What no case expects: a connection that ends without an answer, a request that arrived twice.
    pub note: Option<String>,
}

// === impl RealEdge ===

impl RealEdge {
    pub fn new(file: &CaseFile) -> Self {
        let mut names = BTreeSet::new();
        for case in &file.cases {
            names.extend(policy_hosts(case.config_in(file).as_ref()));
            let streams = case.steps().into_iter().flat_map(|step| step.streams());
            names.extend(streams.filter_map(|stream| request_host(&stream)));
        }
        Self { names, settings: Vec::new(), running: None }
    }

    /// Cases with the same number share an Envoy.
    pub fn setting_number(&mut self, file: &CaseFile, case: &Case) -> usize {
        let setting = Setting::of(file, case);
        let known = self.settings.iter().position(|own| *own == setting);
        known.unwrap_or_else(|| {
            self.settings.push(setting);
            self.settings.len() - 1
        })
    }

    /// Plays a case.
    ///
    /// # Errors
    /// The stack does not come up, or the case can be played on the simulator only and does not say so.
    pub fn play(&mut self, file: &CaseFile, case: &Case) -> Result<Vec<RealStep>> {
        check(case)?;
        let stack = self.stack_for(Setting::of(file, case))?;
        let mut outside = Outside::new(file, case);
        outside.begin(stack)?;
        let mut guest = Guest::default();
        let mut answers = Answers::default();
        let mut steps = Vec::new();
        // One for all steps, but for what they let pass: a token minted a second later is another one,
        // without a lease.
        let now = clock::now(file, case);
        for (n, step) in case.steps().iter().enumerate() {
            let passed = outside.follow(stack, step)?;
            answers.follow(case.custody_in(file, n, step));
            let acts = Act::all_of(file, case, step, now + passed, &case.name);
            let acts = acts.map_err(anyhow::Error::msg)?;
            stack.origin()?.scripted_answers().replace(scripted_answers(&acts)?);
            let before = stack.outcomes().len();
            let (mut observed, note) = act_out(stack, &mut guest, &answers, step, &acts)?;
            let told = outcomes(stack, before, step.expect.outcomes.as_ref().map_or(0, Vec::len));
            for observed in &mut observed {
                observed.outcomes.clone_from(&told);
            }
            answers.given(observed.first().map_or(0, |first| first.callouts.len()));
            let differences = step.compare(&acts, &observed).map_err(anyhow::Error::msg)?;
            steps.push(RealStep { observed, differences, note });
        }
        outside.end(stack)?;
        Ok(steps)
    }

    fn stack_for(&mut self, setting: Setting) -> Result<&mut Stack> {
        let (running, stack) = match self.running.take() {
            Some((running, stack)) if running.way == setting.way => (running, stack),
            other => {
                drop(other);
                (setting.clone(), setting.start(&self.names)?)
            }
        };
        let (_, stack) = self.running.insert((setting.clone(), stack));
        if running != setting {
            stack.restart_edge(|edge| {
                edge.plugin = setting.plugin;
                edge.custody_cluster = setting.custody;
            })?;
        }
        Ok(stack)
    }
}

// === impl Setting ===

impl Setting {
    fn of(file: &CaseFile, case: &Case) -> Self {
        let config = case.config_in(file).unwrap_or_default();
        let way = match case.posture_in(file) {
            Posture::Gateway => Way::Gateway,
            Posture::Explicit | Posture::Plain => Way::Explicit,
        };
        let plugin = Template::new(0, String::new()).value(&config).unwrap();
        Self { way, plugin, custody: answers::cluster_for(file, case) }
    }

    fn start(&self, names: &BTreeSet<String>) -> Result<Stack> {
        let mut stack = Stack::builder()
            .way(self.way)
            .policy(self.plugin.clone())
            .origin(OriginSettings::new(names.iter().cloned()))
            .origin_on_any_port()
            .start()?;
        if self.custody != CustodyCluster::Shipped {
            stack.restart_edge(|edge| edge.custody_cluster = self.custody)?;
        }
        Ok(stack)
    }
}

/// Lets the guest do it and looks at all ends.
fn act_out(
    stack: &mut Stack,
    guest: &mut Guest,
    answers: &Answers,
    step: &Step,
    acts: &[Act],
) -> Result<(Vec<Observed>, Option<String>)> {
    let first = acts.first().context("a step without a request")?;
    // A body that comes piece by piece is for a connection that can tell when a piece has come.
    let alone = step.together.is_empty() && first.body.is_empty();
    answers.set(stack, &first.template, alone)?;
    let (arrived, asked) = (stack.origin()?.record().count(), stack.asked().len());
    let dispatched = stack.envoy()?.admin().stat(CALLOUTS)?;
    let (mut observed, mut note) = match alone {
        true => {
            let (observed, note) = guest.act(stack, first);
            (vec![observed], note)
        }
        false => (together::act_out(stack, guest, acts)?, None),
    };
    let mut arrivals = stack.origin()?.requests().split_off(arrived);
    for (act, observed) in acts.iter().zip(&mut observed) {
        let own = |seen: &mut Seen| alone || path_of(act).is_ok_and(|path| path == seen.path);
        let own: Vec<_> = arrivals.extract_if(.., own).collect();
        if let Some(seen) = own.last() {
            exchange::arrived(observed, seen);
        }
        if own.len() > 1 {
            note = Some(format!("{} requests reached the origin", own.len()));
        }
    }
    if let Some(seen) = arrivals.first() {
        note = Some(format!("{} reached the origin, which nobody sent", seen.path));
    }
    let bodies = stack.asked().split_off(asked);
    let mut callouts: Vec<_> = bodies.iter().map(|body| body.to_string().into_bytes()).collect();
    if answers.unreachable() {
        let now = stack.envoy()?.admin().stat(CALLOUTS)?;
        callouts = vec![Vec::new(); usize::try_from(now - dispatched)?];
    }
    observed.iter_mut().for_each(|observed| observed.callouts.clone_from(&callouts));
    Ok((observed, note))
}

/// What the origin is to answer, by path.
fn scripted_answers(acts: &[Act]) -> Result<HashMap<String, ScriptedAnswer>> {
    let mut scripted_answers = HashMap::new();
    for act in acts {
        let Some(response) = &act.response else { continue };
        let answer = ScriptedAnswer {
            status: response.status,
            headers: response.headers.clone().into_iter().collect(),
            body: response.body.iter().cloned().map(Into::into).collect(),
        };
        let path = path_of(act)?;
        let path = path.split('?').next().unwrap_or_default();
        // A gateway that is called by its own name takes the first segment out.
        if let Some(end) = path.get(1..).and_then(|path| path.find("/")) {
            scripted_answers.insert(path[1 + end..].to_owned(), answer.clone());
        }
        scripted_answers.insert(path.to_owned(), answer);
    }
    Ok(scripted_answers)
}

fn path_of(act: &Act) -> Result<String> {
    let text = act.request.as_deref().context("a CONNECT alone has no path")?;
    let message = request_text::parse(text).map_err(anyhow::Error::msg)?;
    message.headers.text(":path").context("a request without a path")
}

/// What custody is told of leases, once it has heard as much as is expected. It hears of them when the
/// guest's answer is long on its way.
fn outcomes(stack: &Stack, before: usize, expected: usize) -> Vec<Vec<u8>> {
    let asked = Instant::now();
    while stack.outcomes().len() < before + expected && asked.elapsed() < PATIENCE {
        thread::sleep(POLL);
    }
    let told = stack.outcomes().split_off(before);
    told.into_iter().map(|body| body.to_string().into_bytes()).collect()
}

fn check(case: &Case) -> Result<()> {
    let says = "say so with host-sim-only";
    ensure!(case.workers.is_none(), "workers: nobody tells Envoy which to take; {says}");
    for step in case.steps() {
        let wait = step.wait().map_err(anyhow::Error::msg)?;
        ensure!(wait <= outside::LONGEST, "advance: a real clock does not jump; {says}");
        let unchecked = step.connect.as_ref().is_some_and(|connect| !connect.is_checked());
        ensure!(!unchecked, "checked: false: every CONNECT is checked on Envoy; {says}");
        let paths: BTreeSet<_> = step.together.iter().map(|stream| &stream.request).collect();
        ensure!(paths.len() == step.together.len(), "together: no two requests may be the same");
    }
    Ok(())
}

fn policy_hosts(config: Option<&Value>) -> Vec<String> {
    let destinations = config.and_then(|config| config.get("destinations"));
    let destinations = destinations.and_then(Value::as_array).into_iter().flatten();
    let hosts = destinations.filter_map(|destination| destination.get("hosts")?.as_array());
    hosts.flatten().filter_map(|host| Some(host.as_str()?.to_owned())).collect()
}

/// The host a request names, where a certificate can name it too.
fn request_host(stream: &Stream) -> Option<String> {
    let message = request_text::parse(stream.request.as_deref()?).ok()?;
    let authority = message.headers.text(":authority")?.to_ascii_lowercase();
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let name = host.split('.').all(label) && host.parse::<IpAddr>().is_err();
    name.then(|| host.to_owned())
}
