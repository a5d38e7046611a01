//! The ABI's lists of pairs: a u32 with their number, then two u32 a pair with the sizes of name and value, then
//! `name\0value\0` a pair. Numbers are little endian.

use edge::headers::{Field, Headers};
use std::ops::Range;

/// `None` where the bytes are no such list.
pub fn decode_pairs(bytes: Vec<u8>) -> Option<Headers> {
    let Some((count, rest)) = take_u32(&bytes) else {
        return bytes.is_empty().then(Headers::default);
    };
    let (mut sizes, texts) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut fields = Vec::with_capacity(count);
    let mut start = bytes.len() - texts.len();
    for _ in 0..count {
        let (name_size, rest) = take_u32(sizes)?;
        let (value_size, rest) = take_u32(rest)?;
        sizes = rest;
        let name = terminated(&bytes, start, name_size)?;
        let value = terminated(&bytes, name.end + 1, value_size)?;
        start = value.end + 1;
        fields.push(Field { name, value });
    }
    Some(Headers::new(bytes, fields))
}

fn take_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

/// The place of a text that a NUL has to follow.
fn terminated(bytes: &[u8], start: usize, size: usize) -> Option<Range<usize>> {
    let end = start.checked_add(size)?;
    (bytes.get(end) == Some(&0)).then_some(start..end)
}

pub fn encode_pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    // Our own headers: a handful, and none near 4 GiB.
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&size(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&size(name.len()));
        bytes.extend_from_slice(&size(value.len()));
    }
    for (name, value) in pairs {
        for part in [name.as_bytes(), b"\0", value.as_bytes(), b"\0"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes
}
