//! The one place that turns token bytes into a [`Session`].

use crate::claims::Claims;
use crate::refusal::Refusal;
use crate::rules::{LEEWAY_CEILING, LIFETIME_CEILING, Rules};
use crate::signatures::{Signatures, Unaided};
use crate::unverified::UnverifiedJwt;
use crate::verified::Session;
use crate::{KeySet, UnixSeconds};

/// Verifies tokens against one issuer's rules and keys. Has no state: verifying twice gives the
/// same answer twice.
#[derive(Debug, Clone)]
pub struct Verifier {
    rules: Rules,
    keys: KeySet,
}

// === impl Verifier ===

impl Verifier {
    /// A leeway over [`LEEWAY_CEILING`] is cut to it, a `max_lifetime` over [`LIFETIME_CEILING`] also.
    pub fn new(rules: Rules, keys: KeySet) -> Verifier {
        let leeway = rules.leeway.min(LEEWAY_CEILING);
        let max_lifetime = rules.max_lifetime.min(LIFETIME_CEILING);
        Verifier { rules: Rules { leeway, max_lifetime, ..rules }, keys }
    }

    /// Signature and every rule, the cheap ones first: size, shape, header, key, the issuer's algorithms,
    /// signature, claims, issuer, audience, required claims, times.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn verify(&self, token: &[u8], now: UnixSeconds) -> Result<Session, Refusal> {
        let session = self.authenticate(token)?;
        self.check_time(&session, now)?;
        Ok(session)
    }

    /// Everything but the times, for whoever keeps the session and [checks those](Self::check_time)
    /// on every use.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn authenticate(&self, token: &[u8]) -> Result<Session, Refusal> {
        self.authenticate_with(token, &Unaided)
    }

    /// The same, where somebody may help with the signature. What is accepted does not depend on
    /// whether they do.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn authenticate_with(
        &self,
        token: &[u8],
        signatures: &dyn Signatures,
    ) -> Result<Session, Refusal> {
        self.authenticate_jwt(UnverifiedJwt::read(token)?, signatures)
    }

    /// The same of a token that was read to [choose](UnverifiedJwt::choose) its issuer.
    ///
    /// # Errors
    /// The first rule that the token breaks.
    pub fn authenticate_jwt(
        &self,
        jwt: UnverifiedJwt<'_>,
        signatures: &dyn Signatures,
    ) -> Result<Session, Refusal> {
        let key = self.keys.find(jwt.header())?;
        if !self.rules.algorithms.contains(&key.algorithm()) {
            return Err(Refusal::Algorithm);
        }
        let (claims, signed) = jwt.authenticate(key, signatures)?;
        let session = Session::new(Claims::from_authenticated(claims, signed, &self.rules)?);
        self.check_parties(&session)?;
        Ok(session)
    }

    /// The part that depends on the time, for a session that was authenticated before and kept.
    ///
    /// # Errors
    /// [`Refusal::Lifetime`], [`Refusal::Expired`] or [`Refusal::NotYetValid`].
    pub fn check_time(&self, session: &Session, now: UnixSeconds) -> Result<(), Refusal> {
        session.claims().check_time(self.rules.leeway, now)
    }

    fn check_parties(&self, session: &Session) -> Result<(), Refusal> {
        let claims = session.claims();
        if claims.issuer != self.rules.issuer {
            return Err(Refusal::Issuer);
        }
        if !self.rules.audiences.iter().any(|own| claims.audiences.contains(own)) {
            return Err(Refusal::Audience);
        }
        if !self.rules.required_claims.met_by(session) {
            return Err(Refusal::Required);
        }
        Ok(())
    }
}
