//! GitHub's answer, compared with the request.

use crate::{BackendFault, Restriction};
use custody_base::outbound::{Answer, StatusCode, secret};
use lease::{Secret, UnixSeconds};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// A token that has no more than was asked for.
pub(super) struct Minted {
    pub secret: Secret,
    /// `contents:read`.
    pub scope: Vec<String>,
    pub expires_at: UnixSeconds,
}

#[derive(Deserialize)]
struct RawMinted {
    #[serde(deserialize_with = "secret")]
    token: Secret,
    expires_at: String,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    repository_selection: Option<String>,
    repositories: Option<Vec<RawRepository>>,
}

#[derive(Deserialize)]
struct RawRepository {
    name: String,
}

/// Weakest first. Custody treats any level that GitHub may add as stronger than all of them.
const LEVELS: [&str; 3] = ["read", "write", "admin"];

/// # Errors
/// [`BackendFault::Denied`] or [`BackendFault::Down`] with the status; [`BackendFault::Unfit`] for a
/// token with more power than was asked for, or without a life.
pub(super) fn read(
    answer: &Answer,
    asked: &Restriction,
    now: UnixSeconds,
) -> Result<Minted, BackendFault> {
    if answer.status != StatusCode::CREATED {
        return Err(refused(answer));
    }
    let raw: RawMinted = answer.json()?;
    let text = raw.token.expose();
    if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
        return Err(BackendFault::Unfit("its token is empty or not printable ASCII"));
    }
    check_permissions(&raw.permissions, &asked.permissions)?;
    check_repositories(&raw, &asked.repositories)?;
    let expires_at = humantime::parse_rfc3339(&raw.expires_at).ok();
    let expires_at = expires_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let expires_at = expires_at.map(|since| since.as_secs()).filter(|at| *at > now);
    let expires_at =
        expires_at.ok_or(BackendFault::Unfit("its expires_at is not in the future"))?;
    let scope = raw.permissions.iter().map(|(name, level)| format!("{name}:{level}")).collect();
    Ok(Minted { secret: raw.token, scope, expires_at })
}

fn check_permissions(
    minted: &BTreeMap<String, String>,
    asked: &BTreeMap<String, String>,
) -> Result<(), BackendFault> {
    if asked.is_empty() {
        return Ok(());
    }
    let level = |name: &str| LEVELS.iter().position(|level| *level == name);
    let broader = minted.iter().any(|(name, minted)| match asked.get(name) {
        Some(asked) if asked == minted => false,
        Some(asked) => level(minted).is_none_or(|minted| Some(minted) > level(asked)),
        // Every installation token may read metadata; it cannot be left out.
        None => !(name == "metadata" && minted == "read"),
    });
    // A token without a list could have any permission.
    if broader || minted.is_empty() {
        return Err(BackendFault::Unfit("it has a permission that was not requested"));
    }
    Ok(())
}

/// Names are compared as GitHub compares them: without case.
fn check_repositories(minted: &RawMinted, asked: &[String]) -> Result<(), BackendFault> {
    if asked.is_empty() {
        return Ok(());
    }
    let selected = minted.repository_selection.as_deref() == Some("selected");
    let repositories = minted.repositories.as_deref().unwrap_or_default();
    let was_asked = |name: &str| asked.iter().any(|asked| asked.eq_ignore_ascii_case(name));
    let covered = repositories.iter().all(|repository| was_asked(&repository.name));
    if selected && covered && !repositories.is_empty() {
        return Ok(());
    }
    Err(BackendFault::Unfit("it has a repository that was not requested"))
}

fn refused(answer: &Answer) -> BackendFault {
    let status = answer.status;
    let text = match status.as_u16() {
        401 => "status 401; is app_id right, and the private key this app's?".to_owned(),
        404 => "status 404; is this an installation of the app?".to_owned(),
        422 => "status 422; has the installation these repositories and permissions?".to_owned(),
        other => format!("status {other}"),
    };
    // A rate limit is told with 403 or 429 (GitHub, "Rate limits for the REST API").
    let spent = answer.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    let later = spent || answer.headers.contains_key("retry-after");
    let busy = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && later)
        || !status.is_client_error();
    if busy { BackendFault::Down(text) } else { BackendFault::Denied(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use zeroize::Zeroizing;

    const NOW: UnixSeconds = 1_700_000_000;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Default::default(),
            body: Zeroizing::new(body.into()),
        }
    }

    fn asked() -> Restriction {
        Restriction {
            repositories: vec!["x".into(), "Y".into()],
            permissions: [("contents".to_owned(), "write".to_owned())].into(),
            ..Restriction::default()
        }
    }

    fn minted(change: &[(&str, Value)]) -> Result<Minted, BackendFault> {
        let mut body = json!({
            "token": "ghs_1", "expires_at": "2023-11-14T23:13:20Z",
            "permissions": {"contents": "write", "metadata": "read"},
            "repository_selection": "selected", "repositories": [{"id": 1, "name": "x"}],
        });
        for (name, value) in change {
            body[*name] = value.clone();
        }
        read(&answer(201, &body.to_string()), &asked(), NOW)
    }

    #[test]
    fn a_token_with_what_was_asked_or_less() {
        let token = minted(&[]).ok().unwrap();
        assert_eq!(token.expires_at, NOW + 3600);
        assert_eq!(token.scope, ["contents:write", "metadata:read"]);
        assert!(minted(&[("permissions", json!({"contents": "read"}))]).is_ok());
        assert!(minted(&[("repositories", json!([{"name": "X"}, {"name": "y"}]))]).is_ok());
    }

    #[test]
    fn more_than_was_asked_is_not_used() {
        for (name, value) in [
            ("permissions", json!({"contents": "admin"})),
            ("permissions", json!({"contents": "maintain"})),
            ("permissions", json!({"contents": "write", "issues": "read"})),
            ("permissions", json!({"contents": "write", "metadata": "write"})),
            ("permissions", json!({})),
            ("repository_selection", json!("all")),
            ("repository_selection", Value::Null),
            ("repositories", json!([{"name": "x"}, {"name": "z"}])),
            ("repositories", json!([])),
            ("repositories", Value::Null),
        ] {
            let fault = minted(&[(name, value.clone())]).err().unwrap();
            let told = fault.to_string();
            assert!(told.contains("that was not requested"), "{name} {value}: {told}");
        }
    }

    #[test]
    fn a_token_without_a_life_is_not_used() {
        for at in ["2023-11-14T22:13:20Z", "2000-01-01T00:00:00Z", "1960-01-01T00:00:00Z", "", "x"]
        {
            let fault = minted(&[("expires_at", json!(at))]).err().unwrap();
            assert_eq!(fault, BackendFault::Unfit("its expires_at is not in the future"), "{at}");
        }
        assert!(minted(&[("token", json!(""))]).is_err());
        assert!(minted(&[("token", json!("a\nb"))]).is_err());
    }

    #[test]
    fn a_refusal_is_told_from_a_service_that_is_down() {
        for status in [400, 401, 403, 404, 422] {
            let fault = refused(&answer(status, "canary"));
            assert!(matches!(fault, BackendFault::Denied(_)), "{fault}");
            assert!(!fault.to_string().contains("canary"));
        }
        for status in [200, 302, 429, 500, 503] {
            let fault = read(&answer(status, "{}"), &asked(), NOW).err().unwrap();
            assert!(matches!(fault, BackendFault::Down(_)), "{fault}");
        }
        let mut limited = answer(403, "");
        limited.headers.insert("retry-after", "60".parse().unwrap());
        assert!(matches!(refused(&limited), BackendFault::Down(_)));
    }
}
