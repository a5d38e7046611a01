//! The value of an attribute, in the types of the Common Expression Language.

use crate::attributes;
use crate::headers::HeaderMap;
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum AttributeValue {
    Text(Vec<u8>),
    Int(i64),
    Uint(u64),
    Bool(bool),
    Duration(Duration),
    /// Nanoseconds since the Unix epoch.
    Timestamp(u64),
    Headers(HeaderMap),
    /// A protobuf message, serialised.
    Message(Vec<u8>),
    /// A map without pairs.
    EmptyMap,
}

// === impl AttributeValue ===

impl AttributeValue {
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    pub fn int(number: usize) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A message without fields.
    pub fn empty_message() -> Self {
        Self::Message(Vec::new())
    }

    /// As `proxy_get_property` gives it.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(bytes) | Self::Message(bytes) => bytes,
            Self::Int(number) => number.to_le_bytes().to_vec(),
            Self::Uint(number) | Self::Timestamp(number) => number.to_le_bytes().to_vec(),
            Self::Bool(is) => vec![u8::from(is)],
            Self::Duration(duration) => {
                i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX).to_le_bytes().to_vec()
            }
            Self::Headers(headers) => attributes::of_headers(&headers),
            Self::EmptyMap => vec![0; 4],
        }
    }
}
