//! Attributes of a request and its response.

use super::value::AttributeValue;
use crate::clock::Instant;
use crate::headers::HeaderMap;
use crate::stream::{HalfStream, HttpStream, grpc_status_of};
use std::time::Duration;

const PROTOCOL: &[u8] = b"HTTP/1.1";

/// Derived from the headers while they are there, and from what has come of the body.
pub fn of_request(stream: &HttpStream, attribute: &str, now: Instant) -> Option<AttributeValue> {
    let half = &stream.request;
    let headers = (half.visible.headers || stream.logging).then_some(&half.headers);
    let headers_size = headers.map_or(0, HeaderMap::byte_size);
    let size = body_size(half);
    match attribute {
        "size" => {
            let length = headers.and_then(|headers| headers.text("content-length"));
            let length = length.and_then(|text| text.parse().ok());
            return Some(AttributeValue::int(length.unwrap_or(size)));
        }
        "total_size" => return Some(AttributeValue::int(size + headers_size)),
        "headers_bytes" => return Some(AttributeValue::int(headers_size)),
        "protocol" => return Some(AttributeValue::text(PROTOCOL)),
        "time" => return Some(AttributeValue::Timestamp(stream.began.unix_nanos())),
        "duration" => {
            let nanos = now.unix_nanos().saturating_sub(stream.began.unix_nanos());
            return stream.logging.then(|| AttributeValue::Duration(Duration::from_nanos(nanos)));
        }
        _ => {}
    }
    let Some(headers) = headers else {
        return (attribute == "headers").then_some(AttributeValue::EmptyMap);
    };
    let header = |name: &str| headers.get(name).map(AttributeValue::text);
    let path = || headers.get(":path").map(<[u8]>::to_vec).unwrap_or_default();
    let split = |path: &[u8]| path.iter().position(|b| *b == b'?');
    match attribute {
        "method" => header(":method"),
        "host" => header(":authority"),
        "scheme" => header(":scheme"),
        "path" => header(":path"),
        "url_path" => {
            let mut path = path();
            path.truncate(split(&path).unwrap_or(path.len()));
            Some(AttributeValue::Text(path))
        }
        "query" => {
            let path = path();
            let query = split(&path).and_then(|at| path.get(at + 1..));
            Some(AttributeValue::text(query.unwrap_or_default()))
        }
        "id" => header("x-request-id"),
        "referer" => header("referer"),
        "useragent" => header("user-agent"),
        "headers" => Some(AttributeValue::Headers(headers.clone())),
        _ => in_map(attribute, "headers", headers),
    }
}

/// Maps that are not there yet are empty.
pub fn of_response(stream: &HttpStream, attribute: &str) -> Option<AttributeValue> {
    let half = &stream.response;
    let sizes = || half.headers.byte_size() + half.trailers.byte_size();
    let code = || half.headers.text(":status")?.parse::<u16>().ok();
    match attribute {
        "code" => Some(AttributeValue::int(usize::from(code()?))),
        "code_details" => {
            half.headers.get(":status")?;
            let reply = stream.reply.as_ref().map(|reply| reply.details.as_str());
            Some(AttributeValue::text(reply.unwrap_or("via_upstream")))
        }
        "flags" => Some(AttributeValue::int(0)),
        "grpc_status" => {
            let told = half.trailers.text("grpc-status");
            let told = told.or_else(|| half.headers.text("grpc-status"));
            let told = told.and_then(|text| text.parse().ok());
            Some(AttributeValue::int(
                told.or_else(|| usize::try_from(grpc_status_of(code()?)).ok())?,
            ))
        }
        "size" => Some(AttributeValue::int(body_size(half))),
        "total_size" => Some(AttributeValue::int(body_size(half) + sizes())),
        "headers_bytes" => Some(AttributeValue::int(half.headers.byte_size())),
        "backend_latency" => {
            let delay = stream.upstream.delay().filter(|_| stream.logging && code().is_some());
            delay.filter(|_| stream.reply.is_none()).map(AttributeValue::Duration)
        }
        "headers" => Some(AttributeValue::Headers(half.headers.clone())),
        "trailers" => Some(AttributeValue::Headers(half.trailers.clone())),
        _ => in_map(attribute, "headers", &half.headers)
            .or_else(|| in_map(attribute, "trailers", &half.trailers)),
    }
}

fn body_size(half: &HalfStream) -> usize {
    half.passed.as_ref().map_or(0, |passed| passed.body.len()) + half.body.len()
}

/// `headers NUL name`: all values of it, as one.
fn in_map(attribute: &str, map: &str, headers: &HeaderMap) -> Option<AttributeValue> {
    let (own, name) = attribute.split_once('\0')?;
    let values: Vec<_> = headers.all(name).filter(|_| own == map).collect();
    (!values.is_empty()).then(|| AttributeValue::Text(values.join(&b',')))
}
