//! wrk knows nothing of proxies: here each of its connections becomes a CONNECT, and its bytes, TLS,
//! go through.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};

/// A port on loopback behind which is a tunnel. Serves as long as the program runs.
pub struct Tunnel {
    address: SocketAddr,
}

// === impl Tunnel ===

impl Tunnel {
    /// # Errors
    /// No port to be had.
    pub fn start(proxy: SocketAddr, authority: &str, session: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for wrk")?;
        let address = listener.local_addr()?;
        let connect = format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\
             Proxy-Authorization: Bearer {session}\r\n\r\n"
        );
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let connect = connect.clone();
                // A tunnel that does not open is a connection that breaks, which wrk counts.
                thread::spawn(move || dig(&guest, proxy, &connect));
            }
        });
        Ok(Self { address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn dig(guest: &TcpStream, proxy: SocketAddr, connect: &str) -> io::Result<()> {
    let mut edge = TcpStream::connect(proxy)?;
    for stream in [guest, &edge] {
        stream.set_nodelay(true)?;
    }
    edge.write_all(connect.as_bytes())?;
    let mut answer = BufReader::with_capacity(1, &edge);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(line));
    }
    while line.trim() != "" {
        line.clear();
        answer.read_line(&mut line)?;
    }
    let (inward, outward) = (guest.try_clone()?, edge.try_clone()?);
    thread::spawn(move || pass(&outward, &inward));
    pass(guest, &edge)
}

fn pass(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let passed = io::copy(&mut from, &mut to).map(drop);
    to.shutdown(Shutdown::Write)?;
    passed
}
