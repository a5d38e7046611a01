//! HTTP/1.1 as bytes: what is sent is what the test wrote.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};

use crate::reply::Reply;

/// A connection that carries HTTP/1.1, and what was read of it ahead of time.
pub struct Wire<S> {
    stream: S,
    ahead: Vec<u8>,
}

/// Names in lower case, with their values.
type Headers = Vec<(String, Vec<u8>)>;

// === impl Wire ===

impl<S: Read + Write> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// The connection itself.
    ///
    /// # Panics
    /// If bytes behind the last response have been read, which would be lost.
    pub fn into_inner(self) -> S {
        assert!(self.ahead.is_empty(), "{:?} came behind the response", self.ahead.escape_ascii());
        self.stream
    }

    /// Sends these bytes and reads one response.
    ///
    /// # Errors
    /// The connection is closed without a whole response.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> Result<Reply> {
        self.send(&request)?;
        let method = request.as_ref().split(|byte| *byte == b' ').next().unwrap_or_default();
        self.read_reply(&String::from_utf8_lossy(method))
    }

    /// # Errors
    /// The connection is closed.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).context("sending a request")?;
        self.stream.flush().context("sending a request")
    }

    /// Reads one response to a request with `method`, which decides whether there is a body (RFC
    /// 9112 section 6.3); interim responses but 101 are skipped.
    ///
    /// # Errors
    /// The connection is closed without a whole response.
    pub fn read_reply(&mut self, method: &str) -> Result<Reply> {
        loop {
            let reply = self.read_one(method)?;
            if !(100..200).contains(&reply.status) || reply.status == 101 {
                return Ok(reply);
            }
        }
    }

    /// Everything until the peer closes.
    ///
    /// # Errors
    /// The connection breaks.
    pub fn read_to_end(mut self) -> Result<Vec<u8>> {
        while self.fill()? {}
        Ok(self.ahead)
    }

    fn read_one(&mut self, method: &str) -> Result<Reply> {
        let end = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                break end;
            }
            if !self.fill()? {
                bail!("closed after {:?}", self.ahead.escape_ascii().to_string());
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
        let (status, headers) = parse_head(&head)?;
        let mut reply = Reply { status, headers, body: Vec::new() };
        let tunnel = method == "CONNECT" && (200..300).contains(&status);
        if tunnel || method == "HEAD" || status < 200 || matches!(status, 204 | 304) {
            return Ok(reply);
        }
        let chunked = reply.header("transfer-encoding").is_some();
        let length = reply.header("content-length").map(|length| length.parse::<usize>());
        reply.body = match (chunked, length) {
            (true, _) => self.read_chunks()?,
            (false, Some(length)) => self.take(length.context("content-length")?)?,
            (false, None) => {
                while self.fill()? {}
                std::mem::take(&mut self.ahead)
            }
        };
        Ok(reply)
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.trim(), 16).context("the size of a chunk")?;
            let chunk = self.take(size + 2)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.fill()? {
                bail!("closed inside of a chunked body");
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.ahead.len() < length {
            if !self.fill()? {
                bail!("closed after {} of {length} bytes of a body", self.ahead.len());
            }
        }
        Ok(self.ahead.drain(..length).collect())
    }

    /// `false` at the end of the stream, with or without a TLS close_notify.
    fn fill(&mut self) -> Result<bool> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.ahead.extend_from_slice(&piece[..read]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof) => Ok(false),
            Err(error) => Err(error).context("reading a response"),
        }
    }
}

fn parse_head(head: &[u8]) -> Result<(u16, Headers)> {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().unwrap_or_default();
    let status = first.split(|byte| *byte == b' ').nth(1).map(String::from_utf8_lossy);
    let status = status.and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("{:?}", first.escape_ascii().to_string()))?;
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    });
    Ok((status, headers.collect()))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
