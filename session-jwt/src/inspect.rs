//! `session-jwt inspect`: the content of a token, and the verdict of the edge.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use session::unverified::UnverifiedToken;
use session::{KeySet, LEEWAY_CEILING, Rules, TOKEN_BYTES, UnixSeconds, Verifier};

use crate::cli::{InspectArgs, Outcome};
use crate::report::{Report, Verdict};
use crate::{moment, printable};

pub fn run(arguments: &InspectArgs) -> anyhow::Result<Outcome> {
    let now = arguments.at.map_or_else(moment::now, Ok)?;
    let verifier = verifier(arguments)?;
    let token = token(arguments.token.as_deref())?;
    let report = report(token.trim_ascii(), verifier.as_ref(), now);
    printable::line(&if arguments.json { report.json(now)? } else { report.text(now) })?;
    Ok(if report.is_refused() { Outcome::Refused } else { Outcome::Done })
}

fn report(token: &[u8], verifier: Option<&Verifier>, now: UnixSeconds) -> Report {
    let parts = UnverifiedToken::parse(token).and_then(|unverified| {
        Ok((unverified.unverified_header_members()?, unverified.unverified_claims()?))
    });
    let verdict = match (verifier, &parts) {
        (Some(verifier), _) => match verifier.verify(token, now) {
            Ok(_) => Verdict::Accepted,
            Err(refusal) => Verdict::Refused(refusal),
        },
        (None, Err(refusal)) => Verdict::Refused(*refusal),
        (None, Ok(_)) => Verdict::Unverified,
    };
    let (header, claims) = parts.unwrap_or_default();
    Report { header, claims, verdict }
}

fn verifier(arguments: &InspectArgs) -> anyhow::Result<Option<Verifier>> {
    let (Some(jwks), Some(issuer), Some(audience)) =
        (&arguments.jwks, &arguments.iss, &arguments.aud)
    else {
        return Ok(None);
    };
    if arguments.leeway.as_secs() > LEEWAY_CEILING {
        bail!("--leeway is over {LEEWAY_CEILING} s, the most that is allowed");
    }
    let rules = Rules { leeway: arguments.leeway.as_secs(), ..Rules::new(issuer, audience) };
    Ok(Some(Verifier::new(rules, key_set(jwks)?)))
}

fn key_set(path: &Path) -> anyhow::Result<KeySet> {
    let shown = path.display();
    let json = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let jwks = serde_json::from_slice(&json).with_context(|| format!("{shown} is not JSON"))?;
    KeySet::from_jwks(&jwks).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(|error| format!("\n  {error}")).collect();
        anyhow::anyhow!("{shown} is not a usable key set:{}", errors.concat())
    })
}

/// Reads a little more than a token may have, so that too long shows as too long.
fn token(argument: Option<&str>) -> anyhow::Result<Vec<u8>> {
    match argument {
        Some(token) if token != "-" => Ok(token.as_bytes().to_vec()),
        _ => {
            let mut token = Vec::new();
            let most = TOKEN_BYTES as u64 + 1024;
            std::io::stdin().take(most).read_to_end(&mut token).context("standard input")?;
            if token.trim_ascii().is_empty() {
                bail!("no token: give it as argument or on standard input");
            }
            Ok(token)
        }
    }
}
