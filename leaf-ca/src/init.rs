//! `leaf-ca init`: makes an authority and says what to do with it.

use crate::authority::{self, AuthorityError, CERTIFICATE_FILE, KEY_FILE, NewAuthority};
use std::path::Path;
use std::time::SystemTime;

/// Makes the authority and gives the text to show.
pub fn init(dir: &Path, wanted: &NewAuthority) -> Result<String, AuthorityError> {
    authority::create(dir, wanted, SystemTime::now())?;
    let (certificate, key) = (dir.join(CERTIFICATE_FILE), dir.join(KEY_FILE));
    Ok(format!(
        "wrote {certificate}  what guests are to trust, and all they are given\n\
         wrote {key}  the signing key (mode 0600): it stays here\n\
         \n\
         next:\n  \
         1. mint leaves for the names your policy allows:\n     \
         leaf-ca serve --ca {dir} --policy policy.yaml --listen unix:/run/leasehold/leaf-ca.sock\n  \
         2. copy {certificate} to the guests, which read it from\n     \
         SSL_CERT_FILE (curl, OpenSSL, Go), REQUESTS_CA_BUNDLE (Python requests),\n     \
         NODE_EXTRA_CA_CERTS (Node)\n",
        certificate = certificate.display(),
        key = key.display(),
        dir = dir.display(),
    ))
}
