//! The paths an allow-list rule means.

use crate::policy::decoding::{agree, cut_at};
use crate::policy::path::CanonicalPath;
use crate::policy::path_error::PathError;
use crate::policy::path_syntax::PathSyntax;
use crate::policy::wildcard;
use std::fmt;
use std::str::FromStr;

/// A pattern over canonical paths: `*` matches any run of bytes inside one segment (a segment
/// that is only `*` is not empty), `**` as a whole segment for any number of segments, also none.
///
/// `/repos/acme/**` matches `/repos/acme`, `/repos/acme/` and everything below.
///
/// A path that a server may cut off (`/repos/who%3F/issues`, which to some is `/repos/who`) is matched
/// only where the pattern allows what is left of it. A path with `;` parameters is matched only where the
/// pattern allows it without them, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGlob {
    segments: Vec<Segment>,
    /// The syntax that the pattern itself spells out.
    syntax: PathSyntax,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `**`
    Many,
    /// With stars or without.
    One(Box<str>),
}

/// The text is no [`PathGlob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobError {
    text: String,
    fault: GlobFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GlobFault {
    Path(PathError),
    /// `**` beside other bytes in a segment.
    DoubleStar,
    Query,
    /// Not in the spelling that paths are brought into, so that it could never match.
    Spelling,
    TooLong,
}

const MAX_LENGTH: usize = 1024;

// === impl PathGlob ===

impl PathGlob {
    /// The syntax that the rule must allow for the pattern to match.
    pub fn syntax(&self) -> PathSyntax {
        self.syntax
    }

    pub fn matches(&self, path: &CanonicalPath) -> bool {
        let whole = self.matches_segments(path.segments())
            && (!path.as_str().contains('%') || self.matches_cut(path, path.segments()));
        whole
            && (!path.syntax().has(PathSyntax::PARAMETERS) || {
                let named = self.without_parameters(path);
                self.matches_segments(named.clone()) && self.matches_cut(path, named)
            })
    }

    fn matches_segments<'p>(&self, segments: impl Iterator<Item = &'p str> + Clone) -> bool {
        let is_star = |part: &Segment| *part == Segment::Many;
        wildcard::matches(&self.segments, segments, is_star, |part, segment| part.matches(segment))
    }

    /// How many segments at its beginning the pattern spells out. Those are the operator's own, and mean
    /// what they mean.
    fn spelled(&self) -> usize {
        self.segments.iter().take_while(|part| part.is_literal()).count()
    }

    fn without_parameters<'p>(
        &self,
        path: &'p CanonicalPath,
    ) -> impl Iterator<Item = &'p str> + Clone + use<'p> {
        let spelled = self.spelled();
        let is_spelled = move |n: usize| n < spelled;
        let segments = path.segments().enumerate();
        segments.map(move |(n, segment)| if is_spelled(n) { segment } else { named(segment) })
    }

    /// Does it match what is left of a path that it matches, wherever a server cuts that off? `read` are
    /// the segments as the server reads them.
    ///
    /// Behind what is spelled out the first segment that can be cut has to lie where anything is allowed.
    fn matches_cut<'p>(
        &self,
        path: &'p CanonicalPath,
        read: impl Iterator<Item = &'p str> + Clone,
    ) -> bool {
        let mut cuts = path.segments().enumerate().skip(self.spelled());
        let cut = cuts.find_map(|(n, segment)| Some((n, segment.get(..cut_at(segment)?)?)));
        let Some((n, left)) = cut else { return true };
        let before = read.clone().take(n);
        match self.segments.last() {
            Some(Segment::Many) => self.matches_segments(before),
            Some(Segment::One(last)) => {
                let is_last = read.count() == n + 1;
                last.ends_with('*') && is_last && self.matches_segments(before.chain([left]))
            }
            None => false,
        }
    }

    /// Is there a path that both match? May be true where the answer is no, never the reverse.
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_star = |part: &Segment| *part == Segment::Many;
        wildcard::overlaps(&self.segments, &other.segments, is_star, Segment::overlaps)
    }
}

impl FromStr for PathGlob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        parse(text).map_err(|fault| GlobError { text: text.to_owned(), fault })
    }
}

fn parse(text: &str) -> Result<PathGlob, GlobFault> {
    if text.len() > MAX_LENGTH {
        return Err(GlobFault::TooLong);
    }
    if text.contains('?') {
        return Err(GlobFault::Query);
    }
    let path = CanonicalPath::parse(text.as_bytes()).map_err(GlobFault::Path)?;
    if text.contains("/./") {
        return Err(GlobFault::Path(PathError::DotSegment));
    }
    if path.as_str() != text {
        return Err(GlobFault::Spelling);
    }
    let segments = path.segments().map(|segment| match segment {
        "**" => Ok(Segment::Many),
        _ if segment.contains("**") => Err(GlobFault::DoubleStar),
        _ => Ok(Segment::One(segment.into())),
    });
    Ok(PathGlob { segments: segments.collect::<Result<_, _>>()?, syntax: path.syntax() })
}

