//! Links in responses of a destination (`Location`, `Link`), which a gateway rewrites.

use edge::headers::Headers;
use edge::policy::links::{GatewayLinks, LinkScheme};
use lease::{Authority, HTTPS_PORT};

const BASE: &[u8] = b"//edge.internal:8080/api.example.com";

pub fn check(bytes: &[u8]) {
    if let Some(location) = rewritten("location", bytes) {
        let rest = location.strip_prefix(b"http:").unwrap_or(&location);
        let below = rest.strip_prefix(BASE).expect("the gateway's base");
        let name = bytes.strip_suffix(below).expect("the same path");
        let (_, authority) = str::from_utf8(name).unwrap().split_once("//").unwrap();
        assert_eq!(Authority::parse(authority.as_bytes(), HTTPS_PORT), Ok(destination()));
        assert_eq!(rewritten("location", &location), None, "once is enough");
    }
    let Some(link) = rewritten("link", bytes) else { return };
    assert_eq!(rewritten("link", &link), None, "once is enough");
    let outside = |field: &[u8]| {
        let begin = field.iter().position(|byte| *byte == b'<').unwrap();
        let end = field.iter().rposition(|byte| *byte == b'>').unwrap();
        (field[..=begin].to_vec(), field[end..].to_vec())
    };
    assert_eq!(outside(&link), outside(bytes));
    let count = |field: &[u8], wanted: &[u8]| {
        field.windows(wanted.len()).filter(|window| *window == wanted).count()
    };
    assert!(count(&link, BASE) > count(bytes, BASE));
    for delimiter in [b"<", b">", b"\"", b",", b";"] {
        assert_eq!(count(&link, delimiter), count(bytes, delimiter));
    }
}

fn destination() -> Authority {
    Authority::parse(b"api.example.com", HTTPS_PORT).unwrap()
}

/// `None`: it stays as it is.
fn rewritten(name: &str, value: &[u8]) -> Option<Vec<u8>> {
    let links = GatewayLinks::new(
        LinkScheme::Http,
        b"edge.internal:8080",
        b"api.example.com",
        destination(),
    );
    let headers: Headers = [(name, value)].into_iter().collect();
    let changed = links.rewrite(&headers).pop()?;
    assert_eq!((changed.name, changed.values.len()), (name, 1));
    assert_ne!(changed.values[0], value);
    changed.values.into_iter().next()
}
