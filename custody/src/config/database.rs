//! `store.postgres`: the database of several custodies.

use super::fault::Faults;
use custody_base::files::read_private;
use custody_ledger::PostgresPlace;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPostgres {
    /// Without a password: a configuration is no place for one.
    url: Option<String>,
    /// A file with the URL, which may hold a password.
    url_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    connections: Option<usize>,
}

/// One to write while others read; PostgreSQL itself takes 100 if nobody told it otherwise.
const CONNECTIONS: std::ops::RangeInclusive<usize> = 2..=500;

pub(super) fn read(raw: RawPostgres, folder: &Path, faults: &mut Faults) -> Option<PostgresPlace> {
    let RawPostgres { url, url_file, password_file, ca, connections } = raw;
    let (field, url) = match (url, url_file) {
        (Some(url), None) => ("store.postgres.url", Zeroizing::new(url)),
        (None, Some(file)) => {
            let field = "store.postgres.url_file";
            (field, read_line(field, &folder.join(file), faults)?)
        }
        _ => {
            faults.add("store.postgres", "has either url (without a password) or url_file");
            return None;
        }
    };
    let mut place = PostgresPlace::parse(&url).map_err(|fault| faults.add(field, fault)).ok()?;
    if place.has_password() && field == "store.postgres.url" {
        let message = "holds a password; give it in password_file, or the URL in url_file";
        faults.add(field, message);
    }
    if let Some(file) = password_file {
        let field = "store.postgres.password_file";
        if place.has_password() {
            faults.add(field, "the URL holds a password already");
        }
        place.set_password(read_line(field, &folder.join(file), faults)?.as_bytes());
    }
    if let Some(connections) = connections {
        if !CONNECTIONS.contains(&connections) {
            let (least, most) = (CONNECTIONS.start(), CONNECTIONS.end());
            faults.add("store.postgres.connections", format!("must be {least} to {most}"));
        }
        place.connections = connections;
    }
    place.ca = ca.map(|ca| folder.join(ca));
    Some(place)
}

/// The one line of a private file.
fn read_line(field: &str, path: &Path, faults: &mut Faults) -> Option<Zeroizing<String>> {
    let bytes = read_private(path).map_err(|fault| faults.add(field, fault)).ok()?;
    let line = std::str::from_utf8(&bytes).unwrap_or_default().trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(['\r', '\n']) {
        faults.add(field, format!("{}: is one line of text", path.display()));
        return None;
    }
    Some(Zeroizing::new(line.to_owned()))
}
