//! How a credential looks on a request.

use super::{Credential, CredentialFault, authorization};
use lease::{HeaderFault, HeaderName, LeaseHeader, Secret};
use std::collections::BTreeSet;

impl Credential {
    /// The headers of the lease. Also the test of whether a credential may be stored at all.
    ///
    /// # Errors
    /// [`CredentialFault`]; [`CredentialFault::NotHeaders`] for a type that is not made of headers.
    pub fn headers(&self) -> Result<Vec<LeaseHeader>, CredentialFault> {
        match self {
            Self::Bearer { token } => one("authorization", token, authorization::bearer),
            Self::Basic { user, password } => {
                if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
                    return Err(CredentialFault::User);
                }
                one("authorization", password, |password| authorization::basic(user, password))
            }
            Self::ApiKey { header, key } => one(header.as_str(), key, |key| Secret::new(key)),
            Self::HeaderSet { headers } => set(headers),
            Self::SshCertificate { .. } | Self::KerberosTicket { .. } | Self::Opaque { .. } => {
                Err(CredentialFault::NotHeaders(self.kind()))
            }
        }
    }
}

fn one(
    name: &str,
    secret: &Secret,
    write: impl FnOnce(&[u8]) -> Secret,
) -> Result<Vec<LeaseHeader>, CredentialFault> {
    Ok(vec![header(name, secret, write)?])
}

fn set(headers: &[(HeaderName, Secret)]) -> Result<Vec<LeaseHeader>, CredentialFault> {
    let names: BTreeSet<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    if headers.is_empty() || names.len() != headers.len() {
        return Err(CredentialFault::HeaderNames);
    }
    let write = |(name, value): &(HeaderName, Secret)| {
        header(name.as_str(), value, |value| Secret::new(value))
    };
    headers.iter().map(write).collect()
}

fn header(
    name: &str,
    secret: &Secret,
    write: impl FnOnce(&[u8]) -> Secret,
) -> Result<LeaseHeader, CredentialFault> {
    let secret = secret.expose();
    if std::str::from_utf8(secret).is_err() {
        return Err(CredentialFault::NotText);
    }
    // Checked on its own, because behind "Bearer " or inside base64 an empty one looks fine.
    if secret.is_empty() || secret.iter().any(u8::is_ascii_control) {
        return Err(CredentialFault::Header(HeaderFault::Value));
    }
    LeaseHeader::new(name, write(secret)).map_err(CredentialFault::Header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::CredentialType;

    type Sent = Vec<(String, String)>;

    fn sent(credential: &Credential) -> Result<Sent, CredentialFault> {
        let text = |value: &Secret| String::from_utf8(value.expose().to_vec()).unwrap();
        let headers = credential.headers()?;
        Ok(headers.iter().map(|h| (h.name.as_str().to_owned(), text(h.value()))).collect())
    }

    fn bearer(token: &str) -> Credential {
        Credential::Bearer { token: Secret::new(token) }
    }

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.into(), password: Secret::new(password) }
    }

    fn api_key(name: &str, key: &str) -> Credential {
        Credential::ApiKey { header: HeaderName::parse(name).unwrap(), key: Secret::new(key) }
    }

    fn header_set(headers: &[(&str, &str)]) -> Credential {
        let pair =
            |(name, value): &(&str, &str)| (HeaderName::parse(name).unwrap(), Secret::new(*value));
        Credential::HeaderSet { headers: headers.iter().map(pair).collect() }
    }

    fn owned(headers: &[(&str, &str)]) -> Result<Sent, CredentialFault> {
        Ok(headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn every_type_as_its_rfc_says() {
        assert_eq!(sent(&bearer("s3cr3t")), owned(&[("authorization", "Bearer s3cr3t")]));
        // The example of RFC 7617 section 2.
        assert_eq!(
            sent(&basic("Aladdin", "open sesame")),
            owned(&[("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")])
        );
        assert_eq!(sent(&api_key("X-Api-Key", "k")), owned(&[("x-api-key", "k")]));
        let both = [("x-app-id", "i"), ("x-app-key", "k")];
        assert_eq!(sent(&header_set(&both)), owned(&both));
    }

    #[test]
    fn what_would_break_the_request_is_refused() {
        let value = Err(CredentialFault::Header(HeaderFault::Value));
        for bad in ["", "a\nb", "a\rb", "a\0b", "a\tb", "\u{7f}"] {
            assert_eq!(sent(&bearer(bad)), value, "{bad:?}");
            assert_eq!(sent(&basic("u", bad)), value, "{bad:?}");
            assert_eq!(sent(&api_key("x-a", bad)), value, "{bad:?}");
            assert_eq!(sent(&header_set(&[("x-a", "fine"), ("x-b", bad)])), value, "{bad:?}");
        }
        for bad in ["", "a:b", "a\nb"] {
            assert_eq!(sent(&basic(bad, "s")), Err(CredentialFault::User));
        }
        for names in [&[][..], &[("x-a", "1"), ("X-A", "2")]] {
            assert_eq!(sent(&header_set(names)), Err(CredentialFault::HeaderNames));
        }
        let raw = Credential::Bearer { token: Secret::new(vec![0xff]) };
        assert_eq!(raw.headers().err(), Some(CredentialFault::NotText));
    }

    #[test]
    fn what_is_no_header_is_never_leased() {
        let secret = || Secret::new("s");
        for credential in [
            Credential::SshCertificate { certificate: "c".into(), private_key: secret() },
            Credential::KerberosTicket { principal: "p".into(), ccache: secret() },
            Credential::Opaque { bytes: secret() },
        ] {
            assert!(!credential.kind().is_headers());
            assert_eq!(sent(&credential), Err(CredentialFault::NotHeaders(credential.kind())));
        }
        assert_eq!(CredentialType::ALL.iter().filter(|kind| kind.is_headers()).count(), 4);
    }
}
