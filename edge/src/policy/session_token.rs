//! Finding the Session JWT in a request.

use crate::policy::carrier::Carrier;
use crate::policy::denial::Denial;
use crate::request::{Request, Tunnel};
use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use lease::Secret;
use session::Refusal;
use session::unverified::UnverifiedToken;

/// Clients disagree about padding in Basic credentials; the content decides.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A Session JWT as a request brings it.
pub enum Token<'r> {
    /// It points into the request, and is copied only for custody.
    Sent(&'r [u8]),
    Basic(Password<'r>),
}

/// A token, and whether it is where clients put an API key.
struct Found<'r> {
    token: Token<'r>,
    is_key: bool,
}

/// Basic credentials: as sent, decoded, and where in them the password begins.
pub struct Password<'r> {
    sent: &'r [u8],
    pair: Secret,
    start: usize,
}

/// The one token that the tunnel and the configured carriers hold, in their order.
///
/// Clients that insist on an API key get a placeholder for one. A value without the form of a JWT does not
/// count where another carrier has one, unless it is in `Proxy-Authorization`.
///
/// # Errors
/// [`Denial::SessionMissing`], also where the tunnel brings none and the request has one;
/// [`Denial::SessionAmbiguous`] where two differ, also if only one of them would verify.
pub fn find<'r>(carriers: &[Carrier], request: &'r Request) -> Result<Token<'r>, Denial> {
    let tunnels = request.tunnel.as_ref().map(of_tunnel).transpose()?;
    let mut found = tunnels.map(|token| Found { token, is_key: false });
    for carrier in carriers {
        let Some(token) = of_carrier(carrier, request)? else { continue };
        let next = Found { token, is_key: !matches!(carrier, Carrier::ProxyAuthorization) };
        found = Some(match found {
            None => next,
            Some(first) => first.beside(next)?,
        });
    }
    found.map(|found| found.token).ok_or(Denial::SessionMissing)
}

/// The one token in every value of this carrier.
fn of_carrier<'r>(carrier: &Carrier, request: &'r Request) -> Result<Option<Token<'r>>, Denial> {
    let mut found: Option<Token> = None;
    for value in request.headers.all(carrier.header()) {
        let Some(token) = token_in(carrier, value)? else { continue };
        match &found {
            Some(first) if first.bytes() != token.bytes() => return Err(Denial::SessionAmbiguous),
            Some(_) => {}
            None => found = Some(token),
        }
    }
    Ok(found)
}

/// Is this the token that Envoy carries from the CONNECT into its tunnel? Envoy carries the first
/// `Proxy-Authorization` there is.
pub fn is_carried(token: &Token<'_>, connect: &Request) -> bool {
    let Some(value) = connect.headers.single(Carrier::ProxyAuthorization.header()) else {
        return false;
    };
    // Decoding it again, or comparing, would cost a third of a warm CONNECT.
    if token.stands_in(value.trim_ascii()) {
        return true;
    }
    let carried = token_in(&Carrier::ProxyAuthorization, value);
    matches!(carried, Ok(Some(carried)) if carried.bytes() == token.bytes())
}

/// The session that the CONNECT was judged by. Every request in the tunnel belongs to it, with any
/// carriers.
fn of_tunnel(tunnel: &Tunnel) -> Result<Token<'_>, Denial> {
    let value = tunnel.proxy_authorization.as_deref().ok_or(Denial::SessionMissing)?;
    token_in(&Carrier::ProxyAuthorization, value)?.ok_or(Denial::SessionMissing)
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
        // Basic credentials of another kind are the guest's own business.
        Carrier::Authorization => Ok(after_scheme(value, b"basic")
            .and_then(|credentials| Password::decode(credentials).ok())
            .map(Token::Basic)
            .filter(Token::has_form_of_jwt)),
    }
}

/// Schemes are case-insensitive (RFC 9110 section 11.1).
fn after_scheme<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (name, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

// === impl Found ===

impl<'r> Found<'r> {
    fn beside(self, next: Found<'r>) -> Result<Found<'r>, Denial> {
        if self.token.bytes() == next.token.bytes() {
            return Ok(self);
        }
        match (self.is_placeholder(), next.is_placeholder()) {
            (false, true) => Ok(self),
            (true, false) => Ok(next),
            _ => Err(Denial::SessionAmbiguous),
        }
    }

    fn is_placeholder(&self) -> bool {
        self.is_key && !self.token.has_form_of_jwt()
    }
}

// === impl Token ===

impl Token<'_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sent(token) => token,
            Self::Basic(password) => password.bytes(),
        }
    }

    fn has_form_of_jwt(&self) -> bool {
        UnverifiedToken::has_form(self.bytes())
    }

    /// Was it read from these very bytes, and not from others like them?
    fn stands_in(&self, value: &[u8]) -> bool {
        let (scheme, own) = match self {
            Self::Sent(token) => ("bearer", *token),
            Self::Basic(password) => ("basic", password.sent),
        };
        after_scheme(value, scheme.as_bytes()).is_some_and(|sent| std::ptr::eq(sent, own))
    }
}

