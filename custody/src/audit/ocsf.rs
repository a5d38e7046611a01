//! A record in the words of the Open Cybersecurity Schema Framework (OCSF 1.5), so that a log
//! pipeline can sort it without knowing custody.
//!
//! Custody's own fields stand beside them; a reader that wants strict OCSF finds those it does not
//! know under their own names, as OCSF's extension rules have it.

use crate::audit::entry::{Entry, Event, Outcome};
use serde::Serialize;
use std::borrow::Cow;

/// The attributes OCSF asks of every event, and the six that answer who did what.
#[derive(Serialize)]
pub struct Ocsf<'a> {
    /// `class_uid` / 1000.
    category_uid: u32,
    class_uid: u32,
    activity_id: u32,
    /// `class_uid` * 100 + `activity_id`.
    type_uid: u32,
    /// 1 informational, 2 low, 3 medium, 4 high.
    severity_id: u8,
    /// 1 success, 2 failure.
    status_id: u8,
    metadata: Metadata,
    action: &'static str,
    /// Of the call: its W3C trace id, or else its request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<&'a str>,
    /// `handle@destination`, or what an order was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Metadata {
    version: &'static str,
    product: Product,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

/// OCSF's event classes that are used, with their activities.
mod class {
    pub const AUTHENTICATION: u32 = 3002;
    pub const LOGON: u32 = 1;
    pub const ENTITY_MANAGEMENT: u32 = 3004;
    pub const UPDATE: u32 = 3;
    pub const API_ACTIVITY: u32 = 6003;
    pub const CREATE: u32 = 1;
    pub const APPLICATION_LIFECYCLE: u32 = 6002;
    pub const START: u32 = 3;
    pub const STOP: u32 = 4;
    pub const OTHER: u32 = 99;
}
