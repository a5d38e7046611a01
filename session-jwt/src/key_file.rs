//! Private key files: PKCS#8 PEM with, if the key was given a name, a line `kid: NAME` before it.
//!
//! RFC 7468 section 2 allows text before the PEM block and readers skip it, so the name travels with the key
//! and other tools still read the file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use session::mint::SigningKey;
use zeroize::Zeroizing;

const NAME_LINE: &str = "kid: ";
/// No key file is longer; a wrong path must not read a disk image into memory.
const FILE_BYTES: u64 = 64 * 1024;

/// Writes a new file with mode 0600.
///
/// # Errors
/// The file exists already, or can not be written.
pub fn write(path: &Path, key: &SigningKey, named: bool) -> anyhow::Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} exists; keys are never overwritten, choose another --out", path.display())
        }
        opened => opened.with_context(|| format!("cannot create {}", path.display()))?,
    };
    let mut text = Zeroizing::new(String::new());
    if named {
        text.push_str(NAME_LINE);
        text.push_str(key.kid());
        text.push('\n');
    }
    text.push_str(&key.to_pem()?);
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        // Half a key would be in the way of the next try.
        .inspect_err(|_| drop(fs::remove_file(path)))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads a key; the name is `kid`, else the one in the file, else the thumbprint.
///
/// # Errors
/// The file can not be read, or holds no usable key.
pub fn read(path: &Path, kid: Option<&str>) -> anyhow::Result<SigningKey> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut text = Zeroizing::new(String::new());
    (&file)
        .take(FILE_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let key = SigningKey::from_pem(&text, kid.or_else(|| name_in(&text)))
        .with_context(|| path.display().to_string())?;
    warn_if_shared(path, &file);
    Ok(key)
}

/// Refuses a name that would not survive the line it is kept in.
///
/// # Errors
/// The name is empty, or holds control characters or outer spaces.
pub fn check_name(kid: Option<&str>) -> anyhow::Result<()> {
    match kid {
        Some(kid) if kid.is_empty() || kid.trim() != kid || kid.contains(char::is_control) => {
            bail!("--kid must not be empty, nor hold control characters or outer spaces")
        }
        _ => Ok(()),
    }
}

fn name_in(text: &str) -> Option<&str> {
    let before = text.lines().take_while(|line| !line.starts_with("-----BEGIN"));
    before.filter_map(|line| line.strip_prefix(NAME_LINE)).map(str::trim).next()
}

fn warn_if_shared(path: &Path, file: &File) {
    let mode = file.metadata().map(|metadata| metadata.permissions().mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        let path = path.display();
        eprintln!("warning: others can read {path}, a private key; run: chmod 600 {path}");
    }
}
