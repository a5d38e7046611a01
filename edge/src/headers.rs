//! A request's headers as the host hands them over.

/// Names (lower-case) and values, in order, repeated where the guest repeated them. Bytes, because a
/// guest may send any.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

// === impl Headers ===

impl Headers {
    pub fn new(pairs: Vec<(String, Vec<u8>)>) -> Self {
        Self(pairs)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Every value of a header, in order.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The value of a header that may stand only once; `None` if absent or repeated.
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

impl<const N: usize> From<[(&str, &str); N]> for Headers {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}
