//! Links of a response to its destination become links to the gateway, and nothing else of a response changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use edge::headers::Headers;
use edge::policy::links::{GatewayLinks, LinkScheme, RewrittenHeader};
use lease::{Authority, HTTPS_PORT};
use proptest::prelude::*;

const GATEWAY: &str = "http://edge.internal:8080/api.example.com";

fn links() -> GatewayLinks {
    links_of(LinkScheme::Http, "api.example.com")
}

fn links_of(scheme: LinkScheme, segment: &str) -> GatewayLinks {
    let destination = Authority::parse(segment.as_bytes(), HTTPS_PORT).unwrap();
    GatewayLinks::new(scheme, b"edge.internal:8080", segment.as_bytes(), destination)
}

/// The only value of this header behind the gateway.
fn rewritten(links: &GatewayLinks, name: &str, value: &str) -> String {
    let values = rewritten_all(links, &[(name, value)]);
    let [value] = &values[..] else { panic!("{values:?}") };
    value.clone()
}

/// The values of the one header in `fields`, behind the gateway.
fn rewritten_all(links: &GatewayLinks, fields: &[(&str, &str)]) -> Vec<String> {
    let headers: Headers = fields.iter().copied().collect();
    match &links.rewrite(&headers)[..] {
        [] => fields.iter().map(|(_, value)| (*value).to_owned()).collect(),
        [RewrittenHeader { name, values }] => {
            assert_eq!(*name, fields[0].0);
            values.iter().map(|value| String::from_utf8(value.clone()).unwrap()).collect()
        }
        several => panic!("{several:?}"),
    }
}

#[test]
fn reference_to_the_destination_names_the_gateway() {
    for name in ["location", "content-location"] {
        for (reference, expected) in [
            ("https://api.example.com/v1/a?b=c#d", "/v1/a?b=c#d"),
            ("https://api.example.com:443/v1/a", "/v1/a"),
            ("HTTPS://API.Example.Com/v1/a", "/v1/a"),
            ("https://api.example.com./", "/"),
            ("https://api.example.com", ""),
            ("https://api.example.com?page=2", "?page=2"),
            ("https://api.example.com#top", "#top"),
            ("https://api.example.com//a//b", "//a//b"),
            ("https://api.example.com/a@b:c", "/a@b:c"),
            (
                "https://api.example.com/a?next=https://api.example.com/b",
                "/a?next=https://api.example.com/b",
            ),
            ("https://api.example.com/a?b=/../c", "/a?b=/../c"),
            ("https://api.example.com/a/...", "/a/..."),
        ] {
            assert_eq!(rewritten(&links(), name, reference), format!("{GATEWAY}{expected}"));
        }
    }
    // Without a host it has the page's, and the page is the gateway's.
    for (reference, expected) in
        [("/v1/a?b", "/api.example.com/v1/a?b"), ("/", "/api.example.com/")]
    {
        assert_eq!(rewritten(&links(), "location", reference), expected);
    }
    // Without a scheme it has that of the page, which is the gateway's.
    let found = rewritten(&links(), "location", "//api.example.com/v1/a");
    assert_eq!(found, "//edge.internal:8080/api.example.com/v1/a");
    let secure = links_of(LinkScheme::Https, "api.example.com:8443");
    let found = rewritten(&secure, "location", "https://api.example.com:8443/v1/a");
    assert_eq!(found, "https://edge.internal:8080/api.example.com:8443/v1/a");
}

#[test]
fn reference_to_anything_else_stays() {
    for reference in [
        "/../a",
        "/a\\b",
        "v1/a",
        "",
        "?page=2",
        "#top",
        "../a",
        "https://other.example.com/v1/a",
        "https://api.example.com.evil.test/v1/a",
        "https://api.example.com:8443/v1/a",
        "https://api.example.com:/v1/a",
        "https://api.example.com:0443/v1/a",
        "http://api.example.com/v1/a",
        "http://api.example.com:443/v1/a",
        "ftp://api.example.com/v1/a",
        "//other.example.com/v1/a",
        "///api.example.com/v1/a",
        "https:/api.example.com/v1/a",
        "https:api.example.com/v1/a",
        "https//api.example.com/v1/a",
        " https://api.example.com/v1/a",
        "https://user@api.example.com/v1/a",
        "https://api.example.com@evil.test/v1/a",
        "https://api.example.com:443@evil.test/v1/a",
        "https://api.example.com\\@evil.test/v1/a",
        "https://api.example.com\\.evil.test/v1/a",
        "https://%61pi.example.com/v1/a",
        "https://api.example.com /v1/a",
        "https://api.example.com/v1/a b",
        "https://api.example.com/v1\\a",
        "https://api.example.com/<a>",
        "https://api.example.com/caf\u{e9}",
        "https://api.example.com/\u{1}",
        // Its client would take away the segment that names the destination.
        "https://api.example.com/../other.example.com/v1/a",
        "https://api.example.com/..",
        "https://api.example.com/%2e%2E/other.example.com",
        "https://api.example.com/.%2e?a",
    ] {
        assert_eq!(rewritten(&links(), "location", reference), reference);
        let field = format!("<{reference}>; rel=next");
        assert_eq!(rewritten(&links(), "link", &field), field);
    }
    for name in ["refresh", "x-location", "uri"] {
        let value = "https://api.example.com/v1/a";
        assert_eq!(rewritten(&links(), name, value), value);
    }
    let twice =
        [("location", "https://api.example.com/a"), ("location", "https://api.example.com/b")];
    assert_eq!(rewritten_all(&links(), &twice), [twice[0].1, twice[1].1], "which one is meant?");
}

