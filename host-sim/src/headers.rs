//! A header map as Envoy keeps one.

/// Ordered headers: names lower-case, pseudo headers first, values bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap(Vec<(String, Vec<u8>)>);

/// Headers Envoy keeps in one slot: a second value is appended to the first with a comma.
const INLINE: [&str; 23] = [
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "date",
    "expect",
    "grpc-timeout",
    "keep-alive",
    "location",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

// === impl HeaderMap ===

impl HeaderMap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value behind those of the same name.
    pub fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let (name, value) = (name.to_ascii_lowercase(), value.into());
        if INLINE.contains(&name.as_str())
            && let Some((_, present)) = self.0.iter_mut().find(|(own, _)| *own == name)
        {
            present.push(b',');
            present.extend(value);
            return;
        }
        if name.starts_with(':') {
            let end = self.0.iter().position(|(own, _)| !own.starts_with(':'));
            self.0.insert(end.unwrap_or(self.0.len()), (name, value));
        } else {
            self.0.push((name, value));
        }
    }

    /// Puts this value in the place of the first, and removes the others.
    pub fn replace(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let lower = name.to_ascii_lowercase();
        let Some(first) = self.0.iter().position(|(own, _)| *own == lower) else {
            self.add(&lower, value);
            return;
        };
        let mut index = 0;
        self.0.retain(|(own, _)| {
            let keep = *own != lower || index == first;
            index += 1;
            keep
        });
        if let Some((_, present)) = self.0.get_mut(first) {
            *present = value.into();
        }
    }

    /// Removes every value of the name; absent names too are fine.
    pub fn remove(&mut self, name: &str) {
        let lower = name.to_ascii_lowercase();
        self.0.retain(|(own, _)| *own != lower);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The first value.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let lower = name.to_ascii_lowercase();
        self.0.iter().find(|(own, _)| *own == lower).map(|(_, value)| value.as_slice())
    }

    /// The first value as text, with replacement characters where it is none.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value of the name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let lower = name.to_ascii_lowercase();
        self.0.iter().filter(move |(own, _)| *own == lower).map(|(_, value)| value.as_slice())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all names and values.
    pub fn byte_size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl<N: AsRef<str>, V: Into<Vec<u8>>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        for (name, value) in pairs {
            map.add(name.as_ref(), value);
        }
        map
    }
}

impl<const N: usize> From<[(&str, &str); N]> for HeaderMap {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_headers_stand_first_and_slots_hold_one() {
        let mut map = HeaderMap::from([("a", "1"), (":path", "/"), ("User-Agent", "x")]);
        map.add("user-agent", "y");
        map.add("A", "2");
        let all: Vec<_> = map.iter().map(|(name, value)| (name, value.to_vec())).collect();
        assert_eq!(
            all,
            [
                (":path", b"/".to_vec()),
                ("a", b"1".to_vec()),
                ("user-agent", b"x,y".to_vec()),
                ("a", b"2".to_vec())
            ]
        );
        assert_eq!(map.byte_size(), 5 + 1 + 1 + 1 + 10 + 3 + 1 + 1);
    }

    #[test]
    fn replacing_keeps_the_place_of_the_first() {
        let mut map = HeaderMap::from([("a", "1"), ("b", "2"), ("a", "3")]);
        map.replace("A", "4");
        assert_eq!(map, HeaderMap::from([("a", "4"), ("b", "2")]));
        map.remove("a");
        map.replace("c", "5");
        assert_eq!(map, HeaderMap::from([("b", "2"), ("c", "5")]));
    }
}
