//! `notify`: who is told when a backend fails, beside the audit log.

use super::backends::own_secret::{self, RawOwnSecret};
use super::fault::Faults;
use crate::notify::WebhookPlace;
use custody_base::outbound::{Endpoint, Reach};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotify {
    webhook: RawWebhook,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    url: String,
    ca: Option<PathBuf>,
    secret: RawOwnSecret,
}

/// A receiver that takes longer has not taken it. Short, because custody waits for it when it ends.
const TOTAL: Duration = Duration::from_secs(5);
/// What the receiver says beside its status is not read for anything.
const BODY_LIMIT: usize = 64 << 10;

/// `Some(None)` without the section: then the audit log alone tells.
pub(super) fn read(
    section: Option<Value>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Option<WebhookPlace>> {
    if section.is_none() {
        return Some(None);
    }
    let RawNotify { webhook } = faults.section("notify", section)?;
    let url = Endpoint::parse(&webhook.url);
    let url = url.map_err(|fault| faults.add("notify.webhook.url", fault)).ok();
    let secret = own_secret::read("notify.webhook.secret", &webhook.secret, faults);
    let ca = webhook.ca.map(|ca| folder.join(ca));
    let reach = Reach { ca, total: TOTAL, body_limit: BODY_LIMIT, ..Reach::default() };
    Some(Some(WebhookPlace { url: url?, reach, secret: secret? }))
}
