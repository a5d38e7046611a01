//! Guests of a gateway: each with a connection of its own, and so with one of Envoy's workers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use stack::Stack;
use stack::policy::DEMO_HOST;
use ureq::Agent;

/// One guest.
pub struct Guest {
    agent: Agent,
    url: String,
}

/// What came of a request.
pub struct Answered {
    pub status: u16,
    /// The reason of a denial.
    pub reason: Option<String>,
    /// When the answer had come.
    pub at: Instant,
}

/// A request that takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

// === impl Guest ===

impl Guest {
    /// Of the demo's origin, through the gateway of this stack.
    ///
    /// # Errors
    /// The stack has no origin.
    pub fn of(stack: &Stack) -> Result<Self> {
        Self::at(stack, DEMO_HOST)
    }

    /// Of the origin under this name.
    ///
    /// # Errors
    /// The stack has no origin.
    pub fn at(stack: &Stack, host: &str) -> Result<Self> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(1)
            .build();
        let origin = format!("{host}:{}", stack.origin()?.port());
        Ok(Self { agent: config.into(), url: format!("{}/v1/models", stack.base_url(&origin)) })
    }

    /// # Errors
    /// No answer within [`PATIENCE`].
    pub fn ask(&self, session: &str) -> Result<Answered> {
        let answer = self.agent.get(&self.url).header("x-leasehold-session", session).call();
        let mut answer = answer.context("no answer")?;
        // Read to its end, or the connection would not be used again.
        answer.body_mut().read_to_vec().context("an answer that breaks off")?;
        let reason = answer.headers().get("x-deny-reason");
        let reason = reason.and_then(|reason| reason.to_str().ok()).map(str::to_owned);
        Ok(Answered { status: answer.status().as_u16(), reason, at: Instant::now() })
    }
}

// === impl Answered ===

impl Answered {
    pub fn is_accepted(&self) -> bool {
        self.status == 200
    }

    pub fn is_denied(&self, reason: &str) -> bool {
        self.reason.as_deref() == Some(reason)
    }
}

/// A session of the demo's team under this name.
///
/// # Errors
/// No randomness to be had.
pub fn session(stack: &Stack, id: &str) -> Result<String> {
    stack.mint(&json!({"team": "demo", "jti": id}))
}
