//! The query of a request, for the rules that read it.
//!
//! Servers disagree about a query more than about a path: `;` and `?` divide parameters for some, `x.y`,
//! `X_y` and `x_y[]` are one name to others, and some decode twice. So a parameter that may be the one a
//! rule names counts as that one. A rule passes only what can be read in one way.

use crate::policy::decoding::{DEPTH, decode, decodings};
use crate::policy::expected::{Condition, Expected};
use std::borrow::Cow;

/// Does the condition hold for this query, in every way that servers read it? `query` begins with its
/// question mark, or is empty.
pub fn meets(query: &[u8], condition: &Condition) -> bool {
    let query = query.strip_prefix(b"?").unwrap_or(query);
    let name = condition.name.as_bytes();
    let Some(most) = most_often(query, name) else { return false };
    match &condition.expected {
        Expected::Absent => most == 0,
        expected => most == 1 && is_once(query, name, expected),
    }
}

/// How often a parameter of this name may be there, at most. `None`: the query can be decoded too often.
fn most_often(query: &[u8], name: &[u8]) -> Option<usize> {
    let count = |text: &[u8]| {
        let parameters = text.split(|byte| matches!(byte, b'&' | b';' | b'?'));
        parameters.filter(|parameter| may_be(name_of(parameter), name)).count()
    };
    let mut most = count(query);
    let mut forms = decodings(query);
    for form in forms.by_ref().take(DEPTH) {
        most = most.max(count(&form));
    }
    forms.next().is_none().then_some(most)
}

/// Is it there once, and as expected, for a server that reads the query by the standard (WHATWG URL,
/// section 5.1)?
fn is_once(query: &[u8], name: &[u8], expected: &Expected) -> bool {
    let parameters = query.split(|byte| *byte == b'&');
    let mut own = parameters.filter(|sent| *decoded(&with_blanks(name_of(sent))) == *name);
    let (Some(parameter), None) = (own.next(), own.next()) else { return false };
    let value = parameter.get(name_of(parameter).len() + 1..).unwrap_or_default();
    // A plus sign is a blank to most servers, and a plus sign to some.
    expected.includes(&decoded(&with_blanks(value))) && expected.includes(&decoded(value))
}

/// The text before the first equals sign.
fn name_of(parameter: &[u8]) -> &[u8] {
    parameter.split(|byte| *byte == b'=').next().unwrap_or(parameter)
}

fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    decode(text).map_or(text.into(), Cow::from)
}

fn with_blanks(text: &[u8]) -> Cow<'_, [u8]> {
    match text.contains(&b'+') {
        true => text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        false => text.into(),
    }
}

/// May a server take this name for that one? Some ignore case and blanks, some make one character of all
/// that is neither letter nor digit, some cut a name off at a bracket (`name[]`).
fn may_be(sent: &[u8], name: &[u8]) -> bool {
    let name = name.strip_suffix(b"[]").unwrap_or(name);
    let start = sent.iter().position(|byte| !is_blank(*byte)).unwrap_or(sent.len());
    let sent = sent.get(start..).unwrap_or_default();
    let Some((head, rest)) = sent.split_at_checked(name.len()) else { return false };
    let ends = rest.first().is_none_or(|byte| *byte == b'[' || is_blank(*byte));
    ends && head.iter().map(folded).eq(name.iter().map(folded))
}

fn is_blank(byte: u8) -> bool {
    byte == b'+' || byte == b' ' || byte.is_ascii_control()
}

