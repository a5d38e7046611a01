//! `credentials`: which handle comes from which backend. Handles that are not listed are in the
//! sealed store.

use super::backends::{named, read_source, split};
use super::fault::Faults;
use custody_backends::settings::{Backends, Credentials, SourceAt, SourcePair};
use lease::Handle;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPair {
    primary: Value,
    backup: Option<Value>,
}

pub(super) fn read(
    section: Option<Value>,
    backends: &Backends,
    faults: &mut Faults,
) -> Option<Credentials> {
    let Some(section) = section else { return Some(Credentials::default()) };
    let mut credentials = BTreeMap::new();
    for (name, value) in named("credentials", section, faults)? {
        let path = format!("credentials.{name}");
        let handle: Option<Handle> = match name.parse() {
            Ok(handle) => Some(handle),
            Err(error) => {
                faults.add(&path, error);
                None
            }
        };
        let Some(raw) = faults.section::<RawPair>(&path, Some(value)) else { continue };
        let primary = read_at(&format!("{path}.primary"), raw.primary, backends, faults);
        let backup = match raw.backup {
            None => Some(None),
            Some(raw) => read_at(&format!("{path}.backup"), raw, backends, faults).map(Some),
        };
        if let (Some(handle), Some(primary), Some(backup)) = (handle, primary, backup) {
            credentials.insert(handle, SourcePair { primary, backup });
        }
    }
    Some(Credentials(credentials))
}

fn read_at(path: &str, value: Value, backends: &Backends, faults: &mut Faults) -> Option<SourceAt> {
    let (backend, rest) = split(path, value, "backend", faults)?;
    let of = read_source(path, &backend, rest, backends, faults)?;
    Some(SourceAt { backend, of })
}
