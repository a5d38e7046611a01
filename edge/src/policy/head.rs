//! Reading where a request wants to go, and checking that everybody means the same place.

use crate::policy::denial::Denial;
use crate::policy::links::GatewayLinks;
use crate::policy::named_resource::NamedResource;
use crate::policy::path::Target;
use crate::policy::posture::{HTTP_PORT, Ingress, Posture};
use crate::request::Request;
use lease::{Authority, HTTPS_PORT, Host};
use std::borrow::Cow;
use std::rc::Rc;

/// A request's method, upstream and target, canonical.
#[derive(Clone, Debug)]
pub struct Head {
    pub authority: Authority,
    pub method: String,
    pub target: Target,
    /// The resources that it names besides its path.
    pub named: Vec<NamedResource>,
    /// It wants to become a WebSocket.
    pub websocket: bool,
    /// How the links of the response become links to the gateway, where they do.
    pub links: Option<Rc<GatewayLinks>>,
}

/// The destination that a request names.
struct Addressed<'a> {
    authority: Authority,
    path: Cow<'a, [u8]>,
    links: Option<Rc<GatewayLinks>>,
}

// === impl Head ===

impl Head {
    /// # Errors
    /// A denial where the request can be read in two ways, or its authority, its CONNECT and its SNI
    /// are not one and the same (invariant 3).
    pub fn read(ingress: &Ingress, request: &Request) -> Result<Self, Denial> {
        let method = request.headers.single(":method").and_then(|m| std::str::from_utf8(m).ok());
        let method = method.ok_or(Denial::RequestMalformed)?.to_owned();
        let path = request.headers.single(":path").ok_or(Denial::RequestMalformed)?;
        let Addressed { authority, path, links } = match ingress.posture {
            Posture::Explicit => Addressed::directly(tunnelled(request)?, path),
            Posture::Gateway => of_gateway(ingress, request, path)?,
        };
        let target = Target::parse(&path).map_err(|_| Denial::PathMalformed)?;
        let websocket = wants_websocket(request)?;
        // A request that reads copies nothing.
        let named = match method.as_str() {
            "GET" | "HEAD" => Vec::new(),
            _ => NamedResource::all_in(&request.headers, &authority),
        };
        Ok(Self { authority, method, target, named, websocket, links })
    }

    /// Is this the request that goes to the upstream under this head? Where it was judged it may have been
    /// written otherwise; behind the router it has the one spelling that was forwarded.
    pub fn is_of(&self, forwarded: &Request) -> bool {
        let headers = &forwarded.headers;
        headers.single(":method") == Some(self.method.as_bytes())
            && headers.single(":path") == Some(&self.target.to_bytes())
            && sent_authority(forwarded, HTTPS_PORT).as_ref() == Ok(&self.authority)
    }
}

// === impl Addressed ===

impl<'a> Addressed<'a> {
    /// By the upstream's own name.
    fn directly(authority: Authority, path: &'a [u8]) -> Self {
        Self { authority, path: path.into(), links: None }
    }
}

/// The authority of a request, or of a CONNECT, as the guest sent it.
pub fn sent_authority(request: &Request, default_port: u16) -> Result<Authority, Denial> {
    let authority = request.headers.single(":authority").ok_or(Denial::RequestMalformed)?;
    Authority::parse(authority, default_port).map_err(|_| Denial::AuthorityMalformed)
}

/// CONNECT target, authority and SNI of a decrypted request are one and the same host, or it goes
/// nowhere: the forward proxy behind us dials the inner authority, and only this check ties it to
/// the tunnel that was allowed.
fn tunnelled(request: &Request) -> Result<Authority, Denial> {
    let tunnel = request.tunnel.as_ref().ok_or(Denial::ConnectRequired)?;
    let authority = sent_authority(request, HTTPS_PORT)?;
    if Authority::parse(&tunnel.authority, HTTPS_PORT).as_ref() != Ok(&authority) {
        return Err(Denial::AuthorityMismatch);
    }
    let sni = tunnel.sni.as_deref().ok_or(Denial::SniMismatch)?;
    if Host::parse(sni).as_ref() != Ok(&authority.host) {
        return Err(Denial::SniMismatch);
    }
    Ok(authority)
}

/// A gateway is called by one of its own names, and then the first segment of the path names the
/// upstream; or by the upstream's name.
fn of_gateway<'a>(
    ingress: &Ingress,
    request: &Request,
    path: &'a [u8],
) -> Result<Addressed<'a>, Denial> {
    let as_own = sent_authority(request, HTTP_PORT)?;
    if !ingress.own_authorities.contains(&as_own) {
        return Ok(Addressed::directly(sent_authority(request, HTTPS_PORT)?, path));
    }
    let rest = path.strip_prefix(b"/").ok_or(Denial::PathMalformed)?;
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let (upstream, target) = rest.split_at(end);
    let authority =
        Authority::parse(upstream, HTTPS_PORT).map_err(|_| Denial::AuthorityMalformed)?;
    // `http://edge/api.example.com` and `http://edge/api.example.com?q` mean the root of that host.
    let path = match target.first() {
        Some(b'/') => target.into(),
        _ => [b"/", target].concat().into(),
    };
    let links = ingress.rewrite_links.map(|scheme| {
        let gateway = request.headers.single(":authority").unwrap_or_default();
        Rc::new(GatewayLinks::new(scheme, gateway, upstream, authority.clone()))
    });
    Ok(Addressed { authority, path, links })
}

/// The one upgrade that can be allowed. (Over h2 it is an extended CONNECT, RFC 8441, which Envoy
/// shows as this.)
fn wants_websocket(request: &Request) -> Result<bool, Denial> {
    if !request.headers.announce_upgrade() {
        return Ok(false);
    }
    match request.headers.single("upgrade") {
        Some(protocol) if protocol.eq_ignore_ascii_case(b"websocket") => Ok(true),
        _ => Err(Denial::UpgradeNotAllowed),
    }
}
