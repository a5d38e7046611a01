//! Envoy's admin interface (loopback, HTTP/1.1, no authentication): stats, listeners, dumps.
//!
//! A client of our own because all it takes is a GET that is read to its end.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::EnvoyError;

/// An admin page is made on Envoy's main thread, in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to question a running Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
}

// === impl Admin ===

impl Admin {
    /// The admin interface at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `GET path`, the body of a 200. The shipped configuration allows reading only.
    ///
    /// # Errors
    /// [`EnvoyError::Admin`] on any other status or a broken answer.
    pub fn get(&self, path: &str) -> Result<String, EnvoyError> {
        let fault = |reason: String| EnvoyError::Admin { path: path.to_owned(), reason };
        let raw = self.exchange(path).map_err(|error| fault(error.to_string()))?;
        let (status, body) = parse(&raw).ok_or_else(|| fault("a broken answer".to_owned()))?;
        let body = String::from_utf8_lossy(&body).into_owned();
        if status != 200 {
            return Err(fault(format!("{status}: {}", body.trim_end())));
        }
        Ok(body)
    }

    /// Every counter and gauge by its full name, e.g. `wasmcustom.leasehold.allowed`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stats(&self) -> Result<BTreeMap<String, u64>, EnvoyError> {
        Ok(parse_stats(&self.get("/stats")?))
    }

    /// One counter or gauge by its full name, 0 if Envoy does not have it (yet).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stat(&self, name: &str) -> Result<u64, EnvoyError> {
        Ok(self.stats()?.get(name).copied().unwrap_or(0))
    }

    /// `/stats/prometheus`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn prometheus(&self) -> Result<String, EnvoyError> {
        self.get("/stats/prometheus")
    }

    /// `/config_dump?include_eds`, everything Envoy would tell about its configuration.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn config_dump(&self) -> Result<String, EnvoyError> {
        self.get("/config_dump?include_eds")
    }

    /// The TCP listeners by name, with the ports they really got.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>, EnvoyError> {
        let path = "/listeners?format=json";
        let text = self.get(path)?;
        let list: Value = serde_json::from_str(&text).map_err(|error| EnvoyError::Admin {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let all = list.get("listener_statuses").and_then(Value::as_array);
        Ok(all.into_iter().flatten().filter_map(listener).collect())
    }

    fn exchange(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw)?;
        Ok(raw)
    }
}

/// `name` and `local_address.socket_address` of one listener status; `None` for internal ones.
fn listener(status: &Value) -> Option<(String, SocketAddr)> {
    let name = status.get("name")?.as_str()?;
    let socket = status.pointer("/local_address/socket_address")?;
    let ip = socket.get("address")?.as_str()?.parse().ok()?;
    let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
    Some((name.to_owned(), SocketAddr::new(ip, port)))
}

/// `name: 12` lines; histograms (`name: P0(...)`) and text values are left out.
fn parse_stats(text: &str) -> BTreeMap<String, u64> {
    text.lines()
        .filter_map(|line| line.rsplit_once(": "))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

/// Status and body of a whole HTTP/1.1 response (RFC 9112), chunked or up to the end.
fn parse(raw: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(raw.get(..end)?).to_ascii_lowercase();
    let body = raw.get(end + 4..)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if head.contains("transfer-encoding: chunked") {
        return Some((status, dechunk(body)?));
    }
    Some((status, body.to_vec()))
}

/// RFC 9112, 7.1, without trailers; `None` if the last chunk is missing.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let start = end + 2;
        body.extend_from_slice(rest.get(start..start + size)?);
        rest = rest.get(start + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(raw), Some((200, b"abc0123456789".to_vec())));
    }

    #[test]
    fn an_answer_that_was_cut_off_is_no_answer() {
        let raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
        assert_eq!(parse(raw), None);
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn counters_and_gauges_are_numbers_and_the_rest_is_left_out() {
        let stats = parse_stats("a.b: 3\nc: P0(nan,1)\nd: \"text\"\ncluster.x::y: 4\n");
        assert_eq!(stats, BTreeMap::from([("a.b".to_owned(), 3), ("cluster.x::y".to_owned(), 4)]));
    }
}
