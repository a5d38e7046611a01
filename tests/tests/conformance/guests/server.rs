//! A server that says what it is told to and remembers what it was asked, byte for byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How it answers.
#[derive(Clone, Debug)]
pub enum Says {
    /// With this status and body.
    Answer(u16, &'static str),
    /// Never.
    Nothing,
    /// By hanging up.
    Close,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path.
    pub line: (String, String),
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Listens until the test ends.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

// === impl Server ===

impl Server {
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind((stack::ports::address(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (says, record) = (says.clone(), Arc::clone(&record));
                thread::spawn(move || serve(stream.unwrap(), &says, &record));
            }
        });
        Self { address, asked }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came since the last look.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Every request of one connection.
fn serve(mut stream: TcpStream, says: &Says, record: &Mutex<Vec<Asked>>) {
    let mut ahead = Vec::new();
    while let Some(asked) = read(&mut stream, &mut ahead) {
        record.lock().unwrap().push(asked);
        match says {
            Says::Answer(status, body) => {
                let answer = format!(
                    "HTTP/1.1 {status} said\r\nserver: origin\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Says::Nothing => {}
            Says::Close => return,
        }
    }
}

fn read(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> Option<Asked> {
    let head = take_through(stream, ahead, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut line = lines.next()?.split(' ').map(str::to_owned);
    let line = (line.next()?, line.next()?);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let value = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value);
    let body = match (value("content-length"), value("transfer-encoding")) {
        (Some(size), _) => take(stream, ahead, size.parse().ok()?)?,
        (None, Some(_)) => chunks(stream, ahead)?,
        (None, None) => Vec::new(),
    };
    Some(Asked { line, headers, body })
}

fn chunks(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = take_through(stream, ahead, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&size).ok()?.trim(), 16).ok()?;
        let chunk = take(stream, ahead, size + 2)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk.strip_suffix(b"\r\n")?);
    }
}

fn take_through(stream: &mut TcpStream, ahead: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = ahead.windows(end.len()).position(|part| part == end) {
            return Some(ahead.drain(..at + end.len()).collect());
        }
        fill(stream, ahead)?;
    }
}

fn take(stream: &mut TcpStream, ahead: &mut Vec<u8>, size: usize) -> Option<Vec<u8>> {
    while ahead.len() < size {
        fill(stream, ahead)?;
    }
    Some(ahead.drain(..size).collect())
}

fn fill(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 4096];
    let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
    ahead.extend_from_slice(&piece[..read]);
    Some(())
}
