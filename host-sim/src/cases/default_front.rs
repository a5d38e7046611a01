//! What stands in front of the first filter: Envoy's HTTP/1.1 codec and its connection manager, which
//! refuse some requests themselves and take hop-by-hop headers out of the others.
//!
//! As Envoy 1.40 does it with default settings and `allow_custom_methods`; `cargo xtask conformance` compares.

use crate::message::Message;

/// What a method may have beside letters and digits (RFC 9110 section 5.6.2).
const OF_TOKEN: &[u8] = b"!#$%&'*+-.^_`|~";
/// What the characters of an authority may be beside letters and digits.
const OF_AUTHORITY: &[u8] = b"-._~%!$&'()[]*+,;=:@";
/// A `Connection` header with this many names is refused.
const TOO_MANY_NAMES: usize = 10;
/// Headers no guest may have taken out by naming them in `Connection`.
const NOT_TO_BE_NAMED: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
/// Options of a connection, not names of headers.
const OPTIONS: [&str; 4] = ["close", "http2-settings", "keep-alive", "upgrade"];

/// A request as the first filter sees it, or the status it is refused with before.
///
/// # Errors
/// 400, in every case there is.
pub(super) fn receive(mut message: Message) -> Result<Message, u16> {
    let method = message.headers.text(":method").unwrap_or_default();
    let authority = message.headers.text(":authority");
    let path = message.headers.text(":path").unwrap_or_default();
    let fine = is_token(&method)
        && match method.as_str() {
            "CONNECT" => is_connect_target(authority.as_deref().unwrap_or_default()),
            _ => is_path(&path) && authority.is_some_and(|authority| is_authority(&authority)),
        };
    let fine = fine && take_nominated_out(&mut message);
    take_hop_by_hop_out(&mut message);
    if fine { Ok(message) } else { Err(400) }
}

fn is_token(method: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || OF_TOKEN.contains(&byte);
    !method.is_empty() && method.bytes().all(fits)
}

fn is_path(path: &str) -> bool {
    let printable = |byte: u8| matches!(byte, b'\t' | 0x0c | b'!'..=b'~');
    path.starts_with(['/', '*']) && path.bytes().all(printable) && !path.contains('#')
}

fn is_authority(authority: &str) -> bool {
    authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || OF_AUTHORITY.contains(&byte))
}

/// A host and a port, which must not be missing: `api.example.com:443`, `[::1]:443`.
fn is_connect_target(target: &str) -> bool {
    let Some((host, port)) = target.rsplit_once(':') else { return false };
    let port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let small = target.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
            !host.is_empty() && host.bytes().all(fits)
        }
    };
    host && port && small
}

/// Takes out what `Connection` names, and the names out of it. False: refused.
fn take_nominated_out(message: &mut Message) -> bool {
    let Some(connection) = message.headers.text("connection") else { return true };
    let tokens: Vec<String> =
        connection.split(',').map(|token| token.trim().to_ascii_lowercase()).collect();
    let forbidden =
        |token: &String| token.starts_with(':') || NOT_TO_BE_NAMED.contains(&token.as_str());
    if tokens.len() >= TOO_MANY_NAMES || tokens.iter().any(forbidden) {
        return false;
    }
    let mut kept = Vec::new();
    for token in tokens.iter().filter(|token| *token != "connection") {
        let stays =
            OPTIONS.contains(&token.as_str()) || token == "te" && asks_for_trailers(message);
        if stays {
            kept.push(token.as_str());
        } else {
            message.headers.remove(token);
        }
    }
    if kept.len() < tokens.len() {
        message.headers.replace("connection", kept.join(","));
    }
    true
}

fn take_hop_by_hop_out(message: &mut Message) {
    let connection = message.headers.text("connection").unwrap_or_default();
    let upgrades = connection.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    if !(upgrades && message.headers.get("upgrade").is_some()) {
        message.headers.remove("connection");
        message.headers.remove("upgrade");
        if asks_for_trailers(message) {
            message.headers.replace("te", "trailers");
        } else {
            message.headers.remove("te");
        }
    }
    for name in ["keep-alive", "proxy-connection", "transfer-encoding"] {
        message.headers.remove(name);
    }
}

fn asks_for_trailers(message: &Message) -> bool {
    let te = message.headers.text("te").unwrap_or_default();
    te.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

#[cfg(test)]
mod tests {
    use super::super::request_text::parse;
    use super::*;

    fn received(text: &str) -> Result<Message, u16> {
        receive(parse(text).unwrap())
    }

    #[test]
    fn what_envoy_refuses_itself() {
        for text in [
            "G@T / HTTP/1.1\nHost: a",
            "GET /#x HTTP/1.1\nHost: a",
            "GET / HTTP/1.1\nHost: a/b",
            "GET / HTTP/1.1",
            "GET x HTTP/1.1\nHost: a",
            "GET / HTTP/1.1\nHost: a\nConnection: x-forwarded-for",
            "GET / HTTP/1.1\nHost: a\nConnection: :path",
            "GET / HTTP/1.1\nHost: a\nConnection: a,b,c,d,e,f,g,h,i,j",
        ] {
            assert_eq!(received(text).err(), Some(400), "{text}");
        }
        let connect =
            |target: &str| received(&format!("CONNECT x HTTP/1.1\nHost: {target}")).is_ok();
        for target in ["a.example:443", "[::1]:443", "127.1:80", "a..example:0"] {
            assert!(connect(target), "{target}");
        }
        for target in
            ["a", "a:", "a_b:443", "a:x", "a:65536", "u@a:443", "a%2e:443", "[::1:443", "[::x]:443"]
        {
            assert!(!connect(target), "{target}");
        }
    }

    #[test]
    fn what_is_for_the_next_hop_alone_ends_here() {
        let text = "GET / HTTP/1.1\nHost: a\nConnection: x-a, close\nX-A: 1\nX-B: 2\nTE: gzip\nUpgrade: h2c";
        let headers = received(text).unwrap().headers;
        for gone in ["connection", "x-a", "te", "upgrade"] {
            assert_eq!(headers.get(gone), None, "{gone}");
        }
        assert_eq!(headers.text("x-b").as_deref(), Some("2"));
        let text = "GET / HTTP/1.1\nHost: a\nConnection: Upgrade, x-a\nX-A: 1\nUpgrade: websocket\nTE: trailers, gzip";
        let headers = received(text).unwrap().headers;
        assert_eq!(headers.text("connection").as_deref(), Some("upgrade"));
        assert_eq!(headers.text("upgrade").as_deref(), Some("websocket"));
        assert_eq!(headers.get("x-a"), None);
        let headers = received("GET / HTTP/1.1\nHost: a\nTE: gzip, Trailers").unwrap().headers;
        assert_eq!(headers.text("te").as_deref(), Some("trailers"));
    }
}
