//! Headers that name a second resource: what a server copies from, or moves to.
//!
//! By them a rule that allows one path would allow every other. So `Destination` (RFC 4918 section 10.3) is
//! judged as the path is, and the others pass only where a rule names them.

use crate::headers::Headers;
use crate::policy::path::Target;
use crate::policy::proxy_headers::{is_read_as, read_as};
use lease::{Authority, HTTPS_PORT};

/// A resource that a request names beside its path.
#[derive(Clone, Debug)]
pub struct NamedResource {
    header: Box<[u8]>,
    /// Its place on the same host; `None` if that is not clear.
    pub target: Option<Target>,
}

// === impl NamedResource ===

impl NamedResource {
    /// All that the headers of a request to this authority name.
    pub fn all_in(headers: &Headers, authority: &Authority) -> Vec<Self> {
        let mut all = Vec::new();
        for (name, value) in headers.with_long_names(DESTINATION.len()) {
            if !may_name_resource(name) {
                continue;
            }
            let read = read_as(name);
            if *read == *DESTINATION {
                all.push(Self { header: name.into(), target: target_of(value, authority) });
            } else if is_source(&read) {
                all.push(Self { header: name.into(), target: None });
            }
        }
        all
    }

    /// Is this the header, to a server that folds names?
    pub fn is_in(&self, header: &str) -> bool {
        is_read_as(header, &read_as(&self.header))
    }
}

const DESTINATION: &[u8] = b"destination";

/// Most of a request's headers end here.
fn may_name_resource(name: &[u8]) -> bool {
    matches!(name, [b'd', .., b'n'] | [b'x', .., b'e' | b'm' | b't'])
}

/// `x-amz-copy-source`, `x-ms-rename-source`, OpenStack's `x-copy-from`, and those of services like them.
fn is_source(read: &[u8]) -> bool {
    [&b"-copy-source"[..], b"-rename-source", b"-copy-from"].iter().any(|end| read.ends_with(end))
        || matches!(read, b"x-object-manifest" | b"x-symlink-target")
}

/// A URL of this authority, or a path. It travels on as it was sent, so it must be in the spelling in which
/// it is judged.
fn target_of(value: &[u8], authority: &Authority) -> Option<Target> {
    let path = match value.strip_prefix(b"https://") {
        None => value,
        Some(rest) => {
            let (host, path) = rest.split_at(rest.iter().position(|byte| *byte == b'/')?);
            let sent = Authority::parse(host, HTTPS_PORT).ok()?;
            (sent == *authority).then_some(path)?
        }
    };
    let target = Target::parse(path).ok()?;
    target.to_bytes().eq_ignore_ascii_case(path).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, value: &str) -> Vec<NamedResource> {
        let authority = Authority::parse(b"dav.example", HTTPS_PORT).unwrap();
        NamedResource::all_in(&Headers::from([(name, value)]), &authority)
    }

    fn path(value: &str) -> Option<String> {
        let all = named("destination", value);
        let [resource] = &all[..] else { panic!("{value}") };
        resource.target.as_ref().map(|target| target.path.as_str().to_owned())
    }

    #[test]
    fn destination_is_a_path_of_the_same_host() {
        for (value, expected) in [
            ("/a/b", Some("/a/b")),
            ("https://dav.example/a/b", Some("/a/b")),
            ("https://DAV.example:443/a", Some("/a")),
            ("/caf%c3%a9", Some("/caf%C3%A9")),
            ("https://other.example/a", None),
            ("https://dav.example:8443/a", None),
            ("https://dav.example", None),
            ("https://x@dav.example/a", None),
            ("http://dav.example/a", None),
            ("a/b", None),
            ("/a/../b", None),
            ("/a/./b", None),
            ("/%61", None),
            ("//other.example/a", None),
            ("", None),
        ] {
            assert_eq!(path(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn headers_that_name_a_source_are_found_in_every_spelling() {
        for name in [
            "x-amz-copy-source",
            "x_amz_copy_source",
            "x-ms-rename-source",
            "x-goog-copy-source",
            "x-copy-from",
            "x-object-manifest",
        ] {
            assert!(
                matches!(&named(name, "/b/k")[..], [NamedResource { target: None, .. }]),
                "{name}"
            );
        }
        for name in ["x-amz-date", "content-type", "user-agent", "x-amz-copy-source-if-match"] {
            assert!(named(name, "/b/k").is_empty(), "{name}");
        }
    }
}
