//! What comes of a request, seen from outside.

use crate::headers::HeaderMap;
use crate::message::Message;
use serde_json::Value;

/// What could be seen of a request from outside.
#[derive(Clone, Debug)]
pub struct Observed {
    /// How far the guest got.
    pub stage: Stage,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// What the guest got.
    pub received: Message,
    /// What the filter let go to the upstream.
    pub upstream: Option<Message>,
    /// Bodies of the requests to custody for leases, of the whole step.
    pub callouts: Vec<Vec<u8>>,
    /// Bodies of the reports to custody of what became of leases, of the whole step.
    pub outcomes: Vec<Vec<u8>>,
    /// Envoy's own HTTP codec refused it.
    pub is_refused_before_filter: bool,
    /// The how manieth of its step was over with it, from 1; the guest's own going away is no end.
    pub turn: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The filter answered the CONNECT or the request.
    Answered,
    /// The filter let it through and the net behind it did not.
    Net,
    /// It reached the upstream; a CONNECT alone opened its tunnel.
    Through,
    /// Nobody answered.
    Unanswered,
    /// The guest went away before anybody did.
    Gone,
}

// === impl Observed ===

impl Observed {
    /// Nothing came of it so far.
    pub fn nothing(stage: Stage) -> Self {
        Self {
            stage,
            status: None,
            reason: None,
            received: Message::default(),
            upstream: None,
            callouts: Vec::new(),
            outcomes: Vec::new(),
            is_refused_before_filter: false,
            turn: None,
        }
    }

    /// Envoy itself refused before any filter saw it.
    pub(super) fn refused_by_envoy(status: u16) -> Self {
        let headers = HeaderMap::from([(":status", status.to_string().as_str())]);
        let received = Message { headers, ..Message::default() };
        let nothing = Self::nothing(Stage::Answered);
        Self { status: Some(status), received, is_refused_before_filter: true, ..nothing }
    }

    /// `allowed`, `denied REASON`, `answered STATUS`, `failed ...`.
    pub fn verdict(&self) -> String {
        match (&self.stage, &self.reason) {
            (Stage::Through, _) => "allowed".to_owned(),
            (_, Some(reason)) => format!("denied {reason}"),
            (Stage::Net, None) => "stopped by the net: no permit".to_owned(),
            (Stage::Unanswered, None) => "held for ever".to_owned(),
            (Stage::Gone, None) => "gone".to_owned(),
            (_, None) => format!("answered {}", self.status.unwrap_or_default()),
        }
    }

    pub fn is_allowed(&self) -> bool {
        self.stage == Stage::Through
    }

    /// The reports as one text.
    pub(super) fn told(&self) -> String {
        let read = |body: &Vec<u8>| serde_json::from_slice::<Value>(body).unwrap_or_default();
        self.outcomes.iter().map(read).collect::<Value>().to_string()
    }
}
