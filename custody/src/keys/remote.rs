//! A key set that one task fetches and everybody reads.

use super::sessions::{Sessions, Token, TokenDigest, VerifyFault};
use super::source::KeySource;
use crate::metrics::Metrics;
use custody_base::clock;
use session::unverified::UnverifiedJwt;
use session::{IssuerKeys, KeyChange, Refusal, Rules, Session, UnixSeconds};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// An unknown `kid` asks for the set at most this often.
pub const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(10);
/// A token with an unknown `kid` waits for the set no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first try after a failure, and the longest wait between two.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// When a remote set is fetched, and how long it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Between two fetches, give or take a tenth.
    pub refresh: Duration,
    /// How long the last good set stays while no fetch succeeds.
    pub keep: Duration,
}

pub(super) struct Remote {
    keep: Duration,
    published: watch::Receiver<Published>,
    wanted: Arc<Notify>,
    fetching: AbortHandle,
}

/// What the task knows.
#[derive(Clone)]
struct Published {
    good: Option<Good>,
    /// Fetches that ended, well or not.
    fetches: u64,
    ended_at: Instant,
}

#[derive(Clone)]
struct Good {
    sessions: Arc<Sessions>,
    fetched_at: Instant,
}

/// The task.
struct Fetching<S> {
    source: S,
    rules: Rules,
    schedule: Schedule,
    metrics: Arc<Metrics>,
    publish: watch::Sender<Published>,
    wanted: Arc<Notify>,
    known: Option<IssuerKeys>,
    failures: u32,
}

// === impl Remote ===

impl Remote {
    pub async fn start(
        rules: Rules,
        source: impl KeySource,
        schedule: Schedule,
        metrics: Arc<Metrics>,
    ) -> Self {
        let nothing = Published { good: None, fetches: 0, ended_at: Instant::now() };
        let (publish, mut published) = watch::channel(nothing);
        let wanted = Arc::new(Notify::new());
        let fetching = Fetching {
            source,
            rules,
            schedule,
            metrics,
            publish,
            wanted: Arc::clone(&wanted),
            known: None,
            failures: 0,
        };
        let fetching = tokio::spawn(fetching.run()).abort_handle();
        // Fails only if the task panicked; then there are no keys, and nobody is believed.
        let _ = published.wait_for(|published| published.fetches > 0).await;
        Self { keep: schedule.keep, published, wanted, fetching }
    }

    /// As [`Sessions::find`].
    pub fn find(
        &self,
        digest: &TokenDigest,
        now: UnixSeconds,
    ) -> Option<Result<Arc<Session>, Refusal>> {
        self.current().0?.find(digest, now)
    }

    /// Verifies a token that claims to be of this issuer. May wait for one fetch.
    pub async fn verify(
        &self,
        token: Token<'_>,
        jwt: UnverifiedJwt<'_>,
        now: UnixSeconds,
    ) -> Result<Arc<Session>, VerifyFault> {
        let names_a_key = jwt.names_a_key();
        let (sessions, fetches) = self.current();
        let first = verify_with(sessions, jwt, token.digest, now);
        let lacks_key =
            matches!(first, Err(VerifyFault::NoKeys | VerifyFault::Refused(Refusal::UnknownKey)));
        if !(lacks_key && names_a_key && self.may_fetch()) {
            return first;
        }
        self.wanted.notify_one();
        let mut published = self.published.clone();
        let fetched = published.wait_for(|published| published.fetches > fetches);
        match timeout(PATIENCE, fetched).await {
            Ok(Ok(_)) => {
                let jwt = UnverifiedJwt::read(token.bytes)?;
                verify_with(self.current().0, jwt, token.digest, now)
            }
            Ok(Err(_)) | Err(_) => first,
        }
    }

