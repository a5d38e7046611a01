//! As much of the protobuf wire format as foreign functions and gRPC targets need.

/// The last value of a length-delimited field.
pub(crate) fn bytes_field(message: &[u8], number: u64) -> Option<Vec<u8>> {
    let mut found = None;
    each_field(message, |field, value| {
        if let (true, Value::Bytes(bytes)) = (field == number, value) {
            found = Some(bytes.to_vec());
        }
    })?;
    found
}

/// The last value of a varint field.
pub(crate) fn number_field(message: &[u8], number: u64) -> Option<u64> {
    let mut found = None;
    each_field(message, |field, value| {
        if let (true, Value::Number(value)) = (field == number, value) {
            found = Some(value);
        }
    })?;
    found
}

pub(crate) fn is_well_formed(message: &[u8]) -> bool {
    each_field(message, |_, _| {}).is_some()
}

pub(crate) fn push_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    push_varint(message, number << 3 | 2);
    push_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

pub(crate) fn push_double(message: &mut Vec<u8>, number: u64, value: f64) {
    push_varint(message, number << 3 | 1);
    message.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn push_number(message: &mut Vec<u8>, number: u64, value: u64) {
    push_varint(message, number << 3);
    push_varint(message, value);
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Fixed-width numbers, which nobody here asks for.
    Other,
}

/// `None` where the message is malformed.
fn each_field(mut rest: &[u8], mut see: impl FnMut(u64, Value<'_>)) -> Option<()> {
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Number(take_varint(&mut rest)?),
            1 => take(&mut rest, 8).map(|_| Value::Other)?,
            2 => {
                let size = usize::try_from(take_varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, size)?)
            }
            5 => take(&mut rest, 4).map(|_| Value::Other)?,
            _ => return None,
        };
        see(key >> 3, value);
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(size)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn push_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut message = Vec::new();
        push_bytes(&mut message, 1, b"abc");
        push_number(&mut message, 2, 300);
        push_bytes(&mut message, 20, &[7; 200]);
        assert_eq!(bytes_field(&message, 1).as_deref(), Some(&b"abc"[..]));
        assert_eq!(number_field(&message, 2), Some(300));
        assert_eq!(bytes_field(&message, 20).map(|bytes| bytes.len()), Some(200));
        assert_eq!(bytes_field(&message, 3), None);
        for end in 1..message.len() {
            // Cut anywhere but between two fields it is malformed.
            assert_eq!(is_well_formed(&message[..end]), end == 5 || end == 8, "{end}");
        }
    }
}
