//! What is taken out of a request and what is written into it.

use crate::config::Carrier;
use crate::headers::Headers;
use crate::request::Head;
use lease::{HTTPS_PORT, LiveLease, Secret};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// One change of a request's headers.
pub enum Edit {
    /// Every value of this name.
    Remove(String),
    Set {
        name: String,
        value: Secret,
    },
}

/// Changes in the order in which they are made: strip first, then inject.
#[derive(Default)]
pub struct Edits(Vec<Edit>);

// === impl Edits ===

impl Edits {
    /// Takes out what must not reach the upstream, and writes the canonical authority and path over
    /// what the guest spelled.
    ///
    /// `takes_credential`: the destination has one, so the guest's own is removed.
    pub fn strip(
        headers: &Headers,
        head: &Head,
        carriers: &[Carrier],
        takes_credential: bool,
    ) -> Self {
        let mut edits = Self::default();
        edits.set_where_different(headers, ":authority", upstream_authority(head).as_bytes());
        edits.set_where_different(headers, ":path", &head.target.to_bytes());
        edits.set_where_different(headers, ":scheme", b"https");
        let names: BTreeSet<&str> = headers.iter().map(|(name, _)| name).collect();
        let upgrade = headers.announce_upgrade();
        for name in names {
            let read_as = read_as(name);
            let removed = match &*read_as {
                _ if name == FORWARDED_PROTO => false,
                "authorization" if takes_credential => true,
                "connection" | "upgrade" => !upgrade,
                "te" => !headers.all(name).all(|value| value.eq_ignore_ascii_case(b"trailers")),
                "keep-alive" | "trailer" => true,
                // Envoy obeys many of these (retries, timeouts); a guest has no say there.
                other if other.starts_with("proxy-") || other.starts_with("x-envoy-") => true,
                other if OVERRIDES.contains(&other) => true,
                other if OVERRIDE_PREFIXES.iter().any(|prefix| other.starts_with(prefix)) => true,
                other => carriers.iter().any(|carrier| self::read_as(carrier.header()) == other),
            };
            if removed {
                edits.0.push(Edit::Remove(name.to_owned()));
            }
        }
        if upgrade {
            // Whatever else stood there (`Connection: upgrade, authorization`) is gone.
            edits.set_where_different(headers, "connection", b"upgrade");
        }
        edits
    }

    /// Writes the lease over whatever the guest sent under those names.
    pub fn inject(mut self, headers: &Headers, lease: &LiveLease) -> Self {
        for header in &lease.lease().headers {
            let name = header.name.as_str();
            let own = headers.iter().map(|(own, _)| own);
            let sent: BTreeSet<&str> = own.filter(|own| read_as(own) == read_as(name)).collect();
            for own in sent {
                if !self.removes(own) {
                    self.0.push(Edit::Remove(own.to_owned()));
                }
            }
            self.0.push(Edit::Set { name: name.to_owned(), value: header.value().duplicate() });
        }
        self
    }

    /// What an earlier attempt wrote is taken out.
    pub(crate) fn removing(names: Vec<String>) -> Self {
        Self(names.into_iter().map(Edit::Remove).collect())
    }

    /// An upstream's 401 is no reason to send this request again.
    pub(crate) fn once(mut self) -> Self {
        let name = "x-envoy-max-retries".to_owned();
        self.0.push(Edit::Set { name, value: Secret::new("0") });
        self
    }

    /// The names that get a value.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|edit| match edit {
            Edit::Set { name, .. } => Some(name.as_str()),
            Edit::Remove(_) => None,
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    fn removes(&self, name: &str) -> bool {
        self.0.iter().any(|edit| matches!(edit, Edit::Remove(own) if own == name))
    }

    fn set_where_different(&mut self, headers: &Headers, name: &str, value: &[u8]) {
        if headers.single(name) != Some(value) {
            self.0.push(Edit::Set { name: name.to_owned(), value: Secret::new(value) });
        }
    }
}

/// Headers by which some servers let a request be another one than it says: another method, path or
/// host than the allow-list judged.
const OVERRIDES: [&str; 8] = [
    "forwarded",
    "x-client-ip",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
];

/// Families of them (`x-forwarded-host`, `x-original-url`, `x-rewrite-url`). Only a proxy has something
/// to say there, and a guest is none: an origin that trusts the edge's address would believe it.
const OVERRIDE_PREFIXES: [&str; 3] = ["x-forwarded-", "x-original-", "x-rewrite-"];

/// Envoy writes this over whatever a guest says, and finds no route for a request that lacks it; the
/// shipped routes take it out on the way.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The name as a server behind CGI reads it, to whom `x_api_key` and `x-api-key` are one header.
fn read_as(name: &str) -> Cow<'_, str> {
    if name.contains('_') { name.replace('_', "-").into() } else { name.into() }
}

/// Without the port where it is https's own: so most clients spell it, and so origins expect it.
fn upstream_authority(head: &Head) -> String {
    match head.authority.port {
        HTTPS_PORT => head.authority.host.to_string(),
        _ => head.authority.to_string(),
    }
}