// === impl Password ===

impl<'r> Password<'r> {
    /// All behind the first colon (RFC 7617 section 2).
    fn decode(credentials: &'r [u8]) -> Result<Self, Denial> {
        let malformed = Denial::Session(Refusal::Malformed);
        let pair = Secret::new(BASIC.decode(credentials).map_err(|_| malformed)?);
        let colon = pair.expose().iter().position(|b| *b == b':').ok_or(malformed)?;
        Ok(Self { sent: credentials, pair, start: colon + 1 })
    }

    fn bytes(&self) -> &[u8] {
        self.pair.expose().get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            ("authorization", "Basic c2Vzc2lvbjphLmIuYw=="),
            ("authorization", "basic OmEuYi5j"),
        ] {
            assert_eq!(found([(name, value)]), Ok("a.b.c".into()), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_no_session() {
        for (name, value) in [
            ("authorization", "Basic dXNlcjpwYXNz"),
            ("authorization", "Basic YWJj"),
            ("authorization", "Basic !!!"),
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
    fn a_placeholder_beside_a_token_does_not_count() {
        let (key, session) = (("authorization", "Bearer sk-key"), ("x-leasehold-session", "a.b.c"));
        assert_eq!(found([key, session]), Ok("a.b.c".into()));
        let (session, key) = (("authorization", "Bearer a.b.c"), ("x-leasehold-session", "sk-key"));
        assert_eq!(found([key, session]), Ok("a.b.c".into()));
        assert_eq!(found([key]), Ok("sk-key".into()));
        let other = ("authorization", "Bearer sk-other");
        assert_eq!(found([key, other]), Err(Denial::SessionAmbiguous));
        // Neither in a proxy's credentials nor in a second value of one header.
        for pair in [
            [("proxy-authorization", "Bearer sk-key"), ("authorization", "Bearer a.b.c")],
            [("proxy-authorization", "Bearer sk-key"), ("proxy-authorization", "Bearer a.b.c")],
            [("proxy-authorization", "Bearer a.b.c"), ("proxy-authorization", "Bearer sk-key")],
            [("authorization", "Bearer a.b.c"), ("authorization", "Bearer sk-key")],
        ] {
            assert_eq!(found(pair), Err(Denial::SessionAmbiguous), "{pair:?}");
        }
    }

    fn tunnel(sent: Option<&str>) -> Tunnel {
        let proxy_authorization = sent.map(|value| value.as_bytes().to_vec());
        let authority = b"a.example:443".to_vec();
        Tunnel { authority, proxy_authorization, refusal: None, sni: None }
    }

    #[test]
    fn the_tunnel_brings_its_own() {
        let request = |headers| Request {
            headers,
            tunnel: Some(tunnel(Some("Bearer a.b.c"))),
            ..Request::default()
        };
        assert_eq!(found_in(request(Headers::default())), Ok("a.b.c".into()));
        let other = Headers::from([("proxy-authorization", "Bearer x.y.z")]);
        assert_eq!(found_in(request(other)), Err(Denial::SessionAmbiguous));
    }

    #[test]
    fn a_tunnel_without_a_session_lets_no_session_in() {
        for sent in [None, Some("Negotiate abc")] {
            for carrier in ["proxy-authorization", "x-leasehold-session", "authorization"] {
                let headers = Headers::from([(carrier, "Bearer a.b.c")]);
                let request = Request { headers, tunnel: Some(tunnel(sent)), ..Request::default() };
                assert_eq!(found_in(request), Err(Denial::SessionMissing), "{carrier}");
            }
        }
    }

    #[test]
    fn the_session_of_the_tunnel_counts_whatever_the_carriers_are() {
        let carriers = [Carrier::Header("x-leasehold-session".into())];
        let found = |headers| {
            let tunnel = Some(tunnel(Some("Bearer a.b.c")));
            let request = Request { headers, tunnel, ..Request::default() };
            find(&carriers, &request).map(|token| token.bytes().to_vec())
        };
        assert_eq!(found(Headers::default()), Ok(b"a.b.c".to_vec()));
        let other = Headers::from([("x-leasehold-session", "x.y.z")]);
        assert_eq!(found(other), Err(Denial::SessionAmbiguous));
    }

    #[test]
    fn only_a_single_value_is_carried_as_it_was_judged() {
        let carried = |pairs: &[(&str, &str)]| {
            let request =
                Request { headers: pairs.iter().copied().collect(), ..Request::default() };
            is_carried(&Token::Sent(b"a.b.c"), &request)
        };
        let name = "proxy-authorization";
        assert!(carried(&[(name, "Bearer a.b.c")]));
        assert!(carried(&[(name, "Basic c2Vzc2lvbjphLmIuYw==")]));
        assert!(!carried(&[(name, "Negotiate x"), (name, "Bearer a.b.c")]));
        assert!(!carried(&[(name, "Bearer a.b.c"), (name, "Negotiate x")]));
        assert!(!carried(&[(name, "Bearer x.y.z")]));
        assert!(!carried(&[("x-leasehold-session", "a.b.c")]));
    }
}
