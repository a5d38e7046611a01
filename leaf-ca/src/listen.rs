//! Where Envoy talks to us: a unix socket, or a port of the loopback interface and no other.
//!
//! The keys of the leaves travel over it unencrypted, so nothing that leaves the machine will do.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokio::net::{TcpListener, UnixListener};

/// `127.0.0.1:PORT`, `[::1]:PORT` or `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Loopback(SocketAddr),
    Unix(PathBuf),
}

/// The text is no [`Listen`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    #[error("expected `unix:PATH` or a loopback address such as `127.0.0.1:18001`")]
    Form,
    #[error(
        "{0} can be reached from other machines, and leaf keys travel over it unencrypted; use \
         `unix:PATH` or a loopback address such as `127.0.0.1:18001`"
    )]
    NotLoopback(SocketAddr),
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on {address}: {error}")]
    Address { address: String, error: io::Error },
    #[error("{0} is there and is not a socket; remove it or give another path")]
    NotASocket(PathBuf),
    #[error("somebody else listens on {0}; stop it first or give another path")]
    InUse(PathBuf),
}

/// A socket that takes connections.
pub enum Bound {
    Loopback(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket; goes away with this value, if it is still ours.
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

// === impl Listen ===

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(ListenError::Form)
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let address: SocketAddr = text.parse().map_err(|_| ListenError::Form)?;
        if address.ip().is_loopback() {
            Ok(Self::Loopback(address))
        } else {
            Err(ListenError::NotLoopback(address))
        }
    }
}

impl Listen {
    /// Binds. `mode` is the mode of a unix socket: who may connect to it and so be handed keys.
    pub async fn bind(&self, mode: u32) -> Result<Bound, BindError> {
        match self {
            Self::Loopback(address) => match TcpListener::bind(address).await {
                Ok(listener) => Ok(Bound::Loopback(listener)),
                Err(error) => Err(BindError::Address { address: address.to_string(), error }),
            },
            Self::Unix(path) => {
                refuse_if_taken(path).await?;
                bind_unix(path, mode).map_err(|error| BindError::Address {
                    address: format!("unix:{}", path.display()),
                    error,
                })
            }
        }
    }
}

/// A socket nobody answers on is left over from a run that was killed, and is replaced.
async fn refuse_if_taken(path: &Path) -> Result<(), BindError> {
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(found) if !found.file_type().is_socket() => Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => match tokio::net::UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            _ => Err(BindError::InUse(path.to_owned())),
        },
    }
}

/// Binds in a folder only we can enter, sets the mode, and then moves the socket to its place: at
/// no moment can anybody connect whom the mode keeps out.
fn bind_unix(path: &Path, mode: u32) -> io::Result<Bound> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(io::Error::other("not a path of a file")),
    };
    let private = parent.join(format!(".{:08x}", random_name()?));
    DirBuilder::new().mode(0o700).create(&private)?;
    let hidden = private.join("s");
    let place = || {
        let listener = UnixListener::bind(&hidden)?;
        fs::set_permissions(&hidden, Permissions::from_mode(mode))?;
        let identity = fs::symlink_metadata(&hidden).map(|meta| (meta.dev(), meta.ino()))?;
        fs::rename(&hidden, path)?;
        Ok(Bound::Unix(listener, SocketFile { path: path.to_owned(), identity }))
    };
    let bound = place();
    if bound.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    let _ = fs::remove_dir(&private);
    bound
}

/// A folder left behind by a run that was killed must not stand in the way of the next.
fn random_name() -> io::Result<u32> {
    ring::rand::generate::<[u8; 4]>(&ring::rand::SystemRandom::new())
        .map(|bytes| u32::from_be_bytes(bytes.expose()))
        .map_err(|_| io::Error::other("the operating system gives no random bytes"))
}

// === impl Bound ===

impl Bound {
    /// As a person or a launcher reads it: `127.0.0.1:18001`, `unix:/run/leaf-ca.sock`.
    pub fn address(&self) -> io::Result<String> {
        match self {
            Self::Loopback(listener) => listener.local_addr().map(|address| address.to_string()),
            Self::Unix(_, file) => Ok(format!("unix:{}", file.path.display())),
        }
    }
}

// === impl SocketFile ===

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if still_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_and_loopback_only() {
        for text in ["127.0.0.1:0", "127.9.9.9:18001", "[::1]:18001", "unix:/run/a.sock", "unix:a"]
        {
            assert!(text.parse::<Listen>().is_ok(), "{text}");
        }
        for text in ["0.0.0.0:18001", "[::]:18001", "10.0.0.1:18001", "192.0.2.1:1"] {
            let refused = text.parse::<Listen>().unwrap_err().to_string();
            assert!(refused.starts_with(text) && refused.contains("unencrypted"), "{refused}");
        }
        for text in ["", "unix:", "localhost:1", "127.0.0.1", ":18001", "/run/a.sock"] {
            assert_eq!(text.parse::<Listen>(), Err(ListenError::Form), "{text}");
        }
    }

    #[tokio::test]
    async fn a_unix_socket_is_private_and_cleans_up_after_itself() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listen = Listen::Unix(path.clone());
        let bound = listen.bind(0o600).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing but the socket");
        assert!(matches!(listen.bind(0o600).await, Err(BindError::InUse(_))));
        drop(bound);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let bound = Listen::Unix(path.clone()).bind(0o660).await.unwrap();
        assert_eq!(bound.address().unwrap(), format!("unix:{}", path.display()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);

        let file = dir.path().join("precious");
        fs::write(&file, "x").unwrap();
        let refused = Listen::Unix(file.clone()).bind(0o600).await;
        assert!(matches!(refused, Err(BindError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
    }

    #[tokio::test]
    async fn a_successor_keeps_its_socket_when_we_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let ours = Listen::Unix(path.clone()).bind(0o600).await.unwrap();
        fs::remove_file(&path).unwrap();
        let theirs = Listen::Unix(path.clone()).bind(0o600).await.unwrap();
        drop(ours);
        assert!(path.exists());
        drop(theirs);
        assert!(!path.exists());
    }
}
