//! A record in the words of the Open Cybersecurity Schema Framework (OCSF 1.5), so that a log
//! pipeline can sort it without knowing custody.
//!
//! These attributes precede custody's own, which readers of OCSF find under their own names.

use crate::entry::{Entry, Event, Order, Outcome};
use serde::Serialize;

/// The attributes that OCSF requires of every event, with the actor, the action and the resource.
#[derive(Serialize)]
pub struct Ocsf<'a> {
    category_uid: u32,
    class_uid: u32,
    activity_id: u32,
    /// `class_uid` * 100 + `activity_id`.
    type_uid: u32,
    severity_id: Severity,
    /// 1 success, 2 failure, 99 neither.
    status_id: u8,
    metadata: Metadata,
    /// The actor: the subject of the session (its name, where the token has none), the operator or the
    /// worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<&'a str>,
    /// The resource: `handle@destination`, or `session/ID` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    action: &'static str,
}

#[derive(Serialize)]
struct Metadata {
    version: &'static str,
    product: Product,
}

#[derive(Serialize)]
struct Product {
    vendor_name: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
enum Severity {
    Informational,
    Low,
    Medium,
}

/// One of OCSF's event classes with an activity of it.
struct Activity {
    category: u32,
    class: u32,
    activity: u32,
}

const METADATA: Metadata = Metadata {
    version: "1.5.0",
    product: Product {
        vendor_name: "Leasehold",
        name: "custody",
        version: env!("CARGO_PKG_VERSION"),
    },
};

/// Authentication, logon.
const LOGON: Activity = Activity { category: 3, class: 3002, activity: 1 };
/// API Activity, create.
const API_CREATE: Activity = Activity { category: 6, class: 6003, activity: 1 };
/// API Activity, update.
const API_UPDATE: Activity = Activity { category: 6, class: 6003, activity: 3 };
/// API Activity, other: `action` has the activity.
const API_OTHER: Activity = Activity { category: 6, class: 6003, activity: 99 };
/// Application Lifecycle, start.
const START: Activity = Activity { category: 6, class: 6002, activity: 3 };
/// Application Lifecycle, stop.
const STOP: Activity = Activity { category: 6, class: 6002, activity: 4 };
/// Application Lifecycle, other.
const LIFECYCLE: Activity = Activity { category: 6, class: 6002, activity: 99 };

// === impl Ocsf ===

impl<'a> Ocsf<'a> {
    pub fn of(entry: &'a Entry) -> Self {
        let (Activity { category, class, activity }, action) = kind(entry.event);
        let severity = match (entry.event, entry.outcome) {
            (
                Event::LeaseFailed
                | Event::OrderFailed
                | Event::CredentialFailed
                | Event::GrantsRefused
                | Event::NoticeGivenUp
                | Event::TokenNotRevoked
                | Event::Recovered,
                _,
            ) => Severity::Medium,
            (_, Outcome::Deny) => Severity::Low,
            (_, Outcome::Allow | Outcome::Note) => Severity::Informational,
        };
        let status_id = match entry.outcome {
            Outcome::Allow => 1,
            Outcome::Deny => 2,
            Outcome::Note => 99,
        };
        let (requested, order) = (entry.requested.as_ref(), entry.order.as_ref());
        let subject = entry
            .session
            .as_ref()
            .map(|session| session.subject.as_deref().unwrap_or(&session.session_id));
        Self {
            category_uid: category,
            class_uid: class,
            activity_id: activity,
            type_uid: class * 100 + activity,
            severity_id: severity,
            status_id,
            metadata: METADATA,
            actor_id: subject.or(order.map(|order| order.by.as_str())),
            resource: requested
                .map(|requested| format!("{}@{}", requested.handle, requested.destination))
                .or_else(|| order.and_then(resource_of)),
            action: order.map_or(action, |order| order.action),
        }
    }
}

/// `session/ID`, `credential/ACTOR/HANDLE`.
fn resource_of(order: &Order) -> Option<String> {
    Some(format!("{}/{}", order.target_kind?, order.target.as_deref()?))
}

fn kind(event: Event) -> (Activity, &'static str) {
    match event {
        Event::Lease => (API_CREATE, "lease"),
        Event::LeaseFailed => (API_CREATE, "lease_value"),
        Event::LeaseUndelivered => (API_UPDATE, "lease_delivery"),
        Event::LeaseSettled => (API_UPDATE, "lease_outcome"),
        Event::GrantsReloaded | Event::GrantsRefused => (LIFECYCLE, "grants_reload"),
        Event::LeasesRevoked => (API_UPDATE, "leases"),
        Event::TokenRevoked | Event::TokenNotRevoked => (API_UPDATE, "token"),
        Event::Order | Event::OrderFailed => (API_UPDATE, "order"),
        Event::Credential | Event::CredentialFailed => (API_OTHER, "credential"),
        Event::CapabilityRefused => (LOGON, "capability"),
        Event::SessionRefused => (LOGON, "session"),
        Event::NoticeGivenUp => (LIFECYCLE, "notice"),
        Event::Started => (START, "start"),
        Event::Stopped => (STOP, "stop"),
        Event::DayClosed | Event::DayCheckpoint => (LIFECYCLE, "day"),
        Event::Recovered => (LIFECYCLE, "recovery"),
    }
}

// === impl Severity ===

impl From<Severity> for u8 {
    /// OCSF's numbers.
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Informational => 1,
            Severity::Low => 2,
            Severity::Medium => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{RequestedLease, SessionId};
    use serde_json::json;

    #[test]
    fn a_denied_lease_in_the_words_of_ocsf() {
        let mut entry = Entry::new(Event::Lease, Outcome::Deny);
        entry.session = Some(SessionId {
            issuer: "i".into(),
            subject: Some("ci-job-7".into()),
            jwt_id: Some("j".into()),
            session_id: "s".into(),
        });
        entry.requested = Some(RequestedLease {
            handle: "github-ci".into(),
            destination: "api.github.com:443".into(),
            method: "GET".into(),
            path: "/".into(),
            binding: lease::Binding::Session,
        });
        let json = serde_json::to_value(Ocsf::of(&entry)).unwrap();
        assert_eq!(
            json,
            json!({
                "category_uid": 6, "class_uid": 6003, "activity_id": 1, "type_uid": 600_301,
                "severity_id": 2, "status_id": 2, "action": "lease", "actor_id": "ci-job-7",
                "resource": "github-ci@api.github.com:443",
                "metadata": {"version": "1.5.0", "product": {"vendor_name": "Leasehold",
                    "name": "custody", "version": env!("CARGO_PKG_VERSION")}},
            })
        );
    }
}
