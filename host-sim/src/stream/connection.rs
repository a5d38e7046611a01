//! A TCP connection.

use crate::properties::Properties;

/// Who closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Unknown = 0,
    Local = 1,
    Remote = 2,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// What the filter holds, or is being shown.
    pub held: Vec<u8>,
    pub visible: bool,
    pub passed: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub downstream: Flow,
    pub upstream: Flow,
    pub properties: Properties,
    /// The filter has not let the connection begin.
    pub held: bool,
    pub closed: bool,
}

/// What a connection has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionView {
    /// Bytes that reached the upstream.
    pub to_upstream: Vec<u8>,
    /// Bytes that reached the guest.
    pub to_guest: Vec<u8>,
    pub closed: bool,
}

// === impl Flow ===

impl Flow {
    pub fn pass(&mut self) {
        self.visible = false;
        self.passed.append(&mut self.held);
    }
}

// === impl Connection ===

impl Connection {
    pub fn view(&self) -> ConnectionView {
        ConnectionView {
            to_upstream: self.downstream.passed.clone(),
            to_guest: self.upstream.passed.clone(),
            closed: self.closed,
        }
    }
}
