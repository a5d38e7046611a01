//! Changes of headers: of a request that goes on, and of the response to it.

use crate::facts;
use crate::host::{self, Failed};
use abi::types::MapType;
use edge::policy::edits::Edit;
use edge::policy::links::GatewayLinks;

/// Trailers come when the decision about the headers is long made, and some servers merge them into
/// those. Nothing a guest may do needs one, so none passes.
pub fn drop_trailers() -> Result<(), Failed> {
    let trailers = host::headers(MapType::HttpRequestTrailers)?;
    trailers.iter().try_for_each(|(name, _)| host::remove(MapType::HttpRequestTrailers, name))
}

/// Makes one change of a request's headers.
pub fn apply(edit: Edit<'_>) -> Result<(), Failed> {
    match edit {
        Edit::Remove(name) => host::remove(MapType::HttpRequestHeaders, name),
        Edit::Set { name, value } => host::set_request_header(name, value),
    }
}

/// Has the links of a response of the destination name the gateway. A failure is logged, and the response goes on:
/// its links protect nothing.
pub fn rewrite_links(links: &GatewayLinks) {
    if let Err(Failed(status)) = rewrite_all_links(links) {
        log::error!("leasehold: failed to rewrite the links of a response: status {status}");
    }
}

fn rewrite_all_links(links: &GatewayLinks) -> Result<(), Failed> {
    const HEADERS: MapType = MapType::HttpResponseHeaders;
    let rewritten = links.rewrite(&host::headers(HEADERS)?);
    if rewritten.is_empty() || !facts::is_from_upstream() {
        return Ok(());
    }
    for header in rewritten {
        host::remove(HEADERS, header.name.as_bytes())?;
        header.values.iter().try_for_each(|value| host::add(HEADERS, header.name, value))?;
    }
    Ok(())
}