fn folded(byte: &u8) -> u8 {
    match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        0x80.. => *byte,
        _ => b'_',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn condition(name: &str, expected: Expected) -> Condition {
        Condition { name: name.into(), expected }
    }

    fn meets_text(query: &str, name: &str, expected: Expected) -> bool {
        meets(query.as_bytes(), &condition(name, expected))
    }

    fn one_of(values: &[&str]) -> Expected {
        Expected::OneOf(values.iter().map(|value| Box::from(*value)).collect())
    }

    #[test]
    fn value_is_one_of_the_list_in_every_reading() {
        for (query, holds) in [
            ("?state=open", true),
            ("?page=2&state=open&q=a%26b", true),
            ("?st%61te=%6fpen", true),
            ("?state=all", true),
            ("", false),
            ("?", false),
            ("?page=2", false),
            ("?state", false),
            ("?state=", false),
            ("?state=closed", false),
            ("?State=open", false),
            ("?state=open&state=open", false),
            ("?state=open&state=closed", false),
            ("?state=open&STATE=closed", false),
            ("?state=open&state[]=closed", false),
            ("?state=open;state=closed", false),
            ("?state=open;x=1", false),
            ("?x=1;state=open", false),
            ("?state=open?state=closed", false),
            ("?state=open&x=1%26state=closed", false),
            ("?state=open&x=1%2526state=closed", false),
            ("?state=open&st%2561te=closed", false),
            ("?state=%256fpen", false),
            ("?state=open%00", false),
            ("?state=open&x=%25252541", false),
        ] {
            assert_eq!(meets_text(query, "state", one_of(&["open", "all"])), holds, "{query}");
        }
    }

    #[test]
    fn absent_parameter_is_absent_in_every_spelling() {
        for (query, holds) in [
            ("", true),
            ("?method=x&_methods=1&a_method=2", true),
            ("?q=_method", true),
            ("?_method", false),
            ("?_method=", false),
            ("?a=1&_method=DELETE", false),
            ("?a=1;_method=DELETE", false),
            ("?a=1?_method=DELETE", false),
            ("?%5fmethod=DELETE", false),
            ("?%255fmethod=DELETE", false),
            ("?%25255fmethod=DELETE", false),
            ("?a=1%26_method%3DDELETE", false),
            ("?_METHOD=DELETE", false),
            ("?.method=DELETE", false),
            ("?+_method=DELETE", false),
            ("?%20_method=DELETE", false),
            ("?_method[]=DELETE", false),
            ("?_method%5B0%5D=DELETE", false),
            ("?_method%00x=DELETE", false),
            ("?_method+=DELETE", false),
        ] {
            assert_eq!(meets_text(query, "_method", Expected::Absent), holds, "{query}");
        }
    }

    #[test]
    fn present_parameter_is_there_once_with_any_value() {
        for (query, holds) in
            [("?v", true), ("?v=", true), ("?v=a;b", true), ("", false), ("?v=1&v=2", false)]
        {
            assert_eq!(meets_text(query, "v", Expected::Present), holds, "{query}");
        }
        assert!(meets_text("?labels[]=a", "labels[]", Expected::Present));
        assert!(!meets_text("?labels[0]=a", "labels[]", Expected::Absent));
    }

    #[test]
    fn a_plus_sign_is_read_in_both_ways() {
        assert!(!meets_text("?q=a+b", "q", one_of(&["a b"])));
        assert!(!meets_text("?q=a+b", "q", one_of(&["a+b"])));
        assert!(meets_text("?q=a+b", "q", one_of(&["a b", "a+b"])));
        assert!(meets_text("?q=a%20b", "q", one_of(&["a b"])));
        assert!(meets_text("?q=a%2Bb", "q", one_of(&["a+b"])));
    }

    proptest! {
        #[test]
        fn what_is_absent_no_server_finds(query in "[&;=?a_A.+\\[\\]%256fF1 -]{0,16}") {
            let query = query.replace(' ', "%20");
            if meets_text(&format!("?{query}"), "a_", Expected::Absent) {
                let mut text = query.into_bytes();
                for _ in 0..4 {
                    for parameter in text.split(|b| b"&;?".contains(b)) {
                        let name = name_of(parameter);
                        let lower = name.to_ascii_lowercase();
                        prop_assert!(lower != b"a_" && lower != b"a." && lower != b"a_[]");
                    }
                    text = decoded(&text).into_owned();
                }
            }
        }
    }
}