/// A segment without its parameters (RFC 3986 section 3.3).
fn named(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

// === impl Segment ===

impl Segment {
    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Many => false,
            Self::One(own) if &**own == "*" => !segment.is_empty(),
            // A letter of the pattern may be part of an escape (`*5` and `%65`), and is none then.
            Self::One(own) => **own == *segment || agree(own, segment, matches_bytes),
        }
    }

    /// Without a star?
    fn is_literal(&self) -> bool {
        matches!(self, Self::One(own) if !own.contains('*'))
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(a), Self::One(b)) => {
                wildcard::overlaps(a.as_bytes(), b.as_bytes(), |part| *part == b'*', |x, y| x == y)
            }
            _ => true,
        }
    }
}

fn matches_bytes(pattern: &[u8], segment: &[u8]) -> bool {
    wildcard::matches(pattern, segment.iter(), |part| *part == b'*', |part, byte| part == *byte)
}

// === impl GlobError ===

impl fmt::Display for GlobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.fault {
            GlobFault::Path(error) => write!(f, "{text:?} matches no path: {error}"),
            GlobFault::DoubleStar => write!(f, "{text:?}: '**' stands only as a whole segment"),
            GlobFault::Query => write!(f, "{text:?}: the query is not part of the path"),
            GlobFault::Spelling => write!(
                f,
                "{text:?}: write letters, digits and -._~ plainly and other escapes as %XX in upper case"
            ),
            GlobFault::TooLong => write!(f, "a path pattern has at most {MAX_LENGTH} bytes"),
        }
    }
}

impl std::error::Error for GlobError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn glob(text: &str) -> PathGlob {
        text.parse().unwrap()
    }

    fn path(text: &str) -> CanonicalPath {
        CanonicalPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_any_number() {
        for (pattern, yes, no) in [
            ("/", &["/"][..], &["/a"][..]),
            ("/a", &["/a"], &["/a/", "/A", "/ab", "/"]),
            ("/repos/*", &["/repos/x"], &["/repos/", "/repos", "/repos/x/y"]),
            (
                "/repos/acme/**",
                &["/repos/acme", "/repos/acme/", "/repos/acme/x/y"],
                &["/repos/acmes"],
            ),
            ("/**", &["/", "/a", "/a/b/"], &[]),
            ("/**/issues", &["/issues", "/a/b/issues"], &["/a/issues/1"]),
            ("/v*/x", &["/v/x", "/v12/x"], &["/w/x", "/v1/2/x"]),
            ("/a/**/b/**/c", &["/a/b/c", "/a/1/b/2/3/c"], &["/a/c", "/a/b"]),
        ] {
            yes.iter().for_each(|p| assert!(glob(pattern).matches(&path(p)), "{pattern} {p}"));
            no.iter().for_each(|p| assert!(!glob(pattern).matches(&path(p)), "{pattern} {p}"));
        }
    }

    #[test]
    fn errors_name_the_pattern_and_the_fix() {
        for (text, part) in [
            ("repos/**", "begins with '/'"),
            ("/a**", "'**' stands only as a whole segment"),
            ("/a?x=1", "the query is not part"),
            ("/a/../b", "no '.' or '..'"),
            ("/a/./b", "no '.' or '..'"),
            ("/%61", "write letters"),
            ("/a%c3%a9", "upper case"),
        ] {
            let message = text.parse::<PathGlob>().unwrap_err().to_string();
            assert!(message.contains(part) && message.contains(text), "{message}");
        }
    }

    #[test]
    fn parameters_pass_only_where_the_path_without_them_matches_too() {
        for (pattern, raw, passes) in [
            ("/v1/*/a", "/v1/x;y=1/a", true),
            ("/v1/*/a", "/v1/;y=1/a", false),
            ("/v1/*/a", "/v1/x/a;y=1", false),
            ("/v1/a*b", "/v1/a;b", false),
            ("/v1/**", "/v1/;a/b;c;d", true),
            ("/v1;x/*", "/v1;x/a;b", true),
            ("/v1;x/*", "/v1/a", false),
            // Cut off at `%3F` and without parameters it is `/v1/a/c`.
            ("/v1/**/a*b/**", "/v1/a;b/c;%3F/axb", false),
            ("/v1/**/a*b/**", "/v1/axb;b/c;%3F/axb", true),
        ] {
            assert_eq!(glob(pattern).matches(&path(raw)), passes, "{pattern} {raw}");
        }
    }

    #[test]
    fn a_hostile_path_is_matched_in_time() {
        let pattern = glob("/**/a*a*a*a*b/**/a*a*a*b/**/c");
        let long = format!("/{}", ["aaaaaaaaaaaaaaaa"; 200].join("/"));
        assert!(!pattern.matches(&path(&long)));
    }

    proptest! {
        #[test]
        fn overlap_is_never_missed(
            a in "(/([ab]|\\*|\\*\\*|a\\*)){1,4}", b in "(/([ab]|\\*|\\*\\*|a\\*)){1,4}",
            p in "(/[ab]{1,2}){1,5}",
        ) {
            let (a, b) = (glob(&a), glob(&b));
            if a.matches(&path(&p)) && b.matches(&path(&p)) {
                prop_assert!(a.overlaps(&b) && b.overlaps(&a));
            }
        }
    }
}
