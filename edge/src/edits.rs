//! What is taken out of a request and what is written into it.

use crate::config::Carrier;
use crate::headers::Headers;
use crate::request::Head;
use lease::{HTTPS_PORT, LiveLease, Secret};
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
        let upgrade = is_upgrade(headers);
        for name in names {
            let removed = match name {
                "authorization" if takes_credential => true,
                "connection" | "upgrade" => !upgrade,
                "te" => !headers.all(name).all(|value| value.eq_ignore_ascii_case(b"trailers")),
                "keep-alive" | "trailer" => true,
                // Envoy obeys many of these (retries, timeouts); a guest has no say there.
                _ if name.starts_with("proxy-") || name.starts_with("x-envoy-") => true,
                _ => carriers.iter().any(|carrier| carrier.header() == name),
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
            let removed =
                self.0.iter().any(|edit| matches!(edit, Edit::Remove(own) if own == name));
            if headers.has(name) && !removed {
                self.0.push(Edit::Remove(name.to_owned()));
            }
            self.0.push(Edit::Set { name: name.to_owned(), value: header.value().duplicate() });
        }
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }

    fn set_where_different(&mut self, headers: &Headers, name: &str, value: &[u8]) {
        if headers.single(name) != Some(value) {
            self.0.push(Edit::Set { name: name.to_owned(), value: Secret::new(value) });
        }
    }
}

/// Without the port where it is https's own: so most clients spell it, and so origins expect it.
fn upstream_authority(head: &Head) -> String {
    match head.authority.port {
        HTTPS_PORT => head.authority.host.to_string(),
        _ => head.authority.to_string(),
    }
}

/// `Connection: upgrade` with an `Upgrade` (RFC 9110 section 7.8): a WebSocket.
fn is_upgrade(headers: &Headers) -> bool {
    let tokens = headers.all("connection").flat_map(|value| value.split(|b| *b == b','));
    let named = tokens.map(<[u8]>::trim_ascii).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    named && headers.has("upgrade")
}
