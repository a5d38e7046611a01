//! The host's facts about a request, besides its body.

use crate::host::{self, Failed};
use crate::root::Root;
use abi::types::MapType;
use edge::ids::Ticket;
use edge::request::{Request, Tunnel};

/// Filter state that the outer listener's `set_filter_state` carries to the inner one.
const CONNECT_AUTHORITY: &str = "filter_state\0leasehold.connect_authority";
const CONNECT_SESSION: &str = "filter_state\0leasehold.connect_session";
/// The code of its denial, where the CONNECT opened a tunnel without a session.
const CONNECT_REFUSAL: &str = "filter_state\0leasehold.connect_refusal";
const SERVER_NAME: &str = "connection\0requested_server_name";
/// The ticket that the filter in front of the router wrote there.
const TICKET: &str = "filter_state\0wasm.leasehold.ticket";
const RESPONSE_CODE: &str = "response\0code";
const RESPONSE_DETAILS: &str = "response\0code_details";

/// The facts by which `root` judges a request. Each is a host call, so the filter reads only those that decide.
///
/// `end`: nothing follows the headers.
pub fn request(end: bool, root: &Root) -> Result<Request, Failed> {
    let headers = host::headers(MapType::HttpRequestHeaders)?;
    let tunnel = if root.has_tunnels() { tunnel()? } else { None };
    let place = root.place().map(host::property).transpose()?.flatten();
    Ok(Request { headers, tunnel, place, has_body: !end })
}

fn tunnel() -> Result<Option<Tunnel>, Failed> {
    let Some(authority) = host::property(CONNECT_AUTHORITY)? else { return Ok(None) };
    let proxy_authorization = host::property(CONNECT_SESSION)?;
    let refusal = match proxy_authorization {
        Some(_) => None,
        None => host::property(CONNECT_REFUSAL)?,
    };
    let sni = host::property(SERVER_NAME)?;
    Ok(Some(Tunnel { authority, proxy_authorization, refusal, sni }))
}

/// The root that judged a request, and its number there: `ROOT.NUMBER`. `None`: it needs no lease.
pub fn ticket() -> Result<Option<(u32, Ticket)>, Failed> {
    let Some(text) = host::property(TICKET)? else { return Ok(None) };
    let parts = std::str::from_utf8(&text).ok().and_then(|text| text.split_once('.'));
    let ticket = parts.and_then(|(root, number)| Some((root.parse().ok()?, number.parse().ok()?)));
    ticket.map(Some).ok_or(Failed::INTERNAL)
}

/// The response's status; 0 if there was none, or the host does not return it.
pub fn status() -> u16 {
    // Envoy's integers are 8 bytes, little endian.
    let bytes = told(RESPONSE_CODE).and_then(|bytes| bytes.try_into().ok());
    bytes.and_then(|bytes| u16::try_from(u64::from_le_bytes(bytes)).ok()).unwrap_or_default()
}

/// Is the response the destination's, and not one of Envoy or of a filter?
pub fn is_from_upstream() -> bool {
    details() == b"via_upstream"
}

/// `%RESPONSE_CODE_DETAILS%`
pub fn details() -> Vec<u8> {
    told(RESPONSE_DETAILS).unwrap_or_default()
}

/// A property of a request that is over; `None` if the host does not return it.
fn told(property: &str) -> Option<Vec<u8>> {
    host::property(property).ok().flatten()
}
