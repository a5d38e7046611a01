//! Matching with stars, once, for the bytes of a segment and for the segments of a path.

/// Does `pattern` match all of `text`, where a star matches any run of items, also an empty one?
///
/// Linear in `text` for one star and at worst `pattern * text`: on a mismatch only the last star
/// takes one more item, so a hostile path cannot make it explode.
pub fn matches<P, I: Iterator + Clone>(
    pattern: &[P],
    text: I,
    is_star: impl Fn(&P) -> bool,
    matches_one: impl Fn(&P, &I::Item) -> bool,
) -> bool {
    let (mut p, mut rest) = (0, text);
    // Where the pattern goes on behind the last star, and the text behind what that has taken.
    let mut last_star: Option<(usize, I)> = None;
    loop {
        let mut next = rest.clone();
        let Some(item) = next.next() else {
            return pattern.iter().skip(p).all(is_star);
        };
        match pattern.get(p) {
            Some(part) if is_star(part) => {
                p += 1;
                if p == pattern.len() {
                    return true;
                }
                last_star = Some((p, rest.clone()));
            }
            Some(part) if matches_one(part, &item) => {
                p += 1;
                rest = next;
            }
            _ => {
                let Some((behind, taken)) = &mut last_star else { return false };
                taken.next();
                (p, rest) = (*behind, taken.clone());
            }
        }
    }
}

/// Is there a text that both patterns match?
///
/// Fills the table "do the rests from here on overlap" from its end, a row at a time.
pub fn overlaps<P>(
    a: &[P],
    b: &[P],
    is_star: impl Fn(&P) -> bool,
    overlaps_one: impl Fn(&P, &P) -> bool,
) -> bool {
    let cell = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let overlap = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(x), _) if is_star(x) => cell(&below, j) || cell(&row, j + 1),
                (_, Some(y)) if is_star(y) => cell(&row, j + 1) || cell(&below, j),
                (Some(x), Some(y)) => overlaps_one(x, y) && cell(&below, j + 1),
                _ => false,
            };
            if let Some(slot) = row.get_mut(j) {
                *slot = overlap;
            }
        }
        below = row;
    }
    cell(&below, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_match(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.bytes(), |p| *p == b'*', |p, t| p == t)
    }

    fn bytes_overlap(a: &str, b: &str) -> bool {
        overlaps(a.as_bytes(), b.as_bytes(), |p| *p == b'*', |x, y| x == y)
    }

    /// The definition, exponential and plain.
    fn reference(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|n| reference(rest, &text[n..])),
            Some((p, rest)) => text.first() == Some(p) && reference(rest, &text[1..]),
        }
    }

    #[test]
    fn a_star_matches_any_number() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("a", "ab", false),
        ] {
            assert_eq!(bytes_match(pattern, text), expected, "{pattern} {text}");
        }
        assert!(bytes_overlap("a*", "*b") && !bytes_overlap("a*", "b*") && bytes_overlap("*", ""));
    }

    proptest! {
        #[test]
        fn it_matches_as_the_definition_does(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
            prop_assert_eq!(bytes_match(&pattern, &text), reference(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn overlap_is_complete(a in "[ab*]{0,5}", b in "[ab*]{0,5}", text in "[ab]{0,7}") {
            if bytes_match(&a, &text) && bytes_match(&b, &text) {
                prop_assert!(bytes_overlap(&a, &b));
            }
            prop_assert_eq!(bytes_overlap(&a, &b), bytes_overlap(&b, &a));
        }
    }
}
