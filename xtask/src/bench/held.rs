//! How long another guest waits while one opens thousands of streams that are all held for a lease, and
//! then resets them at once. One worker, so that both are its guests.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use h2::client::{ResponseFuture, SendRequest};
use serde::Serialize;
use serde_json::{Value, json};

use stack::policy::{
    CUSTODY_AUTHORITY, CUSTODY_CLUSTER, DEMO_HANDLE, DEMO_HOST, ORIGIN_PORT, OTHER_HOST,
};
use stack::progress::Progress;
use stack::{Answer, Stack, StackBuilder, Way, benchmarks};
use tokio::runtime::Runtime;

use crate::cargo::{self, BUILD_STEPS};
use crate::guests::{self, Guest};

const SECTION: &str = "Held streams";
const COMMAND: &str = "cargo xtask bench held";
/// What the other guest may wait at most, in milliseconds.
const GOAL: f64 = 50.0;
/// Streams of one connection; the shipped files allow 128.
const OF_ONE: usize = 100;
/// How long each state is looked at.
const MOMENT: Duration = Duration::from_secs(2);
/// All streams are open, or reset, long before.
const LIMIT: Duration = Duration::from_secs(20);
const ACTIVE: &str = "http.guests.downstream_rq_active";

#[derive(Args)]
pub struct Held {
    /// How many streams are held at once
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    streams: usize,
    /// The numbers as JSON, and BENCHMARKS.md left alone
    #[arg(long)]
    json: bool,
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Waits {
    streams: usize,
    /// From the first stream to the last that is held.
    opened_in: f64,
    reset_in: f64,
    /// The longest that the other guest waited, by what was going on.
    alone: f64,
    opening: f64,
    holding: f64,
    resetting: f64,
    goal: f64,
}

/// When a request of the other guest began and ended.
type Asked = (Instant, Instant);

// === impl Held ===

impl Held {
    pub fn run(&self) -> Result<ExitCode> {
        let mut progress = Progress::new(BUILD_STEPS + StackBuilder::STEPS + 1);
        cargo::build(&mut progress)?;
        let builder = Stack::builder().way(Way::Gateway).workers(1).policy(policy());
        let mut stack = builder.start_telling(&mut progress)?;
        stack.fake_custody(Answer::Stall)?;
        let step = progress.step("holding streams");
        let ended = AtomicBool::new(false);
        let waits = thread::scope(|scope| {
            let asking = scope.spawn(|| ask_until(&stack, &ended));
            let phases = self.hold(&stack);
            ended.store(true, Ordering::Relaxed);
            let asked = asking.join().ok().context("the other guest's thread")??;
            anyhow::Ok(self.waits(&phases?, &asked))
        })?;
        step.finish();
        stack.stop()?;
        self.tell(&waits)
    }

    /// The borders between the states, in their order.
    fn hold(&self, stack: &Stack) -> Result<[Instant; 6]> {
        let session = guests::session(stack, "bench-held")?;
        let path = format!("/{DEMO_HOST}:{}/v1/models", stack.origin()?.port());
        let before = Instant::now();
        thread::sleep(MOMENT);
        let runtime = Runtime::new().context("a runtime")?;
        let opening = Instant::now();
        let streams = runtime.block_on(open(stack.edge(), self.streams, &path, &session))?;
        // The other guest is one of them, now and then.
        until_active(stack, |active| active >= self.streams as u64)?;
        let holding = Instant::now();
        thread::sleep(MOMENT);
        let resetting = Instant::now();
        drop(streams);
        until_active(stack, |active| active <= 1)?;
        let after = Instant::now();
        thread::sleep(MOMENT);
        Ok([before, opening, holding, resetting, after, Instant::now()])
    }

    fn waits(&self, phases: &[Instant; 6], asked: &[Asked]) -> Waits {
        let [before, opening, holding, resetting, after, _] = *phases;
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        // A request counts where any part of it lies.
        let longest = |from: Instant, to: Instant| {
            let within = asked.iter().filter(|(began, ended)| *began < to && *ended > from);
            within.map(|(began, ended)| millis(*ended - *began)).fold(0.0, f64::max)
        };
        Waits {
            streams: self.streams,
            opened_in: millis(holding - opening),
            reset_in: millis(after - resetting),
            alone: longest(before, opening),
            opening: longest(opening, holding),
            holding: longest(holding, resetting),
            resetting: longest(resetting, after),
            goal: GOAL,
        }
    }

