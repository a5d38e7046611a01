//! A key set that is fetched, and kept while it is good.

use super::schedule::Schedule;
use crate::clock::Now;
use crate::ids::FetchId;
use crate::policy::denial::Denial;
use crate::policy::issuer::KeyEndpoint;
use crate::rng::Rng;
use crate::state::callout::{Answer, Callout, MAX_KEYS};
use crate::state::log_event::{Left, LogEvent};
use session::{IssuerKeys, Rules, Verifier};
use std::time::Duration;

/// The last good set of an issuer, and when to ask for the next.
pub struct Fetched {
    rules: Rules,
    endpoint: KeyEndpoint,
    schedule: Schedule,
    good: Option<Good>,
}

/// Characters of a redirect's `location` in the log.
const LOCATION_SHOWN: usize = 200;

struct Good {
    verifier: Verifier,
    keys: IssuerKeys,
    /// By the steady clock.
    fetched_at: Duration,
}

// === impl Fetched ===

impl Fetched {
    pub fn new(rules: Rules, endpoint: KeyEndpoint, now: Now) -> Self {
        Self { rules, schedule: Schedule::new(endpoint.refresh, now), endpoint, good: None }
    }

    /// # Errors
    /// [`Denial::SessionKeysMissing`] before the first good set; [`Denial::SessionKeysStale`] if the
    /// last is too old.
    pub fn verifier(&self, now: Now) -> Result<&Verifier, Denial> {
        let good = self.good.as_ref().ok_or(Denial::SessionKeysMissing)?;
        let age = now.steady.saturating_sub(good.fetched_at);
        if age < self.endpoint.keep { Ok(&good.verifier) } else { Err(Denial::SessionKeysStale) }
    }

    /// Is it time to fetch?
    pub fn is_due(&self, now: Now) -> bool {
        self.schedule.is_due(now)
    }

    /// How many requests wait for the fetch under way.
    pub fn waiting(&self) -> usize {
        self.schedule.waiting()
    }

    /// The fetch under way, for one more request to wait for; none if there is no fetch.
    pub fn join(&mut self) -> Option<FetchId> {
        self.schedule.join()
    }

    /// May a request have the keys fetched now?
    pub fn may_be_asked(&self, now: Now) -> bool {
        self.schedule.may_be_asked(now)
    }

    pub fn is_fetched_by(&self, fetch: FetchId) -> bool {
        self.schedule.is_fetched_by(fetch)
    }

    pub fn begin(&mut self, fetch: FetchId) -> Callout {
        self.schedule.begin(fetch);
        Callout::to_issuer(&self.endpoint, fetch)
    }

    /// The fetch is over. Returns the event for the log.
    pub fn take(&mut self, answer: Answer<'_>, now: Now, rng: &mut Rng) -> Option<LogEvent> {
        match read(answer) {
            Ok(keys) => {
                self.schedule.succeeded(now, rng);
                let before = self.good.as_ref().map(|good| &good.keys);
                let change = keys.change_from(before);
                let is_news = !change.is_empty() || keys.has_new_omissions(before);
                let left_out = keys.left_out().to_vec();
                let verifier = Verifier::new(self.rules.clone(), keys.keys().clone());
                self.good = Some(Good { verifier, keys, fetched_at: now.steady });
                is_news.then(|| LogEvent::KeysChanged {
                    issuer: self.rules.issuer.clone(),
                    change,
                    left_out,
                })
            }
            Err(fault) => {
                self.schedule.failed(now);
                let left = match self.verifier(now) {
                    Ok(_) => Left::TheLastGood,
                    Err(Denial::SessionKeysStale) => Left::TooOld,
                    Err(_) => Left::None,
                };
                Some(LogEvent::KeysNotFetched { issuer: self.rules.issuer.clone(), fault, left })
            }
        }
    }
}

fn read(answer: Answer<'_>) -> Result<IssuerKeys, String> {
    match answer {
        Answer::Response { status: 200, body } if body.len() > MAX_KEYS => {
            Err(format!("more than {MAX_KEYS} bytes"))
        }
        Answer::Response { status: 200, body } => IssuerKeys::read(body),
        Answer::Response { status, .. } => Err(format!("status {status}")),
        Answer::Redirect { status, location } => {
            let location = String::from_utf8_lossy(location);
            let location: String = location.chars().take(LOCATION_SHOWN).collect();
            Err(format!(
                "status {status}, a redirect to {location:?}, which is not followed; name its place in keys"
            ))
        }
        Answer::Reset => Err("the connection was reset".to_owned()),
        Answer::NotSent(Denial::CustodyUnknownCluster) => {
            Err("Envoy has no cluster of the name in keys.cluster".to_owned())
        }
        Answer::NotSent(_) => Err("the issuer cannot be reached".to_owned()),
    }
}
