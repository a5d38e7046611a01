//! Delivers one notice to the receiver.

use super::signature::{SigningFault, SigningSecret};
use custody_backends::{BackendFault, LongLived};
use custody_base::actor::Actor;
use custody_base::outbound::{Call, CallFault, Endpoint, Outbound, Reach, ReachFault};
use custody_ledger::Notice;
use lease::{Handle, UnixSeconds};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Where notices go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookPlace {
    pub url: Endpoint,
    pub reach: Reach,
    /// The signing secret, in the sealed store.
    pub secret: (Actor, Handle),
}

pub(super) struct Webhook {
    outbound: Outbound,
    url: Endpoint,
    secrets: Arc<dyn LongLived>,
    secret: (Actor, Handle),
}

/// The receiver has not taken it. For the operator's log; nothing of what it answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryFault {
    #[error("notify.webhook.secret: {0}")]
    Secret(BackendFault),
    #[error("notify.webhook.secret: {0}")]
    Signing(#[from] SigningFault),
    #[error("the receiver: {0}")]
    Call(#[from] CallFault),
    #[error("the receiver answers {0}")]
    Status(u16),
}

/// The body, in the form that Standard Webhooks recommends.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it happened, RFC 3339.
    timestamp: String,
    data: NoticeData<'a>,
}

#[derive(Serialize)]
struct NoticeData<'a> {
    backend: &'a str,
    actor: &'a str,
    handle: &'a str,
    code: &'a str,
}

const KIND: &str = "backend.failed";

// === impl Webhook ===

impl Webhook {
    pub(super) fn new(
        place: &WebhookPlace,
        secrets: Arc<dyn LongLived>,
    ) -> Result<Self, ReachFault> {
        let WebhookPlace { url, reach, secret } = place.clone();
        Ok(Self { outbound: reach.client()?, url, secrets, secret })
    }

    /// Returns when the receiver has confirmed the notice. The secret is looked up each time, so a new one
    /// holds at once.
    pub(super) async fn deliver(
        &self,
        notice: &Notice,
        now: UnixSeconds,
    ) -> Result<(), DeliveryFault> {
        let (actor, handle) = &self.secret;
        let secret = self.secrets.read(actor, handle).await.map_err(DeliveryFault::Secret)?.secret;
        let secret = SigningSecret::read(&secret)?;
        let body = body(notice)?;
        let call = Call::post(&self.url)
            .header("webhook-id", &notice.id)?
            .header("webhook-timestamp", &now.to_string())?
            .header("webhook-signature", &secret.sign(&notice.id, now, &body))?
            .body("application/json", body);
        let status = self.outbound.send(call).await?.status;
        if status.is_success() { Ok(()) } else { Err(DeliveryFault::Status(status.as_u16())) }
    }
}

fn body(notice: &Notice) -> Result<Zeroizing<Vec<u8>>, CallFault> {
    let Notice { at, backend, actor, handle, code, .. } = notice;
    let timestamp = UNIX_EPOCH.checked_add(Duration::from_secs(*at)).unwrap_or(UNIX_EPOCH);
    let timestamp = humantime::format_rfc3339_seconds(timestamp).to_string();
    let body = Body { kind: KIND, timestamp, data: NoticeData { backend, actor, handle, code } };
    let body = serde_json::to_vec(&body).map_err(|_| CallFault::Unsendable("no JSON form"))?;
    Ok(Zeroizing::new(body))
}