    fn tell(&self, waits: &Waits) -> Result<ExitCode> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(waits)?);
        } else {
            let text = markdown(waits)?;
            println!("{text}");
            let path = benchmarks::write_section(SECTION, COMMAND, &text)?;
            eprintln!("wrote the section {SECTION} of {}", path.display());
        }
        let is_met = waits.opening <= GOAL && waits.resetting <= GOAL;
        Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A destination with a credential, whose lease never comes, and one without.
fn policy() -> Value {
    let destination = |host: &str| {
        json!({
            "name": host,
            "hosts": [host],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "sessions": {"claims": {"team": ["demo"]}},
        })
    };
    let mut held = destination(DEMO_HOST);
    if let Some(fields) = held.as_object_mut() {
        fields.insert("credential".into(), json!({"handle": DEMO_HANDLE}));
    }
    json!({
        "custody": {"cluster": CUSTODY_CLUSTER, "authority": CUSTODY_AUTHORITY, "timeout": "30s"},
        "destinations": [held, destination(OTHER_HOST)],
    })
}

/// The other guest, one request behind the other.
fn ask_until(stack: &Stack, ended: &AtomicBool) -> Result<Vec<Asked>> {
    let (guest, session) = (Guest::at(stack, OTHER_HOST)?, guests::session(stack, "bench-other")?);
    let mut asked = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answered = guest.ask(&session)?;
        ensure!(answered.is_accepted(), "status {}, {:?}", answered.status, answered.reason);
        asked.push((began, answered.at));
    }
    Ok(asked)
}

/// Streams whose answers nobody reads; dropping them resets them.
async fn open(
    edge: SocketAddr,
    streams: usize,
    path: &str,
    session: &str,
) -> Result<Vec<(SendRequest<bytes::Bytes>, Vec<ResponseFuture>)>> {
    let mut connections = Vec::new();
    let mut left = streams;
    while left > 0 {
        let stream = tokio::net::TcpStream::connect(edge).await.context("connecting")?;
        let (mut sender, connection) = h2::client::handshake(stream).await.context("h2")?;
        // How it ends nobody asks.
        tokio::spawn(async move { drop(connection.await) });
        let mut opened = Vec::new();
        for _ in 0..left.min(OF_ONE) {
            let uri = format!("http://{edge}{path}");
            let request = http::Request::get(uri).header("x-leasehold-session", session).body(())?;
            sender = sender.ready().await.context("h2")?;
            opened.push(sender.send_request(request, true).context("a stream")?.0);
        }
        left -= opened.len();
        connections.push((sender, opened));
    }
    Ok(connections)
}

fn until_active(stack: &Stack, is_so: impl Fn(u64) -> bool) -> Result<()> {
    let since = Instant::now();
    while !is_so(stack.envoy()?.admin().stat(ACTIVE)?) {
        ensure!(since.elapsed() < LIMIT, "Envoy does not hold so many streams, or keeps them");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn markdown(waits: &Waits) -> Result<String> {
    let Waits { streams, opened_in, reset_in, alone, opening, holding, resetting, goal } = waits;
    let met = |wait: &f64| if wait <= goal { "met" } else { "not met" };
    let mut text = format!("On {}.\n\n", benchmarks::machine());
    writeln!(
        text,
        "A guest opens {streams} streams through a gateway of one worker, custody does not answer, and the \
         guest resets them all at once. Opening took {opened_in:.0} ms, resetting {reset_in:.0} ms. \
         Another guest asks for what takes no credential, one request behind the other.\n"
    )?;
    text.push_str("| meanwhile | its longest wait, milliseconds | goal |\n| --- | ---: | --- |\n");
    writeln!(text, "| nothing | {alone:.1} | |")?;
    writeln!(text, "| streams are opened | {opening:.1} | under {goal:.0}: {} |", met(opening))?;
    writeln!(text, "| all are held | {holding:.1} | |")?;
    writeln!(text, "| all are reset | {resetting:.1} | under {goal:.0}: {} |", met(resetting))?;
    Ok(text)
}
