//! The headers that the edge removes from a request, and those that it writes.

use crate::headers::Headers;
use crate::policy::carrier::Carrier;
use crate::policy::head::Head;
use crate::policy::proxy_headers::{is_for_proxies, is_read_as, read_as};
use crate::policy::session_token::Token;
use lease::{HTTPS_PORT, LiveLease, Secret};
use std::borrow::Cow;
use std::rc::Rc;

/// One change of a request's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Every value of this name.
    Remove(&'a [u8]),
    /// This value and no other.
    Set { name: &'a str, value: &'a [u8] },
}

/// Changes in the order in which they are made: strip first, then inject.
#[derive(Default)]
pub struct Edits {
    strip: Vec<Strip>,
    inject: Option<Rc<LiveLease>>,
}

enum Strip {
    Remove(Box<[u8]>),
    Set {
        name: &'static str,
        value: Box<[u8]>,
    },
    /// The session of a CONNECT, where Envoy takes it from into the tunnel.
    Carry(Secret),
}

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
        let upgrade = headers.announce_upgrade();
        for (name, value) in headers.iter() {
            let removed = match &*read_as(name) {
                _ if name == FORWARDED_PROTO => false,
                b"authorization" if takes_credential => true,
                b"connection" | b"upgrade" => !upgrade,
                b"te" => !value.eq_ignore_ascii_case(b"trailers"),
                b"keep-alive" | b"trailer" => true,
                other if is_for_proxies(other) => true,
                other => carriers.iter().any(|carrier| is_read_as(carrier.header(), other)),
            };
            if removed {
                edits.remove(name);
            }
        }
        if upgrade {
            // Whatever else stood there (`Connection: upgrade, authorization`) is gone.
            edits.set_where_different(headers, "connection", b"upgrade");
        }
        edits
    }

    /// Of a CONNECT: Envoy carries the session into the tunnel that was judged, from any carrier and beside
    /// any other value.
    pub(crate) fn carrying(token: &Token<'_>) -> Self {
        let mut value = Vec::with_capacity(BEARER.len() + token.bytes().len());
        value.extend_from_slice(BEARER);
        value.extend_from_slice(token.bytes());
        let header = Carrier::ProxyAuthorization.header().as_bytes().into();
        Self { strip: vec![Strip::Remove(header), Strip::Carry(Secret::new(value))], inject: None }
    }

    /// Writes the lease in place of the values that the guest sent under those names.
    pub fn inject(mut self, headers: &Headers, lease: &Rc<LiveLease>) -> Self {
        for header in &lease.lease().headers {
            let name = header.name.as_str();
            let same = |own: &[u8]| own.len() == name.len() && is_read_as(name, &read_as(own));
            for (own, _) in headers.iter().filter(|(own, _)| same(own)) {
                self.remove(own);
            }
        }
        self.inject = Some(Rc::clone(lease));
        self
    }

    /// Removes the headers that an earlier attempt wrote.
    pub(crate) fn removing(names: Vec<String>) -> Self {
        let strip = names.into_iter().map(|name| Strip::Remove(name.into_bytes().into()));
        Self { strip: strip.collect(), inject: None }
    }

    /// An upstream's 401 is no reason to send this request again.
    pub(crate) fn once(mut self) -> Self {
        self.set("x-envoy-max-retries", b"0");
        self
    }

    /// The names under which a lease is written.
    pub(crate) fn injected(&self) -> impl Iterator<Item = &str> {
        self.leased().map(|(name, _)| name)
    }

    pub fn iter(&self) -> impl Iterator<Item = Edit<'_>> {
        let inject = self.leased().map(|(name, value)| Edit::Set { name, value });
        self.strip.iter().map(Strip::edit).chain(inject)
    }

    fn leased(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.inject.iter().flat_map(|lease| &lease.lease().headers);
        headers.map(|header| (header.name.as_str(), header.value().expose()))
    }

    fn remove(&mut self, name: &[u8]) {
        if !self.strip.iter().any(|edit| edit.removes(name)) {
            self.strip.push(Strip::Remove(name.into()));
        }
    }

    fn set(&mut self, name: &'static str, value: &[u8]) {
        self.strip.push(Strip::Set { name, value: value.into() });
    }

    fn set_where_different(&mut self, headers: &Headers, name: &'static str, value: &[u8]) {
        if headers.single(name) != Some(value) {
            self.set(name, value);
        }
    }
}

// === impl Strip ===

impl Strip {
    fn edit(&self) -> Edit<'_> {
        match self {
            Self::Remove(name) => Edit::Remove(name),
            Self::Set { name, value } => Edit::Set { name, value },
            Self::Carry(token) => {
                Edit::Set { name: Carrier::ProxyAuthorization.header(), value: token.expose() }
            }
        }
    }

    fn removes(&self, name: &[u8]) -> bool {
        matches!(self, Self::Remove(own) if **own == *name)
    }
}

const BEARER: &[u8] = b"Bearer ";

/// Envoy writes this over the guest's value, and finds no route for a request that lacks it. The shipped
/// routes remove it on the way.
const FORWARDED_PROTO: &[u8] = b"x-forwarded-proto";

/// Without the port where it is https's own: so most clients spell it, and so origins expect it.
fn upstream_authority(head: &Head) -> Cow<'_, str> {
    match head.authority.port {
        HTTPS_PORT => head.authority.host.text(),
        _ => head.authority.to_string().into(),
    }
}
