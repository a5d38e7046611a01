//! One of the two Envoys that are compared, and a round on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::load_generator::{HeldStreams, RequestTimes, Target, ask_until};
use crate::bench::edge::Edge;

/// How long each state is looked at.
const MOMENT: Duration = Duration::from_secs(1);
/// All streams are open, or reset, long before.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at how many streams there are.
const POLL: Duration = Duration::from_millis(10);
const ACTIVE: &str = "http.guests.downstream_rq_active";

/// What is measured: who holds the streams, and who waits.
pub struct Arm {
    pub edge: Edge,
}

/// What a round asks for.
pub struct Round<'a> {
    pub streams: usize,
    /// A destination whose requests are held, and one whose are answered.
    pub held: &'a str,
    pub answered: &'a str,
    pub session: &'a str,
}

/// The longest that the other guest waited by what was going on, in milliseconds; and the CPU time of
/// the worker, in microseconds a stream.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latencies {
    pub alone: f64,
    pub opening: f64,
    pub holding: f64,
    pub resetting: f64,
    /// Milliseconds from the first stream to the last.
    pub opened_in: f64,
    pub reset_in: f64,
    pub opening_cpu: f64,
    pub resetting_cpu: f64,
}

/// A border between two states: the time, and the worker's CPU time.
#[derive(Clone, Copy)]
struct Checkpoint {
    at: Instant,
    cpu: Duration,
}

// === impl Arm ===

impl Arm {
    /// # Errors
    /// Envoy does not hold the streams, or the other guest is not answered.
    pub fn run(&self, round: &Round<'_>) -> Result<Latencies> {
        let ended = AtomicBool::new(false);
        let (edge, session) = (self.edge.address(), round.session);
        let other = Target { edge, authority: round.answered, session };
        thread::scope(|scope| {
            let asking = scope.spawn(|| ask_until(&other, &ended));
            let borders = self.hold(round);
            ended.store(true, Ordering::Relaxed);
            let asked = asking.join().ok().context("the other guest's thread")??;
            Ok(Latencies::of(round.streams, borders?, &asked))
        })
    }

    fn hold(&self, round: &Round<'_>) -> Result<[Checkpoint; 6]> {
        let target =
            Target { edge: self.edge.address(), authority: round.held, session: round.session };
        let mut streams = HeldStreams::connect(target.edge, round.streams)?;
        // The other guest's first requests are no measure: its session and its upstream are new.
        thread::sleep(MOMENT);
        let before = self.border()?;
        thread::sleep(MOMENT);
        let opening = self.border()?;
        streams.open(round.streams, &target)?;
        // The other guest is one of them, now and then.
        self.until_active(|active| active >= round.streams as u64)?;
        let holding = self.border()?;
        thread::sleep(MOMENT);
        let resetting = self.border()?;
        streams.reset();
        self.until_active(|active| active <= 1)?;
        let after = self.border()?;
        thread::sleep(MOMENT);
        Ok([before, opening, holding, resetting, after, self.border()?])
    }

    fn border(&self) -> Result<Checkpoint> {
        Ok(Checkpoint { at: Instant::now(), cpu: self.edge.worker_cpu()? })
    }

    fn until_active(&self, is_so: impl Fn(u64) -> bool) -> Result<()> {
        let since = Instant::now();
        while !is_so(self.edge.stat(ACTIVE)?) {
            ensure!(since.elapsed() < LIMIT, "Envoy does not hold so many streams, or keeps them");
            thread::sleep(POLL);
        }
        Ok(())
    }
}

// === impl Latencies ===

impl Latencies {
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    fn of(streams: usize, borders: [Checkpoint; 6], asked: &[RequestTimes]) -> Self {
        let [before, opening, holding, resetting, after, _] = borders;
        let millis = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        let longest = |is_counted: &dyn Fn(&RequestTimes) -> bool| {
            let counted = asked.iter().filter(|asked| is_counted(asked));
            counted.map(|(began, ended)| millis(*began, *ended)).fold(0.0, f64::max)
        };
        // What is going on delays every request that meets it, and a state of rest is not charged with it.
        let meeting = |from: Checkpoint, to: Checkpoint| {
            longest(&|(began, ended)| *began < to.at && *ended > from.at)
        };
        let within = |from: Checkpoint, to: Checkpoint| {
            longest(&|(began, ended)| *began >= from.at && *ended <= to.at)
        };
        let cpu = |from: Checkpoint, to: Checkpoint| {
            (to.cpu - from.cpu).as_secs_f64() * 1e6 / streams as f64
        };
        Self {
            alone: within(before, opening),
            opening: meeting(opening, holding),
            holding: within(holding, resetting),
            resetting: meeting(resetting, after),
            opened_in: millis(opening.at, holding.at),
            reset_in: millis(resetting.at, after.at),
            opening_cpu: cpu(opening, holding),
            resetting_cpu: cpu(resetting, after),
        }
    }
}
