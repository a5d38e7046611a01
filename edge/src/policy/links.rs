//! Links of a destination to itself, made into links to the gateway.
//!
//! A guest that calls the gateway by its own name cannot follow `https://api.example.com/next`: it reaches
//! nothing but the gateway. It can follow `http://edge.internal:8080/api.example.com/next`.

use crate::headers::Headers;
use lease::{Authority, HTTPS_PORT};
use std::ops::Range;

/// The rewriting of one destination's links to itself, for one request.
#[derive(Clone, Debug)]
pub struct GatewayLinks {
    destination: Authority,
    scheme: LinkScheme,
    /// The gateway's authority and the segment that names the destination, as the guest wrote them:
    /// `edge.internal:8080` and `/api.example.com`.
    gateway: Vec<u8>,
    segment: Vec<u8>,
}

/// By which scheme guests call the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkScheme {
    Http,
    Https,
}

/// A header of a response that changes: all its values, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct RewrittenHeader {
    pub name: &'static str,
    pub values: Vec<Vec<u8>>,
}

/// Where a parser is in a field.
struct Cursor<'f> {
    field: &'f [u8],
    at: usize,
}

/// Headers whose value is one URI reference (RFC 9110 sections 8.7 and 10.2.2).
const REFERENCES: [&str; 2] = ["location", "content-location"];
/// A list of links (RFC 8288).
const LINK: &str = "link";

// === impl GatewayLinks ===

impl GatewayLinks {
    /// `gateway` and `segment` are what the guest wrote to name the gateway and, in the path, the destination.
    pub fn new(scheme: LinkScheme, gateway: &[u8], segment: &[u8], destination: Authority) -> Self {
        Self { destination, scheme, gateway: gateway.into(), segment: [b"/", segment].concat() }
    }

    /// The headers of a response that name the destination. A reference that is malformed, is relative to the
    /// path of the request, or names another host stays as it is.
    pub fn rewrite(&self, headers: &Headers) -> Vec<RewrittenHeader> {
        let references = REFERENCES.into_iter().filter_map(|name| {
            let value = self.rewrite_reference(headers.single(name)?)?;
            Some(RewrittenHeader { name, values: vec![value] })
        });
        references.chain(self.rewrite_links(headers)).collect()
    }

    fn rewrite_links(&self, headers: &Headers) -> Option<RewrittenHeader> {
        let fields = headers.all(LINK).map(|field| (field, self.rewrite_link(field)));
        let fields: Vec<_> = fields.collect();
        if fields.iter().all(|(_, rewritten)| rewritten.is_none()) {
            return None;
        }
        let values =
            fields.into_iter().map(|(field, rewritten)| rewritten.unwrap_or_else(|| field.into()));
        Some(RewrittenHeader { name: LINK, values: values.collect() })
    }

    fn rewrite_link(&self, field: &[u8]) -> Option<Vec<u8>> {
        let mut rewritten = Vec::new();
        let mut copied = 0;
        for target in link_targets(field)? {
            if let Some(reference) = self.rewrite_reference(field.get(target.clone())?) {
                rewritten.extend_from_slice(field.get(copied..target.start)?);
                rewritten.extend(reference);
                copied = target.end;
            }
        }
        rewritten.extend_from_slice(field.get(copied..)?);
        (copied > 0).then_some(rewritten)
    }

    /// A reference without a scheme (`//host/path`) gets the scheme of the page from its client, and the edge
    /// calls destinations by https. A reference without a host (`/path`) gets both.
    fn rewrite_reference(&self, reference: &[u8]) -> Option<Vec<u8>> {
        const HTTPS: &[u8] = b"https:";
        if reference.starts_with(b"/") && !reference.starts_with(b"//") {
            return self.in_segment(b"", reference);
        }
        let has_scheme =
            reference.get(..HTTPS.len()).is_some_and(|text| text.eq_ignore_ascii_case(HTTPS));
        let relative = if has_scheme { reference.get(HTTPS.len()..)? } else { reference };
        let rest = relative.strip_prefix(b"//")?;
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        let (authority, below) = rest.split_at(end);
        let names_destination =
            Authority::parse(authority, HTTPS_PORT).as_ref() == Ok(&self.destination);
        if !names_destination {
            return None;
        }
        let scheme: &[u8] = match self.scheme {
            _ if !has_scheme => b"",
            LinkScheme::Http => b"http:",
            LinkScheme::Https => HTTPS,
        };
        self.in_segment(&[scheme, b"//", &self.gateway].concat(), below)
    }

    /// A URI that begins with `start` and has the path `below` of the destination, if no client leaves the
    /// destination by it.
    fn in_segment(&self, start: &[u8], below: &[u8]) -> Option<Vec<u8>> {
        let stays = below.iter().copied().all(is_of_uri) && !climbs(below);
        stays.then(|| [start, &self.segment, below].concat())
    }
}

/// Printable, and not one of the characters that delimit URIs or that browsers read as a slash.
fn is_of_uri(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'\\')
}

/// Does a client leave the destination's segment behind when it resolves this path?
fn climbs(below: &[u8]) -> bool {
    let path = below.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    path.split(|b| *b == b'/').any(|segment| {
        let segment = String::from_utf8_lossy(segment).to_ascii_lowercase();
        segment.replace("%2e", ".") == ".."
    })
}

/// The places of the targets in a field `Link`; `None` where the field is malformed.
fn link_targets(field: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut cursor = Cursor { field, at: 0 };
    let mut targets = Vec::new();
    loop {
        cursor.skip(|byte| is_space(byte) || byte == b',');
        if cursor.peek().is_none() {
            return Some(targets);
        }
        if !cursor.take(b'<') {
            return None;
        }
        let start = cursor.at;
        cursor.skip(|byte| !matches!(byte, b'<' | b'>'));
        targets.push(start..cursor.at);
        if !cursor.take(b'>') || !cursor.skip_parameters() {
            return None;
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Of a parameter's name, or of its value without quotes. Servers write more than tokens (`type=text/html`).
fn is_of_parameter(byte: u8) -> bool {
    is_of_uri(byte) && !matches!(byte, b',' | b';' | b'=')
}

// === impl Cursor ===

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.field.get(self.at).copied()
    }

    /// Is it this byte? Then the cursor is behind it.
    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&is_skipped) {
            self.at += 1;
        }
    }

    /// To the comma behind a link, or to the end; `false` where anything else is in between.
    fn skip_parameters(&mut self) -> bool {
        loop {
            self.skip(is_space);
            if matches!(self.peek(), None | Some(b',')) {
                return true;
            }
            if !self.take(b';') {
                return false;
            }
            self.skip(is_space);
            self.skip(is_of_parameter);
            self.skip(is_space);
            if self.take(b'=') && !self.skip_value() {
                return false;
            }
        }
    }

    /// A quoted text may hold commas, `>` and escaped quotes.
    fn skip_value(&mut self) -> bool {
        self.skip(is_space);
        if !self.take(b'"') {
            self.skip(|byte| is_of_parameter(byte) || byte == b'=');
            return true;
        }
        loop {
            self.skip(|byte| !matches!(byte, b'"' | b'\\'));
            if self.take(b'"') {
                return true;
            }
            if !self.take(b'\\') || self.peek().is_none() {
                return false;
            }
            self.at += 1;
        }
    }
}
