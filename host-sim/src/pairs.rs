//! The ABI's serialised lists of pairs.
//!
//! A count, then the sizes of each name and value (all u32, little endian), then names and values,
//! each with a NUL behind it. Like Envoy, what is malformed reads as an empty list.

use crate::headers::HeaderMap;

const MAX_BYTES: usize = 1024 * 1024;
const MAX_PAIRS: usize = 1024;

/// Decodes a list; empty where it is malformed, over 1 MiB or over 1024 pairs.
pub fn decode(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    try_decode(bytes).unwrap_or_default()
}

fn try_decode(bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let (count, rest) = take_u32(bytes)?;
    if bytes.len() > MAX_BYTES || count > MAX_PAIRS {
        return None;
    }
    let (mut sizes, mut texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, rest) = take_u32(sizes)?;
        let (value_size, rest) = take_u32(rest)?;
        sizes = rest;
        let (name, rest) = take_text(texts, name_size)?;
        let (value, rest) = take_text(rest, value_size)?;
        texts = rest;
        pairs.push((String::from_utf8_lossy(name).into_owned(), value.to_vec()));
    }
    Some(pairs)
}

fn take_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

fn take_text(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(size)?;
    Some((text, rest.strip_prefix(b"\0")?))
}

/// Encodes a map; an empty one is no bytes at all.
pub fn encode(map: &HeaderMap) -> Vec<u8> {
    if map.is_empty() {
        return Vec::new();
    }
    encode_pairs(map.len(), || map.iter().map(|(name, value)| (name.as_bytes(), value)))
}

/// Encodes pairs of any bytes; none are a count of 0.
pub fn encode_bytes(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    encode_pairs(pairs.len(), || {
        pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    })
}

fn encode_pairs<'a, I>(count: usize, pairs: impl Fn() -> I) -> Vec<u8>
where
    I: Iterator<Item = (&'a [u8], &'a [u8])>,
{
    let texts: usize = pairs().map(|(name, value)| name.len() + value.len()).sum();
    let mut bytes = Vec::with_capacity(4 + count * 10 + texts);
    push_u32(&mut bytes, count);
    for (name, value) in pairs() {
        push_u32(&mut bytes, name.len());
        push_u32(&mut bytes, value.len());
    }
    for (name, value) in pairs() {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}

fn push_u32(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let map = HeaderMap::from([(":path", "/"), ("a", ""), ("b", "x\u{e9}")]);
        assert_eq!(decode(&encode(&map)).into_iter().collect::<HeaderMap>(), map);
        assert_eq!(encode(&HeaderMap::new()), b"");
    }

    #[test]
    fn what_is_malformed_is_empty() {
        let good = encode(&HeaderMap::from([("name", "value")]));
        assert_eq!(decode(&good).len(), 1);
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_empty(), "cut at {end}");
        }
        let mut many = 1025u32.to_le_bytes().to_vec();
        many.extend(vec![0; 1025 * 10]);
        assert!(decode(&many).is_empty());
        many[..4].copy_from_slice(&1024u32.to_le_bytes());
        assert_eq!(decode(&many).len(), 1024);
        assert!(decode(&u32::MAX.to_le_bytes()).is_empty());
    }
}
