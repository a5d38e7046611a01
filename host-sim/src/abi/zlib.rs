//! `compress` and `uncompress`: zlib's format (RFC 1950).

use crate::status::Status;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{Read, Write};

/// What a guest could make of a few bytes is bounded by what it could hold.
const LIMIT: u64 = 1 << 30;

pub(super) fn compress(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_err(|_| Status::SerializationFailure)
}

/// What stands behind the end of the compressed bytes is not looked at.
pub(super) fn uncompress(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut plain = Vec::new();
    let read = ZlibDecoder::new(bytes).take(LIMIT).read_to_end(&mut plain);
    match read {
        Ok(_) if !bytes.is_empty() => Ok(plain),
        _ => Err(Status::SerializationFailure),
    }
}
