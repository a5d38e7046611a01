//! Which sessions are in use: `POST /v1/seen`. A report that custody does not confirm is repeated, or its
//! sessions would end as idle while they are in use.

use crate::clock::Now;
use crate::digest::Digest;
use crate::rng::Rng;
use crate::state::callout::Answer;
use crate::state::log_event::LogEvent;
use crate::state::sessions::Sessions;
use lease::{SEEN_BODY_LIMIT, SEEN_LIMIT, SeenReport};
use std::collections::BTreeSet;
use std::time::Duration;

/// One report at a time, until custody has all the sessions of a round.
///
/// Its memory is bounded: a digest for each verified token, and the names of one report.
pub struct Report {
    /// Tokens of sessions that no report has yet.
    round: Vec<Digest>,
    next_round: Duration,
    /// Sessions that custody has not confirmed. They fit into one report.
    names: BTreeSet<String>,
    /// How many names, from the first, are in the report under way.
    under_way: Option<usize>,
    /// Names in the next report; fewer while custody refuses one of them.
    most: usize,
    next: Duration,
}

/// Between two rounds, with jitter: well under the shortest idle time that makes sense, a minute.
const ROUND: Duration = Duration::from_secs(20);
/// Before a report is repeated, with jitter of the same length.
const PAUSE: Duration = Duration::from_secs(2);

// === impl Report ===

impl Report {
    pub fn new(now: Now) -> Self {
        let next = now.steady.saturating_add(ROUND);
        Self {
            round: Vec::new(),
            next_round: next,
            names: BTreeSet::new(),
            under_way: None,
            most: SEEN_LIMIT,
            next,
        }
    }

    /// The body of the report that is to be sent now.
    pub fn due(&mut self, sessions: &mut Sessions, now: Now, rng: &mut Rng) -> Option<Vec<u8>> {
        if self.under_way.is_some() || now.steady < self.next {
            return None;
        }
        if self.round.is_empty() && self.next_round <= now.steady {
            self.round = sessions.in_use().collect();
            self.next_round = now.steady.saturating_add(ROUND + rng.up_to(ROUND / 4));
        }
        self.fill(sessions);
        if self.names.is_empty() {
            self.next = self.next_round;
            return None;
        }
        let sessions: Vec<_> = self.names.iter().take(self.most).cloned().collect();
        self.under_way = Some(sessions.len());
        SeenReport { sessions }.encode().ok()
    }

    /// Takes names of the round while they fit.
    fn fill(&mut self, sessions: &mut Sessions) {
        let taken = self.names.iter().map(|name| SeenReport::room(name)).sum::<usize>();
        let mut left = SEEN_BODY_LIMIT.saturating_sub(SeenReport::FRAME + taken);
        while let Some(token) = self.round.last() {
            if let Some(name) = sessions.name_in_use(token)
                && !self.names.contains(name)
            {
                let room = SeenReport::room(name);
                if room > left || self.names.len() >= SEEN_LIMIT {
                    return;
                }
                left -= room;
                self.names.insert(name.to_owned());
            }
            sessions.mark_reported(token);
            self.round.pop();
        }
    }

    /// Only what custody confirms is done. A refused report goes again in halves, until the one name that
    /// custody refuses is left alone and out.
    pub fn answered(&mut self, answer: Answer<'_>, now: Now, rng: &mut Rng) -> Option<LogEvent> {
        let sent = self.under_way.take()?;
        self.next = now.steady;
        match answer {
            Answer::Response { status: 200..300, .. } => {
                self.drop_first(sent);
                self.most = self.most.saturating_mul(2).min(SEEN_LIMIT);
                return None;
            }
            Answer::Response { status: 400 | 413, .. } if sent > 1 => {
                self.most = sent / 2;
                return None;
            }
            _ => {}
        }
        self.next = now.steady.saturating_add(PAUSE + rng.up_to(PAUSE));
        let is_refused = matches!(answer, Answer::Response { status: 400 | 413, .. });
        is_refused.then(|| {
            self.drop_first(sent);
            LogEvent::SessionNotReported
        })
    }

    fn drop_first(&mut self, names: usize) {
        for _ in 0..names {
            self.names.pop_first();
        }
    }

    /// The next round begins now.
    pub fn hurry(&mut self, now: Now) {
        self.next_round = now.steady;
        self.next = self.next.min(now.steady);
    }

    /// Are there sessions in use that custody has not confirmed?
    pub fn is_owed(&self, sessions: &Sessions) -> bool {
        !self.names.is_empty() || sessions.in_use().next().is_some()
    }
}
