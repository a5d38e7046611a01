//! The certificate authority that guests trust: two files in a folder, `ca.pem` and `ca.key`.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::{FromDer, parse_x509_pem};
use zeroize::Zeroizing;

/// The certificate, for everybody who is to trust the leaves.
pub const CERTIFICATE_FILE: &str = "ca.pem";
/// The PKCS#8 key, for its owner alone.
pub const KEY_FILE: &str = "ca.key";

/// How far certificates are backdated, so that a guest whose clock is behind still trusts them.
pub const BACKDATED: Duration = Duration::from_secs(3600);

/// A loaded authority, able to sign.
pub struct Authority {
    issuer: Issuer<'static, WipedKey>,
    not_after: SystemTime,
}

/// A key pair whose bytes are wiped when it goes.
pub struct WipedKey(Zeroizing<KeyPair>);

/// What [`create`] is told.
#[derive(Clone, Debug)]
pub struct NewAuthority {
    /// The subject's common name, at most 64 characters (RFC 5280 appendix A.1).
    pub name: String,
    pub life: Duration,
}

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("{path} exists; remove it first, or give another folder")]
    Exists { path: PathBuf },
    #[error("{path} is not there; `leaf-ca init DIR` makes an authority")]
    Missing { path: PathBuf },
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error(
        "{path} may be read by others than its owner and group (mode {mode:04o}): run `chmod 600 {path}`, \
         and if others may have read it, make a new authority"
    )]
    KeyIsOpen { path: PathBuf, mode: u32 },
    #[error("{path} is not a PKCS#8 key in PEM; convert with `openssl pkcs8 -topk8 -nocrypt`")]
    Key { path: PathBuf },
    #[error("{path}: {fault}")]
    Certificate { path: PathBuf, fault: &'static str },
    #[error("cannot sign: {0}")]
    Signature(#[from] rcgen::Error),
}

/// Makes an authority in `dir` (made with mode 0700 unless it is there) and never overwrites one.
pub fn create(dir: &Path, wanted: &NewAuthority, now: SystemTime) -> Result<(), AuthorityError> {
    let (certificate, key) = (dir.join(CERTIFICATE_FILE), dir.join(KEY_FILE));
    for path in [&certificate, &key] {
        if path.symlink_metadata().is_ok() {
            return Err(AuthorityError::Exists { path: path.clone() });
        }
    }
    let pair = WipedKey::generate()?;
    let signed = certificate_params(wanted, now).self_signed(&pair)?;

    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| AuthorityError::File { path: dir.to_owned(), error })?;
    write_new(&key, 0o600, pair.to_pem().as_bytes())?;
    // A key alone would be in the way of the next try.
    write_new(&certificate, 0o644, signed.pem().as_bytes())
        .inspect_err(|_| drop(fs::remove_file(&key)))
}

fn certificate_params(wanted: &NewAuthority, now: SystemTime) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, wanted.name.as_str());
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + wanted.life).into();
    // Zero: it signs leaves, and nothing it signs may sign in turn.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), AuthorityError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        // A umask may have taken bits away that the certificate needs.
        file.set_permissions(Permissions::from_mode(mode))
            .and_then(|()| file.write_all(bytes))
            .and_then(|()| file.sync_all())
            .inspect_err(|_| drop(fs::remove_file(path)))
    };
    write().map_err(|error| AuthorityError::File { path: path.to_owned(), error })
}

// === impl Authority ===

impl Authority {
    /// Reads both files and checks that they make an authority: a key that only its owner and group can
    /// read, a certificate that may sign leaves, that belongs to the key and has not run out.
    pub fn load(dir: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let (path, key_path) = (dir.join(CERTIFICATE_FILE), dir.join(KEY_FILE));
        let pair = read_key(&key_path)?;
        let text =
            fs::read(&path).map_err(|error| AuthorityError::File { path: path.clone(), error })?;
        let fault = |fault| AuthorityError::Certificate { path: path.clone(), fault };
        let (_, pem) = parse_x509_pem(&text).map_err(|_| fault("no certificate in PEM"))?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents)
            .map_err(|_| fault("the certificate cannot be read"))?;
        check(&certificate, &pair, now).map_err(fault)?;
        let not_after = time_of(&certificate).ok_or_else(|| fault("has no usable end of life"))?;
        let issuer = Issuer::from_ca_cert_der(&pem.contents.as_slice().into(), pair)?;
        Ok(Self { issuer, not_after })
    }

    pub fn issuer(&self) -> &Issuer<'static, WipedKey> {
        &self.issuer
    }

    /// No leaf outlives this.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }
}

// === impl WipedKey ===

impl WipedKey {
    /// A new key on P-256.
    pub fn generate() -> Result<Self, rcgen::Error> {
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map(|pair| Self(Zeroizing::new(pair)))
    }

    /// PKCS#8 in PEM.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }
}

impl PublicKeyData for WipedKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for WipedKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

fn read_key(path: &Path) -> Result<WipedKey, AuthorityError> {
    let broken = |error| AuthorityError::File { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AuthorityError::Missing { path: path.to_owned() },
        _ => broken(error),
    })?;
    // The mode of what was opened, not of what the path means a moment later.
    let metadata = file.metadata().map_err(broken)?;
    if metadata.is_dir() {
        return Err(broken(io::ErrorKind::IsADirectory.into()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    // Kubernetes hands secrets to a pod through its group (`fsGroup`), mode 0440.
    if mode & 0o037 != 0 {
        return Err(AuthorityError::KeyIsOpen { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(broken)?;
    let pair =
        KeyPair::from_pem(&text).map_err(|_| AuthorityError::Key { path: path.to_owned() })?;
    Ok(WipedKey(Zeroizing::new(pair)))
}

fn check(
    certificate: &X509Certificate<'_>,
    pair: &WipedKey,
    now: SystemTime,
) -> Result<(), &'static str> {
    if certificate.public_key().raw != pair.subject_public_key_info() {
        return Err("does not belong to the ca.key beside it");
    }
    let is_ca = certificate.basic_constraints().ok().flatten().is_some_and(|c| c.value.ca);
    // A certificate without the extension may sign; one whose extension cannot be read may not.
    let signs = certificate.key_usage().is_ok_and(|u| u.is_none_or(|u| u.value.key_cert_sign()));
    if !is_ca || !signs {
        return Err("is not an authority's certificate (needs CA:TRUE and keyCertSign)");
    }
    match time_of(certificate) {
        Some(end) if now < end => Ok(()),
        _ => Err("has run out; make a new authority with `leaf-ca init`"),
    }
}

fn time_of(certificate: &X509Certificate<'_>) -> Option<SystemTime> {
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