    fn current(&self) -> (Option<Arc<Sessions>>, u64) {
        let published = self.published.borrow();
        let good = published.good.as_ref();
        let good = good.filter(|good| good.fetched_at.elapsed() < self.keep);
        (good.map(|good| Arc::clone(&good.sessions)), published.fetches)
    }

    /// The pause after the last fetch is over.
    fn may_fetch(&self) -> bool {
        self.published.borrow().ended_at.elapsed() >= UNKNOWN_KID_PAUSE
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}

fn verify_with(
    sessions: Option<Arc<Sessions>>,
    jwt: UnverifiedJwt<'_>,
    digest: TokenDigest,
    now: UnixSeconds,
) -> Result<Arc<Session>, VerifyFault> {
    Ok(sessions.ok_or(VerifyFault::NoKeys)?.verify(jwt, digest, now)?)
}

// === impl Fetching ===

impl<S: KeySource> Fetching<S> {
    async fn run(mut self) {
        loop {
            self.fetch().await;
            let next = Instant::now() + self.wait();
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    () = self.wanted.notified() => {
                        // Many ask at once, and some had asked for the fetch that has just ended.
                        if self.publish.borrow().ended_at.elapsed() >= UNKNOWN_KID_PAUSE {
                            break;
                        }
                    }
                }
            }
        }
    }

    async fn fetch(&mut self) {
        let fetched = match self.source.fetch().await {
            Ok(bytes) => IssuerKeys::read(&bytes),
            Err(fault) => Err(fault),
        };
        match fetched {
            Ok(keys) => self.succeeded(keys),
            Err(fault) => self.failed(&fault),
        }
    }

    fn succeeded(&mut self, keys: IssuerKeys) {
        self.failures = 0;
        let issuer = &self.rules.issuer;
        self.metrics.session_keys_fetched(issuer, keys.count(), clock::now());
        let change = keys.change_from(self.known.as_ref());
        let left_out = keys.left_out();
        if keys.has_new_omissions(self.known.as_ref()) {
            tracing::warn!(
                issuer,
                ?left_out,
                "session keys left out: the issuer's set has unusable members"
            );
        }
        if !change.is_empty() {
            let KeyChange { added, removed, replaced } = change;
            tracing::info!(
                issuer,
                ?added,
                ?removed,
                ?replaced,
                ?left_out,
                "the session keys changed"
            );
        }
        let sessions = Arc::new(Sessions::new(self.rules.clone(), keys.keys().clone()));
        self.known = Some(keys);
        let now = Instant::now();
        self.publish.send_modify(|published| {
            published.good = Some(Good { sessions, fetched_at: now });
            published.fetches += 1;
            published.ended_at = now;
        });
    }

    fn failed(&mut self, fault: &str) {
        self.failures = self.failures.saturating_add(1);
        let issuer = &self.rules.issuer;
        self.metrics.session_keys_failed(issuer);
        let good = self.publish.borrow().good.as_ref().map(|good| good.fetched_at.elapsed());
        match good {
            Some(age) if age < self.schedule.keep => {
                let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
                tracing::warn!(issuer, fault, %age, "failed to fetch session keys: custody uses the last good ones");
            }
            Some(_) => tracing::error!(
                issuer,
                fault,
                "the session keys are too old: custody answers 503 to every session of the issuer until it answers"
            ),
            None => tracing::error!(
                issuer,
                fault,
                "failed to fetch session keys: custody answers 503 to every session of the issuer until it answers"
            ),
        }
        self.publish.send_modify(|published| {
            published.fetches += 1;
            published.ended_at = Instant::now();
        });
    }

    fn wait(&self) -> Duration {
        let refresh = self.schedule.refresh;
        if self.failures == 0 {
            // Replicas that started together do not ask together for ever.
            let part = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
            return refresh.mul_f64(0.9 + part / 5.0);
        }
        let (first, longest) = BACK_OFF;
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(16));
        doubled.min(longest).min(refresh)
    }
}

#[cfg(test)]
mod tests;
