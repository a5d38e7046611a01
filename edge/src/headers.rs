//! A request's headers as the host hands them over.

use std::ops::Range;

/// Names (lower-case) and values, in order, repeated where the guest repeated them. Bytes, because a
/// guest may send any; all of them in the one buffer they came in.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

/// The place of a header in the buffer.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: Range<usize>,
    pub value: Range<usize>,
}

// === impl Headers ===

impl Headers {
    /// A field that points behind the end of `bytes` is empty.
    pub fn new(bytes: Vec<u8>, fields: Vec<Field>) -> Self {
        Self { bytes, fields }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let text = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.fields.iter().map(move |Field { name, value }| (text(name), text(value)))
    }

    /// Those whose name is at least so long.
    pub fn with_long_names(&self, length: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let text = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        let long = self.fields.iter().filter(move |field| field.name.len() >= length);
        long.map(move |Field { name, value }| (text(name), text(value)))
    }

    /// Every value of a header, in order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |(own, _)| *own == name.as_bytes()).map(|(_, value)| value)
    }

    /// The value of a header that may occur only once; `None` if absent or repeated.
    pub fn single(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Does `Connection: upgrade` announce an `Upgrade` (RFC 9110 section 7.8)?
    pub fn announce_upgrade(&self) -> bool {
        let tokens = self.all("connection").flat_map(|value| value.split(|b| *b == b','));
        let mut tokens = tokens.map(<[u8]>::trim_ascii);
        self.has("upgrade") && tokens.any(|token| token.eq_ignore_ascii_case(b"upgrade"))
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let mut put = |text: &[u8]| {
                let start = headers.bytes.len();
                headers.bytes.extend_from_slice(text);
                start..headers.bytes.len()
            };
            let (name, value) = (put(name.as_ref()), put(value.as_ref()));
            headers.fields.push(Field { name, value });
        }
        headers
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}
