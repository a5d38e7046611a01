//! Mints leaves for the names of the policy and remembers them.
//!
//! A name lives as long as its leaf is remembered: what falls out of the bounded memory, or out
//! of the policy, is withdrawn from Envoy too. Envoy itself never forgets a secret (about 60 KB
//! and a gRPC stream each), so this bound is what keeps a guest that makes up names under a
//! wildcard from filling it. For the same reason leaves are remembered by the name as the guest
//! spelt it: to Envoy `API.example.com` and `api.example.com` are two secrets.
//!
//! Names outside the policy may get leaves too, in which the edge tells guests why it denies them. These have a
//! memory and a rate of their own, so that guests who make up names withdraw no leaf of a name in the policy.

use crate::authority::Authority;
use crate::budget::Budget;
use crate::leaf::Leaf;
use crate::name::{DnsName, NameError};
use crate::policy::Policy;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Where the time comes from, so that tests can live through a week.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How leaves are minted.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Life of a leaf; renewed after half of it.
    pub life: Duration,
    /// Spellings of names remembered at once; beyond it the one asked for longest ago is forgotten.
    pub names: NonZeroUsize,
    /// The same of names outside the policy; without it they get no leaf.
    pub refused_names: Option<NonZeroUsize>,
}

/// The mint: one for all Envoys.
pub struct Minter {
    authority: Authority,
    limits: Limits,
    clock: Clock,
    state: Mutex<State>,
    /// Told whenever a leaf that was handed out may have to be replaced or withdrawn.
    changes: watch::Sender<()>,
}

struct State {
    policy: Policy,
    /// By the name as it was asked for.
    leaves: LruCache<String, Minted>,
    refused: Option<RefusedNames>,
}

/// Leaves of names outside the policy.
struct RefusedNames {
    leaves: LruCache<String, Minted>,
    budget: Budget,
}

struct Minted {
    name: DnsName,
    leaf: Arc<Leaf>,
}

/// Why no leaf is minted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    NoName(#[from] NameError),
    #[error("not in the policy")]
    NotInPolicy,
    #[error("not in the policy, and too many such names in a second")]
    TooManyRefused,
    #[error("the authority's certificate has run out")]
    AuthorityExpired,
    #[error("signing failed: {0}")]
    Signature(#[from] rcgen::Error),
}

// === impl Minter ===

impl Minter {
    pub fn new(authority: Authority, policy: Policy, limits: Limits, clock: Clock) -> Self {
        let refused = limits.refused_names.map(|names| RefusedNames {
            leaves: LruCache::new(names),
            budget: Budget::full(clock()),
        });
        let state = State { policy, leaves: LruCache::new(limits.names), refused };
        let (changes, _) = watch::channel(());
        Self { authority, limits, clock, state: Mutex::new(state), changes }
    }

    /// The leaf for a name that is asked for: the remembered one while it is young, else a new one.
    pub fn leaf(&self, asked: &str) -> Result<Arc<Leaf>, Refusal> {
        let name = DnsName::parse(asked)?;
        let now = (self.clock)();
        let mut state = self.state();
        let State { policy, leaves, refused } = &mut *state;
        let (leaves, budget) = match (policy.permits(&name), refused) {
            (true, _) => (leaves, None),
            (false, Some(refused)) => (&mut refused.leaves, Some(&mut refused.budget)),
            (false, None) => return Err(Refusal::NotInPolicy),
        };
        if let Some(minted) = leaves.get(asked).filter(|m| now < m.leaf.renew_after) {
            return Ok(Arc::clone(&minted.leaf));
        }
        let is_permitted = budget.is_none();
        if budget.is_some_and(|budget| !budget.spend(now)) {
            return Err(Refusal::TooManyRefused);
        }
        // Signed under the lock: it takes 0.1 ms, and two guests who ask at once get one leaf.
        let leaf = Arc::new(self.mint(&name, now)?);
        let minted = Minted { name, leaf: Arc::clone(&leaf) };
        let displaced = leaves.push(asked.to_owned(), minted);
        drop(state);
        if let Some((_, other)) = displaced.filter(|(other, _)| other != asked) {
            if is_permitted {
                tracing::info!(name = %other.name, "evicted a leaf: there are more names than --max-names");
            }
            self.changes.send_replace(());
        }
        Ok(leaf)
    }

    /// What a name that was handed out stands at now: its leaf, renewed if it is past half its
    /// life, or `None` if it has to be withdrawn.
    ///
    /// A leaf that cannot be renewed is kept for as long as it lives.
    pub fn standing(&self, asked: &str) -> Option<Arc<Leaf>> {
        let now = (self.clock)();
        let mut state = self.state();
        // Not `get`: looking after a leaf is no sign that a guest still wants it.
        let minted = state.minted(asked)?;
        if now < minted.leaf.renew_after {
            return Some(Arc::clone(&minted.leaf));
        }
        match self.mint(&minted.name, now) {
            Ok(renewed) => minted.leaf = Arc::new(renewed),
            Err(refusal) => {
                tracing::error!(name = %minted.name, %refusal, "not renewed");
                if now >= minted.leaf.not_after {
                    return None;
                }
            }
        }
        Some(Arc::clone(&minted.leaf))
    }

    /// Puts a new policy in force. Names it no longer has are forgotten, and so withdrawn.
    pub fn replace_policy(&self, policy: Policy) {
        let mut state = self.state();
        state.leaves.retain(|_, minted| policy.permits(&minted.name));
        if let Some(refused) = &mut state.refused {
            refused.leaves.retain(|_, minted| !policy.permits(&minted.name));
        }
        state.policy = policy;
        drop(state);
        self.changes.send_replace(());
    }

    /// Has everyone who was handed a leaf look at its [`standing`](Self::standing).
    pub fn recheck(&self) {
        self.changes.send_replace(());
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Can leaves be minted at all?
    pub fn is_able(&self) -> bool {
        (self.clock)() < self.authority.not_after()
    }

    fn mint(&self, name: &DnsName, now: SystemTime) -> Result<Leaf, Refusal> {
        if now >= self.authority.not_after() {
            return Err(Refusal::AuthorityExpired);
        }
        let leaf = Leaf::mint(&self.authority, name, self.limits.life, now)?;
        tracing::info!(%name, serial = leaf.serial, "minted");
        Ok(leaf)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock guards a policy and a cache, both whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn minted(&mut self, asked: &str) -> Option<&mut Minted> {
        let refused = self.refused.as_mut().and_then(|refused| refused.leaves.peek_mut(asked));
        self.leaves.peek_mut(asked).or(refused)
    }
}
