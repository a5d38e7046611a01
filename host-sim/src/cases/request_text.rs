//! Requests as people write them: HTTP/1.1 text.

use crate::headers::HeaderMap;
use crate::message::Message;

/// Reads a request. `Host` becomes `:authority`; an absolute target brings its own. Lines end in LF
/// or CRLF; the first empty line ends the headers.
///
/// # Errors
/// What is missing, and where.
pub fn parse(text: &str) -> Result<Message, String> {
    let (head, body) = split_head(text);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, ' ');
    let (method, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let target = rest.rsplit_once(" HTTP/1.").map_or(rest, |(target, _)| target);
    if method.is_empty() || target.is_empty() {
        return Err(format!(
            "request: {first:?} is not a request line, such as GET /path HTTP/1.1"
        ));
    }
    let (scheme, of_target, path) = split_target(target);
    let mut headers = HeaderMap::new();
    let mut authority = of_target.map(str::to_owned);
    for line in lines {
        let (name, value) =
            line.split_once(':').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                format!("request: {line:?} is not a header line, such as name: value")
            })?;
        if name.eq_ignore_ascii_case("host") {
            authority.get_or_insert_with(|| value.trim().to_owned());
        } else {
            headers.add(name, value.trim());
        }
    }
    headers.add(":method", method);
    headers.add(":scheme", scheme);
    if let Some(authority) = authority {
        headers.add(":authority", authority);
    }
    headers.add(":path", path);
    Ok(Message { headers, body: body.as_bytes().to_vec(), trailers: HeaderMap::new() })
}

/// The text with one more header line.
pub fn with_header(text: &str, name: &str, value: &str) -> String {
    let (head, body) = split_head(text);
    format!("{}\n{name}: {value}\n\n{body}", head.trim_end())
}

/// Head and body.
pub fn split_head(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(['\r', '\n']);
    let ends =
        ["\r\n\r\n", "\n\n"].into_iter().filter_map(|end| text.find(end).map(|at| (at, end)));
    match ends.min() {
        Some((at, end)) => {
            let (head, rest) = text.split_at(at);
            (head, rest.get(end.len()..).unwrap_or_default())
        }
        None => (text.trim_end_matches(['\r', '\n']), ""),
    }
}

/// Scheme, authority and path of a request target.
fn split_target(target: &str) -> (&str, Option<&str>, &str) {
    let absolute = target.split_once("://").filter(|(scheme, _)| !scheme.contains('/'));
    let Some((scheme, rest)) = absolute else { return ("https", None, target) };
    match rest.find(['/', '?']) {
        Some(at) => {
            let (authority, path) = rest.split_at(at);
            (scheme, Some(authority), path)
        }
        None => (scheme, Some(rest), "/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_a_request() {
        let text = "POST /a?b HTTP/1.1\nHost: api.example.com\nx-a: 1\nX-A:2\n\nbody\n\nmore";
        let message = parse(text).unwrap();
        let expected = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "api.example.com"),
            (":path", "/a?b"),
            ("x-a", "1"),
            ("x-a", "2"),
        ];
        assert_eq!(message.headers, HeaderMap::from(expected));
        assert_eq!(message.body_text(), "body\n\nmore");
        let more = parse(&with_header(text, "x-b", "3")).unwrap();
        assert_eq!(more.headers.text("x-b").as_deref(), Some("3"));
        assert_eq!(more.body_text(), "body\n\nmore");
        let crlf = parse("GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(crlf.headers.text(":authority").as_deref(), Some("a"));
        let absolute = parse("GET http://a.example:80/x HTTP/1.1\nhost: b\n").unwrap();
        assert_eq!(absolute.headers.text(":authority").as_deref(), Some("a.example:80"));
        assert_eq!(absolute.headers.text(":path").as_deref(), Some("/x"));
    }

    #[test]
    fn what_is_none() {
        for (text, reason) in [
            ("", "\"\" is not a request line"),
            ("GET", "\"GET\" is not a request line"),
            ("GET / HTTP/1.1\nno colon", "\"no colon\" is not a header line"),
            ("GET / HTTP/1.1\n: x", "\": x\" is not a header line"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("request: {reason}")), "{text:?}: {error}");
        }
    }
}
