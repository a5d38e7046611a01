//! Finds a secret in whatever it was written into, in every encoding that a log, a dump or a
//! response is likely to use.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret and the traces it would leave.
pub struct Canary {
    pub name: String,
    /// The one file that may hold it, by the end of its path.
    pub home: Option<&'static str>,
    /// As text in which a character is a byte; each with the name of its encoding.
    traces: Vec<(&'static str, String)>,
}

// === impl Canary ===

impl Canary {
    /// # Panics
    /// The secret is so short that it could be found by chance.
    pub fn new(name: impl Into<String>, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        assert!(secret.len() >= 10, "too short for a canary");
        let mut traces = vec![
            ("raw", latin1(secret)),
            ("raw, its first half", latin1(&secret[..secret.len().div_ceil(2).max(10)])),
            (
                "raw, its last half",
                latin1(&secret[secret.len() - secret.len().div_ceil(2).max(10)..]),
            ),
            ("hex", secret.iter().map(|byte| format!("{byte:02x}")).collect()),
        ];
        // In base64 a text looks in one of three ways, by how many bytes stand before it; what is
        // encoded here are the whole groups of three that are its own.
        for skipped in 0..3 {
            let own = &secret[skipped..];
            let own = &own[..own.len() - own.len() % 3];
            traces.push(("base64", STANDARD_NO_PAD.encode(own)));
            traces.push(("base64url", URL_SAFE_NO_PAD.encode(own)));
        }
        Self { name: name.into(), home: None, traces }
    }

    /// A secret that may stand in the file at the end of whose path is `home`.
    pub fn at_home(mut self, home: &'static str) -> Self {
        self.home = Some(home);
        self
    }

    /// The encoding in which it stands in `text`, if it does.
    pub fn find(&self, text: &Haystack) -> Option<&'static str> {
        let traces = self.traces.iter();
        let mut found = traces.filter(|(encoding, trace)| text.holds(trace, *encoding == "hex"));
        found.next().map(|(encoding, _)| *encoding)
    }
}

/// A text as it is and as it was before somebody encoded it.
pub struct Haystack {
    readings: Vec<String>,
    folded: Vec<String>,
}

// === impl Haystack ===

impl Haystack {
    pub fn new(bytes: &[u8]) -> Self {
        let plain = latin1(bytes);
        let mut readings = vec![plain];
        // Each may lie inside of another, as a URL in a JSON text in a log.
        for decode in [percent_decoded, percent_decoded, unescaped, joined] {
            for index in 0..readings.len() {
                if let Cow::Owned(decoded) = decode(&readings[index]) {
                    readings.push(decoded);
                }
            }
        }
        let folded = readings.iter().map(|reading| reading.to_ascii_lowercase()).collect();
        Self { readings, folded }
    }

    fn holds(&self, trace: &str, in_any_case: bool) -> bool {
        let readings = if in_any_case { &self.folded } else { &self.readings };
        readings.iter().any(|reading| reading.contains(trace))
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `%2F`, and `+` left as it is.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    decoded(text, "%", |rest| {
        let byte = u8::from_str_radix(rest.get(..2)?, 16).ok()?;
        Some((char::from(byte), 2))
    })
}

/// The escapes of JSON and of most logs: `\"`, `\/`, `\u002f`, `\x2f`, `\n`.
fn unescaped(text: &str) -> Cow<'_, str> {
    decoded(text, "\\", |rest| {
        let kind = rest.chars().next()?;
        let number = |digits: usize| {
            let digits = rest.get(1..1 + digits)?;
            Some(char::from(u8::from_str_radix(digits.trim_start_matches('0'), 16).ok()?))
        };
        match kind {
            'u' => Some((number(4)?, 5)),
            'x' => Some((number(2)?, 3)),
            'n' => Some(('\n', 1)),
            'r' => Some(('\r', 1)),
            't' => Some(('\t', 1)),
            other => Some((other, other.len_utf8())),
        }
    })
}

/// Without line breaks, which base64 has in PEM.
fn joined(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { text.replace(['\r', '\n'], "").into() } else { text.into() }
}

/// Replaces what stands behind each `mark` as `read` reads it: the character, and how many bytes of
/// the text it took.
fn decoded<'a>(
    text: &'a str,
    mark: &str,
    read: impl Fn(&str) -> Option<(char, usize)>,
) -> Cow<'a, str> {
    if !text.contains(mark) {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(mark) {
        plain.push_str(before);
        rest = behind;
        match read(behind) {
            Some((character, taken)) => {
                plain.push(character);
                rest = &behind[taken..];
            }
            None => plain.push_str(mark),
        }
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "sk/canary+\"9f3~?";

    fn found(text: impl AsRef<[u8]>) -> Option<&'static str> {
        Canary::new("planted", SECRET).find(&Haystack::new(text.as_ref()))
    }

    fn percent(text: &str, upper: bool) -> String {
        let byte = |byte: u8| if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
        text.bytes().map(byte).collect()
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_planted_canary_is_found_in_every_encoding() {
        let json = serde_json::json!({ "value": SECRET }).to_string();
        let half_encoded = SECRET.replace('/', "%2F").replace('+', "%2b").replace('"', "%22");
        let mut plants = vec![
            SECRET.to_owned(),
            hex(SECRET),
            hex(SECRET).to_uppercase(),
            percent(SECRET, true),
            percent(SECRET, false),
            percent(&percent(SECRET, true), true),
            half_encoded,
            json.clone(),
            json.replace('/', "\\/"),
            serde_json::json!({ "line": json }).to_string(),
            SECRET.replace('"', "\\u0022").replace('/', "\\x2f"),
            format!("{:?}", format!("a log of {SECRET:?}")),
        ];
        for before in ["", "a", "ab", "user:", "Bearer "] {
            for behind in ["", "z", "yz", "\r\n"] {
                let whole = format!("{before}{SECRET}{behind}");
                plants.push(STANDARD.encode(&whole));
                plants.push(URL_SAFE.encode(&whole));
                plants.push(percent(&STANDARD.encode(&whole), true));
                let lines = STANDARD.encode(&whole).into_bytes();
                let lines: Vec<_> =
                    lines.chunks(7).map(|line| String::from_utf8_lossy(line)).collect();
                plants.push(lines.join("\n"));
            }
        }
        for plant in plants {
            for text in
                [plant.clone(), format!("before {plant} behind"), format!("\0\u{ff}{plant}\n")]
            {
                assert!(found(&text).is_some(), "{text:?}");
            }
        }
        assert_eq!(found(&SECRET[..10]), Some("raw, its first half"));
        assert_eq!(found(&SECRET[6..]), Some("raw, its last half"));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for text in ["", "sk/canary-", "%", "%%41", "\\", "\\u00", "c2s", &"%25".repeat(40)] {
            assert_eq!(found(text), None, "{text:?}");
        }
        assert_eq!(found((0..=255).collect::<Vec<u8>>()), None);
    }
}
