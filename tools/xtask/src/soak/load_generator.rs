//! The guests: each takes its sessions in turn, for one request, and a new one for each that is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use stack::Stack;
use stack::sessions::{Sessions, now};

use crate::guests::{Answered, Guest, PATIENCE};

/// Seconds after its beginning that custody gives a session no lease any more, and the ones it has given
/// have ended. The edge knows nothing of it: only a lease that is used too long can pass until the token
/// ends.
pub const SESSION: u64 = 45;
/// Times of leases are whole seconds.
const ROUNDING: Duration = Duration::from_secs(1);
/// A worker that has lost custody asks again after four seconds at most, and ticks every second.
pub const PROPAGATION: Duration = Duration::from_secs(5);

/// Everybody, until [`LoadGenerator::end`].
pub struct LoadGenerator {
    shared: Arc<Shared>,
    guests: Vec<JoinHandle<()>>,
}

struct Shared {
    sessions: Vec<Mutex<Session>>,
    /// When everything was told to stop.
    killed: Mutex<Option<Instant>>,
    tally: Mutex<Tally>,
    over: AtomicBool,
}

struct Session {
    id: String,
    token: String,
    began: Instant,
    revoked: Option<Instant>,
}

/// What has come of all requests so far.
#[derive(Clone, Default)]
pub struct Tally {
    pub accepted: u64,
    pub denied: BTreeMap<String, u64>,
    /// From a revocation to the last yes behind it; the longest.
    pub propagation: Duration,
    pub slowest: Duration,
    pub wrong: Vec<String>,
}

// === impl LoadGenerator ===

impl LoadGenerator {
    /// # Errors
    /// No sessions to be had.
    pub fn start(stack: &Stack, guests: usize, sessions: usize) -> Result<Self> {
        let mint = Mint::of(stack)?;
        let sessions: Result<Vec<_>> = (0..sessions)
            .map(|number| Ok(Mutex::new(mint.session(&number.to_string())?)))
            .collect();
        let shared = Arc::new(Shared {
            sessions: sessions?,
            killed: Mutex::default(),
            tally: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let mut running = Vec::with_capacity(guests);
        for number in 0..guests {
            let (guest, mint, shared) = (Guest::of(stack)?, mint.clone(), Arc::clone(&shared));
            running.push(thread::spawn(move || shared.use_share(number, guests, &guest, &mint)));
        }
        Ok(Self { shared, guests: running })
    }

    pub fn tally(&self) -> Tally {
        locked(&self.shared.tally).clone()
    }

    /// The name of the session at this place, which is revoked from now on.
    pub fn revoke(&self, place: usize) -> Option<String> {
        let place = place % self.shared.sessions.len().max(1);
        let mut session = locked(self.shared.sessions.get(place)?);
        session.revoked.get_or_insert_with(Instant::now);
        Some(session.id.clone())
    }

    /// From now on nothing may pass, or again everything.
    pub fn kill(&self, on: bool) {
        *locked(&self.shared.killed) = on.then(Instant::now);
    }

    /// Waits for everybody.
    ///
    /// # Errors
    /// A guest has come to grief.
    pub fn end(self) -> Result<Tally> {
        self.shared.over.store(true, Ordering::Relaxed);
        for guest in self.guests {
            guest.join().ok().context("a guest's thread")?;
        }
        Ok(locked(&self.shared.tally).clone())
    }
}

// === impl Shared ===

impl Shared {
    fn use_share(&self, first: usize, step: usize, guest: &Guest, mint: &Mint) {
        let mut life = 0_u64;
        while !self.over.load(Ordering::Relaxed) {
            for session in self.sessions.iter().skip(first).step_by(step) {
                life += 1;
                let next = || mint.session(&format!("{first}-{life}"));
                if let Err(error) = self.use_once(session, guest, next) {
                    locked(&self.tally).wrong.push(format!("{error:#}"));
                }
                if self.over.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    /// One request, and a new session if this one is over.
    fn use_once(
        &self,
        session: &Mutex<Session>,
        guest: &Guest,
        next: impl FnOnce() -> Result<Session>,
    ) -> Result<()> {
        let token = locked(session).token.clone();
        let (sent, killed) = (Instant::now(), *locked(&self.killed));
        let answered = guest.ask(&token).with_context(|| format!("within {PATIENCE:?}"))?;
        let mut session = locked(session);
        let still_killed = *locked(&self.killed) == killed;
        let killed = killed.filter(|_| still_killed);
        let is_over = self.note(&session, &answered, sent, killed);
        if is_over {
            *session = next()?;
        }
        Ok(())
    }

    /// Is this session over?
    fn note(
        &self,
        session: &Session,
        answered: &Answered,
        sent: Instant,
        killed: Option<Instant>,
    ) -> bool {
        let mut tally = locked(&self.tally);
        tally.slowest = tally.slowest.max(answered.at - sent);
        if let Some(reason) = &answered.reason {
            *tally.denied.entry(reason.clone()).or_default() += 1;
            let over = ["session_revoked", "session_expired", "custody_refused"];
            return over.contains(&reason.as_str());
        }
        if !answered.is_accepted() {
            tally.wrong.push(format!("an answer of status {}", answered.status));
            return false;
        }
        tally.accepted += 1;
        let age = sent.duration_since(session.began);
        if age > Duration::from_secs(SESSION) + ROUNDING {
            tally.wrong.push(format!("{}: let through with a lease of {age:?} ago", session.id));
        }
        let since = |from: Option<Instant>| from.map(|from| sent.saturating_duration_since(from));
        if let Some(late) = since(session.revoked) {
            tally.propagation = tally.propagation.max(late);
            if late > PROPAGATION {
                tally.wrong.push(format!("{}: let through {late:?} after its end", session.id));
            }
        }
        if let Some(late) = since(killed).filter(|late| *late > PROPAGATION) {
            tally.wrong.push(format!("let through {late:?} after the kill switch"));
        }
        false
    }
}

/// Whoever makes sessions.
#[derive(Clone)]
struct Mint(Arc<Sessions>);

// === impl Mint ===

impl Mint {
    /// With the stack's own key.
    fn of(stack: &Stack) -> Result<Self> {
        let sessions = Sessions::load_or_generate(&stack.folder().join("session.key"))?;
        Ok(Self(Arc::new(sessions)))
    }

    fn session(&self, id: &str) -> Result<Session> {
        let id = format!("soak-{id}");
        let began = Instant::now();
        // The token outlives its leases, and then it ends as well.
        let (begins, ends) = (now(), now() + 2 * SESSION);
        let claims = json!({"team": "demo", "jti": id, "auth_time": begins, "exp": ends});
        Ok(Session { token: self.0.mint(&claims)?, id, began, revoked: None })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
