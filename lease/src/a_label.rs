//! A-labels: the spelling of internationalised labels in DNS (RFC 5890 section 2.3.2.1).
//!
//! Hosts arrive as A-labels, and clients that follow the WHATWG URL standard refuse those that do not decode
//! or do not encode to the same again (UTS #46 section 4). So does this: Punycode (RFC 3492), and whole
//! ranges of characters that no label has. Rules that need Unicode's tables are not checked here:
//! normalisation, mapped characters one by one, the rules for joiners and for text from right to left.

/// Parameters of Punycode (RFC 3492 section 5).
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// False for a label that begins as an A-label and is a broken one; true for every other. `label` is in lower
/// case.
pub(crate) fn is_honest(label: &str) -> bool {
    let Some(encoded) = label.strip_prefix("xn--") else { return true };
    decode(encoded).is_some_and(|text| {
        !text.is_ascii()
            && !text.starts_with("xn--")
            && !text.chars().any(is_never_in_a_label)
            && encode(&text).as_deref() == Some(encoded)
    })
}

/// Ranges that UTS #46 maps or disallows as a whole: controls, spaces and soft hyphens, marks of direction,
/// private use, enclosed letters and numbers, variants in width, specials, noncharacters, tags and everything behind.
fn is_never_in_a_label(c: char) -> bool {
    matches!(
        u32::from(c),
        0x80..=0xa0
            | 0xad
            | 0x2000..=0x200b
            | 0x200e..=0x200f
            | 0x2028..=0x202f
            | 0x205f..=0x206f
            | 0x2460..=0x24ea
            | 0x3000
            | 0x3200..=0x3247
            | 0x3250..=0x327e
            | 0x3280..=0x33ff
            | 0xe000..=0xf8ff
            | 0xfdd0..=0xfdef
            | 0xfe00..=0xfe0f
            | 0xff00..=0xffff
            | 0xe_0000..
    ) || u32::from(c) & 0xfffe == 0xfffe
}

/// RFC 3492 section 6.2; every step is checked for overflow.
fn decode(encoded: &str) -> Option<String> {
    let (basic, rest) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    let mut text: Vec<char> = basic.chars().collect();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0u32, INITIAL_BIAS);
    let mut digits = rest.bytes().peekable();
    while digits.peek().is_some() {
        let before = i;
        let (mut weight, mut k) = (1u32, BASE);
        loop {
            let digit = value(digits.next()?)?;
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let t = threshold(k, bias);
            if digit < t {
                break;
            }
            weight = weight.checked_mul(BASE - t)?;
            k += BASE;
        }
        let length = u32::try_from(text.len()).ok()?.checked_add(1)?;
        bias = adapted(i - before, length, before == 0);
        n = n.checked_add(i / length)?;
        i %= length;
        text.insert(usize::try_from(i).ok()?, char::from_u32(n)?);
        i += 1;
    }
    Some(text.into_iter().collect())
}

/// RFC 3492 section 6.3.
fn encode(text: &str) -> Option<String> {
    let mut encoded: String = text.chars().filter(char::is_ascii).collect();
    let length = u32::try_from(text.chars().count()).ok()?;
    let basic = u32::try_from(encoded.len()).ok()?;
    if basic > 0 {
        encoded.push('-');
    }
    let (mut n, mut delta, mut bias, mut done) = (INITIAL_N, 0u32, INITIAL_BIAS, basic);
    while done < length {
        let next = text.chars().map(u32::from).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(done + 1)?)?;
        n = next;
        for c in text.chars().map(u32::from) {
            if c < n {
                delta = delta.checked_add(1)?;
            }
            if c == n {
                push_number(&mut encoded, delta, bias)?;
                bias = adapted(delta, done + 1, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n = n.checked_add(1)?;
    }
    Some(encoded)
}

/// A generalised variable-length integer (RFC 3492 section 3.3).
fn push_number(encoded: &mut String, mut number: u32, bias: u32) -> Option<()> {
    let mut k = BASE;
    loop {
        let t = threshold(k, bias);
        if number < t {
            encoded.push(digit(number)?);
            return Some(());
        }
        encoded.push(digit(t + (number - t) % (BASE - t))?);
        number = (number - t) / (BASE - t);
        k += BASE;
    }
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

/// RFC 3492 section 6.1.
fn adapted(delta: u32, length: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / length.max(1);
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

/// `a` to `z` are 0 to 25, `0` to `9` are 26 to 35.
fn value(digit: u8) -> Option<u32> {
    match digit {
        b'a'..=b'z' => Some(u32::from(digit - b'a')),
        b'0'..=b'9' => Some(u32::from(digit - b'0') + 26),
        _ => None,
    }
}

fn digit(value: u32) -> Option<char> {
    match value {
        0..=25 => char::from_u32(u32::from('a') + value),
        26..=35 => char::from_u32(u32::from('0') + value - 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_labels_that_clients_accept_are_honest() {
        for label in
            ["bcher", "xn-bcher", "a--b", "xn--bcher-kva", "xn--p1ai", "xn--fiqs8s", "xn--ls8h"]
        {
            assert!(is_honest(label), "{label}");
        }
    }

    #[test]
    fn a_labels_that_clients_refuse_are_not() {
        for label in [
            "xn--",
            "xn---",
            "xn--a",
            "xn--a-",
            "xn--abc-",
            "xn--pokxncvks",
            "xn--xn--bcher-kva-",
            "xn--99999999",
            "xn--bcher-kva-",
            "xn--_-",
            "xn--1ug-",
        ] {
            assert!(!is_honest(label), "{label}");
        }
        // The last two are noncharacters, which each plane has.
        let never = [
            '\u{ad}',
            '\u{200b}',
            '\u{202e}',
            '\u{e000}',
            '\u{ff21}',
            '\u{fffd}',
            '\u{1fffe}',
            '\u{3ffff}',
        ];
        for c in never {
            let label = format!("xn--{}", encode(&format!("a{c}")).unwrap());
            assert!(!is_honest(&label), "{label}");
        }
    }

    /// RFC 3492 section 7.1, (A) and (L).
    #[test]
    fn the_rfcs_samples() {
        for (text, encoded) in [
            (
                "\u{644}\u{64a}\u{647}\u{645}\u{627}\u{628}\u{62a}\u{643}\u{644}\u{645}\u{648}\u{634}\u{639}\u{631}\u{628}\u{64a}\u{61f}",
                "egbpdaj6bu4bxfgehfvwxn",
            ),
            ("3\u{5e74}b\u{7d44}\u{91d1}\u{516b}\u{5148}\u{751f}", "3b-ww4c5e180e575a65lsy2b"),
        ] {
            assert_eq!(encode(text).as_deref(), Some(encoded));
            assert_eq!(decode(encoded).as_deref(), Some(text));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(text in "[a-z0-9-]{0,8}\\PC{1,12}") {
            let encoded = encode(&text).unwrap();
            prop_assert_eq!(decode(&encoded), Some(text));
        }

        #[test]
        fn nothing_panics(label in "xn--[a-z0-9_-]{0,59}") {
            if is_honest(&label) {
                let text = decode(label.trim_start_matches("xn--")).unwrap();
                prop_assert_eq!(format!("xn--{}", encode(&text).unwrap()), label);
            }
        }
    }
}
