//! `{handle, actor}`: a secret that a backend itself lives on, in the sealed store.

use crate::config::fault::Faults;
use custody_base::actor::Actor;
use lease::Handle;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawOwnSecret {
    handle: String,
    actor: Option<String>,
}

pub(in crate::config) fn read(
    path: &str,
    raw: &RawOwnSecret,
    faults: &mut Faults,
) -> Option<(Actor, Handle)> {
    let actor = raw.actor.as_deref().unwrap_or(Actor::DEFAULT).parse();
    let actor = actor.map_err(|error| faults.add(format!("{path}.actor"), error)).ok();
    let handle = raw.handle.parse();
    let handle = handle.map_err(|error| faults.add(format!("{path}.handle"), error)).ok();
    Some((actor?, handle?))
}