#[test]
fn link_changes_in_its_targets_alone() {
    let there = "https://api.example.com/v1/a";
    for field in [
        "<@>; rel=next",
        "<@>;rel=\"next\", <@>; rel=\"last\"",
        "<@>",
        "<@> , <https://other.example.com/>; rel=last,,\t<@>;;rel = next ;",
        "<relative>; rel=prev, <@>; rel=next",
        "<@>; title=\"a, b> c; \\\"<https://api.example.com/>\\\\\"; rel=next, <@>",
        "<@>; anchor=\"https://api.example.com/v1/a\"",
        "<@>; type=text/html; title*=UTF-8''a%20b; media=\"x\"; crossorigin",
        ", ,<@>",
    ] {
        let link = |target: &str| field.replace('@', target);
        let found = rewritten(&links(), "link", &link(there));
        assert_eq!(found, link(&format!("{GATEWAY}/v1/a")));
    }
}

#[test]
fn malformed_link_stays() {
    for field in [
        "https://api.example.com/v1/a",
        "<https://api.example.com/v1/a",
        "<https://api.example.com/v1/a>; title=\"open",
        "<https://api.example.com/v1/a>; title=\"open\\",
        "<https://api.example.com/v1/a>; title=a\"b",
        "<https://api.example.com/v1/a>; rel=next <https://api.example.com/v1/a>",
        "<https://api.example.com/v1/a> rel=next",
        "<https://api.example.com/v1/a>, rel=next",
        "<https://api.example.com/v1/a>; \"rel\"=next",
        "<<https://api.example.com/v1/a>>",
        "<https://api.example.com/v1/a>; a=b=c; rel=<x>",
        "",
    ] {
        assert_eq!(rewritten(&links(), "link", field), field);
    }
}

/// A field that cannot be read changes nothing of another.
#[test]
fn fields_of_several_links_keep_their_order() {
    let there = "<https://api.example.com/v1/a>; rel=next";
    let fields = [("link", "<open"), ("link", there), ("link", "<b>"), ("link", there)];
    let here = format!("<{GATEWAY}/v1/a>; rel=next");
    assert_eq!(rewritten_all(&links(), &fields), ["<open", &here, "<b>", &here]);
    let all: Headers =
        [("link", there), ("location", "https://api.example.com/"), ("link", "<x>")].into();
    let names: Vec<_> = links().rewrite(&all).iter().map(|header| header.name).collect();
    assert_eq!(names, ["location", "link"]);
}

/// Pieces of fields, most of them of trouble.
const PIECES: [&str; 28] = [
    "<",
    ">",
    ",",
    ";",
    "=",
    "\"",
    "\\",
    " ",
    "\t",
    "rel",
    "next",
    "https://",
    "//",
    "/",
    "?",
    "#",
    "@",
    "api.example.com",
    ":443",
    ":8443",
    "evil.test",
    "https://api.example.com/",
    "\u{e9}",
    "..",
    "%2e",
    "<https://api.example.com/a>",
    "; title=\"x, <https://api.example.com/>\"",
    "<//api.example.com>",
];

fn field() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..24)
        .prop_map(|pieces| pieces.concat())
}

/// Everything that the gateway's base has replaced, put back.
fn undone(field: &str) -> String {
    field.replace("//edge.internal:8080/SEGMENT", "//api.example.com").replace("/SEGMENT", "")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Authorities of the destination are all that changes: with the gateway's base taken out again, the field is
    /// what it was, but for the port and for capitals, which these fields do not have.
    #[test]
    fn nothing_but_the_authority_of_matching_targets_changes(field in field()) {
        let destination = Authority::parse(b"api.example.com", HTTPS_PORT).unwrap();
        // A segment that no field holds by itself.
        let links = GatewayLinks::new(LinkScheme::Https, b"edge.internal:8080", b"SEGMENT", destination);
        let link = rewritten(&links, "link", &field);
        let plain = |text: &str| text.replace("api.example.com:443", "api.example.com");
        prop_assert_eq!(plain(&undone(&link)), plain(&field));
        // Outside of `<` and `>` and inside of quotes, the destination's name stays.
        if link != field {
            let inside = link.split('<').skip(1).any(|part| {
                part.split('>').next().is_some_and(|target| target.contains("/SEGMENT"))
            });
            prop_assert!(inside, "{}", link);
        }
        let location = rewritten(&links, "location", &field);
        prop_assert_eq!(plain(&undone(&location)), plain(&field));
    }

    /// What is written by the grammar is found, whatever stands in its quotes.
    #[test]
    fn every_target_of_a_field_is_found(
        targets in proptest::collection::vec(("[a-z0-9/?&=.-]{0,12}", "[ -~]{0,20}", any::<bool>()), 1..6),
    ) {
        let field = |base: &dyn Fn(bool) -> &'static str| {
            let link = |(path, title, own): &(String, String, bool)| {
                let title = title.replace('\\', "\\\\").replace('"', "\\\"");
                format!("<{}/{path}>; rel=\"next\"; title=\"{title}\"", base(*own))
            };
            targets.iter().map(link).collect::<Vec<_>>().join(", ")
        };
        let climbs = targets.iter().any(|(path, ..)| {
            path.split('?').next().is_some_and(|path| path.split('/').any(|segment| segment == ".."))
        });
        prop_assume!(!climbs);
        let base = |own| if own { "https://api.example.com" } else { "https://other.example.com" };
        let expected = |own| if own { GATEWAY } else { "https://other.example.com" };
        prop_assert_eq!(rewritten(&links(), "link", &field(&base)), field(&expected));
    }
}
