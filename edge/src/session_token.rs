//! Finding the Session JWT in a request.

use crate::config::Carrier;
use crate::denial::Denial;
use crate::exchange::Request;
use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use lease::Secret;
use session::Refusal;

/// Clients disagree about padding in Basic credentials; the content decides.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A Session JWT as a request brings it.
pub enum Token<'r> {
    /// It stands in the request, and is copied only for custody.
    Sent(&'r [u8]),
    Basic(Password),
}

/// Basic credentials, decoded, and where in them the password begins.
pub struct Password {
    pair: Secret,
    start: usize,
}

/// The one token that the configured carriers hold, in their order.
///
/// # Errors
/// [`Denial::SessionMissing`]; [`Denial::SessionAmbiguous`] where two differ, whichever would verify.
pub fn find<'r>(carriers: &[Carrier], request: &'r Request) -> Result<Token<'r>, Denial> {
    let mut found: Option<Token<'_>> = None;
    for carrier in carriers {
        for value in values(carrier, request) {
            let Some(token) = token_in(carrier, value)? else { continue };
            match &found {
                Some(first) if first.bytes() != token.bytes() => {
                    return Err(Denial::SessionAmbiguous);
                }
                Some(_) => {}
                None => found = Some(token),
            }
        }
    }
    found.ok_or(Denial::SessionMissing)
}

/// What the guest sent with this request, and what it sent with the CONNECT around it.
fn values<'r>(carrier: &Carrier, request: &'r Request) -> impl Iterator<Item = &'r [u8]> {
    let tunnel = request.tunnel.as_ref().and_then(|tunnel| tunnel.proxy_authorization.as_deref());
    let of_tunnel = tunnel.filter(|_| *carrier == Carrier::ProxyAuthorization);
    of_tunnel.into_iter().chain(request.headers.all(carrier.header()))
}

/// `None` where the header holds some other kind of credential.
fn token_in<'a>(carrier: &Carrier, value: &'a [u8]) -> Result<Option<Token<'a>>, Denial> {
    let value = value.trim_ascii();
    if let Some(token) = after_scheme(value, b"bearer") {
        return Ok(Some(Token::Sent(token)));
    }
    match carrier {
        Carrier::Header(_) if value.is_empty() => Ok(None),
        Carrier::Header(_) => Ok(Some(Token::Sent(value))),
        Carrier::ProxyAuthorization => match after_scheme(value, b"basic") {
            Some(credentials) => Ok(Some(Token::Basic(Password::decode(credentials)?))),
            None => Ok(None),
        },
        Carrier::Authorization => Ok(None),
    }
}

/// Schemes are case-insensitive (RFC 9110 section 11.1).
fn after_scheme<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (name, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

// === impl Token ===

impl Token<'_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sent(token) => token,
            Self::Basic(password) => password.bytes(),
        }
    }
}

// === impl Password ===

impl Password {
    /// All behind the first colon (RFC 7617 section 2).
    fn decode(credentials: &[u8]) -> Result<Self, Denial> {
        let malformed = Denial::Session(Refusal::Malformed);
        let pair = Secret::new(BASIC.decode(credentials).map_err(|_| malformed)?);
        let colon = pair.expose().iter().position(|b| *b == b':').ok_or(malformed)?;
        Ok(Self { pair, start: colon + 1 })
    }

    fn bytes(&self) -> &[u8] {
        self.pair.expose().get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Tunnel;
    use crate::headers::Headers;

    const ALL: [fn() -> Carrier; 3] = [
        || Carrier::ProxyAuthorization,
        || Carrier::Header("x-leasehold-session".into()),
        || Carrier::Authorization,
    ];

    fn found<const N: usize>(pairs: [(&str, &str); N]) -> Result<String, Denial> {
        found_in(Request { headers: Headers::from(pairs), ..Request::default() })
    }

    fn found_in(request: Request) -> Result<String, Denial> {
        let carriers = ALL.map(|carrier| carrier());
        let token = find(&carriers, &request)?;
        Ok(String::from_utf8(token.bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_token_is_found_in_every_carrier() {
        for (name, value) in [
            ("proxy-authorization", "Bearer a.b.c"),
            ("proxy-authorization", "bEARER  a.b.c "),
            ("proxy-authorization", "Basic c2Vzc2lvbjphLmIuYw=="),
            ("proxy-authorization", "basic c2Vzc2lvbjphLmIuYw"),
            ("proxy-authorization", "Basic OmEuYi5j"),
            ("x-leasehold-session", "a.b.c"),
            ("x-leasehold-session", "Bearer a.b.c"),
            ("authorization", "Bearer a.b.c"),
        ] {
            assert_eq!(found([(name, value)]), Ok("a.b.c".into()), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_no_session() {
        for (name, value) in [
            ("authorization", "Basic c2Vzc2lvbjphLmIuYw=="),
            ("proxy-authorization", "Negotiate abc"),
            ("proxy-authorization", "Bearer"),
            ("x-leasehold-session", ""),
            ("cookie", "a.b.c"),
        ] {
            assert_eq!(found([(name, value)]), Err(Denial::SessionMissing), "{name}: {value}");
        }
        for value in ["Basic !!!", "Basic YWJj"] {
            let malformed = Err(Denial::Session(Refusal::Malformed));
            assert_eq!(found([("proxy-authorization", value)]), malformed, "{value}");
        }
    }

    #[test]
    fn two_tokens_must_be_one() {
        let same = [("proxy-authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")];
        assert_eq!(found(same), Ok("a.b.c".into()));
        for other in ["proxy-authorization", "authorization", "x-leasehold-session"] {
            let pairs = [("proxy-authorization", "Bearer a.b.c"), (other, "Bearer x.y.z")];
            assert_eq!(found(pairs), Err(Denial::SessionAmbiguous), "{other}");
        }
    }

    #[test]
    fn the_tunnel_brings_its_own() {
        let tunnel = |value: &str| {
            let proxy_authorization = Some(value.as_bytes().to_vec());
            Some(Tunnel { authority: b"a.example:443".to_vec(), proxy_authorization, sni: None })
        };
        let request =
            |headers| Request { headers, tunnel: tunnel("Bearer a.b.c"), ..Request::default() };
        assert_eq!(found_in(request(Headers::default())), Ok("a.b.c".into()));
        let other = Headers::from([("proxy-authorization", "Bearer x.y.z")]);
        assert_eq!(found_in(request(other)), Err(Denial::SessionAmbiguous));
    }
}
